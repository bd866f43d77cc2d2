#include "tools/replay/recording.h"

#include <fmt/format.h>

#include "snapshot/folder_checksums.h"
#include "tools/elf_file.h"
#include "tools/files.h"

namespace mortem::tools {

namespace fs = std::filesystem;

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
  if (recording.checksums) {
    const auto checksums = TRY(snapshot::FolderChecksums::read(folder, *recording.checksums));
    TRY_VOID(checksums.check_sizes(folder));
    TRY_VOID(checksums.check_content(folder, snapshot::kLargestCheckedAtOnce));
  }
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
  return write_file_atomically(folder / kRecordingFile, recording_text(recording));
}

}  // namespace mortem::tools
