// Any text as clone.json: an error of one line, or a description that is the same when it is written and read again,
// and that names no file outside of its folder.
#include <cstdlib>

#include "snapshot/clone/clone_description.h"

using namespace mortem;

namespace {

void check_file(const std::string& name) {
  if (name.find('/') != std::string::npos || name == "..") abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto read = snapshot::parse_clone_description({reinterpret_cast<const char*>(data), size}, "clone.json");
  if (!read) {
    if (read.error().message.empty() || read.error().message.find('\n') != std::string::npos) abort();
    return 0;
  }
  check_file(read->memory_file), check_file(read->state_file), check_file(read->kernel_file);
  for (const auto& disk : read->disks) check_file(disk.file);
  for (const auto& one : read->boot_files) check_file(one.file);
  const std::string text = snapshot::clone_description_text(*read);
  const auto again = snapshot::parse_clone_description(text, "clone.json");
  if (!again || snapshot::clone_description_text(*again) != text) abort();
  return 0;
}
