#include "tools/replay/qemu_stub.h"

#include <fmt/format.h>

#include <cstring>
#include <span>
#include <vector>

namespace mortem::tools {

namespace {

constexpr int kStubMilliseconds = 20'000;

uint8_t sum_of(const std::string& text) {
  uint8_t sum = 0;
  for (char character : text) sum = uint8_t(sum + uint8_t(character));
  return sum;
}

// gdb/features/i386/64bit-core.xml and 64bit-seg.xml, then QEMU's control registers (gdb-xml/i386-64bit.xml).
struct StubRegisters {
  uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, rip;
  uint32_t eflags, cs, ss, ds, es, fs, gs;
  uint64_t fs_base, gs_base, kernel_gs_base, cr0, cr2, cr3, cr4, cr8, efer;
} __attribute__((packed));

}  // namespace

Result<void> QemuStub::send(const std::string& packet) {
  return socket_.send(fmt::format("${}#{:02x}", packet, sum_of(packet)));
}

Result<std::optional<std::string>> QemuStub::receive(int timeout_ms) {
  for (;;) {
    // Acknowledgements are between the packets.
    const size_t start = pending_.find('$'), end = pending_.find('#', start == std::string::npos ? 0 : start);
    if (start != std::string::npos && end != std::string::npos && pending_.size() >= end + 3) {
      std::string packet = pending_.substr(start + 1, end - start - 1);
      pending_.erase(0, end + 3);
      TRY_VOID(socket_.send("+"));
      return std::optional<std::string>(std::move(packet));
    }
    if (!TRY(socket_.receive(pending_, timeout_ms))) return std::optional<std::string>();
  }
}

Result<std::string> QemuStub::ask(const std::string& packet) {
  TRY_VOID(send(packet));
  auto answer = TRY(receive(kStubMilliseconds));
  if (!answer) return failure(ErrorKind::System, "QEMU's gdb stub does not answer");
  return *answer;
}

Result<void> QemuStub::attach() {
  TRY(ask("?"));
  return {};
}

Result<snapshot::CpuState> QemuStub::registers() {
  const std::string text = TRY(ask("g"));
  StubRegisters from;
  if (text.size() < 2 * sizeof from) return failure(ErrorKind::System, "QEMU's gdb stub gives no registers");
  auto* bytes = reinterpret_cast<uint8_t*>(&from);
  for (size_t index = 0; index < sizeof from; ++index) {
    unsigned value = 0;
    if (std::sscanf(text.c_str() + 2 * index, "%2x", &value) != 1)
      return failure(ErrorKind::System, "QEMU's gdb stub gives no registers");
    bytes[index] = uint8_t(value);
  }
  snapshot::CpuState state;
  format::MachineRegisters& to = state.registers;
  format::GeneralRegisters& general = to.general;
  general.rax = from.rax, general.rbx = from.rbx, general.rcx = from.rcx, general.rdx = from.rdx;
  general.rsi = from.rsi, general.rdi = from.rdi, general.rbp = from.rbp, general.rsp = from.rsp;
  general.r8 = from.r8, general.r9 = from.r9, general.r10 = from.r10, general.r11 = from.r11;
  general.r12 = from.r12, general.r13 = from.r13, general.r14 = from.r14, general.r15 = from.r15;
  general.rip = from.rip, general.eflags = from.eflags;
  general.cs = from.cs, general.ss = from.ss, general.ds = from.ds, general.es = from.es;
  general.fs = from.fs, general.gs = from.gs;
  general.orig_rax = ~uint64_t{0};
  general.fs_base = to.fs_base = from.fs_base;
  general.gs_base = to.gs_base = from.gs_base;
  to.kernel_gs_base = from.kernel_gs_base;
  to.cr0 = from.cr0, to.cr2 = from.cr2, to.cr3 = from.cr3, to.cr4 = from.cr4, to.cr8 = from.cr8, to.efer = from.efer;
  return state;
}

Result<void> QemuStub::insert(QemuPoint kind, uint64_t address, uint64_t length) {
  const std::string answer =
      TRY(ask(fmt::format("Z{},{:x},{:x}", kind == QemuPoint::Breakpoint ? 1 : int(kind), address, length)));
  if (answer != "OK") return failure(ErrorKind::Unavailable, fmt::format("QEMU sets no such point at {:#x}", address));
  return {};
}

Result<void> QemuStub::remove(QemuPoint kind, uint64_t address, uint64_t length) {
  TRY(ask(fmt::format("z{},{:x},{:x}", kind == QemuPoint::Breakpoint ? 1 : int(kind), address, length)));
  return {};
}

Result<void> QemuStub::go_on() {
  return send("c");
}

Result<void> QemuStub::step() {
  return send("s");
}

Result<void> QemuStub::interrupt() {
  return socket_.send("\x03");
}

Result<std::optional<std::string>> QemuStub::stopped(int timeout_ms) {
  auto packet = TRY(receive(timeout_ms));
  if (packet && packet->starts_with("E"))
    return failure(ErrorKind::System, "QEMU's gdb stub does not let the machine run");
  return packet;
}

}  // namespace mortem::tools
