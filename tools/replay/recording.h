// A recording's folder: QEMU's log of what came into the guest, the image as it was at first, the kernel, the memory of
// a dump that it begins with, and recording.json, which says what they are and what a replay has to be started with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/result.h"
#include "tools/qemu/machine.h"

namespace mortem::tools {

inline constexpr const char* kRecordingFile = "recording.json";
inline constexpr const char* kRecordingLog = "log";
inline constexpr const char* kRecordingImage = "disk.img";
inline constexpr const char* kRecordingKernel = "kernel.elf";
// Of one that begins with a dump: its memory, and what leads into it (snapshot/resume/dump_boot.h).
inline constexpr const char *kRecordingMemory = "memory", *kRecordingTrampoline = "trampoline";

inline constexpr const char* kReplayGdbScript = "gdb-commands";  // in a replay's instance

// The guest as it was at one count of instructions.
struct RecordingCheck {
  uint64_t instructions = 0, registers = 0, memory = 0;  // XXH64
  // Requests to the disk that were on their way: what they read comes into the memory at any time, and says nothing.
  uint64_t requests = 0;
  bool held = false;  // its kernel held still then, in the midst of instructions; else QEMU stopped it anywhere
};

struct Recording {
  std::string name;          // of the guest
  int64_t started = 0;       // seconds since 1970
  std::string qemu_version;  // 7.2.22
  Machine machine;           // without what belongs to one run of it
  std::string kernel_id, program, program_id;
  std::string image_format = "raw";
  std::vector<std::string> ports;
  bool from_dump = false;    // it begins with one, not with a boot
  std::string end;           // why it ended; empty: it has not, or its QEMU was killed
  uint64_t kernel_base = 0;  // where the kernel's address 0 was
  uint64_t log_bytes = 0, instructions = 0;
  double seconds = 0;
  std::vector<RecordingCheck> checks;
  std::optional<uint64_t> checksums;  // XXH64 of the file with checksums; nothing: there is none

  std::filesystem::path memory() const { return folder() / kRecordingMemory; }         // of one from a dump
  std::filesystem::path folder() const { return machine.recorded.log.parent_path(); }  // of one that was read
};

// recording.json's text. `where`: for errors.
Result<Recording> parse_recording(const std::string& text, const std::string& where);
std::string recording_text(const Recording& recording);

bool is_recording(const std::filesystem::path& path);
// An error names recording.json and what is wrong in it, or what is missing beside it.
Result<Recording> read_recording(const std::filesystem::path& folder);
Result<void> write_recording(const std::filesystem::path& folder, const Recording& recording);

}  // namespace mortem::tools
