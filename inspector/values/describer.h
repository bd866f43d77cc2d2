// The parts of `describe` that containers use. For this folder.
#pragma once

#include <functional>
#include <initializer_list>
#include <string_view>

#include "inspector/values/describe.h"

namespace mortem::inspector {

class Describer {
 public:
  Describer(ProgramValues& program, const DescribeOptions& options)
      : program_(program), reader_(program.reader()), options_(options) {}

  ValueNode node(const Value& value, std::string name, int depth);
  ProgramValues& program() { return program_; }
  ValueReader& reader() { return reader_; }

  // For a container of `count` elements at depth `depth`: which of them to show.
  struct Window {
    uint64_t first = 0, end = 0;
  };
  Window window(uint64_t count, int depth) const;
  bool add_element(ValueNode& to, uint64_t index, const Value& value, int depth);  // false: enough was shown
  // Characters in memory as a quoted string; more than the limit is cut and says so.
  std::string memory_string(uint64_t address, uint64_t length, const CharacterKind& kind);
  void follow(ValueNode& to, const Value& pointer, int depth);  // what a smart pointer points to, one step

  // --- short forms for layouts: nothing if a step fails
  std::optional<Value> get(const Value& value, std::initializer_list<const char*> path);
  std::optional<uint64_t> number(const Value& value, std::initializer_list<const char*> path);

 private:
  void scalar(const Value& value, const Type& type, ValueNode& to);
  void pointer(const Value& value, const Type& type, ValueNode& to);
  void array(const Value& value, const Type& type, ValueNode& to, int depth);
  void structure(const Value& value, const Type& type, ValueNode& to, int depth);
  bool character_array(const Value& value, const Type& type, ValueNode& to);
  void go_function(const Value& value, ValueNode& to);

  ProgramValues& program_;
  ValueReader& reader_;
  DescribeOptions options_;
  size_t nodes_ = 0;
  int followed_ = 0;
};

// What the libraries' containers have in common.
class Container {
 public:
  Container(Describer& describer, const Value& value, const Type& type, ValueNode& to, int depth)
      : describer_(describer), value_(value), type_(type), to_(to), depth_(depth) {}

 protected:
  static constexpr uint64_t kMaximumElements = 1ull << 40;  // more than any memory holds: the container is broken

  static const Type* argument(const Type& type, size_t index) {  // of its template; null if there is none
    const auto& all = type.complete().template_types;
    return index < all.size() ? all[index].second : nullptr;
  }
  // Where a value stands behind `head` bytes of its node; nothing: its alignment is not known.
  static std::optional<uint64_t> aligned(uint64_t head, const Type* element) {
    const auto alignment = alignment_of(element);
    return alignment ? std::optional((head + *alignment - 1) / *alignment * *alignment) : std::nullopt;
  }
  std::optional<uint64_t> word(uint64_t address) { return describer_.reader().memory().read_word(address); }

  // The container looks as what it holds.
  bool show(const Value& value, std::string note = "") {
    ValueNode inner = describer_.node(value, to_.name, depth_ + 1);
    inner.type = to_.type;
    if (!note.empty()) inner.note = std::move(note);
    to_ = std::move(inner);
    return true;
  }

  static uint64_t size_of(const Type* type) { return type && type->stripped().has_size ? type->stripped().size : 0; }

  using Path = std::initializer_list<const char*>;  // of member names
  bool wrapped(Path path);                          // it looks as its member there
  // `count` elements, the value of each known by its index.
  bool fill(uint64_t count, const std::function<std::optional<Value>(uint64_t)>& at);
  bool contiguous(const Type* element, uint64_t start, uint64_t count);
  bool elements_of(Path array);
  bool bits_of(Path words);  // std::bitset
  // std::any: which type it holds only the name of the function at `manager` tells, `small_owner`T>`function` or
  // `large_owner`T>`function`; T stands at `storage`, a large one at the address in `pointer`.
  bool held(Path manager, std::string_view function, std::string_view small_owner, Path storage,
            std::string_view large_owner, Path pointer);
  // Of std::bitset<70ul>, std::span<int, 3>: only the type's name tells.
  std::optional<uint64_t> last_argument_number() const;

  Describer& describer_;
  const Value& value_;
  const Type& type_;
  ValueNode& to_;
  int depth_;
};

// Each fills `to` and says true if `value` is one of its library's containers and as it should be.
bool describe_libstdcxx(Describer& describer, const Value& value, const Type& type, ValueNode& to, int depth);
bool describe_libcxx(Describer& describer, const Value& value, const Type& type, ValueNode& to, int depth);
bool describe_rust(Describer& describer, const Value& value, const Type& type, ValueNode& to, int depth);
bool describe_go(Describer& describer, const Value& value, const Type& type, ValueNode& to, int depth);
bool describe_go_map(Describer& describer, const Value& value, const Type& type, ValueNode& to, int depth);

}  // namespace mortem::inspector
