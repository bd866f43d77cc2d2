// A recorded program's way, as a debugger goes along it: by instructions of a thread, to the next break- or watchpoint,
// in both directions. Going back is done here: to a moment before, and forwards to the last hit before the place that
// was left.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "snapshot/result.h"
#include "tools/replay/replay_guest.h"
#include "tools/replay/time_machine.h"

namespace mortem::tools {

struct ReplayPoint {
  QemuPoint kind = QemuPoint::Breakpoint;
  uint64_t address = 0, length = 1;
  auto operator<=>(const ReplayPoint&) const = default;
};

enum class HistoryStop : uint8_t { Stepped, Point, Begin, End, Interrupted, Crash };
struct HistoryEvent {
  HistoryStop kind = HistoryStop::Stepped;
  uint32_t thread = 0;
  ReplayPoint point;     // of Point
  uint64_t watched = 0;  // what was accessed, of a watchpoint
  int signal = 0;        // of Crash
};

class History {
 public:
  History(ReplayMachine& machine, ReplayGuest guest) : machine_(machine), time_(machine), guest_(std::move(guest)) {}

  // To the program's first instruction.
  Result<void> begin();
  ReplayGuest& guest() { return guest_; }
  const Recording& recording() const { return machine_.recording(); }
  GuestRam& ram() { return machine_.ram(); }
  Qmp& qmp() { return machine_.qmp(); }
  uint64_t position() const { return time_.position(); }
  uint64_t first() const { return begin_; }
  uint64_t last() const { return machine_.recording().instructions; }
  void set_points(std::vector<ReplayPoint> points) { points_ = std::move(points); }
  const std::vector<ReplayPoint>& points() const { return points_; }

  Result<HistoryEvent> step(uint32_t thread);
  Result<HistoryEvent> go_on();
  Result<HistoryEvent> step_back(uint32_t thread);
  Result<HistoryEvent> go_back();
  Result<HistoryEvent> go_to(uint64_t instructions);
  Result<HistoryEvent> go_to_crash();  // the program's last
  // After QEMU has failed: there by another one.
  Result<HistoryEvent> start_again(uint64_t instructions);

 private:
  using Points = std::vector<ReplayPoint>;
  struct Hit {
    uint64_t at = 0;  // before its instruction
    uint32_t thread = 0;
    ReplayPoint point;
    uint64_t watched = 0;
  };
  struct Search {
    std::optional<Hit> hit;
    bool interrupted = false;
  };
  enum class Purpose : uint8_t { Points, KernelEntries };
  struct Sought {
    const Points& points;
    Purpose purpose = Purpose::Points;
    uint32_t thread = 0;  // of KernelEntries
  };

  Result<void> insert(const Points& points);
  Result<void> take_out();
  const ReplayPoint* breakpoint_here(const Points& points) const;
  const ReplayPoint* watchpoint_of(uint64_t address, const Points& points) const;
  bool is_in(uint32_t thread) const { return guest_.in_user() && guest_.current_thread() == thread; }
  bool is_over() const { return machine_.break_off(); }

  Result<HistoryEvent> event(HistoryStop kind, uint32_t thread = 0);
  Result<HistoryEvent> at_point(const Hit& hit);
  Result<RunEnd> look_after(Result<RunEnd> end);
  Result<RunEnd> run_on(const Points& points);
  Result<RunEnd> move_to(uint64_t instructions);
  // On until the program's next instruction; of that thread, unless it is 0.
  Result<HistoryEvent> leave_kernel(uint32_t thread);
  Result<std::optional<HistoryEvent>> stopped_at(const Points& points);
  Result<void> settle();
  Result<Search> last_hit(const Points& points, Purpose purpose, uint32_t thread);
  Result<Search> last_hit_between(uint64_t from, uint64_t stop, const Sought& sought);
  Result<Search> scan(uint64_t start, uint64_t stop, const Sought& sought);
  bool counts(const Sought& sought) const;
  Result<RunEnd> on_to_next(const ReplayPoint* here, uint64_t stop, const Points& points);
  Points kernel_entries() const;

  ReplayMachine& machine_;
  TimeMachine time_;
  ReplayGuest guest_;
  Points points_, inserted_;
  uint64_t begin_ = 0;
  std::optional<std::pair<uint64_t, HistoryEvent>> crash_;  // where it was found
};

}  // namespace mortem::tools
