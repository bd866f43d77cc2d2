// Prints what the Symbolizer says about addresses of an ELF file, in the form of llvm-symbolizer: for tests. What is
// missing goes to stderr.
// usage: locate_addresses FILE [--debug-dir DIR] [--substitute FROM TO] < ADDRESSES (hexadecimal, one a line)
#include <cstdio>
#include <iostream>

#include "inspector/elf/elf_image.h"
#include "inspector/symbols/symbolizer.h"

int main(int count, char** arguments) {
  using namespace mortem;
  if (count < 2) return 2;
  auto image = inspector::ElfImage::map_file(arguments[1]);
  if (!image) return 2;
  snapshot::CoreModule module;
  module.path = arguments[1];
  module.id_kind = format::ModuleIdKind::GnuBuildId;
  module.id = (*image)->build_id();
  inspector::SymbolOptions options;
  options.extra_files = {arguments[1]};
  for (int index = 2; index < count; ++index) {
    const std::string flag = arguments[index];
    if (flag == "--debug-dir" && index + 1 < count) {
      options.debug_folders.insert(options.debug_folders.begin(), arguments[++index]);
    } else if (flag == "--substitute" && index + 2 < count) {
      options.substitutions.emplace_back(arguments[index + 1], arguments[index + 2]);
      index += 2;
    } else {
      return 2;
    }
  }
  auto symbolizer = inspector::Symbolizer::create(options);
  for (std::string line; std::getline(std::cin, line);) {
    for (const auto& place : symbolizer->locate(module, std::stoull(line, nullptr, 16)))
      std::printf("%s\n%s:%u:%u\n", place.function.empty() ? "??" : place.function.c_str(),
                  place.file.empty() ? "??" : place.file.c_str(), place.line, place.column);
    std::printf("\n");
  }
  for (const std::string& one : symbolizer->missing_symbols()) std::fprintf(stderr, "%s\n", one.c_str());
}
