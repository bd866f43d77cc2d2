// Names as the source has them: C++, Rust and D linkage names undone, others left alone.
#pragma once

#include <string>
#include <string_view>

namespace mortem::inspector {

std::string demangle(std::string_view linkage_name);

}  // namespace mortem::inspector
