// Any bytes as the checksums of a folder: an error, or what is the same when it is written again.
#include <cstdlib>
#include <vector>

#include "snapshot/folder_checksums.h"

using namespace mortem;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto read = snapshot::FolderChecksums::parse({data, size}, "checksums");
  if (!read) {
    if (read.error().message.empty() || read.error().message.find('\n') != std::string::npos) abort();
    return 0;
  }
  if (read->bytes() != std::vector<uint8_t>(data, data + size)) abort();
  for (const snapshot::FileChecksums& one : read->files())
    if (one.file.find('/') != std::string::npos || !read->find(one.file)) abort();
  return 0;
}
