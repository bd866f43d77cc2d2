// The client's end of gdb's remote protocol: as much of it as looking into a live guest needs. The guest's program
// stops when the client comes and goes on when it leaves.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gdbstub/target.h"
#include "snapshot/result.h"

namespace mortem::inspector {

using gdbstub::Direction;

// Why the program stopped, or that it ended.
struct StubStop {
  enum class Kind : uint8_t { Stopped, Exited, Killed } kind = Kind::Stopped;
  int code = 0;                     // the protocol's signal number, or the exit status
  uint32_t thread = 0;              // of a stop; 0: not told
  std::optional<uint64_t> watched;  // a watchpoint's address
  enum class History : uint8_t { None, Begin, End } history = History::None;  // of a recording, which ends there
};

enum class StubPoint : uint8_t { Software = 0, Hardware = 1, Write = 2, Read = 3, Access = 4 };  // Z packets' numbers

// May be used by several threads: each question and its answer are one.
class StubClient {
 public:
  // Takes `socket` over. An error says that nobody answers, or what is not understood. `name`: for error sentences.
  static Result<std::unique_ptr<StubClient>> connect(int socket, std::string name);
  ~StubClient();
  StubClient(const StubClient&) = delete;
  StubClient& operator=(const StubClient&) = delete;

  uint32_t process() const { return process_; }
  uint32_t stopped_thread() const { return stopped_thread_; }
  int stop_signal() const { return stop_signal_; }  // the protocol's number
  bool runs_backwards() const { return runs_backwards_; }

  std::vector<uint32_t> threads();
  // One for each character of an answer to `g`: digits, or 'x' for what is not known.
  Result<std::string> registers(uint32_t thread);
  Result<std::string> transfer(std::string_view object, std::string_view annex = {});  // qXfer, all of it
  Result<std::string> read_file(std::string_view path);                                // vFile, all of it
  // Number of bytes from `address` on; 0: not there.
  Result<size_t> read_memory(uint64_t address, std::span<uint8_t> to);

  // qRcmd: what the stub says; "" when nothing. Milliseconds; below 0: as long as it takes.
  static constexpr int kPatience = 30000;
  Result<std::string> monitor(std::string_view command, int patience_ms = kPatience);
  Result<void> learn_stop();  // anew, where a command of the stub's may have changed it
  // --- control (stub_control.cpp). Between resume() and the stop that wait_for_stop() gives all other questions are
  // refused, whichever thread asks.
  Result<void> write_memory(uint64_t address, std::span<const uint8_t> bytes);
  Result<void> write_registers(uint32_t thread, const std::string& digits);  // as registers() gives them
  Result<void> insert(StubPoint kind, uint64_t address, uint64_t length);
  Result<void> remove(StubPoint kind, uint64_t address, uint64_t length);
  Result<void> resume(Direction direction = Direction::Forwards);
  // One instruction; the other threads stay where they are.
  Result<void> step(uint32_t thread, Direction direction = Direction::Forwards);
  void interrupt();  // also from another thread, while the program runs
  // Nothing: it still runs after that time.
  Result<std::optional<StubStop>> wait_for_stop(int milliseconds);

 private:
  StubClient(int socket, std::string name) : socket_(socket), name_(std::move(name)) {}
  Result<void> begin();
  Result<void> take_stop(const std::string& reply);
  Result<std::string> ask(std::string_view packet);
  Result<void> run(const std::string& packet);
  Result<void> send(std::string_view packet);
  Result<std::string> receive();
  Result<char> next_byte();
  std::string process_prefix() const;
  Result<size_t> read_piece(uint64_t address, std::span<uint8_t> to);

  std::recursive_mutex mutex_;
  const int socket_;
  const std::string name_;
  int patience_ms_;
  std::string input_;  // what has come and was not looked at
  size_t input_at_ = 0;
  bool binary_reads_ = false, multiprocess_ = false, runs_backwards_ = false;
  bool stands_for_us_ = false;  // it ran until we came, and goes on only when it is told to
  std::atomic<bool> runs_ = false;
  size_t packet_size_ = 400;
  uint32_t process_ = 1, stopped_thread_ = 0;
  int stop_signal_ = 0;
};

}  // namespace mortem::inspector
