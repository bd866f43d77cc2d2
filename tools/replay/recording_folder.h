// The folder of a recording that begins: what its replay needs besides QEMU's log.
#pragma once

#include <filesystem>
#include <memory>
#include <utility>

#include "snapshot/result.h"
#include "tools/qemu/instance.h"
#include "tools/qemu/machine.h"
#include "tools/replay/recorder.h"

namespace mortem::tools {

// It has to be new, or empty.
Result<void> check_recording_folder(const std::filesystem::path& wanted);

class RecordingFolder {
 public:
  static Result<RecordingFolder> create(const std::filesystem::path& wanted);
  RecordingFolder(RecordingFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  RecordingFolder& operator=(RecordingFolder&&) = delete;
  ~RecordingFolder();  // it is gone with all in it, unless begin() has succeeded
  const std::filesystem::path& path() const { return path_; }  // absolute

  // Copies kernel and disk, and takes over what else stands in the folder. The disk becomes a raw image, whatever the
  // machine's is.
  Result<std::unique_ptr<Recorder>> begin(const Machine& machine, const InstanceFacts& facts);

 private:
  explicit RecordingFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace mortem::tools
