#include "inspector/serve/served_files.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "snapshot/dump_info.h"

namespace mortem::inspector {
namespace {

constexpr uint64_t kLargestVdso = 1 << 20;

int64_t copy_from(std::span<const uint8_t> bytes, uint64_t offset, std::span<uint8_t> to) {
  if (offset >= bytes.size()) return 0;
  const size_t count = std::min<size_t>(to.size(), bytes.size() - offset);
  std::memcpy(to.data(), bytes.data() + offset, count);
  return static_cast<int64_t>(count);
}

// The program before it was stripped; debug files have sections of code without content.
bool is_whole(const std::filesystem::path& path) {
  const auto image = path.empty() ? nullptr : ElfImage::map_file(path).value_or(nullptr);
  const ElfSection* code = image ? image->section(".text") : nullptr;
  return code && code->type != SHT_NOBITS;
}

// What comes after the last "/NAME/" of a path.
std::string_view after(std::string_view path, std::string_view folder) {
  const size_t at = path.rfind(folder);
  return at == std::string_view::npos ? std::string_view() : path.substr(at + folder.size());
}

}  // namespace

const CoreModule* ServedFiles::program() const {
  for (const CoreModule& module : target_.modules())
    if (module.kind == format::ModuleKind::Program) return &module;
  return nullptr;
}

std::unique_ptr<ServedFiles::File> ServedFiles::file_of(const CoreModule& module) const {
  auto file = std::make_unique<File>();
  if (module.kind == format::ModuleKind::Vdso) {  // has no file; is mapped as it would stand in one
    file->text.resize(std::min(module.end - module.start, kLargestVdso));
    const std::span<uint8_t> bytes(reinterpret_cast<uint8_t*>(file->text.data()), file->text.size());
    file->text.resize(target_.read_memory(module.start, bytes).value_or(0));
    return file->text.empty() ? nullptr : std::move(file);
  }
  const SymbolFiles& files = symbolizer_.files(module);
  if (files.executable.empty()) return nullptr;
  auto image = ElfImage::map_file(files.executable);
  if (!image) return nullptr;
  file->image = *image;
  return file;
}

// gdb looks for these on the target's side, too: …/.build-id/XX/REST.debug.
std::unique_ptr<ServedFiles::File> ServedFiles::find_debug_file(std::string_view path) const {
  const std::string_view name = after(path, "/.build-id/");
  if (name.size() < 4 || name[2] != '/' || !name.ends_with(".debug")) return nullptr;
  const std::string id = std::string(name.substr(0, 2)) + std::string(name.substr(3, name.size() - 3 - 6));
  for (const CoreModule& module : target_.modules()) {
    if (module.kind == format::ModuleKind::Vdso || snapshot::hexadecimal(module.id) != id) continue;
    const SymbolFiles& files = symbolizer_.files(module);
    if (files.debug.empty() || files.debug == files.executable) return nullptr;
    auto image = ElfImage::map_file(files.debug);
    if (!image) return nullptr;
    auto file = std::make_unique<File>();
    file->image = *image;
    return file;
  }
  return nullptr;
}

std::unique_ptr<ServedFiles::File> ServedFiles::find(std::string_view path) const {
  for (const std::string& folder : {fmt::format("/proc/{}/", process_), std::string("/proc/self/")})
    if (path.starts_with(folder)) return find_of_process(path.substr(folder.size()));
  const CoreModule* module = module_of(path);
  return module ? file_of(*module) : find_debug_file(path);
}

const CoreModule* ServedFiles::module_of(std::string_view path) const {
  for (const CoreModule& module : target_.modules())
    if (module.path == path && !path.empty()) return &module;
  const auto name = names_.find(std::string(path));
  return name == names_.end() ? nullptr : name->second;
}

bool ServedFiles::local(std::string_view path, gdbstub::LocalFile& file) const {
  const CoreModule* module = module_of(path);
  if (!module || module->kind == format::ModuleKind::Vdso) return false;
  file = {.path = module->path, .build_id = {}, .size = 0, .load_bias = module->load_bias};
  if (module->id_kind == format::ModuleIdKind::GnuBuildId) file.build_id = module->id;
  // The same file under the name that people know, where it is there.
  const auto named = file.build_id.empty() ? nullptr : ElfImage::map_file(module->path).value_or(nullptr);
  if (named && named->build_id() == module->id) {
    file.size = named->bytes().size();
    return true;
  }
  const SymbolFiles& files = symbolizer_.files(*module);
  const std::filesystem::path& best = is_whole(files.debug) ? files.debug : files.executable;
  std::error_code error;
  if (const auto size = std::filesystem::file_size(best, error); !error) {
    file.path = best.native();
    file.size = size;
  }
  return true;
}

// proc(5). Of the process, or of one of its threads.
std::unique_ptr<ServedFiles::File> ServedFiles::find_of_process(std::string_view name) const {
  if (name.starts_with("task/")) {
    const size_t slash = name.find('/', 5);
    if (slash == std::string_view::npos) return nullptr;
    name.remove_prefix(slash + 1);
  }
  auto file = std::make_unique<File>();
  if (name == "exe") return program() ? file_of(*program()) : nullptr;
  if (name == "maps") {
    file->text = mappings();
  } else if (name == "cmdline") {
    file->text = target_.core().command_line();  // NT_PRPSINFO has blanks between its words
    std::replace(file->text.begin(), file->text.end(), ' ', '\0');
    file->text += '\0';
  } else if (name == "comm") {
    file->text = target_.core().program_name() + "\n";
  } else if (name == "auxv") {
    const auto& vector = target_.core().auxiliary_vector();
    file->text.assign(reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(uint64_t));
    file->text.append(16, '\0');  // AT_NULL
  } else {
    return nullptr;
  }
  return file;
}

std::string ServedFiles::mappings() const {
  std::string text;
  for (const TargetRegion& region : target_.regions()) {
    std::string name = region.path;
    for (const CoreModule& module : target_.modules())
      if (module.kind == format::ModuleKind::Vdso && module.start == region.start) name = "[vdso]";
    fmt::format_to(std::back_inserter(text), "{:x}-{:x} {}{}{}p {:08x} 00:00 0{}{}\n", region.start, region.end,
                   (region.flags & 4) != 0 ? 'r' : '-', (region.flags & 2) != 0 ? 'w' : '-',
                   (region.flags & 1) != 0 ? 'x' : '-', region.file_offset, name.empty() ? "" : "     ", name);
  }
  return text;
}

int64_t ServedFiles::open(std::string_view path) {
  const auto free = std::find_if(files_.begin(), files_.end(), [](const auto& file) { return !file; });
  if (free == files_.end()) return -EMFILE;
  *free = find(path);
  return *free ? free - files_.begin() : -ENOENT;
}

int64_t ServedFiles::close(uint64_t number) {
  if (number >= files_.size() || !files_[number]) return -EBADF;
  files_[number].reset();
  return 0;
}

int64_t ServedFiles::read(uint64_t number, uint64_t offset, std::span<uint8_t> to) const {
  if (number >= files_.size() || !files_[number]) return -EBADF;
  return copy_from(files_[number]->bytes(), offset, to);
}

int64_t ServedFiles::status(uint64_t number, gdbstub::FileStatus& status) const {
  if (number >= files_.size() || !files_[number]) return -EBADF;
  constexpr uint32_t kRegularReadable = 0100444;
  status = {};
  status.mode = kRegularReadable;
  status.links = 1;
  status.inode = static_cast<uint32_t>(number) + 1;
  status.size = files_[number]->bytes().size();
  status.block_size = 4096;
  status.blocks = (status.size + 511) / 512;
  return 0;
}

int64_t ServedFiles::path_status(std::string_view path, gdbstub::FileStatus& status) const {
  ServedFiles other(target_, symbolizer_, process_);
  other.names_ = names_;
  const int64_t number = other.open(path);
  return number < 0 ? number : other.status(static_cast<uint64_t>(number), status);
}

int64_t ServedFiles::read_link(std::string_view path, std::span<char> to) const {
  if (path != fmt::format("/proc/{}/exe", process_) && path != "/proc/self/exe") return find(path) ? -EINVAL : -ENOENT;
  if (!program()) return -ENOENT;
  return static_cast<int64_t>(program()->path.copy(to.data(), to.size()));
}

}  // namespace mortem::inspector
