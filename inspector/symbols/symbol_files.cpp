#include "inspector/symbols/symbol_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <llvm/ADT/ArrayRef.h>
#include <llvm/Support/CRC.h>
#include <llvm/Support/SHA256.h>

#include <algorithm>

namespace mortem::inspector {
namespace fs = std::filesystem;

std::string hexadecimal(std::span<const uint8_t> bytes) {
  return fmt::format("{:02x}", fmt::join(bytes, ""));
}

std::string module_file_name(const std::string& hexadecimal_id) {
  return "module-" + hexadecimal_id;
}

namespace {

std::vector<uint8_t> sha256(const ElfImage& image) {
  llvm::SHA256 hash;
  hash.update(llvm::ArrayRef<uint8_t>(image.bytes().data(), image.bytes().size()));
  const auto digest = hash.final();
  return {digest.begin(), digest.end()};
}

std::vector<uint8_t> id_of(const ElfImage& image, format::ModuleIdKind kind) {
  switch (kind) {
    case format::ModuleIdKind::GnuBuildId:
      return image.build_id();
    case format::ModuleIdKind::GoBuildId:
      return image.go_build_id();
    case format::ModuleIdKind::Sha256:
      return sha256(image);
    case format::ModuleIdKind::None:
      break;
  }
  return {};
}

bool has_id(const snapshot::CoreModule& module) {
  return module.id_kind != format::ModuleIdKind::None && module.id.size() > 1;
}

// AB/CDEF… of an id, as it stands in a build-id folder.
fs::path folder_form(const std::vector<uint8_t>& id) {
  const std::string text = hexadecimal(id);
  return fs::path(text.substr(0, 2)) / text.substr(2);
}

}  // namespace

bool is_file_of(const ElfImage& image, const fs::path& path, const snapshot::CoreModule& module) {
  return has_id(module) ? id_of(image, module.id_kind) == module.id
                        : path.filename() == fs::path(module.path).filename();
}

// One module's search: what was found so far and where was looked.
class SymbolFileFinder::Search {
 public:
  Search(SymbolFileFinder& finder, const snapshot::CoreModule& module) : finder_(finder), module_(module) {}

  FoundFiles run() {
    if (module_.kind == format::ModuleKind::Vdso) return {};  // has no file: its image is in the target's memory
    has_id_ = has_id(module_);
    has_id_ ? by_id() : by_path();
    if (found_.executable && !found_.debug) by_debug_link();
    if (module_.id_kind == format::ModuleIdKind::GnuBuildId) by_debuginfod();
    add_companions();
    describe_missing();
    return std::move(found_);
  }

 private:
  void by_id() {
    for (const Extra& extra : finder_.extra_)
      if (is_file_of(*extra.image, extra.path, module_)) take(extra.path, extra.image);
    const fs::path name = folder_form(module_.id);
    const fs::path debug_name = name.string() + ".debug";
    for (const fs::path& folder : finder_.options_.module_folders) {
      const std::string here = (folder / module_file_name(hexadecimal(module_.id))).string();
      try_path(here);
      try_path(here + ".debug");
    }
    if (!finder_.options_.store.empty()) {
      try_path(finder_.options_.store / "build-id" / name);
      try_path(finder_.options_.store / "build-id" / debug_name);
    }
    for (const fs::path& file : finder_.options_.kernel_files)
      if (module_.kind == format::ModuleKind::Kernel) try_path(file);
    if (fs::path(module_.path).is_absolute()) try_path(module_.path);
    for (const fs::path& folder : finder_.options_.debug_folders) {
      try_path(folder / ".build-id" / debug_name);
      try_path(folder / ".build-id" / name);
      // --debug-dir may name the build-id folder itself.
      std::error_code ignored;
      if (fs::is_directory(folder / ".build-id", ignored)) continue;
      try_path(folder / debug_name);
      try_path(folder / name);
    }
  }

  // A foreign core's module without an id: whatever stands at its path, marked.
  void by_path() {
    // What the user gave for it, by its name: nothing else tells that it is the same program.
    for (const Extra& extra : finder_.extra_)
      if (is_file_of(*extra.image, extra.path, module_)) {
        take(extra.path, extra.image);
        unverified_ = true;
      }
    if (unverified_) return;
    if (!fs::path(module_.path).is_absolute()) return;
    looked_for(module_.path);
    if (auto image = ElfImage::map_file(module_.path)) {
      take(module_.path, *image);
      unverified_ = true;
    }
  }

  void try_path(const fs::path& path) {
    if (found_.executable && found_.debug) return;
    looked_for(path.string());
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) return;
    auto image = ElfImage::map_file(path);
    if (!image) {
      refused_.push_back(image.error().message);
      return;
    }
    const auto id = id_of(**image, module_.id_kind);
    if (id == module_.id) return take(path, *image);
    refused_.push_back(id.empty()
                           ? fmt::format("{} has no build id and was not used", path.string())
                           : fmt::format("{} is another build ({}) and was not used", path.string(), hexadecimal(id)));
  }

