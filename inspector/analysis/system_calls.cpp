#include "inspector/analysis/system_calls.h"

#include <sys/syscall.h>

namespace mortem::inspector {

std::string system_call_name(uint64_t number) {
  switch (number) {
#define MORTEM_CALL(name) \
  case __NR_##name:       \
    return #name;
#include "system_call_names.inc"
#undef MORTEM_CALL
    default:
      return "call " + std::to_string(number);
  }
}

}  // namespace mortem::inspector
