// recording.json
#include <fmt/format.h>

#include "tools/qemu/machine_json.h"
#include "tools/replay/recording.h"

namespace mortem::tools {

using nlohmann::ordered_json;

namespace {

constexpr const char* kRecordingSchema = "mortem.recording/2";

}  // namespace

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
    if (const auto sums = document.find("checksums"); sums != document.end() && sums->is_string())
      recording.checksums = std::stoull(sums->get<std::string>(), nullptr, 16);
    for (const ordered_json& check : document.at("checks"))
      recording.checks.push_back({check.at("instructions"), check.at("registers"), check.at("memory"),
                                  check.at("disk_requests"), check.value("held", false)});
    constexpr unsigned kLargestShift = 10;
    if (recording.machine.recorded.shift > kLargestShift || recording.name.empty() ||
        recording.machine.recorded.start_time.find_first_not_of("0123456789-T:") != std::string::npos)
      return failure(ErrorKind::BadInput, where + ": damaged");
    return recording;
  } catch (const std::exception& error) {
    return failure(ErrorKind::BadInput, fmt::format("{}: not a recording's description: {}", where, error.what()));
  }
}

std::string recording_text(const Recording& recording) {
  ordered_json checks = ordered_json::array();
  for (const RecordingCheck& check : recording.checks)
    checks.push_back({{"instructions", check.instructions},
                      {"registers", check.registers},
                      {"memory", check.memory},
                      {"disk_requests", check.requests},
                      {"held", check.held}});
  const ordered_json document = {
      {"schema", kRecordingSchema},
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
      {"checksums", recording.checksums ? ordered_json(fmt::format("{:016x}", *recording.checksums)) : ordered_json()},
      {"checks", checks}};
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace mortem::tools
