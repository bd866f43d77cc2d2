#include "kernel/linux/user_vector.h"

#include "kernel/arch/x86_64/user_access.h"
#include "kernel/memory/heap.h"

namespace kernel::linux {
namespace {

Result<void> check(const UserBuffer& buffer) {
  if (static_cast<int64_t>(buffer.length) < 0) return Error::Invalid;
  if (buffer.length > kUserEnd || buffer.address > kUserEnd - buffer.length) return Error::Fault;
  return {};
}

}  // namespace

UserVector::~UserVector() {
  if (buffers_ != few_) heap_free(buffers_);
}

Result<void> UserVector::set(uint64_t address, uint64_t length) {
  if (length > kMaximumTransfer) length = kMaximumTransfer;  // Linux: import_single_range
  few_[0] = {address, length};
  TRY(check(few_[0]));
  count_ = 1;
  total_ = length;
  return {};
}

Result<void> UserVector::read(uint64_t vector, uint64_t count) {
  if (count > kMaximumVectors) return Error::Invalid;
  if (count > kFew) {
    buffers_ = static_cast<UserBuffer*>(heap_allocate(count * sizeof(UserBuffer)));
    if (buffers_ == nullptr) {
      buffers_ = few_;
      return Error::NoMemory;
    }
  }
  TRY(copy_from_user(buffers_, vector, count * sizeof(UserBuffer)));
  count_ = count;
  for (size_t index = 0; index < count; ++index) {
    UserBuffer& buffer = buffers_[index];
    TRY(check(buffer));
    if (buffer.length > kMaximumTransfer - total_) buffer.length = kMaximumTransfer - total_;
    total_ += buffer.length;
  }
  return {};
}

template <typename Copy>
Result<void> UserVector::each_piece(size_t offset, size_t length, Copy copy) {
  size_t start = 0, done = 0;  // of the buffer in the whole; of `length`
  for (size_t index = 0; index < count_ && done < length; ++index) {
    const UserBuffer& buffer = buffers_[index];
    const size_t end = start + buffer.length, at = offset + done;
    if (at < end) {
      const size_t piece = end - at < length - done ? end - at : length - done;
      TRY(copy(buffer.address + (at - start), done, piece));
      done += piece;
    }
    start = end;
  }
  return {};
}

Result<void> UserVector::copy_in(void* to, size_t offset, size_t length) {
  return each_piece(offset, length, [to](uint64_t user, size_t done, size_t piece) {
    return copy_from_user(static_cast<uint8_t*>(to) + done, user, piece);
  });
}

Result<void> UserVector::copy_out(size_t offset, const void* from, size_t length) {
  return each_piece(offset, length, [from](uint64_t user, size_t done, size_t piece) {
    return copy_to_user(user, static_cast<const uint8_t*>(from) + done, piece);
  });
}

}  // namespace kernel::linux
