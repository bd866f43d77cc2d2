#include "snapshot/clone/clone_description.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "snapshot/byte_source.h"
#include "snapshot/xxhash64.h"

namespace mortem::snapshot {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr const char* kSchema = "mortem.clone-folder/1";
constexpr uint64_t kLargestDescription = 1 << 20;

// A file of the folder itself: a description that came from elsewhere must not lead out of it.
std::string file_name(const ordered_json& value) {
  const std::string name = value;
  if (name.find('/') != std::string::npos || name == "..") throw std::invalid_argument("a file name leads elsewhere");
  return name;
}

ordered_json known(double value) {  // below 0: not known
  return value < 0 ? ordered_json() : ordered_json(value);
}

}  // namespace

std::string clone_description_text(const CloneDescription& description) {
  ordered_json disks = ordered_json::array();
  for (const CloneDisk& disk : description.disks)
    disks.push_back({{"device", disk.device}, {"file", disk.file}, {"bytes", disk.size}});
  ordered_json boot_files = ordered_json::array();
  for (const CloneDescription::BootFile& one : description.boot_files)
    boot_files.push_back({{"named", one.named}, {"file", one.file}});
  ordered_json document = {
      {"schema", kSchema},
      {"name", description.name},
      {"moment_us", description.moment_us},
      {"qemu_version", description.qemu_version},
      {"machine_type", description.machine_type},
      {"memory",
       {{"file", description.memory_file},
        {"block", description.memory_block},
        {"bytes", description.memory_bytes},
        {"below_4g", description.memory_below_4g}}},
      {"state",
       {{"file", description.state_file},
        {"bytes", description.state_bytes},
        {"xxh64", fmt::format("{:016x}", description.state_checksum)}}},
      {"disks", disks},
      {"kernel", description.kernel_file},
      {"kernel_id", description.kernel_id},
      {"program", description.program},
      {"program_id", description.program_id},
      {"checksums",
       description.checksums ? ordered_json(fmt::format("{:016x}", *description.checksums)) : ordered_json()},
      {"processor", description.processor},
      {"processor_flags", description.processor_flags},
      {"method", description.method},
      {"pause_ms", description.pause_ms},
      {"stopped_ms", description.stopped_ms},
      {"guest_gap_ms", known(description.guest_gap_ms)},
      {"longest_gap_ms", known(description.longest_gap_ms)},
      {"processor_share", known(description.processor_share)},
      {"seconds", description.seconds},
      {"stream_bytes", description.stream_bytes},
      {"machine", description.machine.empty() ? ordered_json() : ordered_json::parse(description.machine)},
      {"command", description.command},
      {"command_folder", description.command_folder},
      {"boot_files", boot_files}};
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

Result<CloneDescription> read_clone_description(const fs::path& folder) {
  const fs::path path = folder / kCloneDescriptionFile;
  const auto bytes = TRY(open_plain_file(path));
  if (bytes->size() > kLargestDescription)
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: of {} bytes: not a clone's description", path.string(), bytes->size()));
  std::string text(bytes->size(), '\0');
  TRY_VOID(bytes->read(0, {reinterpret_cast<uint8_t*>(text.data()), text.size()}));
  return parse_clone_description(text, path.string());
}

Result<CloneDescription> parse_clone_description(const std::string& text, const std::string& where) {
  try {
    const ordered_json document = ordered_json::parse(text);
    if (document.at("schema") != kSchema)
      return failure(ErrorKind::Unsupported, fmt::format("{}: of another version than {}", where, kSchema));
    CloneDescription description;
    description.name = document.at("name");
    description.moment_us = document.at("moment_us");
    description.qemu_version = document.at("qemu_version");
    description.machine_type = document.at("machine_type");
    const ordered_json& memory = document.at("memory");
    description.memory_file = file_name(memory.at("file"));
    description.memory_block = memory.at("block");
    description.memory_bytes = memory.at("bytes");
    description.memory_below_4g = memory.at("below_4g");
    const ordered_json& state = document.at("state");
    description.state_file = file_name(state.at("file"));
    description.state_bytes = state.at("bytes");
    description.state_checksum = std::stoull(state.at("xxh64").get<std::string>(), nullptr, 16);
    for (const ordered_json& disk : document.at("disks"))
      description.disks.push_back({disk.at("device"), file_name(disk.at("file")), disk.at("bytes")});
    description.kernel_file = file_name(document.at("kernel"));
    description.kernel_id = document.at("kernel_id");
    description.program = document.at("program");
    description.program_id = document.at("program_id");
    if (const auto sums = document.find("checksums"); sums != document.end() && sums->is_string())
      description.checksums = std::stoull(sums->get<std::string>(), nullptr, 16);
    description.processor = document.value("processor", std::string());
    description.processor_flags = document.value("processor_flags", std::string());
    description.method = document.at("method");
    description.pause_ms = document.at("pause_ms");
    description.stopped_ms = document.at("stopped_ms");
    for (const auto& [name, value] : {std::pair("guest_gap_ms", &description.guest_gap_ms),
                                      std::pair("longest_gap_ms", &description.longest_gap_ms),
                                      std::pair("processor_share", &description.processor_share)})
      if (const auto found = document.find(name); found != document.end() && found->is_number()) *value = *found;
    description.seconds = document.at("seconds");
    description.stream_bytes = document.at("stream_bytes");
    if (const ordered_json& machine = document.at("machine"); machine.is_object()) description.machine = machine.dump();
    if (document.contains("command")) {  // else of an older mortem
      description.command = document.at("command").get<std::vector<std::string>>();
      description.command_folder = document.at("command_folder");
      for (const ordered_json& one : document.at("boot_files"))
        description.boot_files.push_back({one.at("named"), file_name(one.at("file"))});
    }
    return description;
  } catch (const std::exception& error) {
    return failure(ErrorKind::BadInput, fmt::format("{}: not a clone's description: {}", where, error.what()));
  }
}

bool is_clone_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) && fs::exists(path / kCloneDescriptionFile, ignored);
}

uint64_t memory_below_4g(const std::string& machine_type, uint64_t memory_bytes) {
  const bool is_q35 = machine_type.find("q35") != std::string::npos;
  const uint64_t most = is_q35 ? 0xB0000000 : 0xE0000000, split = is_q35 ? 0x80000000 : 0xC0000000;
  return memory_bytes >= most ? split : memory_bytes;
}

Result<uint64_t> file_checksum(const fs::path& path) {
  const auto bytes = TRY(open_plain_file(path));
  constexpr uint64_t kLargest = 256 << 20;
  if (bytes->size() > kLargest)
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: of {} bytes: too large for a state", path.string(), bytes->size()));
  std::vector<uint8_t> content(bytes->size());
  TRY_VOID(bytes->read(0, content));
  return xxhash64(content);
}

}  // namespace mortem::snapshot
