#include "inspector/app/model/questions.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

namespace mortem::inspector::app {
namespace {

constexpr size_t kMostEntries = 16384;  // answers that are kept; one of memory is a page
constexpr int kMostCrashes = 16;        // of one question, each of another file

}  // namespace

size_t Questions::KeyHash::operator()(const QuestionKey& key) const {
  size_t hash = std::hash<std::string>()(key.text);
  for (const uint64_t part : {uint64_t{key.kind}, key.a, key.b, key.c})
    hash = (hash ^ std::hash<uint64_t>()(part)) * 0x9E3779B97F4A7C15;
  return hash;
}

Questions::Questions(Listener listener) : listener_(std::move(listener)) {
  for (size_t lane = 0; lane < kLaneCount; ++lane)
    lanes_[lane].thread = std::thread([this, lane] { serve(static_cast<Lane>(lane)); });
}

Questions::~Questions() {
  stop();
}

void Questions::stop() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  work_came_.notify_all();
  for (LaneState& lane : lanes_)
    if (lane.thread.joinable()) lane.thread.join();
}

Questions::Found Questions::look(QuestionKey key, Lane lane, Priority priority, std::function<Result<Erased>()> work) {
  const std::lock_guard lock(mutex_);
  auto [place, is_new] = entries_.try_emplace(std::move(key));
  Entry& entry = place->second;
  if (is_new) {
    entry.lane = lane;
    entry.order = ++order_;
    if (entries_.size() > kMostEntries) drop_old_ones();
  } else if (entry.state == State::Done && entry.generation != generation_) {
    entry.state = State::Waiting;
    entry.order = ++order_;
  }
  entry.asked_frame = frame_;
  entry.priority = priority;
  if (entry.state == State::Waiting) {
    entry.work = std::move(work);
    work_came_.notify_all();
  }
  return {entry.value, entry.problem, entry.state != State::Done};
}

void Questions::run(Lane lane, std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  lanes_[static_cast<size_t>(lane)].commands.push_back(std::move(work));
  work_came_.notify_all();
}

void Questions::next_frame() {
  const std::lock_guard lock(mutex_);
  ++frame_;
}

void Questions::outdate() {
  const std::lock_guard lock(mutex_);
  ++generation_;
  ++revision_;
}

void Questions::hold(bool held) {
  const std::lock_guard lock(mutex_);
  held_ = held;
  ++revision_;
  work_came_.notify_all();
}

void Questions::forget() {
  const std::lock_guard lock(mutex_);
  ++generation_;
  ++revision_;
  std::erase_if(entries_, [](const auto& one) { return one.second.state != State::Working; });
  for (auto& [key, entry] : entries_) entry.value.reset();
}

uint64_t Questions::revision() const {
  const std::lock_guard lock(mutex_);
  return revision_;
}

bool Questions::busy(Lane lane) const {
  const std::lock_guard lock(mutex_);
  const LaneState& state = lanes_[static_cast<size_t>(lane)];
  if (state.working || state.in_command || !state.commands.empty()) return true;
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& one) {
    return one.second.lane == lane && one.second.state == State::Waiting && one.second.asked_frame + 1 >= frame_;
  });
}

void Questions::break_off(Lane lane) {
  const std::lock_guard lock(mutex_);
  LaneState& state = lanes_[static_cast<size_t>(lane)];
  if (state.working) break_contained_call(state.thread.native_handle());
}

std::string Questions::current(Lane lane) const {
  const std::lock_guard lock(mutex_);
  const QuestionKey* key = lanes_[static_cast<size_t>(lane)].working;
  if (!key) return {};
  const auto words = words_.find(key->kind);
  return words == words_.end() ? "working" : words->second;
}

void Questions::set_words(uint32_t kind, std::string words) {
  const std::lock_guard lock(mutex_);
  words_[kind] = std::move(words);
}

// Those that were asked longest ago, a quarter of all.
void Questions::drop_old_ones() {
  std::vector<uint64_t> frames;
  for (const auto& [key, entry] : entries_) frames.push_back(entry.asked_frame);
  const auto middle = frames.begin() + static_cast<ptrdiff_t>(frames.size() / 4);
  std::nth_element(frames.begin(), middle, frames.end());
  const uint64_t limit = *middle;
  std::erase_if(entries_, [&](const auto& one) {
    return one.second.state != State::Working && one.second.asked_frame <= limit && one.second.asked_frame != frame_;
  });
}

void Questions::serve(Lane lane) {
  std::unique_lock lock(mutex_);
  while (!ending_)
    if (!serve_one(lane, lock)) work_came_.wait(lock);
}

bool Questions::serve_one(Lane lane, std::unique_lock<std::mutex>& lock) {
  LaneState& state = lanes_[static_cast<size_t>(lane)];
  if (!state.commands.empty()) {
    const auto commands = std::exchange(state.commands, {});
    state.in_command = true;
    lock.unlock();
    for (const auto& one : commands) one();
    lock.lock();
    state.in_command = false;
    ++revision_;
    lock.unlock();
    listener_.wake();
    lock.lock();
    return true;
  }
  auto* one = held_ ? nullptr : most_wanted(lane);
  if (!one) return false;
  state.working = &one->first;
  answer(lane, *one, lock);
  state.working = nullptr;
  lock.unlock();
  listener_.wake();
  lock.lock();
  return true;
}

Questions::Entries::value_type* Questions::most_wanted(Lane lane) {
  Entries::value_type* best = nullptr;
  for (auto& one : entries_) {
    const Entry& entry = one.second;
    if (entry.lane != lane || entry.state != State::Waiting || entry.asked_frame + 1 < frame_) continue;
    if (!best || std::pair(entry.priority, entry.order) < std::pair(best->second.priority, best->second.order))
      best = &one;
  }
  return best;
}

void Questions::answer(Lane lane, Entries::value_type& one, std::unique_lock<std::mutex>& lock) {
  Entry& entry = one.second;
  entry.state = State::Working;
  const uint64_t generation = generation_;
  const auto work = entry.work;
  std::optional<Result<Erased>> result;
  lock.unlock();
  std::optional<Crash> crash;
  for (int attempt = 0; attempt < kMostCrashes; ++attempt) {
    crash = contained_call([&] { result.emplace(work()); });
    if (!crash || !listener_.crash(lane, *crash)) break;
  }
  lock.lock();
  entry.state = State::Done;
  entry.generation = generation;
  entry.work = nullptr;
  entry.problem.clear();
  if (crash) {
    entry.value.reset();
    entry.problem =
        crash->signal == SIGXCPU ? "was broken off" : fmt::format("the analysis was ended by signal {}", crash->signal);
  } else if (*result) {
    entry.value = std::move(**result);
  } else {
    entry.value.reset();
    entry.problem = std::move(result->error().message);
  }
  ++revision_;
}

}  // namespace mortem::inspector::app
