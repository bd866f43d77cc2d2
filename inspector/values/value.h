// A value of the program: a type, and the place it is in. Bytes are read when they are needed, each number checked; a
// byte that is not known is never read as zero.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inspector/unwind/memory_cache.h"
#include "inspector/values/location.h"
#include "inspector/values/type.h"

namespace mortem::inspector {

struct Value;

// A value that is not in memory as a whole: in registers, computed, or in parts.
struct ValueBytes {
  struct Gap {
    uint64_t first_bit = 0, end_bit = 0;
    Missing missing;
  };
  struct SyntheticPointer {                // a pointer that was optimized out, while what it points to is known
    uint64_t byte = 0;                     // where in the value it stands
    std::function<Found<Value>()> target;  // void: in the middle of an object
  };
  std::vector<uint8_t> bytes;
  std::vector<Gap> gaps;
  std::vector<SyntheticPointer> synthetic;
};

struct Value {
  const Type* type = nullptr;               // null: void
  std::optional<uint64_t> address;          // in memory
  std::shared_ptr<const ValueBytes> bytes;  // else, `byte_offset` in it
  uint64_t byte_offset = 0;
  unsigned bit_shift = 0, bit_size = 0;  // a bit-field: bits of the bytes that begin here; size 0: none
  std::optional<Missing> missing;        // nothing at all is known

  static Value in_memory(const Type* type, uint64_t address) {
    Value value;
    value.type = type;
    value.address = address;
    return value;
  }
  static Value of_bytes(const Type* type, std::vector<uint8_t> bytes) {
    auto holder = std::make_shared<ValueBytes>();
    holder->bytes = std::move(bytes);
    Value value;
    value.type = type;
    value.bytes = std::move(holder);
    return value;
  }
  static Value unknown(const Type* type, Missing missing) {
    Value value;
    value.type = type;
    value.missing = std::move(missing);
    return value;
  }
};

// Values are read through this: it knows the target's memory.
class ValueReader {
 public:
  explicit ValueReader(MemoryCache& memory) : memory_(memory) {}
  MemoryCache& memory() { return memory_; }

  // `size` bytes from `offset` on; all of them or why not.
  Found<std::vector<uint8_t>> read(const Value& value, uint64_t offset, uint64_t size);
  Found<std::vector<uint8_t>> read_memory(uint64_t address, uint64_t size);
  // Integers, booleans, characters, enumerations, pointers, bit-fields: extended to 64 bits by their sign.
  Found<uint64_t> read_integer(const Value& value);
  Found<long double> read_float(const Value& value);  // of 4, 8 and 10 bytes
  // The same place as a value of another type.
  Value as(const Value& value, const Type* type, uint64_t offset = 0);
  Found<Value> member(const Value& value, const Member& member);
  // A member by name, also of bases and of anonymous members.
  Found<Value> find_member(const Value& value, const std::string& name);
  bool has_member(const Type& type, const std::string& name);
  // What a pointer or reference points to.
  Found<Value> dereference(const Value& value);
  Found<Value> element(const Value& array, uint64_t index);
  // The variant that the discriminant chooses; null: none.
  Found<const Variant*> active_variant(const Value& value);
  std::string synthetic_at(const Value& value);  // "(synthetic pointer)", or empty

 private:
  Found<Value> find_member_in(const Value& value, const Type& type, const std::string& name, int depth);
  MemoryCache& memory_;
};

}  // namespace mortem::inspector
