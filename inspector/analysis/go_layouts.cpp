#include "inspector/analysis/go_layouts.h"

#include "inspector/symbols/go_release.h"

namespace mortem::inspector {
namespace {

using Fields = std::map<std::string, GoRuntime::Field>;

// For amd64, as gdb's `ptype /o` of a program with debug information shows them. Within a release these do not change:
// tests/e2e/test_goroutines.py compares programs with and without debug information.
const Fields kGo119 = {
    {"g.stack.lo", {0, 8}},        {"g.stack.hi", {8, 8}},       {"g._panic", {32, 8}},    {"g.m", {48, 8}},
    {"g.sched.sp", {56, 8}},       {"g.sched.pc", {64, 8}},      {"g.sched.bp", {104, 8}}, {"g.syscallsp", {112, 8}},
    {"g.syscallpc", {120, 8}},     {"g.atomicstatus", {144, 4}}, {"g.goid", {152, 8}},     {"g.waitreason", {176, 1}},
    {"g.gopc", {296, 8}},          {"g.startpc", {312, 8}},      {"m.procid", {72, 8}},    {"_panic.arg", {8, 16}},
    {"_type.size", {0, 8}},        {"_type.tflag", {20, 1}},     {"_type.kind", {23, 1}},  {"_type.str", {40, 4}},
    {"moduledata.types", {280, 8}}};

// What a release moved.
const std::map<int, Fields> kMoved = {
    {21, {{"g.parentGoid", {272, 8}}, {"g.gopc", {280, 8}}, {"g.startpc", {296, 8}}, {"moduledata.types", {296, 8}}}},
    {22, {}},
    {23,
     {{"g.atomicstatus", {152, 4}},
      {"g.goid", {160, 8}},
      {"g.waitreason", {184, 1}},
      {"g.parentGoid", {280, 8}},
      {"g.gopc", {288, 8}},
      {"g.startpc", {304, 8}}}},
    {24, {}},
    {25,
     {{"g.sched.bp", {96, 8}},
      {"g.syscallsp", {104, 8}},
      {"g.syscallpc", {112, 8}},
      {"g.atomicstatus", {144, 4}},
      {"g.goid", {152, 8}},
      {"g.waitreason", {176, 1}},
      {"g.parentGoid", {272, 8}},
      {"g.gopc", {280, 8}},
      {"g.startpc", {296, 8}},
      {"m.procid", {64, 8}}}},
    {26, {{"g.parentGoid", {280, 8}}, {"g.gopc", {288, 8}}, {"g.startpc", {304, 8}}, {"_panic.arg", {0, 16}}}},
    {27, {}}};
constexpr int kFirst = 19;

}  // namespace

Fields go_layout(std::string_view version) {
  const auto release = go_release(version);
  // An experiment (X:…) may lay out everything anew.
  if (!release || version.find(" X:") != std::string_view::npos) return {};
  if (*release != kFirst && !kMoved.contains(*release)) return {};
  Fields all = kGo119;
  for (const auto& [moved_by, fields] : kMoved)
    if (moved_by <= *release)
      for (const auto& [name, field] : fields) all[name] = field;
  return all;
}

}  // namespace mortem::inspector
