// The program's buffers of one call, however many there are: struct iovec, checked as Linux checks it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/library/result.h"

namespace kernel::linux {

inline constexpr uint64_t kMaximumTransfer = 0x7fff'f000;  // MAX_RW_COUNT
inline constexpr uint64_t kMaximumVectors = 1024;          // UIO_MAXIOV

struct UserBuffer {  // struct iovec
  uint64_t address, length;
};

class UserVector {
 public:
  UserVector() = default;
  ~UserVector();
  UserVector(const UserVector&) = delete;
  UserVector& operator=(const UserVector&) = delete;

  // Invalid: a negative length. Fault: behind the end of user memory. What is beyond kMaximumTransfer is cut off.
  Result<void> set(uint64_t address, uint64_t length);
  Result<void> read(uint64_t vector, uint64_t count);  // count: at most kMaximumVectors, else Invalid

  size_t total() const { return total_; }
  Result<void> copy_in(void* to, size_t offset, size_t length);
  Result<void> copy_out(size_t offset, const void* from, size_t length);

 private:
  template <typename Copy>
  Result<void> each_piece(size_t offset, size_t length, Copy copy);

  static constexpr size_t kFew = 8;
  UserBuffer few_[kFew];
  UserBuffer* buffers_ = few_;
  size_t count_ = 0, total_ = 0;
};

}  // namespace kernel::linux
