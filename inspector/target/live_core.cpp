#include "inspector/target/live_core.h"

#include <elf.h>
#include <fmt/format.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "gdbstub/arguments.h"
#include "gdbstub/register_file.h"
#include "gdbstub/signals.h"
#include "inspector/target/stub_client.h"
#include "snapshot/core_modules.h"
#include "snapshot/core_notes.h"
#include "snapshot/little_endian.h"

namespace mortem::inspector {
namespace {

using snapshot::CoreSegment;
using snapshot::CoreThread;

class NoBytes final : public snapshot::ByteSource {
 public:
  explicit NoBytes(std::string name) : name_(std::move(name)) {}
  uint64_t size() const override { return 0; }
  Result<void> read(uint64_t offset, std::span<uint8_t> to) const override { return check_range(offset, to.size()); }
  const std::string& name() const override { return name_; }

 private:
  std::string name_;
};

// The answer to `g` in gdb's order (gdbstub/register_file.h) as a core has it. AVX is there if the answer reaches that
// far.
CoreThread thread_of(const std::string& digits) {
  constexpr uint32_t kAvxOffset = 576;  // in the standard format of XSAVE (Intel SDM vol. 1, 13.4.3)
  constexpr size_t kXcr0Offset = 464, kAreaSize = kAvxOffset + 256, kHeaderOffset = 512;
  gdbstub::RegisterFile file;
  file.general_known = true;
  file.general = {};
  file.extended_size = kAreaSize;
  file.has_avx = true;
  file.avx_offset = kAvxOffset;
  file.extended.fill(0);
  size_t at = 0;
  bool has_extended = false, has_avx = false;
  for (size_t number = 0; number < gdbstub::kRegisterCount; ++number) {
    const size_t size = gdbstub::kRegisterLayout[number].size;
    if (at + 2 * size > digits.size()) break;
    std::array<uint8_t, gdbstub::kLargestRegister> value;
    const std::span<uint8_t> bytes(value.data(), size);
    gdbstub::Arguments arguments(std::string_view(digits).substr(at, 2 * size));
    at += 2 * size;
    if (!arguments.hex_bytes(bytes)) continue;  // "xx": not known
    file.write(number, bytes);
    has_extended |= gdbstub::kRegisterLayout[number].source != gdbstub::RegisterSource::General;
    has_avx |= gdbstub::kRegisterLayout[number].source == gdbstub::RegisterSource::AvxUpperHalf;
  }
  CoreThread thread;
  thread.registers = file.general;
  if (has_extended) {
    const uint64_t components = has_avx ? 7 : 3;
    std::memcpy(file.extended.data() + kXcr0Offset, &components, sizeof components);
    thread.extended_state.assign(file.extended.begin(), file.extended.begin() + (has_avx ? kAreaSize : kHeaderOffset));
  }
  return thread;
}

class LiveCore final : public snapshot::CoreFile {
 public:
  LiveCore(std::shared_ptr<StubClient> stub, std::string name)
      : stub_(std::move(stub)), name_(name), no_bytes_(std::move(name)) {}

  Result<void> read_all() {
    notes_.process_id = stub_->process();
    for (const uint32_t id : stub_->threads()) {
      CoreThread thread = thread_of(TRY(stub_->registers(id)));
      thread.id = id;
      // The one that it stopped for comes first, as a crashed one does in a core.
      notes_.threads.insert(id == stub_->stopped_thread() ? notes_.threads.begin() : notes_.threads.end(), thread);
    }
    read_names();
    read_auxiliary_vector();
    read_mappings();
    notes_.modules = snapshot::find_core_modules(
        [this](uint64_t address, std::span<uint8_t> to) { return read_memory(address, to); }, notes_);
    for (const auto& module : notes_.modules)
      if (module.kind == format::ModuleKind::Program)
        notes_.program_name = module.path.substr(module.path.rfind('/') + 1);
    read_command_line();
    read_open_files();
    read_texts();
    read_reason();
    return {};
  }

