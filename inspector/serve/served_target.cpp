#include "inspector/serve/served_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "gdbstub/program_image.h"
#include "snapshot/dump_info.h"
#include "snapshot/little_endian.h"

namespace mortem::inspector {
namespace {

constexpr std::string_view kCannotRun =
    "this is a moment that was kept, a dump or core: it cannot run, only be looked at and changed";

uint32_t process_of(const inspector::Target& target) {
  if (const uint32_t process = target.core().process_id()) return process;
  return target.threads().empty() ? 1 : std::max(1u, target.threads().front().id);
}

// Which components the XSAVE area has. Linux keeps XCR0 in its bytes 464 to 471 (arch/x86/include/uapi/asm/
// sigcontext.h, sw_reserved of FXSAVE), and so do cores; ours have it in a note, too.
uint64_t components_of(const inspector::Target& target) {
  constexpr size_t kServedXcr0Offset = 464, kLegacyAndHeader = 576, kAvxSize = 256;
  constexpr uint64_t kAvx = 4;
  for (const TargetThread& thread : target.threads()) {
    const auto state = target.extended_state(thread.id);
    if (state.size() < kLegacyAndHeader + kAvxSize) continue;
    uint64_t components = snapshot::load<uint64_t>(state, kServedXcr0Offset).value_or(0);
    if (components == 0)
      if (const auto machine = target.core().machine_registers()) components = machine->registers.xcr0;
    if ((components & kAvx) != 0) return components;
  }
  return 0;
}

}  // namespace

ServedTarget::ServedTarget(const inspector::Target& target, Symbolizer& symbolizer, std::function<void()> first_write)
    : target_(target),
      symbolizer_(symbolizer),
      first_write_(std::move(first_write)),
      process_(process_of(target)),
      name_(target.core().program_name()),
      xcr0_(components_of(target)),
      files_(target, symbolizer, process_) {
  const auto& vector = target.core().auxiliary_vector();
  if (!vector.empty()) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(vector.data());
    auxiliary_vector_.assign(bytes, bytes + vector.size() * sizeof(uint64_t));
    auxiliary_vector_.resize(auxiliary_vector_.size() + 16);  // AT_NULL
  }
  find_file_regions();
  find_linker_names();
}

// A module's path is that of the mapped file; the dynamic linker's list has the link that led there (libz.so.1), and
// that is what debuggers ask for. Both know where it was loaded.
void ServedTarget::find_linker_names() {
  constexpr int kMostLibraries = 4096;
  gdbstub::LinkMapList list;
  const uint64_t address = gdbstub::first_link_map_list(*this);
  if (address == 0 || !gdbstub::read_link_map_list(*this, address, list)) return;
  gdbstub::LinkMap map;
  uint64_t at = list.first;
  for (int count = 0; at != 0 && count < kMostLibraries && gdbstub::read_object(*this, at, map);
       ++count, at = map.next) {
    std::array<uint8_t, 4096> bytes;
    const size_t length = read_memory(map.name, bytes);
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    const std::string name(text, strnlen(text, length));
    if (name.empty() || name.size() == length) continue;
    for (const CoreModule& module : target_.modules())
      if (map.dynamic >= module.start && map.dynamic < module.end && module.path != name) files_.add_name(name, module);
  }
}

gdbstub::Stop ServedTarget::stop() const {
  gdbstub::Stop stop;
  for (const TargetThread& thread : target_.threads()) {
    if (!thread.crashed && stop.thread != 0) continue;
    if (stop.thread == 0 || thread.crashed) stop.thread = thread.id;
    if (!thread.crashed) continue;
    const auto reason = snapshot::gather_dump_info(target_.core()).reason;
    stop.signal = reason && reason->signal ? *reason->signal : target_.stop_signal(thread.id);
    break;
  }
  return stop;
}

gdbstub::Description ServedTarget::description() {
  gdbstub::Description description;
  description.process = process_;
  description.name = name_;
  description.xcr0 = xcr0_;
  description.signal_information = description.files = description.local_files = description.memory_regions = true;
  description.auxiliary_vector = !auxiliary_vector_.empty();
  description.executable_path = files_.program() != nullptr;
  description.memory_map = true;
  description.cannot_run = kCannotRun;
  return description;
}

