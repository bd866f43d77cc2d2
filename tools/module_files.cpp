#include "tools/module_files.h"

#include <unistd.h>

#include "inspector/symbols/symbol_files.h"
#include "snapshot/clone/clone_description.h"
#include "tools/files.h"
#include "tools/qemu/instance.h"
#include "tools/replay/recording.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFolderKernel = "kernel.elf";  // of clones and recordings

Result<void> keep_file(const fs::path& file, const fs::path& as) {
  std::error_code ignored;
  if (file.empty() || fs::exists(as, ignored)) return {};
  auto copied = copy_file_content(file, as, 0600);
  if (!copied) unlink(as.c_str());
  return copied;
}

Result<void> keep_files_of(const snapshot::CoreModule& module, const inspector::FoundFiles& found,
                           const fs::path& folder) {
  const auto place_of = [&folder](const std::vector<uint8_t>& id) {
    return folder / inspector::module_file_name(inspector::hexadecimal(id));
  };
  const fs::path here = place_of(module.id), debug = here.string() + ".debug";
  const bool is_one = found.paths.debug == found.paths.executable;
  std::error_code ignored;
  const bool is_folders_kernel =
      module.kind == format::ModuleKind::Kernel && fs::exists(folder / kFolderKernel, ignored);
  if (!is_folders_kernel) TRY_VOID(keep_file(found.paths.executable, here));
  if (!is_one) TRY_VOID(keep_file(found.paths.debug, debug));
  TRY_VOID(keep_file(found.paths.package, (is_one ? here : debug).string() + ".dwp"));
  if (!found.alternate || found.alternate->build_id().empty()) return {};
  return keep_file(found.paths.alternate, place_of(found.alternate->build_id()).string() + ".debug");
}

}  // namespace

Result<void> keep_module_files(const std::vector<snapshot::CoreModule>& modules, inspector::SymbolOptions where,
                               const fs::path& folder) {
  where.asks_servers = false;  // they can be asked anywhere
  inspector::SymbolFileFinder finder(std::move(where));
  for (const snapshot::CoreModule& module : modules)
    if (module.id_kind != format::ModuleIdKind::None && module.id.size() > 1)
      TRY_VOID(keep_files_of(module, finder.find(module), folder));
  return {};
}

void add_module_folder_of_source(const fs::path& source, inspector::SymbolOptions& to) {
  if (!snapshot::is_clone_folder(source) && !is_recording(source)) return;
  to.module_folders.push_back(source);
  to.kernel_files.insert(to.kernel_files.begin(), source / kFolderKernel);
}

void add_module_folder(const std::string& target, inspector::SymbolOptions& to) {
  fs::path source = target;
  if (target.find('/') == std::string::npos)
    if (const auto instance = find_instance(target)) source = instance->facts.source;
  add_module_folder_of_source(source, to);
}

bool link_debug_files(const fs::path& source, const fs::path& place) {
  const std::string beginning = inspector::module_file_name(""), ending = ".debug";
  bool has_any = false;
  std::error_code error;
  for (fs::directory_iterator at(source, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(beginning) || !name.ends_with(ending)) continue;
    const std::string id = name.substr(beginning.size(), name.size() - beginning.size() - ending.size());
    if (id.size() < 4 || id.find_first_not_of("0123456789abcdef") != std::string::npos) continue;
    const fs::path link = place / ".build-id" / id.substr(0, 2) / (id.substr(2) + ending);
    std::error_code ignored;
    fs::create_directories(link.parent_path(), ignored);
    fs::create_symlink(at->path(), link, ignored);  // there from another gdb
    has_any = true;
  }
  return has_any;
}

}  // namespace mortem::tools
