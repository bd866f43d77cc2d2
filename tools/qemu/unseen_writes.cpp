#include "tools/qemu/unseen_writes.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>

namespace mortem::tools {

using format::ControlPages;
using format::ControlType;
using format::ControlWriteAgain;

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::milliseconds(3000);
constexpr auto kLastPatience = std::chrono::milliseconds(5);  // of a guest that has stopped: its answer is on the way
constexpr auto kDecisionPatience = std::chrono::seconds(1);
constexpr uint64_t kPage = 4096;
constexpr int kNarrow = 4096, kWide = 1 << 20;  // widths of the pipe
// QEMU's own buffer holds the heads of pages, and of a zero page that is all; a whole page is read when it is written.
// It is written when it is full, or when 64 pieces are to be written: two of each page (migration/qemu-file.c).
constexpr uint64_t kQemuBuffer = 32768, kMostWholeInQemu = 32;

int milliseconds_until(Clock::time_point end) {
  return int(std::max<int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count()));
}

// As runs of neighbours; a page may be named twice.
std::vector<ControlPages> runs_of(std::vector<uint32_t> frames) {
  std::ranges::sort(frames);
  std::vector<ControlPages> runs;
  for (const uint32_t frame : frames) {
    if (!runs.empty() && frame <= runs.back().first + runs.back().count)
      runs.back().count = std::max(runs.back().count, frame - runs.back().first + 1);
    else
      runs.push_back({frame, 1});
  }
  return runs;
}

}  // namespace

Result<std::unique_ptr<UnseenWrites>> UnseenWrites::watch(Descriptor control, uint64_t memory_bytes,
                                                          uint64_t near_bytes) {
  Descriptor wakes(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wakes) return system_failure("cannot make", "an eventfd");
  std::unique_ptr<UnseenWrites> unseen(new UnseenWrites(std::move(control), std::move(wakes),
                                                        (memory_bytes - std::min(memory_bytes, near_bytes)) / kPage));
  unseen->asked_ = std::random_device()();  // answers go to all who are connected
  TRY_VOID(unseen->ask());
  TRY(unseen->wait_for_answer());
  return unseen;
}

Result<void> UnseenWrites::page(const snapshot::ReceptionListener::Page& page, int pipe) {
  ++pages_;
  if (is_decided_) return {};
  const bool is_suspect = looks_ || may_be_suspect(page.at, page.is_zero);
  if (is_suspect) suspects_.push_back(uint32_t(page.address / kPage));
  if (looks_)
    TRY_VOID(throw_away(page.read, pipe));
  else if (!is_suspect && !suspects_.empty())
    TRY_VOID(clear_suspects());
  if (page.at >= captured_ && !page.is_zero) ++whole_;
  return {};
}

bool UnseenWrites::may_be_suspect(uint64_t at, bool is_zero) const {
  if (at < captured_) return true;
  return is_zero && whole_ <= kMostWholeInQemu && at - captured_ < kQemuBuffer + whole_ * kPage;
}

Result<void> UnseenWrites::part_ended(uint64_t read, int pipe) {
  if (is_decided_ || (pages_ > 0 && pages_ < far_pages_)) return {};
  // The first one comes before the first page, and QEMU has looked.
  if (pages_ == 0) return throw_away(read, pipe);
  looks_ = true;
  return suspects_.empty() ? Result<void>() : clear_suspects();
}

// Behind QEMU's look; what comes from then on was read behind that.
Result<void> UnseenWrites::throw_away(uint64_t read, int pipe) {
  TRY_VOID(ask());
  if (!TRY(wait_for_answer())) return {};
  suspects_.clear();
  looks_ = false;
  int more = 0;
  if (ioctl(pipe, FIONREAD, &more) != 0) return system_failure("cannot look into", "QEMU's pipe");
  captured_ = read + uint64_t(more);
  whole_ = 0;
  return {};
}

