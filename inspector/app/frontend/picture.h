// Pixels of a frame, and the PNG file they are kept in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "snapshot/result.h"

namespace mortem::inspector::app {

struct Picture {
  int width = 0, height = 0;
  std::vector<uint8_t> pixels;  // red, green, blue a pixel, from the top
};

Result<void> write_png(const Picture& picture, const std::filesystem::path& path);

}  // namespace mortem::inspector::app
