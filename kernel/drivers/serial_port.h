// A byte stream to the host over a UART, in the place of a virtio-console port: the control port of a recorded guest,
// whose virtio-console has none (QEMU 7.2 cannot load a moment of a replay that has one: hw/char/virtio-serial-bus.c).
#pragma once

#include "kernel/drivers/console_port.h"
#include "kernel/drivers/uart.h"
#include "kernel/task/timer_queue.h"

namespace kernel {

class SerialPort final : public ConsolePort {
 public:
  explicit SerialPort(uint16_t base) : uart_(base) {}
  bool start();  // false: there is none. Again after a restart of the machine
  bool host_is_listening() const override { return uart_.is_present(); }
  uint32_t host_open_count() const override { return 1; }
  size_t read(std::span<uint8_t> to) override { return uart_.read(to); }
  size_t available() override { return uart_.has_input() ? 1 : 0; }
  size_t write(std::span<const uint8_t> from, uint64_t) override { return uart_.write(from); }
  size_t send(std::span<const uint8_t> from, uint64_t) override { return uart_.write(from); }
  // It is called from a timer that looks: what comes this way is short and may wait that long.
  void set_arrival_handler(void (*arrived)(void* context), void* context) override;

 private:
  struct Look : Timer {
    SerialPort* port = nullptr;
  };
  static void look(Timer& timer);

  Uart uart_;
  Look look_;
  void (*arrived_)(void* context) = nullptr;
  void* context_ = nullptr;
};

}  // namespace kernel
