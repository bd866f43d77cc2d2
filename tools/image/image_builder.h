// Puts an image together: partition table, root file system, dump partition with empty slots.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tools/image/image_request.h"

namespace mortem::tools {

struct ModuleFacts {  // an ELF file in the image
  std::string guest, id;
  std::filesystem::path debug;  // its separate debug file on this machine; empty: none
};

struct ImageFacts {
  std::filesystem::path path;
  uint64_t size = 0;       // bytes, apparent
  uint64_t allocated = 0;  // bytes that it takes on this disk
  uint64_t root_size = 0;
  uint32_t slots = 0;
  uint64_t slot_size = 0;
  std::string program_id;  // how the local store names the program
  std::vector<ModuleFacts> modules;
};

// Bytes of a slot that takes the dump of a guest with `memory` bytes of RAM even if nothing in it can be compressed.
uint64_t slot_size_for(uint64_t memory);

// Appears at `path` when it is whole; nothing is left there on failure. Keeps the program and its
// libraries in the local store.
Result<ImageFacts> build_image(const ImageRequest& request, const std::filesystem::path& path);

}  // namespace mortem::tools
