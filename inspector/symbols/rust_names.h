// The older scheme of Rust's linkage names, which looks like C++: `_ZN4core6option6unwrap17h0123456789abcdefE`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mortem::inspector {

// "core::option::unwrap", the hash left out, as rustfilt shows it; nothing: not such a name.
std::optional<std::string> demangle_old_rust(std::string_view name);

}  // namespace mortem::inspector
