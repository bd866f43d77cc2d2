#include "kernel/drivers/serial_port.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/task/scheduler.h"

namespace kernel {
namespace {

constexpr uint64_t kLookInterval = 50'000'000;

}  // namespace

bool SerialPort::start() {
  uart_.initialize();
  return uart_.is_present();
}

void SerialPort::look(Timer& timer) {
  SerialPort& port = *static_cast<Look&>(timer).port;
  if (port.uart_.has_input()) port.arrived_(port.context_);
  set_timer(timer, monotonic_ns() + kLookInterval);
}

void SerialPort::set_arrival_handler(void (*arrived)(void* context), void* context) {
  const InterruptGuard guard;
  arrived_ = arrived;
  context_ = context;
  look_.port = this;
  look_.fire = look;
  if (arrived != nullptr)
    set_timer(look_, monotonic_ns() + kLookInterval);
  else
    cancel_timer(look_);
}

}  // namespace kernel
