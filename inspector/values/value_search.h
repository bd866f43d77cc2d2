// What to look for in memory to find values of a type.
#pragma once

#include <string>
#include <vector>

#include "inspector/analysis/search.h"
#include "inspector/values/program_values.h"

namespace mortem::inspector {

struct ValueSearch {
  Search search;
  uint64_t offset = 0;     // of what is looked for, in the value
  uint64_t alignment = 1;  // of the place of what is looked for
  const Type* type = nullptr;
};

// `TYPE`: a C++ class with virtual functions; its objects begin with the address of its table (Itanium C++ ABI, 2.5),
// those of derived classes with another one's. Several searches where modules have tables of their own. Finds copies of
// that address, too. `TYPE=EXPRESSION`: a number, enumeration or pointer of that type and value.
// `TYPE.MEMBER=EXPRESSION`: objects of TYPE with that value in a member (`connection.address.port=80`).
Result<std::vector<ValueSearch>> find_value_searches(const Target& target, Symbolizer& symbolizer,
                                                     ProgramValues& program, const std::string& text);

}  // namespace mortem::inspector
