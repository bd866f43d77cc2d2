#include "kernel/drivers/control_port.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/drivers/console_port.h"
#include "kernel/drivers/control_frames.h"
#include "kernel/drivers/drivers.h"
#include "kernel/library/log.h"

namespace kernel {
namespace {

constexpr uint64_t kSendTimeout = 100'000'000;
constexpr uint64_t kLongestHold = 1'000'000'000;  // a host that went away does not cost us more
constexpr uint64_t kTurn = 100'000;

ControlFrames g_frames;
ControlHandler g_handler = nullptr;
ConsolePort* g_port = nullptr;  // that the handler is set at

// Before the handler: it may wait for the next message.
void take(mortem::format::ControlType type, std::span<const uint8_t> payload) {
  if (control_port_is_serial()) control_send(mortem::format::ControlType::Taken, {});
  g_handler(type, payload);
}

void bytes_arrived(void* port) {
  uint8_t bytes[256];
  while (const size_t count = static_cast<ConsolePort*>(port)->read(bytes)) g_frames.feed({bytes, count}, take);
}

}  // namespace

void control_send(mortem::format::ControlType type, std::span<const uint8_t> payload) {
  ConsolePort* port = console_port(mortem::format::kControlPortName);
  if (port == nullptr || !port->host_is_listening()) return;
  if (payload.size() > mortem::format::kMaximumControlPayload) {
    log(LogLevel::Warning, "control port: message of %zu bytes not sent, at most %u fit", payload.size(),
        mortem::format::kMaximumControlPayload);
    return;
  }
  // One piece, so that a host which stopped reading gets whole messages or none.
  static uint8_t message[sizeof(mortem::format::ControlHeader) + mortem::format::kMaximumControlPayload];
  const InterruptGuard guard;
  const mortem::format::ControlHeader header{static_cast<uint32_t>(payload.size()), 1, type};
  __builtin_memcpy(message, &header, sizeof header);
  if (!payload.empty()) __builtin_memcpy(message + sizeof header, payload.data(), payload.size());
  const size_t size = sizeof header + payload.size();
  if (port->write({message, size}, kSendTimeout) != size)
    log(LogLevel::Warning, "control port: the host took no message of type %u within 100 ms",
        static_cast<unsigned>(type));
}

void control_set_handler(ControlHandler handler) {
  g_handler = handler;
  if (g_port != nullptr) g_port->set_arrival_handler(nullptr, nullptr);
  g_port = console_port(mortem::format::kControlPortName);
  if (g_port == nullptr || handler == nullptr) return;
  g_port->set_arrival_handler(bytes_arrived, g_port);
  const InterruptGuard guard;
  bytes_arrived(g_port);  // what came before
}

void control_port_changed() {
  if (g_handler != nullptr && console_port(mortem::format::kControlPortName) != nullptr) control_set_handler(g_handler);
}

void control_hold_still() {
  const InterruptGuard guard;
  const uint64_t end = monotonic_ns() + kLongestHold;
  control_send(mortem::format::ControlType::StandsStill, {});
  // QEMU's other thread gets its turn when a timer is due. PAUSE would give it one, too, but QEMU's single step runs
  // past it, and a replay is to stop right here.
  uint64_t turn = 0;
  for (uint64_t now = monotonic_ns(); g_port->available() == 0 && now < end; now = monotonic_ns()) {
    if (now < turn) continue;
    turn = now + kTurn;
    g_one_shot_timer.deadline_ns = 0;
    arm_timer(turn);
  }
}

}  // namespace kernel
