#include "tools/replay/time_machine.h"

#include <fmt/format.h>

#include <algorithm>

#include "snapshot/xxhash64.h"
#include "tools/output.h"
#include "tools/replay/recorder.h"

namespace mortem::tools {

namespace {

// Under TCG about a third of a second. It doubles whenever there are too many moments.
constexpr uint64_t kFirstDistance = 50'000'000;
constexpr size_t kMostMoments = 64, kMostPassing = 8;
constexpr uint64_t kMostBytes = uint64_t{2} << 30;
// Where a request to the disk is on its way, no moment can be kept: it is tried again some instructions later.
constexpr uint64_t kRetry = 1'000'000;
constexpr int kMostAgain = 3;
// So far before a place that is gone back to, the next one back is likely to be sought.
constexpr uint64_t kPassingDistance = 500'000;

Result<uint64_t> registers_hash(ReplayMachine& machine) {
  const std::string text = TRY(processor_text(machine.qmp()));
  return snapshot::xxhash64({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

}  // namespace

TimeMachine::TimeMachine(ReplayMachine& machine) : machine_(machine), distance_(kFirstDistance) {}

bool TimeMachine::is_due() const {
  if (cannot_keep_ || position() < next_ || position() >= machine_.recording().instructions) return false;
  const auto after = moments_.upper_bound(position());
  return after == moments_.begin() || position() - std::prev(after)->first >= distance_;
}

Result<void> TimeMachine::keep(bool is_passing) {
  if (moments_.contains(position())) return {};
  if (!pages_) pages_ = TRY(PageStore::create(machine_.temporary_folder() / "memory"));
  Moment moment;
  moment.name = fmt::format("moment-{}", ++count_);
  moment.passing = is_passing ? count_ : 0;
  moment.registers = TRY(registers_hash(machine_));
  if (!TRY(machine_.save_state(moment.name))) {
    next_ = position() + kRetry;
    return {};
  }
  const auto after = moments_.upper_bound(position());
  auto pages = pages_->keep(machine_.ram(), after == moments_.begin() ? KeptPages() : std::prev(after)->second.pages);
  if (!pages) {
    (void)machine_.delete_state(moment.name);
    return tl::unexpected(pages.error());
  }
  moment.pages = std::move(*pages);
  moments_.emplace(position(), std::move(moment));
  thin_out();
  return {};
}

void TimeMachine::drop(Moments::iterator moment) {
  pages_->drop(moment->second.pages);
  (void)machine_.delete_state(moment->second.name);
  moments_.erase(moment);
}

void TimeMachine::drop_all() {
  for (const auto& [at, moment] : moments_) pages_->drop(moment.pages);
  moments_.clear();
}

// The first stays: it is where the way back ends.
void TimeMachine::thin_out() {
  for (;;) {
    const auto passing = [](const Moments::value_type& one) { return one.second.passing != 0; };
    const size_t passings = size_t(std::count_if(moments_.begin(), moments_.end(), passing));
    const bool too_large = pages_->bytes() > kMostBytes;
    if (passings > kMostPassing || (too_large && passings > 0)) {
      auto oldest = moments_.end();
      for (auto one = moments_.begin(); one != moments_.end(); ++one)
        if (passing(*one) && (oldest == moments_.end() || one->second.passing < oldest->second.passing)) oldest = one;
      drop(oldest);
      continue;
    }
    if (moments_.size() < 2 || (moments_.size() - passings <= kMostMoments && !too_large)) return;
    distance_ *= 2;
    uint64_t last = moments_.begin()->first;
    for (auto one = std::next(moments_.begin()); one != moments_.end();) {
      const auto next = std::next(one);
      if (!passing(*one) && one->first - last < distance_)
        drop(one);
      else if (!passing(*one))
        last = one->first;
      one = next;
    }
  }
}

Result<RunEnd> TimeMachine::forward(uint64_t instructions) {
  for (;;) {
    if (is_due())
      if (auto kept = keep(false); !kept) {
        cannot_keep_ = true;
        note(kept.error().message + ": no more moments are kept on the way");
        if (!machine_.is_running()) return tl::unexpected(kept.error());
      }
    const auto after = moments_.upper_bound(position());
    const uint64_t before = after == moments_.begin() ? position() : std::prev(after)->first;
    const uint64_t next = cannot_keep_ ? instructions : std::max({before + distance_, next_, position() + 1});
    const RunEnd end = TRY(machine_.run_to(std::min(instructions, next)));
    if (end != RunEnd::Reached || position() >= instructions || position() >= machine_.recording().instructions)
      return end;
  }
}

// False: that moment is not what was kept, and must not be used.
Result<bool> TimeMachine::go_back_to(const Moments::value_type& moment) {
  const uint64_t from = position();
  // Devices look into the guest's memory when their state is loaded, and QEMU puts the kernel's file there before.
  auto done = pages_->restore(machine_.ram(), moment.second.pages);
  if (done) done = machine_.load_state(moment.second.name);
  if (done) done = pages_->restore(machine_.ram(), moment.second.pages);
  if (done && position() == moment.first) {
    auto registers = registers_hash(machine_);
    if (registers && *registers == moment.second.registers) return true;
    if (!registers) done = tl::unexpected(registers.error());
  }
  note(fmt::format("the moment kept at instruction {} cannot be used, from {}: {}", moment.first, from,
                   done ? "it is another one" : done.error().message));
  return false;
}

// To the nearest moment before, else to the beginning.
Result<void> TimeMachine::go_back_before(uint64_t instructions) {
  next_ = 0;
  const auto after = moments_.upper_bound(instructions);
  if (after != moments_.begin() && TRY(go_back_to(*std::prev(after)))) return {};
  drop_all();  // they are part of the disk that goes now
  return machine_.begin();
}

Result<RunEnd> TimeMachine::seek(uint64_t instructions) {
  const bool is_back = instructions < position();
  if (is_back) TRY_VOID(go_back_before(instructions));
  if (is_back && !cannot_keep_ && instructions - position() > 2 * kPassingDistance) {
    if (const RunEnd end = TRY(forward(instructions - kPassingDistance)); end == RunEnd::Interrupted) return end;
    if (position() < instructions)
      if (auto kept = keep(true); !kept) cannot_keep_ = true;
  }
  RunEnd end = TRY(forward(instructions));
  // Where the last step was stopped by a watchpoint, QEMU stops once more, of none.
  for (int again = 0; end == RunEnd::Point && position() < instructions && again < kMostAgain; ++again)
    end = TRY(forward(instructions));
  if (end == RunEnd::Point && position() < instructions)
    return failure(ErrorKind::System,
                   fmt::format("QEMU's replay stops at instruction {} and does not go on", position()));
  return end;
}

Result<RunEnd> TimeMachine::start_again(uint64_t instructions) {
  cannot_keep_ = true;
  drop_all();
  TRY_VOID(machine_.begin());
  return forward(instructions);
}

}  // namespace mortem::tools
