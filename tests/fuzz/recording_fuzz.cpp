// Any text as recording.json: an error, or a recording that is the same when it is written and read again.
#include <cstdlib>

#include "tools/replay/recording.h"

using namespace mortem;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto read = tools::parse_recording({reinterpret_cast<const char*>(data), size}, "recording.json");
  if (!read) {
    if (read.error().message.empty() || read.error().message.find('\n') != std::string::npos) abort();
    return 0;
  }
  const std::string text = tools::recording_text(*read);
  const auto again = tools::parse_recording(text, "recording.json");
  if (!again || tools::recording_text(*again) != text) abort();
  return 0;
}
