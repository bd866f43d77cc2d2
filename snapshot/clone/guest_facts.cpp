#include "snapshot/clone/guest_facts.h"

#include <fmt/format.h>

#include <cstring>

#include "snapshot/format/notes.h"
#include "snapshot/little_endian.h"

namespace mortem::snapshot {
namespace {

using namespace format;

constexpr size_t kMostThreads = 4096, kMostAreas = 65530, kLargestTable = 1 << 20, kLargestRing = 16 << 20,
                 kLongestPath = 4096, kLargestState = 16 << 10;

// What every entry into the kernel leaves on the stack (kernel/arch/x86_64/trap_frame.h, which states the layout).
struct SavedFrame {
  uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, vector, error_code, rip, cs, rflags,
      rsp, ss;
};
constexpr uint64_t kSyscallVector = 0x100;

GeneralRegisters registers_of(const SavedFrame& frame) {
  GeneralRegisters to{};
  to.r15 = frame.r15, to.r14 = frame.r14, to.r13 = frame.r13, to.r12 = frame.r12, to.rbp = frame.rbp;
  to.rbx = frame.rbx, to.r11 = frame.r11, to.r10 = frame.r10, to.r9 = frame.r9, to.r8 = frame.r8;
  to.rax = frame.rax, to.rcx = frame.rcx, to.rdx = frame.rdx, to.rsi = frame.rsi, to.rdi = frame.rdi;
  to.orig_rax = frame.vector == kSyscallVector ? frame.error_code : ~uint64_t{0};
  to.rip = frame.rip, to.cs = frame.cs, to.eflags = frame.rflags, to.rsp = frame.rsp, to.ss = frame.ss;
  return to;
}

class FactsReader {
 public:
  FactsReader(GuestMemory& memory, const CpuState& cpu, const std::string& where)
      : memory_(memory), cpu_(cpu), where_(where) {}

  Result<GuestFacts> read() {
    TRY_VOID(description());
    const bool in_user = (cpu_.registers.general.cs & 3) == 3;
    facts_.in_kernel = !in_user;
    threads();
    areas();
    tables();
    return std::move(facts_);
  }

 private:
  Result<void> description() {
    GuestDescription& block = facts_.description;
    TRY_VOID(memory_.read_physical(kGuestDescriptionAddress, writable_bytes_of(block)));
    if (std::memcmp(block.magic, kGuestDescriptionMagic, sizeof block.magic) != 0)
      return failure(ErrorKind::BadInput,
                     fmt::format("{}: no guest description at {:#x}: not a guest of Mortem's, or one that had not "
                                 "begun to run",
                                 where_, kGuestDescriptionAddress));
    if (block.version != kGuestDescriptionVersion || block.size < kGuestDescriptionFirstSize)
      return failure(ErrorKind::Unsupported, fmt::format("{}: a guest description of version {} with {} bytes", where_,
                                                         block.version, block.size));
    // What this kernel does not have yet is not there.
    if (block.size < sizeof block)
      std::memset(reinterpret_cast<uint8_t*>(&block) + block.size, 0, sizeof block - block.size);
    memory_.set_page_table(cpu_.registers.cr3);
    return {};
  }

  uint64_t pointer(uint64_t place) const {
    if (place == 0) return 0;
    const auto value = memory_.get<uint64_t>(place);
    return value ? *value : 0;
  }

  void threads() {
    const GuestDescription& block = facts_.description;
    const uint64_t current = pointer(block.current_thread);
    uint64_t at = pointer(block.thread_list);
    for (size_t count = 0; at != 0 && count < kMostThreads; ++count) {
      GuestThread thread;
      const auto id = memory_.get<uint32_t>(at + block.thread_id_offset);
      if (!id) return;
      thread.id = *id;
      if (const auto name = memory_.get<std::array<char, 16>>(at + block.thread_name_offset))
        thread.name.assign(name->data(), strnlen(name->data(), name->size()));
      thread.is_current = at == current;
      if (thread.is_current) facts_.current_thread = thread.id;
      thread_registers(at, thread);
      facts_.threads.insert(thread.is_current ? facts_.threads.begin() : facts_.threads.end(), std::move(thread));
      at = pointer(at + block.thread_next_offset);
    }
  }

  void thread_registers(uint64_t at, GuestThread& thread) const {
    const GuestDescription& block = facts_.description;
    if (thread.is_current && !facts_.in_kernel) {
      thread.registers = cpu_.registers.general;
      thread.registers_known = true;
    } else if (const auto frame = memory_.get<SavedFrame>(pointer(at + block.thread_frame_offset));
               frame && (frame->cs & 3) == 3) {
      thread.registers = registers_of(*frame);
      thread.registers_known = true;
    }
    GeneralRegisters& to = thread.registers;
    if (thread.is_current) {
      // In the kernel the app's bases and vector registers are still the CPU's: it uses none of them.
      to.fs_base = cpu_.registers.fs_base;
      to.gs_base = cpu_.registers.gs_base;
      thread.extended_state = cpu_.extended_state;
    } else {
      to.fs_base = pointer(at + block.thread_fs_base_offset);
      if (block.thread_gs_base_offset != 0) to.gs_base = pointer(at + block.thread_gs_base_offset);
      if (block.thread_switch_frame_offset != 0) thread.switch_frame = pointer(at + block.thread_switch_frame_offset);
      thread.extended_state = saved_state(pointer(at + block.thread_xsave_offset));
    }
  }

