#include "tools/folder_check.h"

#include <fmt/format.h>

#include <optional>

#include "snapshot/clone/clone_description.h"
#include "snapshot/folder_checksums.h"
#include "snapshot/xxhash64.h"
#include "tools/files.h"
#include "tools/interrupt.h"
#include "tools/progress_bar.h"
#include "tools/replay/recording.h"

namespace mortem::tools {

namespace fs = std::filesystem;

Result<uint64_t> write_checksums(const fs::path& folder, const std::string& description) {
  const auto checksums = TRY(snapshot::FolderChecksums::of(folder, {description, snapshot::kChecksumsFile}));
  const std::vector<uint8_t> bytes = checksums.bytes();
  TRY_VOID(write_file_atomically(folder / snapshot::kChecksumsFile,
                                 {reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  return snapshot::xxhash64(bytes);
}

Result<uint64_t> check_whole_folder(const fs::path& folder) {
  std::optional<uint64_t> checksum;
  if (snapshot::is_clone_folder(folder))
    checksum = TRY(snapshot::read_clone_description(folder)).checksums;
  else
    checksum = TRY(read_recording(folder)).checksums;
  if (!checksum)
    return failure(
        ErrorKind::Unavailable,
        fmt::format("{}: made by a mortem that kept no checksums: there is nothing to compare with", folder.string()));
  const auto checksums = TRY(snapshot::FolderChecksums::read(folder, *checksum));
  TRY_VOID(checksums.check_sizes(folder));
  uint64_t all = 0, done = 0;
  for (const snapshot::FileChecksums& one : checksums.files()) all += one.bytes;
  TRY_VOID(checksums.check_content(folder, UINT64_MAX, [&, bar = progress_bar(folder.string())](uint64_t bytes) {
    bar(done += bytes, all);
    return not_interrupted();
  }));
  return all;
}

}  // namespace mortem::tools
