#include "kernel/drivers/virtio_console.h"

#include <string_view>

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/library/log.h"
#include "kernel/memory/physical.h"

namespace kernel {
namespace {

constexpr uint64_t kMultiport = 1 << 1;                    // section 5.3.3
constexpr uint32_t kPortLimitOffset = 4;                   // max_nr_ports in struct virtio_console_config
constexpr uint16_t kControlReceive = 2, kControlSend = 3;  // queue numbers, section 5.3.2
constexpr uint16_t kUnusedSlot = 0xFFFF;

// Events of the control queue, section 5.3.6.2.
enum Event : uint16_t {
  kDeviceReady = 0,
  kPortAdd = 1,
  kPortRemove = 2,
  kPortReady = 3,
  kConsolePort = 4,
  kResize = 5,
  kPortOpen = 6,
  kPortName = 7,
};

constexpr uint64_t kSettleTime = 100'000'000;

}  // namespace

Result<void> VirtioConsole::initialize(const VirtioRegisters& registers) {
  registers_ = &registers;
  physical_ = TRY(allocate_pages(4, PageOwner::Dma));
  for (VirtioConsolePort& port : ports_) TRY(port.allocate());
  return start(registers, true);
}

Result<void> VirtioConsole::restart() {
  if (registers_ == nullptr) return Error::NoDevice;
  return start(*registers_, false);
}

void VirtioConsole::resume(const VirtioRegisters* registers) {
  alive_ = false;
  for (VirtioConsolePort& port : ports_) port.host_open_ = false;
  if (registers == nullptr) return;
  registers_ = registers;
  if (auto started = start(*registers, true); started.is_error())
    log(LogLevel::Warning, "virtio-console: does not start again (error %d)", static_cast<int>(started.error()));
  settle();
}

Result<void> VirtioConsole::start(const VirtioRegisters& registers, bool with_interrupts) {
  alive_ = false;
  TRY(device_.start(registers, kMultiport));
  if (!device_.has(kMultiport)) {
    device_.fail();
    return Error::NotSupported;
  }
  uint16_t vector = kNoVector;
  if (with_interrupts)
    if (auto opened = interrupts_.open(registers.where); opened) {
      if (vector_ == kNoVector)
        if (auto added = interrupts_.add(interrupt, this); added) vector_ = added.value();
      vector = vector_;
    }

  TRY(control_receive_.initialize(direct_map(physical_), physical_, device_.queue_limit(kControlReceive)));
  TRY(control_send_.initialize(direct_map(physical_ + kPageSize), physical_ + kPageSize,
                               device_.queue_limit(kControlSend)));
  TRY(device_.add_queue(kControlReceive, control_receive_, vector));
  TRY(device_.add_queue(kControlSend, control_send_, kNoVector));
  const uint32_t limit = device_.read_configuration32(kPortLimitOffset);
  if (limit > kMaximumPorts)
    log(LogLevel::Debug, "virtio-console: room for %u ports, only the first %zu are used", limit, kMaximumPorts);
  for (uint32_t id = 0; id < kMaximumPorts; ++id) {
    ports_[id].console_ = nullptr;
    ports_[id].name_[0] = '\0';
    ports_[id].host_open_ = false;
    ports_[id].id_ = id;
    if (id < limit) TRY(ports_[id].set_up_queues(*this, vector));
  }
  for (uint16_t& slot : control_send_chain_) slot = kUnusedSlot;
  device_.ready();
  alive_ = true;
  for (size_t buffer = 0; buffer < kControlBuffers; ++buffer) offer_control(buffer);
  for (uint32_t id = 0; id < limit && id < kMaximumPorts; ++id)
    for (size_t buffer = 0; buffer < VirtioConsolePort::kReceiveBuffers; ++buffer) ports_[id].offer(buffer);
  send_control(0, kDeviceReady, 1);
  return {};
}

void VirtioConsole::offer_control(size_t buffer) {
  const VirtqueueSegment segment{physical_ + 2 * kPageSize + buffer * kControlBufferSize, kControlBufferSize, true};
  auto chain = control_receive_.submit({&segment, 1});
  control_chain_of_[buffer] = chain ? chain.value() : kUnusedSlot;
  device_.notify(control_receive_);
}

void VirtioConsole::send_control(uint32_t id, uint16_t event, uint16_t value) {
  size_t slot = 0;
  while (slot < kControlSendSlots && control_send_chain_[slot] != kUnusedSlot) ++slot;
  if (slot == kControlSendSlots) {
    log(LogLevel::Warning, "virtio-console: the device takes no control messages");
    return;
  }
  const uint64_t physical = physical_ + 3 * kPageSize + slot * sizeof(Control);
  *direct_map<Control>(physical) = {id, event, value};
  const VirtqueueSegment segment{physical, sizeof(Control), false};
  if (auto chain = control_send_.submit({&segment, 1}); chain) control_send_chain_[slot] = chain.value();
  device_.notify(control_send_);
}

void VirtioConsole::handle_controls() {
  uint16_t head;
  uint32_t written;
  while (control_send_.complete(head, written))
    for (uint16_t& slot : control_send_chain_)
      if (slot == head) slot = kUnusedSlot;
  while (control_receive_.complete(head, written)) {
    for (size_t buffer = 0; buffer < kControlBuffers; ++buffer) {
      if (control_chain_of_[buffer] != head) continue;
      const char* bytes = direct_map<char>(physical_ + 2 * kPageSize + buffer * kControlBufferSize);
      if (written > kControlBufferSize) written = kControlBufferSize;
      if (written >= sizeof(Control)) {
        Control control;
        __builtin_memcpy(&control, bytes, sizeof control);
        handle_control(control, {bytes + sizeof control, written - sizeof control});
      }
      offer_control(buffer);
      break;
    }
  }
}

void VirtioConsole::handle_control(const Control& control, std::span<const char> name) {
  if (control.id >= kMaximumPorts) {
    if (control.event == kPortAdd) {
      log(LogLevel::Warning, "virtio-console: port %u is not used, only the first %zu are", control.id, kMaximumPorts);
      send_control(control.id, kPortReady, 0);
    }
    return;
  }
  VirtioConsolePort& port = ports_[control.id];
  switch (control.event) {
    case kPortAdd:
      send_control(control.id, kPortReady, port.console_ != nullptr);
      break;
    case kPortRemove:
      port.name_[0] = '\0';
      port.host_open_ = false;
      break;
    case kPortOpen:
      port.host_open_ = control.value != 0;
      if (port.host_open_) ++port.host_open_count_;
      break;
    case kPortName: {
      size_t length = name.size() < port.kNameSize - 1 ? name.size() : port.kNameSize - 1;
      __builtin_memcpy(port.name_, name.data(), length);
      port.name_[length] = '\0';
      send_control(control.id, kPortOpen, 1);  // the host may send from now on
      break;
    }
    default:  // kConsolePort, kResize: nothing to do for a byte stream
      break;
  }
}

void VirtioConsole::handle_interrupt() {
  if (!alive_) return;
  handle_controls();
  for (VirtioConsolePort& port : ports_)
    if (port.console_ != nullptr && port.arrived_ != nullptr) port.arrived_(port.arrived_context_);
}

void VirtioConsole::settle() {
  const uint64_t give_up = monotonic_ns() + kSettleTime;
  const InterruptGuard guard;
  // The device answers a control message before it gives its buffer back: when it holds none, all answers are here.
  while (alive_ && monotonic_ns() < give_up) {
    const bool answered = control_send_.idle();
    handle_controls();
    if (answered && control_send_.idle()) break;
    __builtin_ia32_pause();
  }
}

VirtioConsolePort* VirtioConsole::port(const char* name) {
  if (!alive_) return nullptr;
  settle();
  for (VirtioConsolePort& port : ports_)
    if (port.console_ != nullptr && std::string_view(port.name_) == name) return &port;
  return nullptr;
}

}  // namespace kernel
