// Values in words: a tree that a terminal, JSON and a window can show. Containers of the languages' standard libraries
// are shown as what they hold; where their layout is not as expected they are shown as the structures that they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inspector/values/characters.h"
#include "inspector/values/program_values.h"

namespace mortem::inspector {

struct ValueNode {
  std::string name;  // of a member or variable; "[3]"; empty: none
  std::string type;
  std::string text;   // a scalar; of something with children what is said before them; may be empty
  bool known = true;  // false: `text` is "<optimized out>" or "<unavailable: …>"
  std::optional<uint64_t> address;
  std::vector<ValueNode> children;
  bool elements = false;               // the children are elements of an array or container, not members
  bool keyed = false;                  // these have keys, not numbers: "["name"]"
  std::optional<uint64_t> count;       // of elements, all of them
  uint64_t first = 0;                  // index of the first element shown
  std::string note;                    // what was odd; empty: nothing
  std::shared_ptr<const Value> value;  // what is described here, if it was asked for
};

struct DescribeOptions {
  uint64_t offset = 0, limit = 200;  // of the elements of the outermost array or container; within it, the first ones
  size_t string_limit = 200;
  bool raw = false;            // no container is shown as what it holds
  int depth = 20;              // of values in values; what is deeper is "…"
  uint64_t inner_limit = 200;  // elements of containers in containers
  bool keep_values = false;    // so that a part can be described on its own later
};

ValueNode describe(ProgramValues& program, const Value& value, const DescribeOptions& options);

// "{a = 1, b = {…}}", in several lines where one would be too long.
std::string value_text(const ValueNode& node);

std::string missing_text(const Missing& missing);  // "<optimized out>", "<unavailable: rdi was not saved>"
std::string float_text(long double value, uint64_t size);

}  // namespace mortem::inspector
