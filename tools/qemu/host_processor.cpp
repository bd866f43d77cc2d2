#include "tools/qemu/host_processor.h"

#include <algorithm>
#include <sstream>

#include "tools/files.h"

namespace mortem::tools {

namespace {

std::string value_of(const std::string& text, const std::string& key) {
  const size_t line = text.starts_with(key) ? 0 : text.find("\n" + key);
  const size_t colon = line == std::string::npos ? line : text.find(": ", line);
  if (colon == std::string::npos) return {};
  return text.substr(colon + 2, text.find('\n', colon) - colon - 2);
}

}  // namespace

std::optional<HostProcessor> host_processor() {
  const auto text = read_text_file("/proc/cpuinfo");
  if (!text) return std::nullopt;
  HostProcessor host{value_of(*text, "model name"), value_of(*text, "flags")};
  if (host.flags.empty()) return std::nullopt;
  return host;
}

// Instruction sets and what the XSAVE area holds by it: names of arch/x86/include/asm/cpufeatures.h. Others (say,
// `tsc_known_freq`, `vmx`) tell of the host's own use of it.
std::vector<std::string> missing_flags(const std::string& wanted, const std::string& there) {
  std::stringstream wanted_words(wanted), there_words(there);
  std::vector<std::string> has, missing;
  for (std::string word; there_words >> word;) has.push_back(word);
  constexpr const char* kInstructions[] = {
      "sse",      "pni",    "ssse3",   "fma",       "cx16",   "movbe",   "popcnt", "aes",     "xsave",  "avx",
      "f16c",     "rdrand", "lahf",    "abm",       "xop",    "tbm",     "fma4",   "3dnow",   "bmi",    "erms",
      "rdseed",   "adx",    "clflush", "clwb",      "sha",    "vaes",    "gfni",   "vpclmul", "pclmul", "amx",
      "fsgsbase", "rdpid",  "movdir",  "serialize", "rdtscp", "rtm",     "hle",    "pku",     "smep",   "smap",
      "umip",     "pcid",   "invpcid", "syscall",   "nx",     "pdpe1gb", "la57"};
  for (std::string word; wanted_words >> word;)
    if (std::ranges::any_of(kInstructions, [&](const char* one) { return word.starts_with(one); }) &&
        std::ranges::find(has, word) == has.end())
      missing.push_back(word);
  return missing;
}

}  // namespace mortem::tools
