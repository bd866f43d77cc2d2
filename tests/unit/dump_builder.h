// Makes valid Mortem dumps for tests, from what a test wants to stand in them. Also breaks nothing by itself: tests
// that want broken ones change the bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "snapshot/core_file.h"

namespace mortem::test {

using Bytes = std::vector<uint8_t>;

struct DumpSegment {
  uint64_t address = 0;
  Bytes content;
  uint64_t memory_size = 0;  // 0: as long as its content
  uint32_t flags = 6;        // PF_R | PF_W
};

struct DumpNote {
  std::string owner;
  uint32_t type = 0;
  Bytes descriptor;
};

// Fill in what is wanted; all else is left out of the dump.
struct DumpBuilder {
  std::vector<snapshot::CoreThread> threads;  // siginfo and the process notes follow the first
  std::vector<snapshot::CoreModule> modules;
  std::vector<DumpSegment> segments;
  std::vector<snapshot::CoreFileMapping> file_mappings;
  std::vector<uint64_t> auxiliary_vector;  // pairs, without the AT_NULL at the end
  Bytes siginfo;                           // 128 bytes
  std::string program_name, command_line;
  std::optional<format::ReasonNote> reason;  // its header is filled in
  std::optional<format::IdentityNote> identity;
  std::optional<format::MachineRegistersNote> machine_registers;
  std::vector<format::PageMapEntry> page_map;
  std::string kernel_log;
  std::vector<DumpNote> more_notes;

  // A thread with this id, name and these registers.
  DumpBuilder& thread(uint32_t id, const std::string& name, const format::GeneralRegisters& registers);
  DumpBuilder& segment(uint64_t address, Bytes content, uint32_t flags = 6);

  Bytes core() const;                                // the ELF core
  Bytes dump(size_t frame_size = 256 * 1024) const;  // the same as seekable zstd
};

enum class SeekTable { Without, Plain, WithChecksums };
Bytes compress_seekable(std::span<const uint8_t> content, size_t frame_size, SeekTable table = SeekTable::Plain);

void write_file(const std::filesystem::path& path, std::span<const uint8_t> bytes);
Bytes read_file(const std::filesystem::path& path);

// Bytes that do not compress away and are the same in every run.
Bytes pattern(size_t size, uint32_t seed = 1);

// Bytes in memory as a source.
std::unique_ptr<snapshot::ByteSource> memory_source(Bytes bytes, std::string name = "memory");

// A folder that is removed with its content.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Runs a shell command; its standard output. `status` gets its exit status.
std::string run_command(const std::string& command, int* status = nullptr);

}  // namespace mortem::test
