// Names as the source has them: C++, Rust and D linkage names undone, others left alone.
#pragma once

#include <string>
#include <string_view>

namespace mortem::inspector {

std::string demangle(std::string_view linkage_name);

// Of a clone's name (`_Z1fv.constprop.0`) the function's own. A name may have dots of its own: GCC's coroutines.
std::string_view without_clone_suffix(std::string_view linkage_name);

}  // namespace mortem::inspector
