// A 16550 UART, polled (PC16550D data sheet: registers in section 8, FIFO operation in section 8.11).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kernel {

class Uart {
 public:
  explicit constexpr Uart(uint16_t base) : base_(base) {}  // its first I/O port
  void initialize();                                       // looks whether it is there, too
  bool is_present() const { return present_; }
  // Bytes that a stuck UART does not take are lost. Returns how many were not.
  size_t write(std::span<const uint8_t> bytes);
  bool has_input() const;
  size_t read(std::span<uint8_t> to);  // what has arrived, without waiting; 0: nothing

 private:
  bool wait_for_room();
  const uint16_t base_;
  bool present_ = false;
  bool stuck_ = false;
};

}  // namespace kernel
