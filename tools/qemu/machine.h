// The QEMU that a guest runs under: which program, which command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/result.h"
#include "tools/qemu/network.h"

namespace mortem::tools {

Result<std::filesystem::path> find_qemu();
Result<std::string> qemu_version(const std::filesystem::path& qemu);  // "7.2.22"

// `given`, else beside this program (build/kernel), else where an installation puts it.
Result<std::filesystem::path> find_kernel(const std::filesystem::path& given);

// Whether this QEMU has qboot, a firmware that starts a kernel in less time than SeaBIOS and leaves the PCI BARs to it.
bool has_small_firmware(const std::filesystem::path& qemu);

// Execution that is the same each time: time is a count of instructions, and what comes from outside stands in a log
// (QEMU's docs/devel/replay.rst).
inline constexpr const char* kRecordedDiskNode = "disk-file";  // QEMU's node of a recorded guest's disk

// Of a recorded guest: pipes in the instance's folder, with the endings .in (to the guest) and .out.
inline constexpr const char* kControlPipe = "control-pipe";

enum class Determinism : uint8_t { None, Record, Replay };
struct RecordedExecution {
  Determinism mode = Determinism::None;
  std::filesystem::path log;
  unsigned shift = 0;      // an instruction takes 2^shift nanoseconds
  std::string start_time;  // of the real-time clock, as -rtc base= takes it
  int memory = -1;         // descriptor of a file that is the guest's memory
  int keeper = -1;         // descriptor of a connected socket for QMP
  // A qcow2 file for what the guest writes, on top of the image; empty: it goes into that.
  std::filesystem::path overlay;
  std::filesystem::path boot;  // of a dump that goes on: what is started in the kernel's place
};

struct Machine {
  std::filesystem::path qemu, kernel;
  std::string accelerator = "tcg";  // or kvm
  std::string type = "q35";         // or pc
  std::string processor = "max";    // or qemu64
  bool small_firmware = false;      // qboot instead of SeaBIOS
  uint64_t memory = 0;              // bytes
  std::string kernel_arguments;     // its command line
  std::string name;
  std::optional<std::filesystem::path> image;
  bool console_on_stdout = false;  // of QEMU, beside console.log
  int control = -1;                // descriptor of a connected socket, -1: no ports, no QMP
  int stub = -1;                   // descriptor of a listening socket, for debuggers
  int input = -1;                  // the same as control, for the program's standard input; -1: it has none
  bool has_input = false;          // of a clone: the original had one; nothing comes from it any more
  bool exit_on_reset = true;
  Network network;
  std::string image_format = "raw";  // QEMU's name of it
  bool keeps_image = true;           // false: what the guest writes there is gone with it
  // Of what goes on from a moment: its memory is a private view of this file.
  std::filesystem::path memory_file;
  // Of a clone: its state comes out of this descriptor, and it stands still at first.
  int incoming = -1;
  RecordedExecution recorded;
};

// Socket and log names are relative to the instance's folder, in which QEMU is to be started.
std::vector<std::string> qemu_command_line(const Machine& machine);

}  // namespace mortem::tools
