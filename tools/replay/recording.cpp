#include "tools/replay/recording.h"

#include <fmt/format.h>

#include "tools/elf_file.h"
#include "tools/files.h"
#include "tools/qemu/machine_json.h"

namespace mortem::tools {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

constexpr const char* kRecordingSchema = "mortem.recording/2";

Result<Recording> parse_recording(const std::string& text, const std::string& where) {
  try {
    const ordered_json document = ordered_json::parse(text);
    if (document.at("schema") != kRecordingSchema)
      return failure(ErrorKind::Unsupported, where + ": not a recording that this mortem knows");
    Recording recording;
    recording.machine = TRY(machine_from_json(document.at("machine").dump(), where));
    recording.name = document.at("name");
    recording.started = document.at("started");
    recording.qemu_version = document.at("qemu_version");
    recording.machine.recorded.shift = document.at("shift");
    recording.machine.recorded.start_time = document.at("start_time");
    recording.kernel_id = document.at("kernel_id");
    recording.program = document.at("program");
    recording.program_id = document.at("program_id");
    recording.image_format = document.at("image_format");
    recording.ports = document.at("ports").get<std::vector<std::string>>();
    recording.from_dump = document.value("from_dump", false);
    recording.end = document.at("end");
    recording.kernel_base = document.at("kernel_base");
    recording.log_bytes = document.at("log_bytes");
    recording.instructions = document.at("instructions");
    recording.seconds = document.at("seconds");
    for (const ordered_json& check : document.at("checks"))
      recording.checks.push_back({check.at("instructions"), check.at("registers"), check.at("memory"),
                                  check.at("disk_requests"), check.value("held", false)});
    constexpr unsigned kLargestShift = 10;
    if (recording.machine.recorded.shift > kLargestShift || recording.name.empty() ||
        recording.machine.recorded.start_time.find_first_not_of("0123456789-T:") != std::string::npos)
      return failure(ErrorKind::BadInput, where + ": damaged");
    return recording;
  } catch (const ordered_json::exception& error) {
    return failure(ErrorKind::BadInput, fmt::format("{}: not a recording's description: {}", where, error.what()));
  }
}

}  // namespace

bool is_recording(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path / kRecordingFile, ignored);
}

Result<Recording> read_recording(const fs::path& folder) {
  if (!is_recording(folder))
    return failure(ErrorKind::NotFound,
                   fmt::format("{}: not a recording: no {} in it; mortem run --record DIR makes one", folder.string(),
                               kRecordingFile));
  const std::string where = (folder / kRecordingFile).string();
  Recording recording = TRY(parse_recording(TRY(read_text_file(folder / kRecordingFile)), where));
  if (recording.end.empty())
    return failure(
        ErrorKind::BadInput,
        fmt::format("{}: was not finished: its guest still runs, or its QEMU was killed, and QEMU writes the "
                    "log's head at the end",
                    folder.string()));
  std::error_code error;
  for (const char* name : {kRecordingLog, kRecordingKernel, kRecordingImage, kRecordingMemory, kRecordingTrampoline}) {
    if (name == kRecordingImage && !recording.machine.image) continue;
    if ((name == kRecordingMemory || name == kRecordingTrampoline) && !recording.from_dump) continue;
    if (!fs::is_regular_file(folder / name, error))
      return failure(ErrorKind::NotFound, fmt::format("{}: its {} is missing", folder.string(), name));
  }
  if (const uint64_t size = fs::file_size(folder / kRecordingLog, error); error || size != recording.log_bytes)
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: has {} bytes, {} says {}: cut short or changed", (folder / kRecordingLog).string(),
                               size, kRecordingFile, recording.log_bytes));
  const std::string id = TRY(module_id(folder / kRecordingKernel));
  if (id != recording.kernel_id)
    return failure(ErrorKind::BadInput, fmt::format("{}: not the kernel that was recorded, which has the build id {}",
                                                    (folder / kRecordingKernel).string(), recording.kernel_id));
  recording.machine.kernel = fs::absolute(folder / kRecordingKernel, error);
  recording.machine.recorded.log = fs::absolute(folder / kRecordingLog, error);
  if (recording.from_dump) recording.machine.recorded.boot = fs::absolute(folder / kRecordingTrampoline, error);
  if (recording.machine.image) recording.machine.image = fs::absolute(folder / kRecordingImage, error);
  return recording;
}

Result<void> write_recording(const fs::path& folder, const Recording& recording) {
  ordered_json checks = ordered_json::array();
  for (const RecordingCheck& check : recording.checks)
    checks.push_back({{"instructions", check.instructions},
                      {"registers", check.registers},
                      {"memory", check.memory},
                      {"disk_requests", check.requests},
                      {"held", check.held}});
  const ordered_json document = {{"schema", kRecordingSchema},
                                 {"name", recording.name},
                                 {"started", recording.started},
                                 {"qemu_version", recording.qemu_version},
                                 {"machine", machine_to_json(recording.machine)},
                                 {"shift", recording.machine.recorded.shift},
                                 {"start_time", recording.machine.recorded.start_time},
                                 {"kernel_id", recording.kernel_id},
                                 {"program", recording.program},
                                 {"program_id", recording.program_id},
                                 {"image_format", recording.image_format},
                                 {"ports", recording.ports},
                                 {"from_dump", recording.from_dump},
                                 {"end", recording.end},
                                 {"kernel_base", recording.kernel_base},
                                 {"log_bytes", recording.log_bytes},
                                 {"instructions", recording.instructions},
                                 {"seconds", recording.seconds},
                                 {"checks", checks}};
  return write_file_atomically(folder / kRecordingFile,
                               document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace mortem::tools