bool ServedTarget::has_thread(gdbstub::ThreadId thread) const {
  return std::any_of(target_.threads().begin(), target_.threads().end(),
                     [&](const TargetThread& one) { return one.id == thread; });
}

gdbstub::ThreadId ServedTarget::next_thread(gdbstub::ThreadId after) {
  const auto& threads = target_.threads();
  auto next = threads.begin();
  if (after != 0) {
    next = std::find_if(threads.begin(), threads.end(), [&](const TargetThread& one) { return one.id == after; });
    if (next != threads.end()) ++next;
  }
  return next == threads.end() ? 0 : next->id;
}

size_t ServedTarget::thread_name(gdbstub::ThreadId thread, std::span<char> name) {
  for (const TargetThread& one : target_.threads())
    if (one.id == thread) return one.name.copy(name.data(), name.size());
  return 0;
}

void ServedTarget::note_write() {
  if (!written_ && first_write_) first_write_();
  written_ = true;
}

bool ServedTarget::read_registers(gdbstub::ThreadId thread, format::GeneralRegisters& registers) {
  if (const auto written = registers_.find(thread); written != registers_.end()) {
    registers = written->second;
    return true;
  }
  auto read = target_.registers(thread);
  if (!read) return false;
  registers = *read;
  return true;
}

bool ServedTarget::write_registers(gdbstub::ThreadId thread, const format::GeneralRegisters& registers) {
  if (!has_thread(thread)) return false;
  note_write();
  registers_[thread] = registers;
  return true;
}

std::span<const uint8_t> ServedTarget::extended_state(gdbstub::ThreadId thread) const {
  const auto written = extended_states_.find(thread);
  return written != extended_states_.end() ? std::span<const uint8_t>(written->second) : target_.extended_state(thread);
}

size_t ServedTarget::read_extended_state(gdbstub::ThreadId thread, std::span<uint8_t> to) {
  const auto state = extended_state(thread);
  std::memcpy(to.data(), state.data(), std::min(to.size(), state.size()));
  return state.size();
}

bool ServedTarget::write_extended_state(gdbstub::ThreadId thread, std::span<const uint8_t> from) {
  const auto state = extended_state(thread);
  if (state.size() < from.size()) return false;
  note_write();
  std::vector<uint8_t> changed(state.begin(), state.end());
  std::copy(from.begin(), from.end(), changed.begin());
  extended_states_[thread] = std::move(changed);
  return true;
}

// What Linux leaves out of a core because it stands in a file: pages of a mapped module that are not writable. The file
// is used only when its build id is the module's.
void ServedTarget::find_file_regions() {
  const auto& regions = target_.regions();
  for (const snapshot::CoreSegment& segment : target_.core().segments()) {
    constexpr uint32_t kWritable = 2;
    const uint64_t start = segment.address + segment.file_size, end = segment.address + segment.memory_size;
    if (start >= end || (segment.flags & kWritable) != 0) continue;
    for (const CoreModule& module : target_.modules())
      if (start >= module.start && start < module.end && !module.id.empty())
        file_regions_.push_back({&module, start, std::min(end, module.end)});
  }
  // Held bytes win, whoever says that there are none.
  std::erase_if(file_regions_, [&](const FileRegion& one) {
    return std::any_of(regions.begin(), regions.end(),
                       [&](const TargetRegion& region) { return region.start < one.end && one.start < region.end; });
  });
}

size_t ServedTarget::read_from_file(uint64_t address, std::span<uint8_t> to) {
  for (const FileRegion& region : file_regions_) {
    if (address < region.start || address >= region.end) continue;
    const auto [place, is_new] = images_.try_emplace(region.module);
    if (is_new) {
      const SymbolFiles& files = symbolizer_.files(*region.module);
      if (!files.executable.empty()) place->second = ElfImage::map_file(files.executable).value_or(nullptr);
    }
    if (!place->second) return 0;
    const uint64_t length = std::min<uint64_t>(to.size(), region.end - address);
    return place->second->read_segment(address - region.module->load_bias, to.first(length));
  }
  return 0;
}

