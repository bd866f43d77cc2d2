// Prints what the Symbolizer says about addresses of an ELF file, in the form of llvm-symbolizer: for tests.
// usage: locate_addresses FILE < ADDRESSES (hexadecimal, one a line)
#include <cstdio>
#include <iostream>

#include "inspector/elf/elf_image.h"
#include "inspector/symbols/symbolizer.h"

int main(int count, char** arguments) {
  using namespace mortem;
  if (count != 2) return 2;
  auto image = inspector::ElfImage::map_file(arguments[1]);
  if (!image) return 2;
  snapshot::CoreModule module;
  module.path = arguments[1];
  module.id_kind = format::ModuleIdKind::GnuBuildId;
  module.id = (*image)->build_id();
  inspector::SymbolOptions options;
  options.extra_files = {arguments[1]};
  auto symbolizer = inspector::Symbolizer::create(options);
  for (std::string line; std::getline(std::cin, line);) {
    for (const auto& place : symbolizer->locate(module, std::stoull(line, nullptr, 16)))
      std::printf("%s\n%s:%u:%u\n", place.function.empty() ? "??" : place.function.c_str(),
                  place.file.empty() ? "??" : place.file.c_str(), place.line, place.column);
    std::printf("\n");
  }
}
