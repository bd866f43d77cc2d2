#include "kernel/linux/epoll.h"

#include "kernel/arch/x86_64/interrupt_guard.h"
#include "kernel/memory/heap.h"

namespace kernel::linux {
namespace {

constexpr uint32_t kPrivateBits = kEpollExclusive | kEpollWakeUp | kEpollOneShot | kEpollEdge;
constexpr uint16_t kNormalIn = 0x40, kNormalOut = 0x100;  // POLLRDNORM, POLLWRNORM: the same as POLLIN and POLLOUT
constexpr int kLongestChain = 5;                          // epolls in epolls; Linux: EP_MAX_NESTS

Epoll* as_epoll(OpenFile& file) {
  return file.kind() == OpenFileKind::Epoll ? static_cast<Epoll*>(&file) : nullptr;
}

uint16_t with_normal(uint16_t events) {
  return static_cast<uint16_t>(events | ((events & kPollIn) != 0 ? kNormalIn : 0) |
                               ((events & kPollOut) != 0 ? kNormalOut : 0));
}

}  // namespace

uint16_t EpollInterest::events_now() {
  return static_cast<uint16_t>(with_normal(file.poll_events()) & event.events);
}

void EpollInterest::news_came(Waiter& waiter, uint16_t news) {
  auto& interest = static_cast<EpollInterest&>(waiter);
  if ((interest.event.events & ~kPrivateBits) == 0) return;  // one-shot, and it had its shot
  if ((with_normal(news) & interest.event.events) != 0) interest.epoll.make_ready(interest);
}

Epoll::~Epoll() {
  while (interests_ != nullptr) end(*interests_);
}

EpollInterest* Epoll::find(int32_t descriptor, const OpenFile& file) const {
  EpollInterest* interest = file.interests;
  while (interest != nullptr && (&interest->epoll != this || interest->descriptor != descriptor))
    interest = interest->next_of_file;
  return interest;
}

bool Epoll::reaches(const Epoll& wanted) const {
  if (this == &wanted) return true;
  for (const EpollInterest* each = interests_; each != nullptr; each = each->next)
    if (const Epoll* inner = as_epoll(each->file); inner != nullptr && inner->reaches(wanted)) return true;
  return false;
}

int Epoll::depth_below() const {
  int deepest = 0;
  for (const EpollInterest* each = interests_; each != nullptr; each = each->next)
    if (const Epoll* inner = as_epoll(each->file))
      if (const int depth = inner->depth_below() + 1; depth > deepest) deepest = depth;
  return deepest;
}

int Epoll::depth_above() const {
  int highest = 0;
  for (const EpollInterest* each = interests; each != nullptr; each = each->next_of_file)
    if (const int depth = each->epoll.depth_above() + 1; depth > highest) highest = depth;
  return highest;
}

// What keeps the walks above, and the news on its way up, short.
Result<void> Epoll::check_nesting(OpenFile& file) {
  const Epoll* inner = as_epoll(file);
  if (inner == nullptr) return {};
  if (inner->reaches(*this) || inner->depth_below() + 1 + depth_above() + 1 > kLongestChain) return Error::Loop;
  return {};
}

Result<void> Epoll::add(int32_t descriptor, OpenFile& of, const EpollEvent& event) {
  TRY(check_nesting(of));
  if (find(descriptor, of) != nullptr) return Error::Exists;
  EpollInterest* interest = TRY(make<EpollInterest>(*this, of, descriptor, event));
  interest->polled = of.needs_polling();
  interest->event.events |= kPollError | kPollHangUp;
  InterruptGuard guard;
  interest->next = interests_;
  if (interests_ != nullptr) interests_->previous = interest;
  interests_ = interest;
  interest->next_of_file = of.interests;
  if (of.interests != nullptr) of.interests->previous_of_file = interest;
  of.interests = interest;
  if (WaitQueue* queue = of.wait_queue()) queue->add(*interest);
  if (interest->polled) change_polled_count(1);
  if (interest->events_now() != 0) make_ready(*interest);
  return {};
}

Result<void> Epoll::modify(int32_t descriptor, OpenFile& of, const EpollEvent& event) {
  EpollInterest* interest = find(descriptor, of);
  if (interest == nullptr) return Error::NoEntry;
  if ((interest->event.events & kEpollExclusive) != 0) return Error::Invalid;
  interest->event = event;
  interest->event.events |= kPollError | kPollHangUp;
  if (interest->events_now() != 0) make_ready(*interest);
  return {};
}

Result<void> Epoll::remove(int32_t descriptor, OpenFile& of) {
  EpollInterest* interest = find(descriptor, of);
  if (interest == nullptr) return Error::NoEntry;
  end(*interest);
  return {};
}

void Epoll::end(EpollInterest& interest) {
  InterruptGuard guard;
  unlink_ready(interest);
  interest.leave();
  (interest.previous != nullptr ? interest.previous->next : interests_) = interest.next;
  if (interest.next != nullptr) interest.next->previous = interest.previous;
  EpollInterest*& first = interest.file.interests;
  (interest.previous_of_file != nullptr ? interest.previous_of_file->next_of_file : first) = interest.next_of_file;
  if (interest.next_of_file != nullptr) interest.next_of_file->previous_of_file = interest.previous_of_file;
  if (interest.polled) change_polled_count(-1);
  destroy(&interest);
}

void Epoll::append_ready(EpollInterest& interest) {
  if (interest.is_ready) return;
  interest.is_ready = true;
  interest.next_ready = nullptr;
  interest.previous_ready = last_ready_;
  (last_ready_ != nullptr ? last_ready_->next_ready : first_ready_) = &interest;
  last_ready_ = &interest;
}

void Epoll::make_ready(EpollInterest& interest) {
  InterruptGuard guard;
  append_ready(interest);
  threads_.notify_all(kPollIn);
  watchers_.notify_all(kPollIn);
}

void Epoll::unlink_ready(EpollInterest& interest) {
  if (!interest.is_ready) return;
  interest.is_ready = false;
  (interest.previous_ready != nullptr ? interest.previous_ready->next_ready : first_ready_) = interest.next_ready;
  (interest.next_ready != nullptr ? interest.next_ready->previous_ready : last_ready_) = interest.previous_ready;
}

EpollInterest* Epoll::take_first_ready() {
  EpollInterest* first = first_ready_;
  if (first != nullptr) unlink_ready(*first);
  return first;
}

// Whoever watches an epoll with such a file in it must look by itself too.
void Epoll::change_polled_count(int by) {
  const bool did_poll = polled_count_ > 0;
  polled_count_ += by;
  const bool does_poll = polled_count_ > 0;
  if (did_poll == does_poll) return;
  for (EpollInterest* each = interests; each != nullptr; each = each->next_of_file) {
    each->polled = does_poll;
    each->epoll.change_polled_count(by);
  }
}

void Epoll::look_at_polled() {
  if (polled_count_ == 0) return;
  for (EpollInterest* each = interests_; each != nullptr; each = each->next) {
    if (!each->polled) continue;
    const uint16_t now = each->events_now();
    // An edge is what was not there at the last look.
    if ((now & ~each->seen) != 0 || ((each->event.events & kEpollEdge) == 0 && now != 0)) make_ready(*each);
    each->seen = now;
  }
}

bool Epoll::may_be_ready() {
  look_at_polled();
  return first_ready_ != nullptr;
}

size_t Epoll::collect(EpollEvent* events, size_t most) {
  InterruptGuard guard;
  look_at_polled();
  size_t count = 0;
  EpollInterest* const last = last_ready_;  // what comes back to the list now is for the next call
  for (bool at_end = last == nullptr; !at_end && count < most;) {
    EpollInterest* interest = take_first_ready();
    at_end = interest == last;
    const uint16_t now = interest->events_now();
    if (now == 0) continue;
    events[count++] = {now, interest->event.data};
    if ((interest->event.events & kEpollOneShot) != 0)
      interest->event.events &= kPrivateBits;
    else if ((interest->event.events & kEpollEdge) == 0)
      append_ready(*interest);
  }
  // For other threads that wait here; to those who watch this epoll it is no news.
  if (first_ready_ != nullptr) threads_.notify_all(kPollIn);
  return count;
}

uint16_t Epoll::poll_events() {
  InterruptGuard guard;
  look_at_polled();
  while (first_ready_ != nullptr) {
    if (first_ready_->events_now() != 0) return kPollIn;
    (void)take_first_ready();  // it was ready, and is no more
  }
  return 0;
}

void forget_interests(OpenFile& file) {
  while (file.interests != nullptr) file.interests->epoll.end(*file.interests);
}

}  // namespace kernel::linux