  std::vector<uint8_t> saved_state(uint64_t at) const {
    const auto size = memory_.get<uint32_t>(facts_.description.xsave_size);
    if (at == 0 || !size || *size < 512 || *size > kLargestState) return {};
    std::vector<uint8_t> state(*size);
    if (!memory_.read(at, state)) return {};
    return state;
  }

  void areas() {
    const GuestDescription& block = facts_.description;
    const uint64_t table = pointer(block.area_table), count = pointer(block.area_count);
    if (table == 0 || count > kMostAreas || block.area_size < 16 || block.area_size > 4096) return;
    for (uint64_t index = 0; index < count; ++index) {
      std::vector<uint8_t> bytes(block.area_size);
      if (!memory_.read(table + index * block.area_size, bytes)) return;
      const auto start = load<uint64_t>(bytes, block.area_start_offset),
                 end = load<uint64_t>(bytes, block.area_end_offset);
      const auto protection = load<uint8_t>(bytes, block.area_protection_offset),
                 kind = load<uint8_t>(bytes, block.area_kind_offset);
      const auto offset = load<uint64_t>(bytes, block.area_file_offset_offset),
                 path = load<uint64_t>(bytes, block.area_path_offset),
                 in_memory = load<uint64_t>(bytes, block.area_memory_offset);
      if (!start || !end || !protection || !kind || !offset || !path || !in_memory) return;
      if (*end <= *start || *start % 4096 != 0 || *end % 4096 != 0 || *end > uint64_t{1} << 47) continue;
      GuestArea area;
      area.start = *start, area.end = *end, area.file_offset = *offset;
      if (*protection != 0)
        area.flags = ((*protection & 1) != 0 ? kPageRead : 0u) | ((*protection & 2) != 0 ? kPageWrite : 0u) |
                     ((*protection & 4) != 0 ? kPageExecute : 0u) | kPageUser;
      area.kind = static_cast<GuestAreaKind>(*kind);
      area.in_memory = *in_memory != 0;
      if (*path != 0)
        if (auto text = memory_.text(*path, kLongestPath)) area.path = std::move(*text);
      facts_.areas.push_back(std::move(area));
    }
  }

  void tables() {
    const GuestDescription& block = facts_.description;
    const uint64_t length = pointer(block.module_table_length),
                   table = pointer(block.module_table);  // it grows by moving
    if (length > 0 && length <= kLargestTable) {
      facts_.modules.resize(length);
      if (!memory_.read(table, facts_.modules)) facts_.modules.clear();
    }
    for (uint64_t at = 0; at + 16 <= std::min<uint64_t>(block.auxiliary_vector_length, 4096); at += 16) {
      const uint64_t type = pointer(block.auxiliary_vector + at), value = pointer(block.auxiliary_vector + at + 8);
      if (type == 0) break;
      facts_.auxiliary_vector.insert(facts_.auxiliary_vector.end(), {type, value});
    }
    if (block.command_line != 0)
      if (auto text = memory_.text(block.command_line, 80)) facts_.command_line = std::move(*text);
    facts_.kernel_log = ring({block.kernel_log, block.kernel_log_size, pointer(block.kernel_log_written)});
    if (const auto place = memory_.get<GuestRing>(block.error_ring)) facts_.standard_error = ring(*place);
    if (const auto place = memory_.get<GuestRing>(block.output_ring)) facts_.standard_output = ring(*place);
    facts_.open_files = open_file_tables_of(block.open_file_tables, [this](void* to, uint64_t address, size_t size) {
      return memory_.read(address, {static_cast<uint8_t*>(to), size}).has_value();
    });
    if (const auto clock = memory_.get<GuestClock>(block.clock); clock && clock->multiplier != 0) {
      facts_.uptime_ns = uint64_t(static_cast<unsigned __int128>(cpu_.tsc - clock->base_tsc) * clock->multiplier >> 32);
      if (clock->wall_offset_ns != 0) facts_.wall_clock_ns = clock->wall_offset_ns + int64_t(facts_.uptime_ns);
    }
  }

  std::string ring(const GuestRing& ring) const {
    if (ring.bytes == 0 || ring.size == 0 || ring.size > kLargestRing) return {};
    std::vector<uint8_t> bytes(ring.size);
    if (!memory_.read(ring.bytes, bytes)) return {};
    std::string text;
    for (uint64_t at = ring.written - std::min(ring.size, ring.written); at < ring.written; ++at)
      text += static_cast<char>(bytes[at % ring.size]);
    return text;
  }

  GuestMemory& memory_;
  const CpuState& cpu_;
  const std::string& where_;
  GuestFacts facts_;
};

}  // namespace

Result<GuestFacts> read_guest_facts(GuestMemory& memory, const CpuState& cpu, const std::string& where) {
  return FactsReader(memory, cpu, where).read();
}

}  // namespace mortem::snapshot
