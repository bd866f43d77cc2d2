// Runs a live guest for the session: steps by lines, breakpoints with conditions, watchpoints, changes, calls; of a
// recording also backwards. All of it in the analysis lane, which has nothing else to do while the program runs; only
// what is marked is for the user interface's thread.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "inspector/app/model/analysis.h"
#include "inspector/app/model/live_facts.h"

namespace mortem::inspector::app {

inline constexpr int kGdbTrap = 5;            // the protocol's number of SIGTRAP
inline constexpr int kMostLineSteps = 20000;  // instructions of one line, calls as one

class LiveControl {
 public:
  struct Access {
    std::function<Analysis&()> analysis;
    std::function<Result<void>()> refresh;  // what is known becomes what the guest is now
  };
  LiveControl(std::unique_ptr<LiveGuest> guest, Access access) : guest_(std::move(guest)), access_(std::move(access)) {}

  LiveGuest& guest() { return *guest_; }
  std::vector<BreakpointFacts> breakpoints() const;  // from any thread
  void give_up() { guest_->give_up(); }              // from any thread: nothing runs any more
  void interrupt() { guest_->interrupt(); }          // from any thread

  bool runs_backwards() const { return guest_->runs_backwards(); }  // from any thread; it is a recording then
  void begin_motion() { guest_->begin_motion(); }                   // before move() and go(), from any thread
  // Why it stopped, in a few words; empty: the program ended, `ended` says how.
  Result<std::string> move(Motion motion, uint32_t thread, Direction direction);
  const std::string& ended() const { return ended_; }
  uint32_t stopped_thread() const { return stopped_thread_; }

  // --- of a recording (live_time.cpp)
  TimeFacts time() const;                            // from any thread
  Result<void> look_at_time();                       // what time() says from then on
  Result<std::string> go(const std::string& place);  // a mark, a position, begin, crash, end; as move()
  Result<void> mark(const std::string& name);        // the position at hand

  Result<void> add_breakpoint(const std::string& where, const std::string& condition);
  Result<void> add_watchpoint(const std::string& expression, uint32_t thread, size_t frame);
  void remove_breakpoint(uint32_t id);
  void enable_breakpoint(uint32_t id, bool enabled);
  void set_condition(uint32_t id, const std::string& condition);
  // `expression`: of a value in memory, or "$rax", a register of the innermost frame.
  Result<void> assign(const std::string& expression, const std::string& text, uint32_t thread, size_t frame);
  Result<void> assign(ValueHandle to, const std::string& name, const std::string& text, uint32_t thread, size_t frame);
  // "function(1, pointer, count + 1)"; what it gave.
  Result<uint64_t> call(const std::string& expression, uint32_t thread, size_t frame);

 private:
  Result<StubStop> start(Motion motion, uint32_t thread);
  Result<StubStop> start_back(Motion motion, uint32_t thread);
  Result<StubStop> step_line_back(uint32_t thread, bool over);
  Result<StubStop> step_out_back(uint32_t thread);
  Result<StubStop> back_to_call(uint32_t thread, uint64_t return_address, uint64_t least_stack);
  bool is_users_point(uint64_t pc) const;
  Result<void> check_changeable() const;
  Result<StubStop> step_line(uint32_t thread, bool over);
  Result<StubStop> step_behind_prologue(uint32_t thread, uint64_t pc);
  Result<StubStop> step_out(uint32_t thread);
  Result<StubStop> run_to(uint32_t thread, uint64_t address, uint64_t least_stack);
  bool is_step(const StubStop& stop, uint32_t thread) const;  // it went as it should
  Result<bool> hit(const StubStop& stop, std::string& text);  // false: a condition says to go on
  std::string text_of(const StubStop& stop);
  void update_points();
  Result<void> write(const Analysis::Assignment& assignment, const std::string& name);
  Result<void> write_register(const std::string& name, const std::string& text, uint32_t thread, size_t frame);
  Result<std::vector<std::string>> arguments_of(const std::string& expression, std::string& function) const;

  std::unique_ptr<LiveGuest> guest_;
  const Access access_;
  mutable std::mutex mutex_;
  std::vector<BreakpointFacts> breakpoints_;
  uint32_t last_id_ = 0, stopped_thread_ = 0;
  TimeFacts time_;
  std::string ended_;
};

}  // namespace mortem::inspector::app
