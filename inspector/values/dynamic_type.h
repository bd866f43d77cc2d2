// The class that a C++ object really is of, by its run-time type information.
#pragma once

#include <optional>
#include <string>

#include "inspector/unwind/memory_cache.h"

namespace mortem::inspector {

struct DynamicType {
  std::string name;      // as the source has it
  uint64_t address = 0;  // of the whole object
};

// `object`: the address of an object of a class with virtual functions or bases. Nothing: it is none, its program was
// built without the information, or that is not in memory.
std::optional<DynamicType> find_dynamic_type(MemoryCache& memory, uint64_t object);

}  // namespace mortem::inspector
