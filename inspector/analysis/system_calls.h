// Names of Linux's system calls on x86-64, as this machine's headers have them.
#pragma once

#include <cstdint>
#include <string>

namespace mortem::inspector {

std::string system_call_name(uint64_t number);  // "call 9999" for one without a name

}  // namespace mortem::inspector
