#include "inspector/analysis/go_layouts.h"

#include <cctype>

#include "inspector/elf/byte_cursor.h"

namespace mortem::inspector {
namespace {

// Of go1.19.8 for amd64, as `llvm-dwarfdump --name=runtime.g -c` of a program with debug information shows them. Within
// a release these do not change: tests/e2e/test_goroutines.py compares programs with and without debug information.
const std::map<std::string, GoRuntime::Field> kGo119 = {
    {"g.stack.lo", {0, 8}},        {"g.stack.hi", {8, 8}},       {"g._panic", {32, 8}},    {"g.m", {48, 8}},
    {"g.sched.sp", {56, 8}},       {"g.sched.pc", {64, 8}},      {"g.sched.bp", {104, 8}}, {"g.syscallsp", {112, 8}},
    {"g.syscallpc", {120, 8}},     {"g.atomicstatus", {144, 4}}, {"g.goid", {152, 8}},     {"g.waitreason", {176, 1}},
    {"g.gopc", {296, 8}},          {"g.startpc", {312, 8}},      {"m.procid", {72, 8}},    {"_panic.arg", {8, 16}},
    {"_type.size", {0, 8}},        {"_type.tflag", {20, 1}},     {"_type.kind", {23, 1}},  {"_type.str", {40, 4}},
    {"moduledata.types", {280, 8}}};

}  // namespace

std::string go_version(const ElfImage& image) {
  constexpr std::string_view kMagic = "\xFF Go buildinf:";
  constexpr uint64_t kFlags = 15, kText = 32;
  constexpr uint8_t kIsInline = 2;  // the texts stand here; before Go 1.18 addresses of them
  const ElfSection* section = image.section(".go.buildinfo");
  const auto bytes = section ? image.content(*section) : std::nullopt;
  if (!bytes || bytes->size() < kText) return {};
  const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  if (!text.starts_with(kMagic) || ((*bytes)[kFlags] & kIsInline) == 0) return {};
  ByteCursor cursor(*bytes, kText);
  const uint64_t length = cursor.uleb();
  constexpr uint64_t kLongest = 256;
  if (cursor.bad() || length > cursor.left() || length > kLongest) return {};
  return std::string(text.substr(cursor.offset(), length));
}

std::map<std::string, GoRuntime::Field> go_layout(std::string_view version) {
  constexpr std::string_view kRelease = "go1.19";
  const bool is_known = version.starts_with(kRelease) && (version.size() == kRelease.size() ||
                                                          std::isdigit(static_cast<unsigned char>(version[6])) == 0);
  return is_known ? kGo119 : std::map<std::string, GoRuntime::Field>();
}

}  // namespace mortem::inspector
