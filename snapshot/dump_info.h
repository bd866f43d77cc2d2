// Everything that `mortem info` prints about a dump or core, gathered and in words. What is not known is not there.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/core_file.h"

namespace mortem::snapshot {

struct DumpInfo {
  struct Identity {
    std::string boot_id, disk_id;  // 32 hexadecimal digits
    uint64_t disk_generation = 0;
    std::optional<int64_t> wall_clock_ns;
    uint64_t uptime_ns = 0, memory_bytes = 0, resident_bytes = 0;
    std::string kernel_version;
  };
  struct Reason {
    std::string kind;                  // "signal", "exit", "kernel panic", …
    std::optional<std::string> level;  // of our dumps: "full", "app only", …
    std::optional<uint32_t> thread;
    std::optional<int> signal, signal_code, exit_status;
    std::string signal_name;  // "SIGSEGV", empty: none
    std::optional<uint32_t> trap_vector;
    std::optional<uint64_t> trap_error_code, fault_address;
    std::string message;  // one line, empty: none
  };
  struct Thread {
    uint32_t id = 0;
    std::string name;
    bool crashed = false;
    uint64_t instruction_pointer = 0, stack_pointer = 0;
    bool has_floating_point = false, has_extended_state = false;
  };
  struct Module {
    std::string kind, path, id_kind, id;  // id: hexadecimal digits, empty: none
    uint64_t load_bias = 0, start = 0, end = 0;
  };
  struct Memory {
    uint64_t segments = 0;
    uint64_t mapped_bytes = 0;                       // of the segments
    uint64_t stored_bytes = 0;                       // of them, in the file
    std::map<std::string, uint64_t> page_map_bytes;  // by kind of page-map entry
  };

  std::string name;
  bool made_by_mortem = false;
  uint64_t expanded_bytes = 0;  // of the ELF core
  std::optional<Identity> identity;
  std::optional<Reason> reason;
  std::string program_name, command_line;
  std::vector<Thread> threads;  // the crashed one first
  std::vector<Module> modules;
  std::vector<CoreSegment> segments;
  Memory memory;
  uint64_t kernel_log_bytes = 0;
  std::vector<CoreNote> notes;
};

DumpInfo gather_dump_info(const CoreFile& core);

std::string hexadecimal(std::span<const uint8_t> bytes);
std::string signal_name(int signal);  // "SIGSEGV"; "signal 77" for one without a name
const char* reason_kind_text(format::ReasonKind kind);
const char* dump_level_text(format::DumpLevel level);
const char* module_kind_text(format::ModuleKind kind);
const char* module_id_kind_text(format::ModuleIdKind kind);
const char* page_map_kind_text(format::PageMapKind kind);

}  // namespace mortem::snapshot
