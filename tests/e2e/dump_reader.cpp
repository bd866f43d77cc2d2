// Prints what the snapshot library reads out of a dump or core, as JSON, for comparison with other tools:
//   dump_reader FILE            threads with all registers, segments, file mappings, auxiliary vector, modules, page
//   map dump_reader FILE ADDRESS…   for each hexadecimal address the 16 bytes that are there, or null
#include <array>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "snapshot/core_file.h"
#include "snapshot/dump_info.h"
#include "snapshot/little_endian.h"

using namespace mortem;
using nlohmann::json;

namespace {

json facts(const snapshot::CoreFile& core) {
  json result;
  for (const auto& thread : core.threads()) {
    json registers;
    for (const auto& one : format::kGeneralRegisters)
      registers[one.name] = *snapshot::load<uint64_t>(snapshot::bytes_of(thread.registers), one.offset);
    result["threads"].push_back({{"id", thread.id}, {"name", thread.name}, {"registers", registers}});
  }
  for (const auto& one : core.segments())
    result["segments"].push_back({one.address, one.memory_size, one.file_offset, one.file_size});
  result["mappings"] = json::array();
  for (const auto& one : core.file_mappings())
    result["mappings"].push_back({one.start, one.end, one.file_offset, one.path});
  for (const auto& one : core.modules())
    result["modules"].push_back({{"path", one.path}, {"id", snapshot::hexadecimal(one.id)}, {"bias", one.load_bias}});
  for (const auto& one : core.page_map())
    result["page_map"].push_back(
        {one.virtual_start, one.length, one.physical_start, snapshot::page_map_kind_text(one.kind)});
  result["auxiliary_vector"] = core.auxiliary_vector();
  return result;
}

json memory(const snapshot::CoreFile& core, uint64_t address) {
  std::array<uint8_t, 16> bytes;
  auto got = core.read_memory(address, bytes);
  if (!got) return got.error().message;
  if (*got < bytes.size()) return nullptr;
  return snapshot::hexadecimal(bytes);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    fprintf(stderr, "usage: dump_reader FILE [ADDRESS...]\n");
    return 2;
  }
  auto core = snapshot::CoreFile::open(arguments[1]);
  if (!core) {
    fprintf(stderr, "%s\n", core.error().message.c_str());
    return 2;
  }
  json result;
  if (count == 2) result = facts(**core);
  for (int index = 2; index < count; ++index)
    result.push_back(memory(**core, std::strtoull(arguments[index], nullptr, 16)));
  printf("%s\n", result.dump().c_str());
  return 0;
}