  void take(const fs::path& path, const std::shared_ptr<const ElfImage>& image) {
    if (!found_.executable && image->has_code()) {
      found_.executable = image;
      found_.paths.executable = path;
    }
    if (!found_.debug && image->has_debug_information()) {
      found_.debug = image;
      found_.paths.debug = path;
    }
  }

  void by_debug_link() {
    const auto link = found_.executable->debug_link();
    if (!link) return;
    std::error_code ignored;
    const fs::path folder = fs::weakly_canonical(found_.paths.executable, ignored).parent_path();
    const fs::path module_folder = fs::path(module_.path).parent_path();
    std::vector<fs::path> places = {folder / link->file_name, folder / ".debug" / link->file_name};
    for (const fs::path& debug : finder_.options_.debug_folders) {
      places.push_back(debug / folder.relative_path() / link->file_name);
      if (module_folder.is_absolute()) places.push_back(debug / module_folder.relative_path() / link->file_name);
    }
    for (const fs::path& place : places) {
      if (found_.debug) return;
      looked_for(place.string());
      if (!fs::is_regular_file(place, ignored)) continue;
      auto image = ElfImage::map_file(place);
      if (!image || !(*image)->has_debug_information()) continue;
      const auto bytes = (*image)->bytes();
      if (llvm::crc32(llvm::ArrayRef<uint8_t>(bytes.data(), bytes.size())) == link->checksum)
        take(place, *image);
      else
        refused_.push_back(fmt::format("{} has another checksum than the debug link and was not used", place.string()));
    }
  }

  // The last: it costs a question to another machine.
  void by_debuginfod() {
    if (!finder_.options_.asks_servers || !Debuginfod::has_servers() || module_.kind == format::ModuleKind::Kernel)
      return;
    if (!found_.debug)
      if (const auto path = finder_.debuginfod_.debug_file(module_.id)) try_path(*path);
    if (!found_.executable)
      if (const auto path = finder_.debuginfod_.executable(module_.id)) try_path(*path);
  }

  void add_companions() {
    if (found_.debug) {
      AlternateFile alternate =
          find_alternate(*found_.debug, found_.paths.debug, finder_.options_, finder_.debuginfod_);
      found_.alternate = alternate.image;
      found_.paths.alternate = alternate.path;
      companion_problem_ = alternate.problem;
      found_.paths.package = find_package(found_.paths, module_.path);
    }
    if (found_.executable && !found_.executable->has_symbol_table())
      found_.small_symbols = small_symbols(*found_.executable);
  }

  void looked_for(const std::string& path) {
    if (std::find(looked_.begin(), looked_.end(), path) == looked_.end()) looked_.push_back(path);
  }

  void describe_missing() {
    if (found_.debug && !unverified_) {
      if (!companion_problem_.empty())
        found_.missing = fmt::format("{}: {}; give its folder with --debug-dir DIR", module_.path, companion_problem_);
      return;
    }
    const std::string what = module_.path.empty() ? fmt::format("module at {:#x}", module_.start) : module_.path;
    const std::string id =
        has_id_ ? fmt::format(" (build id {})", hexadecimal(module_.id)) : " (no build id in the core)";
    std::string& text = found_.missing;
    if (unverified_) {
      text = fmt::format("{}{}: {} was used, unverified", what, id, found_.paths.executable.string());
      if (!found_.debug) text += "; it has no debug information";
    } else if (found_.executable) {
      text = fmt::format("{}{}: no debug information, functions are from the symbol table of {}", what, id,
                         found_.paths.executable.string());
    } else {
      text = fmt::format("{}{}: its file was not found", what, id);
    }
    if (!refused_.empty()) text += fmt::format("; {}", fmt::join(refused_, "; "));
    std::erase_if(looked_, [&](const std::string& path) { return path == found_.paths.executable.string(); });
    if (!unverified_ && !looked_.empty()) text += fmt::format("; looked for {}", fmt::join(looked_, ", "));
    if (!found_.debug && !finder_.debuginfod_.trouble().empty())
      text += fmt::format("; {}", finder_.debuginfod_.trouble());
    if (!found_.debug && has_id_)
      text += "; give the file with --symbols FILE, or its build-id folder with --debug-dir DIR";
  }

  SymbolFileFinder& finder_;
  const snapshot::CoreModule& module_;
  bool has_id_ = false, unverified_ = false;
  FoundFiles found_;
  std::string companion_problem_;
  std::vector<std::string> looked_, refused_;
};

SymbolFileFinder::SymbolFileFinder(SymbolOptions options) : options_(std::move(options)) {
  for (const fs::path& path : options_.extra_files)
    if (auto image = ElfImage::map_file(path)) extra_.push_back({path, *image});
}

FoundFiles SymbolFileFinder::find(const snapshot::CoreModule& module) {
  return Search(*this, module).run();
}

}  // namespace mortem::inspector
