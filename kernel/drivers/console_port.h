// A byte stream to a Unix socket on the host: one named port of the virtio-console device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kernel {

class ConsolePort {
 public:
  virtual ~ConsolePort() = default;
  virtual bool host_is_listening() const = 0;      // somebody has the other end open
  virtual uint32_t host_open_count() const = 0;    // how often somebody has opened it: another number, another client
  virtual size_t read(std::span<uint8_t> to) = 0;  // what has arrived, without waiting; 0: nothing
  virtual size_t available() = 0;                  // read() would give so many bytes at least; 0: none
  // Returns how many bytes went out: fewer than given when the host takes none for `timeout_ns`.
  virtual size_t write(std::span<const uint8_t> from, uint64_t timeout_ns) = 0;
  // The same, but returns as soon as the device has all of it; the host takes it some time later.
  virtual size_t send(std::span<const uint8_t> from, uint64_t timeout_ns) = 0;
  // `arrived` is called from the interrupt that brings bytes, or the host's opening or closing; null: nobody.
  virtual void set_arrival_handler(void (*arrived)(void* context), void* context) = 0;
};

// Null: the machine has no such port. Names: snapshot/format/control.h.
ConsolePort* console_port(const char* name);

// For the crash path, after virtio_reset_all and when the dump is written: brings the device up again on its old
// memory, polled, without allocation, so that control_send works once more. False: there is no device, or it does not
// answer.
bool console_ports_restart();

}  // namespace kernel
