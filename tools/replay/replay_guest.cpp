#include "tools/replay/replay_guest.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "inspector/elf/elf_image.h"
#include "snapshot/clone/clone_description.h"
#include "snapshot/format/notes.h"
#include "snapshot/little_endian.h"

namespace mortem::tools {

namespace {

constexpr const char* kCrashFunction = "_ZN6kernel5crashERKNS_11CrashReasonEPKNS_9TrapFrameE";

// kernel/crash/crash.h
struct KernelCrashReason {
  format::ReasonKind kind;
  int signal, signal_code, exit_status;
  bool has_fault_address;
  uint64_t fault_address, message;
  bool goes_on;
};

struct SymbolPlace {
  uint64_t address = 0, size = 0;
};

SymbolPlace find_symbol(const inspector::ElfImage& image, std::string_view name) {
  for (const inspector::ElfSection& section : image.sections()) {
    if (section.type != SHT_SYMTAB || section.link >= image.sections().size()) continue;
    const auto table = image.content(section), names = image.content(image.sections()[section.link]);
    if (!table || !names) continue;
    for (size_t at = 0; at + sizeof(Elf64_Sym) <= table->size(); at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, table->data() + at, sizeof symbol);
      if (symbol.st_name >= names->size() || names->size() - symbol.st_name <= name.size()) continue;
      const auto* text = reinterpret_cast<const char*>(names->data() + symbol.st_name);
      if (name == std::string_view(text, name.size()) && text[name.size()] == 0)
        return {symbol.st_value, symbol.st_size};
    }
  }
  return {};
}

// The function's last instruction, if it is that one; 0: it is another.
uint64_t last_instruction(const inspector::ElfImage& image, const SymbolPlace& function,
                          std::initializer_list<uint8_t> code) {
  std::vector<uint8_t> bytes(code.size());
  const uint64_t at = function.address + function.size - code.size();
  return image.read_segment(at, bytes) == bytes.size() && std::equal(code.begin(), code.end(), bytes.begin()) ? at : 0;
}

}  // namespace

Result<KernelPlaces> KernelPlaces::find(const std::filesystem::path& kernel) {
  const auto image = TRY(inspector::ElfImage::map_file(kernel));
  const SymbolPlace stubs = find_symbol(*image, "trap_stubs"), common = find_symbol(*image, "trap_common"),
                    entry = find_symbol(*image, "syscall_entry"), crash = find_symbol(*image, kCrashFunction);
  KernelPlaces places;
  places.trap_stubs = stubs.address;
  places.trap_common = common.address;
  places.trap_end = common.address + common.size;
  places.syscall_entry = entry.address;
  places.syscall_end = entry.address + entry.size;
  places.crash = crash.address;
  places.interrupt_return = last_instruction(*image, common, {0x48, 0xCF});     // iretq
  places.syscall_return = last_instruction(*image, entry, {0x48, 0x0F, 0x07});  // sysretq
  if (stubs.address == 0 || crash.address == 0 || places.interrupt_return == 0 || places.syscall_return == 0)
    return failure(ErrorKind::Unsupported,
                   fmt::format("{}: its symbols do not tell where it is entered and left", kernel.string()));
  return places;
}

Result<ReplayGuest> ReplayGuest::of(ReplayMachine& machine) {
  return ReplayGuest(machine, TRY(KernelPlaces::find(machine.recording().machine.kernel)));
}

ReplayGuest::ReplayGuest(ReplayMachine& machine, KernelPlaces places)
    : machine_(machine),
      recording_(machine.recording()),
      places_(places),
      memory_(machine.ram(), snapshot::memory_below_4g(recording_.machine.type, recording_.machine.memory)) {}

Result<void> ReplayGuest::look() {
  facts_.reset();
  cpu_ = TRY(machine_.stub().registers());
  memory_.set_page_table(cpu_.registers.cr3);
  return {};
}

Result<const snapshot::GuestFacts*> ReplayGuest::facts() {
  if (!facts_) facts_ = TRY(snapshot::read_guest_facts(memory_, cpu_, "the recording"));
  return &*facts_;
}

uint32_t ReplayGuest::current_thread() const {
  format::GuestDescription block;
  if (!memory_.read_physical(format::kGuestDescriptionAddress, snapshot::writable_bytes_of(block)) ||
      std::memcmp(block.magic, format::kGuestDescriptionMagic, sizeof block.magic) != 0)
    return 0;
  const auto thread = memory_.get<uint64_t>(block.current_thread);
  if (!thread || *thread == 0) return 0;
  const auto is_app = memory_.get<uint8_t>(*thread + block.thread_is_app_offset);
  const auto id = memory_.get<uint32_t>(*thread + block.thread_id_offset);
  return is_app && id && *is_app == 0 ? *id : 0;
}

std::optional<format::GeneralRegisters> ReplayGuest::registers_of(uint32_t thread) {
  const auto known = facts();
  if (!known) return std::nullopt;
  for (const snapshot::GuestThread& one : (*known)->threads)
    if (one.id == thread && one.registers_known) return one.registers;
  return std::nullopt;
}

bool ReplayGuest::is_entering_kernel() const {
  const uint64_t at = program_counter();
  return (at >= place(places_.trap_stubs) && at < place(places_.trap_end)) ||
         (at >= place(places_.syscall_entry) && at < place(places_.syscall_end));
}

// What is on the stack there: entry.S.
bool ReplayGuest::comes_from_user() const {
  if (program_counter() == place(places_.syscall_entry)) return true;
  const auto selector = memory_.get<uint64_t>(cpu_.registers.general.rsp + 24);
  return selector && (*selector & 3) == 3;
}

// entry.S: the syscall instruction itself; of a trap, what its stub does.
uint64_t ReplayGuest::instructions_since_user() const {
  if (program_counter() == place(places_.syscall_entry)) return 1;
  const auto vector = memory_.get<uint64_t>(cpu_.registers.general.rsp);
  const bool has_error_code = vector && (*vector == 8 || (*vector >= 10 && *vector <= 14) || *vector == 17 ||
                                         *vector == 21 || *vector == 29 || *vector == 30);
  return has_error_code ? 2 : 3;
}

bool ReplayGuest::returns_to_user() const {
  if (program_counter() == place(places_.syscall_return)) return true;
  const auto selector = memory_.get<uint64_t>(cpu_.registers.general.rsp + 8);
  return program_counter() == place(places_.interrupt_return) && selector && (*selector & 3) == 3;
}

CrashAt ReplayGuest::crash() const {
  const auto reason = memory_.get<KernelCrashReason>(cpu_.registers.general.rdi);
  if (!reason) return {};
  return {reason->kind == format::ReasonKind::Signal ? reason->signal : 0, reason->goes_on};
}

}  // namespace mortem::tools
