// The answer to "may this CPU be trusted with a debugger?", for `mortem run`.
#pragma once

namespace kernel {

[[noreturn]] void selftest();

}  // namespace kernel
