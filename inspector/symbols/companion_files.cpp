#include "inspector/symbols/companion_files.h"

#include <fmt/format.h>
#include <lzma.h>

#include <cstring>

#include "inspector/elf/byte_cursor.h"
#include "inspector/symbols/symbol_files.h"

namespace mortem::inspector {
namespace fs = std::filesystem;
namespace {

struct AlternateLink {
  std::string name;
  std::vector<uint8_t> id;
};

// DWARF 5, section 7.3.6. The file that is pointed to has the section too, with the same checksum and no name.
std::optional<AlternateLink> supplementary(const ElfImage& image, bool of_the_file_itself) {
  const ElfSection* section = image.debug_section("sup");
  const auto bytes = section ? image.content(*section) : std::nullopt;
  if (!bytes) return std::nullopt;
  ByteCursor cursor(*bytes, 0);
  const uint16_t version = cursor.u16();
  const bool is_supplementary = cursor.u8() != 0;
  AlternateLink link;
  link.name = cursor.text();
  const uint64_t length = cursor.uleb();
  if (cursor.bad() || version != 5 || is_supplementary != of_the_file_itself || length > cursor.left())
    return std::nullopt;
  const auto id = bytes->subspan(cursor.offset(), length);
  link.id.assign(id.begin(), id.end());
  return link;
}

std::optional<AlternateLink> alternate_link(const ElfImage& image) {
  if (const ElfSection* section = image.section(".gnu_debugaltlink")) {
    const auto bytes = image.content(*section);
    if (!bytes) return std::nullopt;
    ByteCursor cursor(*bytes, 0);
    AlternateLink link;
    link.name = cursor.text();
    if (cursor.bad()) return std::nullopt;
    link.id.assign(bytes->begin() + static_cast<ptrdiff_t>(cursor.offset()), bytes->end());
    return link;
  }
  return supplementary(image, false);
}

}  // namespace

AlternateFile find_alternate(const ElfImage& debug, const fs::path& debug_path, const SymbolOptions& options,
                             Debuginfod& debuginfod) {
  AlternateFile result;
  const auto link = alternate_link(debug);
  if (!link || link->id.size() < 2) return result;
  const std::string id = hexadecimal(link->id);
  const fs::path by_id = fs::path(".build-id") / id.substr(0, 2) / (id.substr(2) + ".debug");
  std::error_code ignored;
  std::vector<fs::path> places = {fs::weakly_canonical(debug_path, ignored).parent_path() / link->name};
  for (const fs::path& folder : options.module_folders) places.push_back(folder / (module_file_name(id) + ".debug"));
  for (const fs::path& folder : options.debug_folders) {
    places.push_back(folder / by_id);
    places.push_back(folder / ".dwz" / fs::path(link->name).filename());
  }
  auto take = [&](const fs::path& path) {
    if (!fs::is_regular_file(path, ignored)) return false;
    auto image = ElfImage::map_file(path);
    if (!image) return false;
    const auto own = supplementary(**image, true);  // may be all that tells: a build id is not asked for there
    if ((*image)->build_id() != link->id && (!own || own->id != link->id)) return false;
    result.image = *image;
    result.path = path;
    return true;
  };
  for (const fs::path& one : places)
    if (take(one)) return result;
  if (options.asks_servers)
    if (const auto path = debuginfod.debug_file(link->id); path && take(*path)) return result;
  result.problem =
      fmt::format("its alternate file {} (build id {}) was not found, names in it are unknown", link->name, id);
  return result;
}

fs::path find_package(const SymbolFiles& files, const fs::path& module_path) {
  std::error_code ignored;
  for (const fs::path& file : {files.debug, files.executable, module_path})
    if (const fs::path package = file.string() + ".dwp"; !file.empty() && fs::is_regular_file(package, ignored))
      return package;
  return {};
}

std::shared_ptr<const ElfImage> small_symbols(const ElfImage& executable) {
  constexpr uint64_t kLargest = 256 << 20;
  const ElfSection* section = executable.section(".gnu_debugdata");
  const auto packed = section ? executable.content(*section) : std::nullopt;
  if (!packed || packed->empty()) return nullptr;
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kLargest, 0) != LZMA_OK) return nullptr;
  std::vector<uint8_t> bytes(packed->size() * 8);
  stream.next_in = packed->data();
  stream.avail_in = packed->size();
  lzma_ret status = LZMA_OK;
  while (status == LZMA_OK && stream.total_out < kLargest) {
    if (stream.total_out == bytes.size()) bytes.resize(bytes.size() * 2);
    stream.next_out = bytes.data() + stream.total_out;
    stream.avail_out = bytes.size() - stream.total_out;
    status = lzma_code(&stream, LZMA_FINISH);
  }
  bytes.resize(stream.total_out);
  lzma_end(&stream);
  if (status != LZMA_STREAM_END) return nullptr;
  auto image = ElfImage::from_bytes(executable.name(), std::move(bytes));
  return image ? *image : nullptr;
}

}  // namespace mortem::inspector