  const std::string& name() const override { return name_; }
  const snapshot::ByteSource& bytes() const override { return no_bytes_; }
  const std::vector<CoreThread>& threads() const override { return notes_.threads; }
  const std::vector<snapshot::CoreModule>& modules() const override { return notes_.modules; }
  const std::vector<CoreSegment>& segments() const override { return segments_; }
  const std::vector<snapshot::CoreFileMapping>& file_mappings() const override { return notes_.file_mappings; }
  const std::vector<uint64_t>& auxiliary_vector() const override { return notes_.auxiliary_vector; }
  std::optional<format::ReasonNote> reason() const override { return notes_.reason; }
  std::optional<format::IdentityNote> identity() const override { return std::nullopt; }
  std::optional<format::MachineRegistersNote> machine_registers() const override { return std::nullopt; }
  const std::vector<format::PageMapEntry>& page_map() const override { return notes_.page_map; }
  const std::string& kernel_log() const override { return notes_.kernel_log; }
  const std::string& standard_error() const override { return notes_.standard_error; }
  const std::string& standard_output() const override { return notes_.standard_output; }
  std::optional<format::OccurrenceNote> occurrence() const override { return std::nullopt; }
  std::span<const uint8_t> siginfo() const override { return notes_.siginfo; }
  uint32_t process_id() const override { return notes_.process_id; }
  std::string program_name() const override { return notes_.program_name; }
  std::string command_line() const override { return notes_.command_line; }
  const std::vector<snapshot::CoreNote>& notes() const override { return notes_.all; }
  const snapshot::OpenFiles& open_files() const override { return notes_.open_files; }

  Result<size_t> read_memory(uint64_t address, std::span<uint8_t> to) const override {
    return stub_->read_memory(address, to);
  }

 private:
  // <thread id="p2.3" name="worker"/>, a line each. Names of our stub have XML's five characters replaced.
  void read_names() {
    const auto text = stub_->transfer("threads");
    if (!text) return;
    for (size_t at = text->find("<thread "); at != std::string::npos; at = text->find("<thread ", at + 1)) {
      const std::string_view element = std::string_view(*text).substr(at, text->find('>', at) - at);
      gdbstub::ThreadSelector selector;
      gdbstub::Arguments id(attribute(element, "id"));
      if (!id.thread(selector)) continue;
      for (CoreThread& thread : notes_.threads)
        if (thread.id == selector.thread) thread.name = unescaped(attribute(element, "name"));
    }
  }

  static std::string_view attribute(std::string_view element, std::string_view name) {
    const std::string begin = fmt::format(" {}=\"", name);
    const size_t at = element.find(begin);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = element.substr(at + begin.size());
    return rest.substr(0, rest.find('"'));
  }

