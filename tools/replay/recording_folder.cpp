#include "tools/replay/recording_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "tools/child_program.h"
#include "tools/files.h"
#include "tools/module_files.h"
#include "tools/qemu/accelerator.h"
#include "tools/symbol_options.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

Result<void> copy_disk(const Machine& machine, const fs::path& to) {
  if (machine.image_format == "raw") return copy_file_content(*machine.image, to, 0600);
  ProgramRun run;
  run.arguments = {"qemu-img", "convert", "-O", "raw", machine.image->string(), to.string()};
  const ProgramOutcome outcome = TRY(run_program(run));
  if (outcome.exit_status == 0 && chmod(to.c_str(), 0600) == 0) return {};
  return failure(ErrorKind::System,
                 fmt::format("{}: qemu-img cannot read it: {}", machine.image->string(), last_line(outcome.errors)));
}

}  // namespace

Result<void> check_recording_folder(const fs::path& wanted) {
  std::error_code ignored;
  if (fs::exists(wanted, ignored) && !(fs::is_directory(wanted, ignored) && fs::is_empty(wanted, ignored)))
    return failure(ErrorKind::BadInput, fmt::format("--record: {} is there already", wanted.string()));
  return {};
}

Result<RecordingFolder> RecordingFolder::create(const fs::path& wanted) {
  TRY_VOID(check_recording_folder(wanted));
  std::error_code error;
  const fs::path path = fs::absolute(wanted, error);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return system_failure("cannot make", path);
  return RecordingFolder(path);
}

RecordingFolder::~RecordingFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<std::unique_ptr<Recorder>> RecordingFolder::begin(const Machine& machine, const InstanceFacts& facts) {
  Recording recording;
  recording.name = facts.name;
  recording.qemu_version = TRY(qemu_version(machine.qemu));
  recording.kernel_id = facts.kernel_id;
  recording.program = facts.program;
  recording.program_id = facts.program_id;
  recording.ports = facts.ports;
  recording.from_dump = !machine.recorded.boot.empty();
  TRY_VOID(copy_file_content(machine.kernel, path_ / kRecordingKernel, 0600));
  if (machine.image) TRY_VOID(copy_disk(machine, path_ / kRecordingImage));
  auto recorder = std::make_unique<Recorder>(std::exchange(path_, {}), std::move(recording));
  inspector::SymbolOptions where = symbol_options(SymbolFlags{});
  add_module_folder_of_source(facts.source, where);  // a clone's goes on
  recorder->look_for_modules_in(std::move(where));
  return recorder;
}

}  // namespace mortem::tools
