// A clone's folder: `memory` (the guest's RAM, flat, sparse), `state` (processor and devices: QEMU's migration stream
// without the main memory), disks (qcow2), the kernel, and clone.json, which says what they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/result.h"

namespace mortem::snapshot {

inline constexpr const char* kCloneDescriptionFile = "clone.json";

struct CloneDisk {
  std::string device, file;
  uint64_t size = 0;
};

struct CloneDescription {
  std::string name;          // of the guest
  int64_t moment_us = 0;     // since 1970
  std::string qemu_version;  // 7.2.22
  std::string machine_type;  // pc-q35-7.2
  std::string memory_file, memory_block;
  uint64_t memory_bytes = 0;
  uint64_t memory_below_4g = 0;  // the rest of it stands from 4 GiB on
  std::string state_file;
  uint64_t state_bytes = 0, state_checksum = 0;  // XXH64
  std::vector<CloneDisk> disks;
  std::string kernel_file, kernel_id;  // empty: not known
  std::string program, program_id;
  std::optional<uint64_t> checksums;  // XXH64 of the file with checksums (folder_checksums.h); nothing: there is none
  std::string processor, processor_flags;  // of the host, where the guest ran under KVM; else empty
  std::string method;
  double pause_ms = 0;          // as the guest and its clients saw it, at most
  double stopped_ms = 0;        // from QEMU's STOP to its RESUME
  double guest_gap_ms = -1;     // the longest around it that the guest's own clock shows; -1: it did not say
  double longest_gap_ms = -1;   // the same of all the time that it was copied
  double processor_share = -1;  // of the time its processors wanted to run meanwhile, what they got; -1: not known
  double seconds = 0;
  uint64_t stream_bytes = 0;
  std::string machine;  // JSON: what a start of it needs, of a guest of ours; empty: of another
  // Of another's guest: its QEMU's options, and the folder in which relative names in it begin; empty: it cannot be
  // started.
  std::vector<std::string> command;
  std::string command_folder;
  struct BootFile {
    std::string named, file;  // as the command line has it, here
  };
  std::vector<BootFile> boot_files;
};

// File names in it are without folders. An error names clone.json and what is wrong in it.
Result<CloneDescription> read_clone_description(const std::filesystem::path& folder);
// The same of its text. `where`: for errors.
Result<CloneDescription> parse_clone_description(const std::string& text, const std::string& where);
std::string clone_description_text(const CloneDescription& description);

bool is_clone_folder(const std::filesystem::path& path);

// Where the first part of that much memory ends on that type of machine: QEMU's hw/i386/pc_q35.c and pc_piix.c.
uint64_t memory_below_4g(const std::string& machine_type, uint64_t memory_bytes);

Result<uint64_t> file_checksum(const std::filesystem::path& path);  // XXH64 of all of it

}  // namespace mortem::snapshot