  static std::string unescaped(std::string_view text) {
    constexpr std::pair<std::string_view, char> kEntities[] = {
        {"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};
    std::string result;
    while (!text.empty()) {
      char character = text[0];
      size_t length = 1;
      for (const auto& [name, value] : kEntities)
        if (text.starts_with(name)) character = value, length = name.size();
      result += character;
      text.remove_prefix(length);
    }
    return result;
  }

  void read_auxiliary_vector() {
    const auto bytes = stub_->transfer("auxv");
    if (!bytes) return;
    const std::span<const uint8_t> vector(reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size());
    for (size_t at = 0;; at += 16) {
      const auto type = snapshot::load<uint64_t>(vector, at), value = snapshot::load<uint64_t>(vector, at + 8);
      if (!type || !value || *type == AT_NULL) return;
      notes_.auxiliary_vector.push_back(*type);
      notes_.auxiliary_vector.push_back(*value);
    }
  }

  // proc(5): START-END PERMISSIONS OFFSET DEVICE INODE PATH
  void read_mappings() {
    const auto text = stub_->read_file(fmt::format("/proc/{}/maps", notes_.process_id));
    if (!text) return;
    for (size_t at = 0; at < text->size();) {
      const size_t end = std::min(text->find('\n', at), text->size());
      const std::string line = text->substr(at, end - at);
      at = end + 1;
      uint64_t start, stop, offset;
      char permissions[5] = {};
      int path = 0;
      if (sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n", &start, &stop, permissions,
                 &offset, &path) < 4 ||
          stop <= start)
        continue;
      CoreSegment segment;
      segment.address = start;
      segment.memory_size = stop - start;
      segment.flags =
          (permissions[0] == 'r' ? 4u : 0u) | (permissions[1] == 'w' ? 2u : 0u) | (permissions[2] == 'x' ? 1u : 0u);
      segment.file_size = segment.flags != 0 ? segment.memory_size : 0;  // behind PROT_NONE is no content
      segments_.push_back(segment);
      if (path > 0 && line[static_cast<size_t>(path)] == '/')
        notes_.file_mappings.push_back({start, stop, offset, line.substr(static_cast<size_t>(path))});
    }
  }

  void read_command_line() {
    auto text = stub_->read_file(fmt::format("/proc/{}/cmdline", notes_.process_id));
    if (!text) return;
    while (text->ends_with('\0')) text->pop_back();
    for (char& byte : *text)
      if (byte == '\0') byte = ' ';
    notes_.command_line = *text;
  }

  // Only our stub has these.
  void read_texts() {
    const std::pair<const char*, std::string&> texts[] = {{format::kKernelLogPath, notes_.kernel_log},
                                                          {format::kStandardErrorPath, notes_.standard_error},
                                                          {format::kStandardOutputPath, notes_.standard_output}};
    for (const auto& [path, text] : texts)
      if (auto content = stub_->read_file(path)) text = std::move(*content);
  }

  void read_open_files() {
    const auto bytes_of = [](const std::string& text) {
      return std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size());
    };
    if (const auto table = stub_->read_file(format::kDescriptorTablePath))
      if (auto read = snapshot::parse_descriptor_table(bytes_of(*table)))
        notes_.open_files.descriptors = std::move(*read);
    if (const auto table = stub_->read_file(format::kSocketTablePath))
      if (auto read = snapshot::parse_socket_table(bytes_of(*table))) notes_.open_files.sockets = std::move(*read);
  }

  // It was stopped because we came, or had stopped for a signal before that (`run --on-crash gdb`).
  void read_reason() {
    constexpr int kTrap = 5;
    const int signal = gdbstub::linux_signal(stub_->stop_signal());
    format::ReasonNote reason{};
    reason.header = {1, sizeof reason};
    reason.level = format::DumpLevel::Full;
    if (signal == 0 || signal == kTrap || notes_.threads.empty()) {
      reason.kind = format::ReasonKind::OnDemand;
      std::strcpy(reason.message, "a running guest: nothing crashed");
    } else {
      reason.kind = format::ReasonKind::Signal;
      reason.thread = notes_.threads.front().id;
      reason.signal = notes_.threads.front().signal = signal;
      read_signal_information(reason);
    }
    notes_.reason = reason;
  }

  void read_signal_information(format::ReasonNote& reason) {
    const auto bytes = stub_->transfer("siginfo");
    if (!bytes) return;
    notes_.siginfo.assign(bytes->begin(), bytes->end());
    notes_.threads.front().siginfo = notes_.siginfo;
    constexpr size_t kCode = 8, kAddress = 16;  // siginfo_t
    if (const auto code = snapshot::load<int32_t>(notes_.siginfo, kCode)) reason.signal_code = *code;
    const auto address = snapshot::load<uint64_t>(notes_.siginfo, kAddress);
    constexpr int kSegmentationFault = 11, kBusError = 7, kFromKernel = 0x80;
    if (!address || reason.signal_code <= 0 || reason.signal_code == kFromKernel ||
        (reason.signal != kSegmentationFault && reason.signal != kBusError))
      return;
    reason.known = format::kReasonHasFaultAddress;
    reason.fault_address = *address;
  }

  std::shared_ptr<StubClient> stub_;
  const std::string name_;
  NoBytes no_bytes_;
  std::vector<CoreSegment> segments_;
  snapshot::CoreNotes notes_;
};

}  // namespace

Result<std::unique_ptr<snapshot::CoreFile>> open_live_core(int socket, const std::string& name) {
  return open_live_core(std::shared_ptr<StubClient>(TRY(StubClient::connect(socket, name))), name);
}

Result<std::unique_ptr<snapshot::CoreFile>> open_live_core(std::shared_ptr<StubClient> stub, const std::string& name) {
  auto core = std::make_unique<LiveCore>(std::move(stub), name);
  TRY_VOID(core->read_all());
  return core;
}

}  // namespace mortem::inspector