void UnseenWrites::nothing_comes(int pipe) {
  if (is_decided_) return;
  if (!has_stopped_) {
    if (pages_ >= far_pages_) set_width(pipe, kNarrow);
    return;
  }
  int more = 0;
  if (ioctl(pipe, FIONREAD, &more) != 0 || more != 0) return;
  set_width(pipe, kWide);
  decide(suspects_.empty());
}

bool UnseenWrites::has_stopped_well() {
  const uint64_t one = 1;
  (void)!write(wakes_.get(), &one, sizeof one);  // first: it is read when the flag is seen
  has_stopped_ = true;
  std::unique_lock lock(mutex_);
  decided_.wait_for(lock, kDecisionPatience, [&] { return verdict_ != Verdict::None; });
  return verdict_ == Verdict::Well;
}

Result<void> UnseenWrites::clear_suspects() {
  TRY_VOID(ask());
  if (TRY(wait_for_answer())) suspects_.clear();
  return {};
}

// All suspects are named; the last message's answer is that of all.
Result<void> UnseenWrites::ask() {
  constexpr size_t kMostRuns = (format::kMaximumControlPayload - sizeof(ControlWriteAgain)) / sizeof(ControlPages);
  const auto runs = runs_of(suspects_);
  std::string messages;
  size_t at = 0;
  do {
    const ControlWriteAgain head{++asked_};
    const size_t count = std::min(runs.size() - at, kMostRuns);
    std::string payload(reinterpret_cast<const char*>(&head), sizeof head);
    payload.append(reinterpret_cast<const char*>(runs.data() + at), count * sizeof(ControlPages));
    messages += encode({ControlType::WriteAgain, payload});
    at += count;
  } while (at < runs.size());
  if (!write_all(control_.get(), messages, "control")) return lost_guest("the guest's keeper has gone");
  return {};
}

Result<bool> UnseenWrites::wait_for_answer() {
  auto end = Clock::now() + kPatience;
  bool is_last = false;
  while (true) {
    if (has_stopped_ && !is_last) {
      is_last = true;
      end = Clock::now() + (suspects_.empty() ? Clock::duration::zero() : kLastPatience);
    }
    pollfd wait[] = {{control_.get(), POLLIN, 0}, {is_last ? -1 : wakes_.get(), POLLIN, 0}};
    poll(wait, 2, milliseconds_until(end));
    if ((wait[0].revents & (POLLIN | POLLHUP)) == 0) {
      if (Clock::now() < end) continue;
      if (is_last && !suspects_.empty()) decide(false);
      if (is_last) return false;
      return lost_guest("the guest's kernel does not answer");
    }
    char part[8192];
    const ssize_t got = read(control_.get(), part, sizeof part);
    if (got <= 0) return lost_guest("the guest's keeper has gone");
    decoder_.add({part, size_t(got)});
    for (auto message = TRY(decoder_.next()); message; message = TRY(decoder_.next())) {
      ControlWriteAgain answer;
      if (message->type != ControlType::WroteAgain || message->payload.size() < sizeof answer) continue;
      std::memcpy(&answer, message->payload.data(), sizeof answer);
      if (answer.number == asked_) return true;
    }
  }
}

tl::unexpected<Error> UnseenWrites::lost_guest(const char* why) {
  has_lost_guest_ = true;
  return failure(ErrorKind::Unsupported, why);
}

// It may be too full for that: again later, then.
void UnseenWrites::set_width(int pipe, int bytes) {
  if (width_ != bytes && fcntl(pipe, F_SETPIPE_SZ, bytes) >= 0) width_ = bytes;
}

void UnseenWrites::decide(bool is_well) {
  is_decided_ = true;
  uint64_t woken;
  (void)!::read(wakes_.get(), &woken, sizeof woken);
  const std::lock_guard lock(mutex_);
  verdict_ = is_well ? Verdict::Well : Verdict::Suspects;
  decided_.notify_all();
}

}  // namespace mortem::tools