size_t ServedTarget::read_memory(uint64_t address, std::span<uint8_t> to) {
  size_t done = 0;
  while (done < to.size()) {
    size_t count = target_.read_memory(address + done, to.subspan(done)).value_or(0);
    if (count == 0) count = read_from_file(address + done, to.subspan(done));
    if (count == 0) break;
    done += count;
    if (address + done < address) break;
  }
  memory_.apply(address, to.first(done));
  return done;
}

size_t ServedTarget::write_memory(uint64_t address, std::span<const uint8_t> from) {
  if (from.empty()) return 0;
  std::vector<uint8_t> there(from.size());
  const size_t count = read_memory(address, there);
  if (count < from.size()) return 0;  // a part would be neither the old nor the new
  note_write();
  memory_.write(address, from);
  return count;
}

bool ServedTarget::memory_region(uint64_t address, gdbstub::MemoryRegion& region) {
  const auto& regions = target_.regions();
  const auto after = std::upper_bound(regions.begin(), regions.end(), address,
                                      [](uint64_t value, const TargetRegion& one) { return value < one.start; });
  const TargetRegion* here = after == regions.begin() ? nullptr : &*std::prev(after);
  if (here && address < here->end) {
    region.start = here->start;
    region.size = here->end - here->start;
    region.mapped = true;
    region.readable = (here->flags & 4) != 0;
    region.writable = (here->flags & 2) != 0;
    region.executable = (here->flags & 1) != 0;
    here->path.copy(region.name, sizeof region.name - 1);
    return true;
  }
  uint64_t start = here ? here->end : 0, end = after == regions.end() ? 0 : after->start;
  for (const FileRegion& one : file_regions_) {
    if (address >= one.start && address < one.end) {
      region.start = one.start;
      region.size = one.end - one.start;
      region.mapped = region.readable = region.executable = true;
      one.module->path.copy(region.name, sizeof region.name - 1);
      return true;
    }
    if (one.end <= address) start = std::max(start, one.end);
    if (one.start > address && (end == 0 || one.start < end)) end = one.start;
  }
  region.start = start;
  region.size = end - start;  // 0: to the end of the address space
  return true;
}

// For the client it is over. The moment itself stays what it is.
void ServedTarget::kill() {
  constexpr int kKill = 9;
  stop_ = gdbstub::Stop{.kind = gdbstub::StopKind::Terminated, .signal = kKill};
}

int64_t ServedTarget::read_siginfo(gdbstub::ThreadId thread, uint64_t offset, std::span<uint8_t> to) {
  const auto information = target_.signal_information(thread);
  if (information.empty()) return -1;
  if (offset >= information.size()) return 0;
  const size_t count = std::min<size_t>(to.size(), information.size() - offset);
  std::memcpy(to.data(), information.data() + offset, count);
  return static_cast<int64_t>(count);
}

int64_t ServedTarget::read_auxiliary_vector(uint64_t offset, std::span<uint8_t> to) {
  if (auxiliary_vector_.empty()) return -1;
  if (offset >= auxiliary_vector_.size()) return 0;
  const size_t count = std::min<size_t>(to.size(), auxiliary_vector_.size() - offset);
  std::memcpy(to.data(), auxiliary_vector_.data() + offset, count);
  return static_cast<int64_t>(count);
}

int64_t ServedTarget::executable_path(std::span<char> to) {
  const CoreModule* program = files_.program();
  return program ? static_cast<int64_t>(program->path.copy(to.data(), to.size())) : -1;
}

bool ServedTarget::monitor(std::string_view command, gdbstub::TextSink& to) {
  const snapshot::CoreFile& core = target_.core();
  if (command == "help") {
    to.write(
        "reason   why this dump was written\n"
        "log      the kernel's log\n"
        "stdout   what the program wrote last to its standard output\n"
        "stderr   likewise, standard error\n");
  } else if (command == "reason") {
    const auto reason = snapshot::gather_dump_info(core).reason;
    to.write(reason ? (reason->message.empty() ? reason->kind : reason->message) : "not recorded");
    to.write("\n");
  } else if (command == "log") {
    to.write(core.kernel_log());
  } else if (command == "stdout") {
    to.write(core.standard_output());
  } else if (command == "stderr") {
    to.write(core.standard_error());
  } else {
    return false;
  }
  return true;
}

}  // namespace mortem::inspector
