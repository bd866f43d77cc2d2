#include "inspector/symbols/index/indexed_files.h"

#include <fmt/format.h>

namespace mortem::inspector::index {

Result<IndexedFiles> IndexedFiles::find(const std::filesystem::path& path, const SymbolOptions& options) {
  IndexedFiles files;
  files.executable = TRY(ElfImage::map_file(path));
  files.debug = files.executable;
  if (!files.executable->has_symbol_table()) files.small_symbols = inspector::small_symbols(*files.executable);
  if (files.executable->has_debug_information()) {
    Debuginfod debuginfod;
    files.alternate = find_alternate(*files.executable, path, options, debuginfod).image;
    std::error_code ignored;
    files.paths.executable = files.paths.debug = std::filesystem::absolute(path, ignored);
    files.paths.package = options.package.empty() ? find_package(files.paths, path) : options.package;
    return files;
  }
  snapshot::CoreModule module;
  std::error_code ignored;
  module.path = std::filesystem::absolute(path, ignored).string();
  module.id = files.executable->build_id();
  module.id_kind = module.id.empty() ? format::ModuleIdKind::None : format::ModuleIdKind::GnuBuildId;
  if (auto found = SymbolFileFinder(options).find(module); found.debug) {
    files.debug = found.debug;
    files.alternate = found.alternate;
    files.paths = found.paths;
    if (!options.package.empty()) files.paths.package = options.package;
  }
  return files;
}

Result<IndexedFiles> IndexedFiles::find(const std::vector<uint8_t>& build_id, const SymbolOptions& options) {
  snapshot::CoreModule module;
  module.id = build_id;
  module.id_kind = format::ModuleIdKind::GnuBuildId;
  const FoundFiles found = SymbolFileFinder(options).find(module);
  if (!found.executable && !found.debug)
    return failure(ErrorKind::NotFound, fmt::format("build id {}: no file of it was found; give its build-id folder "
                                                    "with --debug-dir DIR",
                                                    hexadecimal(build_id)));
  IndexedFiles files(found);
  if (!files.executable) files.executable = files.debug;
  if (!options.package.empty()) files.paths.package = options.package;
  return files;
}

}  // namespace mortem::inspector::index
