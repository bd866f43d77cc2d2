#include "tools/replay/time_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace mortem::tools {

namespace {

constexpr uint64_t kMomentDistance = 100'000'000;  // about half a second of a run
constexpr uint64_t kNear = 50'000;                 // instructions that are run again in some milliseconds
constexpr size_t kMostMoments = 60;
constexpr uint64_t kMostBytes = uint64_t{2} << 30;

}  // namespace

uint32_t PageStore::add(Page page) {
  uint32_t number;
  if (free_.empty()) {
    number = uint32_t(pages_.size());
    pages_.emplace_back(new uint8_t[GuestRam::kPage]);
    references_.push_back(0);
  } else {
    number = free_.back();
    free_.pop_back();
    pages_[number].reset(new uint8_t[GuestRam::kPage]);
  }
  references_[number] = 1;
  std::memcpy(pages_[number].get(), page.data(), page.size());
  return number;
}

void PageStore::release(uint32_t number) {
  if (number == kZeros || --references_[number] != 0) return;
  pages_[number].reset();
  free_.push_back(number);
}

Result<void> TimeMachine::begin() {
  last_.assign(machine_.ram().size() / GuestRam::kPage, PageStore::kZeros);
  if (!TRY(keep())) return failure(ErrorKind::System, "QEMU keeps no moment at the recording's beginning");
  return {};
}

Result<bool> TimeMachine::keep() {
  if (moments_.contains(position())) return true;
  const std::string name = fmt::format("moment-{}", ++names_);
  if (auto saved = machine_.save(name); !saved) {
    // Something is under way that QEMU cannot save.
    if (saved.error().message.find("right now") != std::string::npos) return false;
    return tl::unexpected(saved.error());
  }
  Moment moment{name, std::vector<uint32_t>(last_.size(), PageStore::kZeros)};
  machine_.ram().each_page([&](uint64_t number, std::span<uint8_t, GuestRam::kPage> page) {
    const uint32_t before = last_[number];
    uint32_t& now = moment.pages[number];
    if (before != PageStore::kZeros && std::memcmp(store_[before].data(), page.data(), page.size()) == 0) {
      now = before;
      store_.keep(now);
    } else if (!is_zero(page)) {
      now = store_.add(page);
    }
  });
  set_last(moment.pages);
  moments_.emplace(position(), std::move(moment));
  thin_out();
  return true;
}

void TimeMachine::set_last(const std::vector<uint32_t>& pages) {
  for (uint32_t page : pages) store_.keep(page);
  for (uint32_t page : last_) store_.release(page);
  last_ = pages;
}

// The first stays, and the two around where it stands.
void TimeMachine::thin_out() {
  while (moments_.size() > 4 && (moments_.size() > kMostMoments || store_.bytes() > kMostBytes)) {
    auto victim = moments_.end();
    uint64_t smallest = ~uint64_t{0};
    for (auto at = std::next(moments_.begin()); std::next(at) != moments_.end(); ++at) {
      const uint64_t gap = std::next(at)->first - std::prev(at)->first;
      const uint64_t away = at->first > position() ? at->first - position() : position() - at->first;
      if (gap >= smallest || away < 2 * kNear) continue;
      smallest = gap;
      victim = at;
    }
    if (victim == moments_.end()) return;
    (void)machine_.forget(victim->second.name);
    for (uint32_t page : victim->second.pages) store_.release(page);
    moments_.erase(victim);
  }
}

Result<void> TimeMachine::go_back_to(uint64_t instructions, Moment& moment) {
  // Memory first: devices look at it when their state is loaded.
  machine_.ram().each_page([&](uint64_t number, std::span<uint8_t, GuestRam::kPage> page) {
    const uint32_t kept = moment.pages[number];
    if (kept == PageStore::kZeros) {
      if (!is_zero(page)) std::memset(page.data(), 0, page.size());
    } else if (std::memcmp(page.data(), store_[kept].data(), page.size()) != 0) {
      std::memcpy(page.data(), store_[kept].data(), page.size());
    }
  });
  set_last(moment.pages);
  return machine_.load(moment.name, instructions);
}

Result<RunEnd> TimeMachine::forward(uint64_t instructions) {
  while (position() < instructions) {
    const auto after = moments_.upper_bound(position());
    const uint64_t last = after == moments_.begin() ? 0 : std::prev(after)->first;
    // Known ground is run through at once.
    uint64_t next = instructions;
    if (after == moments_.end() || after->first - last > kMomentDistance)
      next = std::max(last + kMomentDistance, position() + kMomentDistance / 4);
    next = std::min(next, instructions);
    const RunEnd end = TRY(machine_.run_to(next));
    if (end != RunEnd::Reached) return end;
    if (position() < instructions) TRY(keep());
  }
  return RunEnd::Reached;
}

Result<RunEnd> TimeMachine::seek(uint64_t instructions) {
  auto moment = moments_.upper_bound(instructions);
  --moment;  // the first is at the beginning
  if (instructions < position() || moment->first > position()) TRY_VOID(go_back_to(moment->first, moment->second));
  return forward(instructions);
}

Result<void> TimeMachine::keep_near(uint64_t instructions) {
  auto moment = moments_.upper_bound(instructions);
  --moment;
  if (instructions < kNear || instructions - moment->first < 2 * kNear) return {};
  if (TRY(seek(instructions - kNear)) == RunEnd::Reached) TRY(keep());
  return {};
}

}  // namespace mortem::tools
