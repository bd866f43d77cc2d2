#include "tools/replay/history.h"

#include <algorithm>
#include <cstring>

namespace mortem::tools {

namespace {

// A search goes back by stretches that grow: what is sought is near, more often than not.
constexpr uint64_t kFirstStretch = 1'000, kLargestStretch = 400'000'000;
constexpr unsigned kGrowth = 20;
// After so many hits in a stretch, the last one is sought backwards from the stretch's end.
constexpr unsigned kManyHits = 20;

bool same_place(const format::GeneralRegisters& one, const format::GeneralRegisters& other) {
  constexpr auto kThatCount = offsetof(format::GeneralRegisters, orig_rax);
  return std::memcmp(&one, &other, kThatCount) == 0 && one.rip == other.rip && one.rsp == other.rsp;
}

}  // namespace

Result<void> History::insert(const Points& points) {
  for (const ReplayPoint& point : points) {
    TRY_VOID(machine_.stub().insert(point.kind, point.address, point.length));
    inserted_.push_back(point);
  }
  return {};
}

Result<void> History::take_out() {
  for (const ReplayPoint& point : std::exchange(inserted_, {}))
    TRY_VOID(machine_.stub().remove(point.kind, point.address, point.length));
  return {};
}

const ReplayPoint* History::breakpoint_here(const Points& points) const {
  for (const ReplayPoint& point : points)
    if (point.kind == QemuPoint::Breakpoint && point.address == guest_.program_counter()) return &point;
  return nullptr;
}

const ReplayPoint* History::watchpoint_of(uint64_t address, const Points& points) const {
  for (const ReplayPoint& point : points)
    if (point.kind != QemuPoint::Breakpoint && address >= point.address && address < point.address + point.length)
      return &point;
  return nullptr;
}

History::Points History::kernel_entries() const {
  return {{QemuPoint::Breakpoint, guest_.place(guest_.places().trap_common), 1},
          {QemuPoint::Breakpoint, guest_.place(guest_.places().syscall_entry), 1}};
}

Result<HistoryEvent> History::event(HistoryStop kind, uint32_t thread) {
  HistoryEvent event;
  event.kind = kind;
  event.thread = thread != 0 ? thread : guest_.current_thread();
  return event;
}

Result<void> History::begin() {
  TRY_VOID(guest_.look());
  if (machine_.recording().kernel_base == 0)
    return failure(ErrorKind::BadInput, "its guest ended before its kernel ran: there is nothing to replay");
  const HistoryEvent first = TRY(leave_kernel(0));
  if (first.kind == HistoryStop::End)
    return failure(ErrorKind::BadInput, "its program never ran: there is nothing to replay");
  begin_ = position();
  machine_.breaks_off_from = begin_;
  return {};
}

Result<RunEnd> History::look_after(Result<RunEnd> end) {
  if (!end) return end;
  TRY_VOID(guest_.look());
  return end;
}

Result<RunEnd> History::move_to(uint64_t instructions) {
  return look_after(time_.seek(instructions));
}

Result<HistoryEvent> History::go_to(uint64_t instructions) {
  const uint64_t there = std::clamp(instructions, begin_, last());
  const RunEnd end = TRY(move_to(there));
  TRY_VOID(settle());
  return event(end == RunEnd::Interrupted ? HistoryStop::Interrupted : HistoryStop::Stepped);
}

Result<HistoryEvent> History::go_to_crash() {
  if (crash_) {
    const RunEnd end = TRY(move_to(crash_->first));
    return end == RunEnd::Interrupted ? event(HistoryStop::Interrupted) : crash_->second;
  }
  const Points points = std::exchange(points_, {});
  auto there = go_on();
  if (there && there->kind == HistoryStop::End) {  // it was before
    if (const RunEnd end = TRY(move_to(begin_)); end != RunEnd::Interrupted) there = go_on();
  }
  points_ = points;
  return there;
}

Result<HistoryEvent> History::start_again(uint64_t instructions) {
  inserted_.clear();
  TRY(look_after(time_.start_again(instructions)));
  return event(HistoryStop::Interrupted);
}

// Not between an entry into the kernel and the place where the program's registers are saved, nor on the way out.
Result<void> History::settle() {
  constexpr int kMost = 200;
  for (int count = 0; count < kMost && !guest_.in_user() && guest_.is_entering_kernel() && position() < last();
       ++count) {
    TRY_VOID(machine_.step());
    TRY_VOID(guest_.look());
  }
  return {};
}

// To the next of these points, or the end; where it is interrupted, it stands at a place that can be shown.
Result<RunEnd> History::run_on(const Points& points) {
  TRY_VOID(insert(points));
  const auto end = look_after(time_.forward(last()));
  TRY_VOID(take_out());
  if (TRY(end) == RunEnd::Interrupted) TRY_VOID(settle());
  return end;
}

Result<HistoryEvent> History::leave_kernel(uint32_t thread) {
  const Points returns = {{QemuPoint::Breakpoint, guest_.place(guest_.places().interrupt_return), 1},
                          {QemuPoint::Breakpoint, guest_.place(guest_.places().syscall_return), 1}};
  Points all = points_;
  all.insert(all.end(), returns.begin(), returns.end());
  for (;;) {
    if (guest_.in_user() && (thread == 0 ? guest_.current_thread() != 0 : is_in(thread)))
      return event(HistoryStop::Stepped, thread);
    if (position() >= last()) return event(HistoryStop::End, thread);
    if (breakpoint_here(all) != nullptr) {  // off it, or out
      TRY_VOID(machine_.step());
      TRY_VOID(guest_.look());
      if (!guest_.in_user()) continue;
      if (const auto stop = TRY(stopped_at(points_))) return *stop;
      continue;
    }
    if (TRY(run_on(all)) == RunEnd::Interrupted) return event(HistoryStop::Interrupted);
    if (const auto stop = TRY(stopped_at(points_))) return *stop;
  }
}

// Where a point has stopped it: which one; nothing: none of these.
Result<std::optional<HistoryEvent>> History::stopped_at(const Points& points) {
  HistoryEvent found;
  found.kind = HistoryStop::Point;
  if (const auto address = machine_.watched_address()) {
    const ReplayPoint* watch = watchpoint_of(*address, points);
    if (watch == nullptr) return std::optional<HistoryEvent>();
    found.point = *watch;
    found.watched = *address;
    found.thread = guest_.current_thread();
    return std::optional(found);
  }
  if (const ReplayPoint* here = breakpoint_here(points)) {
    found.point = *here;
    found.thread = guest_.current_thread();
    return std::optional(found);
  }
  return std::optional<HistoryEvent>();
}

// One instruction of that thread; others run if it waits.
Result<HistoryEvent> History::step(uint32_t thread) {
  if (position() >= last()) return event(HistoryStop::End, thread);
  if (!is_in(thread)) {
    auto arrived = TRY(leave_kernel(thread));
    return arrived;
  }
  Points watches;
  std::copy_if(points_.begin(), points_.end(), std::back_inserter(watches),
               [](const ReplayPoint& point) { return point.kind != QemuPoint::Breakpoint; });
  TRY_VOID(insert(watches));
  const auto stepped = machine_.step();
  TRY_VOID(take_out());
  TRY_VOID(stepped);
  TRY_VOID(guest_.look());
  if (machine_.watched_address())
    if (const auto stop = TRY(stopped_at(points_))) return *stop;
  if (is_in(thread)) return event(HistoryStop::Stepped, thread);
  return leave_kernel(thread);
}

Result<HistoryEvent> History::go_on() {
  if (position() >= last()) return event(HistoryStop::End);
  const uint64_t crash = guest_.place(guest_.places().crash);
  Points all = points_;
  all.push_back({QemuPoint::Breakpoint, crash, 1});
  for (bool moved = false;; moved = true) {
    if (!moved || breakpoint_here(all) != nullptr) {  // off the place where it stands
      Points others;
      std::copy_if(all.begin(), all.end(), std::back_inserter(others), [&](const ReplayPoint& point) {
        return point.kind != QemuPoint::Breakpoint || point.address != guest_.program_counter();
      });
      TRY_VOID(insert(others));
      const auto stepped = machine_.step();
      TRY_VOID(take_out());
      TRY_VOID(stepped);
      TRY_VOID(guest_.look());
    } else {
      const RunEnd end = TRY(run_on(all));
      if (end == RunEnd::Interrupted) return event(HistoryStop::Interrupted);
      if (end == RunEnd::Reached) return event(HistoryStop::End);
    }
    if (const auto stop = TRY(stopped_at(points_))) {
      if (guest_.in_user()) return *stop;
      // The kernel did it for the program: that stands at its call, and is shown behind it.
      HistoryEvent after = TRY(leave_kernel(stop->thread));
      if (after.kind != HistoryStop::Stepped) return after;
      return *stop;
    }
    if (guest_.program_counter() != crash) continue;
    const CrashAt what = guest_.crash();
    if (what.goes_on || what.signal == 0) continue;
    HistoryEvent crashed = TRY(event(HistoryStop::Crash));
    crashed.signal = what.signal;
    crash_ = {position(), crashed};
    return crashed;
  }
}

// Back from where it stands to the last instruction of that thread before.
Result<HistoryEvent> History::step_back(uint32_t thread) {
  const auto shown = guest_.registers_of(thread);
  // Behind its crash no thread runs.
  uint64_t from = crash_ ? std::min(position(), crash_->first) : position();
  for (;;) {
    if (from <= begin_) {
      TRY(move_to(begin_));
      return event(HistoryStop::Begin, thread);
    }
    if (is_over()) return event(HistoryStop::Interrupted, thread);
    if (TRY(move_to(from - 1)) == RunEnd::Interrupted) return event(HistoryStop::Interrupted, thread);
    if (!is_in(thread)) {
      const Search entry = TRY(last_hit(kernel_entries(), Purpose::KernelEntries, thread));
      if (entry.interrupted) return event(HistoryStop::Interrupted, thread);
      if (!entry.hit) {
        TRY(move_to(begin_));
        return event(HistoryStop::Begin, thread);
      }
      TRY(move_to(entry.hit->at));
    }
    // An interrupt leaves the program where it was: that is no step.
    const auto registers = guest_.registers_of(thread);
    if (is_in(thread) && (!shown || !registers || !same_place(*shown, *registers)))
      return event(HistoryStop::Stepped, thread);
    from = position();
  }
}

Result<HistoryEvent> History::go_back() {
  const Search search = TRY(last_hit(points_, Purpose::Points, 0));
  if (search.interrupted) {
    TRY_VOID(settle());
    return event(HistoryStop::Interrupted);
  }
  if (!search.hit) {
    TRY(move_to(begin_));
    return event(HistoryStop::Begin);
  }
  return at_point(*search.hit);
}

Result<HistoryEvent> History::at_point(const Hit& hit) {
  TRY(move_to(hit.at));
  if (!guest_.in_user() && hit.thread != 0) {  // the kernel did it: back to the program's call
    const HistoryEvent call = TRY(step_back(hit.thread));
    if (call.kind != HistoryStop::Stepped) return call;
  }
  HistoryEvent found = TRY(event(HistoryStop::Point, hit.thread));
  found.point = hit.point;
  found.watched = hit.watched;
  return found;
}

// The last hit before where it stands.
Result<History::Search> History::last_hit(const Points& points, Purpose purpose, uint32_t thread) {
  return last_hit_between(begin_, position(), {points, purpose, thread});
}

Result<History::Search> History::last_hit_between(uint64_t from, uint64_t stop, const Sought& sought) {
  for (uint64_t stretch = kFirstStretch; stop > from; stretch = std::min(stretch * kGrowth, kLargestStretch)) {
    const uint64_t start = stop - from > stretch ? stop - stretch : from;
    const Search found = TRY(scan(start, stop, sought));
    if (found.hit || found.interrupted) return found;
    stop = start;
  }
  return Search{};
}

// The last hit from `start` to `stop`.
Result<History::Search> History::scan(uint64_t start, uint64_t stop, const Sought& sought) {
  Search result;
  if (TRY(move_to(start)) == RunEnd::Interrupted) {
    result.interrupted = true;
    return result;
  }
  for (unsigned hits = 0; position() < stop;) {
    if (hits >= kManyHits) {
      const Search later = TRY(last_hit_between(position(), stop, sought));
      return later.hit || later.interrupted ? later : result;
    }
    const ReplayPoint* here = breakpoint_here(sought.points);
    if (here != nullptr && counts(sought)) {
      // A kernel's entry is told by where the program was before it.
      const uint64_t before = sought.purpose == Purpose::KernelEntries ? guest_.instructions_since_user() : 0;
      result.hit = Hit{position() - std::min(before, position()), guest_.current_thread(), *here, 0};
      ++hits;
    }
    const auto end = on_to_next(here, stop, sought.points);
    if (TRY(look_after(end)) == RunEnd::Interrupted || is_over()) {
      result.interrupted = true;
      return result;
    }
    if (*end != RunEnd::Point) break;
    if (const auto address = machine_.watched_address())
      if (const ReplayPoint* watch = watchpoint_of(*address, sought.points)) {
        result.hit = Hit{position() - 1, guest_.current_thread(), *watch, *address};
        ++hits;
      }
  }
  return result;
}

bool History::counts(const Sought& sought) const {
  return sought.purpose == Purpose::Points || (guest_.current_thread() == sought.thread && guest_.comes_from_user());
}

// Off the breakpoint where it stands, or to the next point.
Result<RunEnd> History::on_to_next(const ReplayPoint* here, uint64_t stop, const Points& points) {
  Points now;
  std::copy_if(points.begin(), points.end(), std::back_inserter(now), [&](const ReplayPoint& point) {
    return here == nullptr || point.kind != QemuPoint::Breakpoint || point.address != here->address;
  });
  TRY_VOID(insert(now));
  Result<RunEnd> end = RunEnd::Point;
  if (here == nullptr)
    end = time_.forward(stop);
  else if (auto stepped = machine_.step(); !stepped)
    end = tl::unexpected(stepped.error());
  TRY_VOID(take_out());
  return end;
}

}  // namespace mortem::tools
