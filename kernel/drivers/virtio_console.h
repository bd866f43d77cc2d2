// The virtio-console device with its ports (virtio 1.1, section 5.3): byte streams to Unix sockets on the host.
#pragma once

#include "kernel/drivers/console_port.h"
#include "kernel/drivers/virtio.h"

namespace kernel {

class VirtioConsole;

// One port. Bytes from the host stay in the receive queue's buffers until they are read, so that a reader that is slow
// holds the host back and nothing is lost.
class VirtioConsolePort : public ConsolePort {
 public:
  bool host_is_listening() const override { return host_open_; }
  uint32_t host_open_count() const override { return host_open_count_; }
  size_t read(std::span<uint8_t> to) override;
  size_t available() override;
  size_t write(std::span<const uint8_t> from, uint64_t timeout_ns) override;
  size_t send(std::span<const uint8_t> from, uint64_t timeout_ns) override;
  void set_arrival_handler(void (*arrived)(void* context), void* context) override;

 private:
  friend class VirtioConsole;
  static constexpr size_t kNameSize = 64;
  static constexpr size_t kReceiveBuffers = 4, kReceiveBufferSize = 1024, kSendBuffers = 4, kSendBufferSize = 8192;
  static constexpr uint16_t kNoChain = 0xFFFF;

  Result<void> allocate();
  Result<void> set_up_queues(VirtioConsole& console, uint16_t vector);
  void offer(size_t buffer);  // gives a receive buffer to the device
  bool begin_next_buffer();   // false: the device has filled none
  void take_sent_buffers_back();
  size_t send_until(std::span<const uint8_t> from, uint64_t give_up_ns);

  VirtioConsole* console_ = nullptr;
  uint32_t id_ = 0;
  char name_[kNameSize] = {};
  bool host_open_ = false;
  uint32_t host_open_count_ = 0;
  Virtqueue receive_, send_;
  uint64_t physical_ = 0;                    // queue pages, receive buffers, send buffer
  uint16_t chain_of_[kReceiveBuffers] = {};  // which chain a receive buffer is lent in
  size_t current_ = 0;                       // the buffer that is being read, its fill and what was taken from it
  uint32_t filled_ = 0, taken_ = 0;
  uint16_t send_chain_of_[kSendBuffers] = {};  // kNoChain: the buffer is ours
  size_t sending_ = 0;                         // how many are lent
  void (*arrived_)(void* context) = nullptr;
  void* arrived_context_ = nullptr;
};

class VirtioConsole {
 public:
  Result<void> initialize(const VirtioRegisters& registers);
  // After a reset: the same device and memory again, polled.
  Result<void> restart();
  // In a guest that was resumed from a dump; null: this machine has none. Nobody is connected to a port at first.
  void resume(const VirtioRegisters* registers);
  VirtioConsolePort* port(const char* name);
  // Handles what the device has said so far, waiting (bounded) until it has answered all that was asked of it.
  void settle();

 private:
  friend class VirtioConsolePort;
  static constexpr size_t kMaximumPorts = 4;
  static constexpr size_t kControlBuffers = 32, kControlBufferSize = 128, kControlSendSlots = 32;

  // struct virtio_console_control, section 5.3.6.2.
  struct Control {
    uint32_t id;
    uint16_t event, value;
  };

  Result<void> start(const VirtioRegisters& registers, bool with_interrupts);
  void offer_control(size_t buffer);
  void send_control(uint32_t id, uint16_t event, uint16_t value);
  void handle_control(const Control& control, std::span<const char> name);
  void handle_controls();
  void handle_interrupt();
  static void interrupt(void* self) { static_cast<VirtioConsole*>(self)->handle_interrupt(); }

  const VirtioRegisters* registers_ = nullptr;
  VirtioDevice device_;
  MsixTable interrupts_;
  bool alive_ = false;
  uint16_t vector_ = kNoVector;  // in the table
  Virtqueue control_receive_, control_send_;
  uint64_t physical_ = 0;  // two queue pages, a page of receive buffers, a page of messages to send
  uint16_t control_chain_of_[kControlBuffers] = {};
  uint16_t control_send_chain_[kControlSendSlots] = {};
  VirtioConsolePort ports_[kMaximumPorts];
};

}  // namespace kernel
