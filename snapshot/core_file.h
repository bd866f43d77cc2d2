// An ELF core: our dump (seekable zstd, read in place), the plain core that `mortem core` writes, or Linux's own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "snapshot/byte_source.h"
#include "snapshot/format/notes.h"
#include "snapshot/open_files.h"
#include "snapshot/result.h"

namespace mortem::snapshot {

struct CoreThread {
  uint32_t id = 0;
  std::string name;  // empty: unknown
  format::GeneralRegisters registers{};
  int signal = 0;                       // pr_cursig
  std::vector<uint8_t> extended_state;  // NT_X86_XSTATE, empty: not in the core
  std::vector<uint8_t> floating_point;  // NT_FPREGSET
  uint64_t switch_frame = 0;            // of a thread that waits in our kernel: format::KernelContext; 0: none
  std::vector<uint8_t> siginfo;         // NT_SIGINFO behind its status: the crashed thread's, of gcore every thread's
};

struct CoreModule {
  format::ModuleKind kind = format::ModuleKind::Program;
  std::string path;
  format::ModuleIdKind id_kind = format::ModuleIdKind::None;
  std::vector<uint8_t> id;
  uint64_t load_bias = 0, start = 0, end = 0;
};

struct CoreSegment {  // one PT_LOAD
  uint64_t address = 0, memory_size = 0, file_offset = 0, file_size = 0, physical = 0;
  uint32_t flags = 0;  // PF_*
};

struct CoreFileMapping {  // one line of NT_FILE
  uint64_t start = 0, end = 0, file_offset = 0;
  std::string path;
};

struct CoreNote {  // what stands in the core, known to us or not
  std::string owner;
  uint32_t type = 0;
  uint64_t file_offset = 0;  // of its descriptor
  uint64_t length = 0;       // of its descriptor
  bool understood = false;
};

class CoreFile {
 public:
  static Result<std::unique_ptr<CoreFile>> open(const std::filesystem::path& path);
  static Result<std::unique_ptr<CoreFile>> from(std::unique_ptr<ByteSource> bytes);
  virtual ~CoreFile() = default;

  virtual const std::string& name() const = 0;
  virtual const ByteSource& bytes() const = 0;                 // the expanded ELF core
  virtual const std::vector<CoreThread>& threads() const = 0;  // the crashed one first
  virtual const std::vector<CoreModule>& modules()
      const = 0;  // of a foreign core: from NT_FILE and the ELF headers in memory
  virtual const std::vector<CoreSegment>& segments() const = 0;  // by address
  virtual const std::vector<CoreFileMapping>& file_mappings() const = 0;
  virtual const std::vector<uint64_t>& auxiliary_vector() const = 0;  // pairs
  virtual std::optional<format::ReasonNote> reason() const = 0;       // of our dumps
  virtual std::optional<format::IdentityNote> identity() const = 0;
  virtual std::optional<format::MachineRegistersNote> machine_registers() const = 0;
  virtual const std::vector<format::PageMapEntry>& page_map() const = 0;
  virtual const std::string& kernel_log() const = 0;
  // The last that the program wrote there, at most a few KiB; empty: nothing, or not recorded.
  virtual const std::string& standard_error() const = 0;
  virtual const std::string& standard_output() const = 0;
  virtual std::optional<format::OccurrenceNote> occurrence() const = 0;
  virtual std::span<const uint8_t> siginfo() const = 0;  // 128 bytes or empty
  virtual uint32_t process_id() const = 0;               // NT_PRPSINFO; 0: unknown
  virtual std::string program_name() const = 0;
  virtual std::string command_line() const = 0;
  virtual const std::vector<CoreNote>& notes() const = 0;
  // Of Mortem's guests.
  virtual const OpenFiles& open_files() const {
    static const OpenFiles unknown;
    return unknown;
  }

  // Reads what is there from `address` on; returns the number of bytes, 0: that address is not in the core.
  // Never claims a byte that the core does not hold (p_filesz < p_memsz is not there).
  virtual Result<size_t> read_memory(uint64_t address, std::span<uint8_t> to) const = 0;
};

}  // namespace mortem::snapshot
