#include "tools/target.h"

#include <fmt/format.h>

#include "inspector/target/live_core.h"
#include "snapshot/clone/clone_description.h"
#include "snapshot/image_target.h"
#include "tools/qemu/instance.h"
#include "tools/replay/recording.h"

namespace mortem::tools {

namespace fs = std::filesystem;

Result<void> check_folder(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored) || snapshot::is_clone_folder(path)) return {};
  if (is_recording(path))
    return failure(ErrorKind::BadInput, fmt::format("{0}: a recording, no moment: mortem replay {0} runs it", path));
  return failure(ErrorKind::BadInput, fmt::format("{}: a folder, but no clone: there is no {} in it", path,
                                                  snapshot::kCloneDescriptionFile));
}

// What has a slash in it is a path. A word may be either: a guest that runs under this name is what is meant, though
// the program that it was made of may stand here as a file.
Result<std::unique_ptr<snapshot::CoreFile>> open_target_core(const std::string& text) {
  std::error_code ignored;
  const bool is_there = fs::exists(text, ignored);
  const auto image = snapshot::image_target(text);
  if (text.find('/') == std::string::npos) {
    auto instance = find_instance(text);
    if (instance) {
      Descriptor socket = TRY(connect_to_stub(*instance));
      return inspector::open_live_core(socket.release(), text);
    }
    if (image) return snapshot::open_image_target(*image);
    if (!is_there)
      return failure(ErrorKind::NotFound,
                     fmt::format("{}: no file of that name, and no guest that runs: mortem ps shows those", text));
  }
  if (image) return snapshot::open_image_target(*image);
  TRY_VOID(check_folder(text));
  return snapshot::CoreFile::open(text);
}

Result<OpenedTarget> open_target(const std::string& text, inspector::Scope scope) {
  OpenedTarget opened;
  opened.core = TRY(open_target_core(text));
  opened.target = TRY(inspector::open_core_target(*opened.core, scope));
  return opened;
}

}  // namespace mortem::tools
