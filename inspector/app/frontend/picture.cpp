#include "inspector/app/frontend/picture.h"

#include <fmt/format.h>
#include <png.h>

namespace mortem::inspector::app {

Result<Picture> read_png(const std::filesystem::path& path) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_file(&image, path.c_str()) == 0)
    return failure(ErrorKind::NotFound, fmt::format("the picture cannot be read: {}", image.message));
  image.format = PNG_FORMAT_RGB;
  Picture picture{int(image.width), int(image.height), std::vector<uint8_t>(PNG_IMAGE_SIZE(image))};
  if (png_image_finish_read(&image, nullptr, picture.pixels.data(), 0, nullptr) == 0)
    return failure(ErrorKind::BadInput, fmt::format("the picture cannot be read: {}", image.message));
  return picture;
}

double different_percent(const Picture& left, const Picture& right) {
  if (left.width != right.width || left.height != right.height || left.pixels.empty()) return 100;
  size_t different = 0;
  for (size_t at = 0; at + 3 <= left.pixels.size(); at += 3) {
    int distance = 0;
    for (size_t part = 0; part < 3; ++part) distance += std::abs(int(left.pixels[at + part]) - int(right.pixels[at + part]));
    different += distance > 48;
  }
  return 100.0 * double(different) / (double(left.pixels.size()) / 3);
}

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
