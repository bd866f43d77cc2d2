// A live guest's program: run on, stopped, changed. Owned by one thread, which waits for stops here; only interrupt()
// may come from another. Points are in the program's memory only while it runs, so that memory shows its own bytes.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inspector/target/stub_client.h"
#include "snapshot/core_file.h"

namespace mortem::inspector {

struct LivePoint {
  StubPoint kind = StubPoint::Software;
  uint64_t address = 0, length = 1;
  auto operator<=>(const LivePoint&) const = default;
};

class LiveGuest {
 public:
  // Takes `socket` over, which is connected to the guest's stub; the program stops.
  static Result<std::unique_ptr<LiveGuest>> attach(int socket, const std::string& name);
  ~LiveGuest();  // the program goes on

  // The program as it stands now. Memory is read through the stub: not to be used while it runs.
  Result<std::unique_ptr<snapshot::CoreFile>> snapshot();

  void set_points(std::vector<LivePoint> points) { points_ = std::move(points); }
  // Until it stops, ends, or `give_up` says so (then the program is interrupted). `also`: a point for this time only.
  // `thread`: the one that is stepped off a point it stands at.
  Result<StubStop> run(uint32_t thread, const std::vector<LivePoint>& also = {},
                       Direction direction = Direction::Forwards);
  Result<StubStop> step(uint32_t thread, Direction direction = Direction::Forwards);  // one instruction
  void interrupt();                                                                   // from any thread
  void give_up() { gives_up_ = true, interrupt(); }                                   // from any thread; for good
  bool was_interrupted() const { return interrupted_ || gives_up_; }
  void begin_motion() { interrupted_ = false; }  // an interrupt from now on means what follows

  Result<uint64_t> register_value(uint32_t thread, const char* name);
  Result<void> set_register(uint32_t thread, const std::string& name, std::span<const uint8_t> value);
  Result<void> write_memory(uint64_t address, std::span<const uint8_t> bytes);

  // Calls the function at `address` in `thread`, with integers and pointers in the registers of the psABI; what it
  // gives is in rax. `landing`: an address that is executable and that the program does not run through: its entry.
  // The registers are what they were afterwards. A stop inside of the function is an error; it is undone then, too.
  Result<uint64_t> call(uint32_t thread, uint64_t address, const std::vector<uint64_t>& arguments, uint64_t landing);

  // --- of a recording, which runs backwards, too
  bool runs_backwards() const { return stub_->runs_backwards(); }
  Result<std::string> monitor(const std::string& command);  // of its stub
  // To another moment, by the stub's command; interrupt() ends that. What the stub says; then it stands somewhere.
  Result<std::string> go(const std::string& place);
  uint32_t stopped_thread() const { return stub_->stopped_thread(); }

  // The stub writes the dump of this moment as a crash does: the program ends with it, and the connection. Gives what
  // the stub says.
  Result<std::string> write_dump();

  const std::string& name() const { return name_; }

 private:
  LiveGuest(std::shared_ptr<StubClient> stub, std::string name) : stub_(std::move(stub)), name_(std::move(name)) {}
  Result<StubStop> wait();
  Result<void> insert(const std::vector<LivePoint>& points);
  void take_out();
  bool stands_at_point(uint64_t pc, const std::vector<LivePoint>& points) const;

  std::shared_ptr<StubClient> stub_;
  const std::string name_;
  std::vector<LivePoint> points_, inserted_;
  std::atomic<bool> interrupted_ = false, running_ = false, gives_up_ = false;
};

}  // namespace mortem::inspector
