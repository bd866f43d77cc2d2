#include "inspector/app/frontend/picture.h"

#include <fmt/format.h>
#include <png.h>

namespace mortem::inspector::app {

Result<void> write_png(const Picture& picture, const std::filesystem::path& path) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = picture.width;
  image.height = picture.height;
  image.format = PNG_FORMAT_RGB;
  if (png_image_write_to_file(&image, path.c_str(), 0, picture.pixels.data(), picture.width * 3, nullptr) == 0)
    return failure(ErrorKind::System, fmt::format("{}: the picture could not be written: {}", path.string(), image.message));
  return {};
}

}  // namespace mortem::inspector::app
