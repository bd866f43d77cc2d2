// What the tools need to know about an ELF file on the host: is it a program this kernel can run, and its build id.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "snapshot/result.h"

namespace mortem::tools {

struct ElfFacts {
  uint16_t type = 0;  // ET_…
  uint64_t entry = 0;
  std::string interpreter;        // PT_INTERP, empty: static
  std::vector<uint8_t> build_id;  // the GNU build id, empty: none
  std::vector<uint8_t> go_build_id;
  // From the dynamic section (gABI, "Dynamic Section"); tokens such as $ORIGIN are not replaced.
  std::vector<std::string> needed;
  std::string soname, rpath, runpath;
};

// Reads headers only. Errors name the file and what is wrong: not an ELF file, another machine, truncated.
Result<ElfFacts> read_elf(const std::filesystem::path& path);

// The same, and an error for what cannot run in a guest: an object file, a library, a script.
Result<ElfFacts> check_program(const std::filesystem::path& path);

// Lower-case hexadecimal of the GNU build id, else of Go's, else of the file's SHA-256: how the local store names it.
Result<std::string> module_id(const std::filesystem::path& path);

std::string hexadecimal(const std::vector<uint8_t>& bytes);

}  // namespace mortem::tools
