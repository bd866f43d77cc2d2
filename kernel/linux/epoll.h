// epoll(7): interests in open files, and the list of those that may be ready. A file's wait queue puts its interests on
// that list; a wait looks only at what stands there.
#pragma once

#include "kernel/linux/open_file.h"
#include "kernel/task/wait_queue.h"

namespace kernel::linux {

// sys/epoll.h; the low bits are poll(2)'s.
inline constexpr uint32_t kEpollExclusive = 1u << 28, kEpollWakeUp = 1u << 29, kEpollOneShot = 1u << 30,
                          kEpollEdge = 1u << 31;

struct __attribute__((packed)) EpollEvent {  // struct epoll_event of x86-64
  uint32_t events;
  uint64_t data;
};

class Epoll;

// One descriptor in one epoll. It is known by descriptor and open file together, as on Linux: a duplicate is another
// interest, and closing the descriptor ends none before the last reference to the file is gone.
class EpollInterest : public Waiter {
 public:
  EpollInterest(Epoll& in, OpenFile& of, int32_t number, const EpollEvent& asked)
      : Waiter(news_came), epoll(in), file(of), descriptor(number), event(asked) {}

  uint16_t events_now();  // of those that are asked for

  Epoll& epoll;
  OpenFile& file;
  int32_t descriptor;
  EpollEvent event;
  bool is_ready = false;  // on the epoll's ready list
  bool polled = false;    // its file does not tell everything by itself
  uint16_t seen = 0;      // of such a file, at the last look
  EpollInterest *next_ready = nullptr, *previous_ready = nullptr;
  EpollInterest *next = nullptr, *previous = nullptr;                  // of the epoll
  EpollInterest *next_of_file = nullptr, *previous_of_file = nullptr;  // of the file

 private:
  static void news_came(Waiter& waiter, uint16_t news);
};

class Epoll final : public OpenFile {
 public:
  Epoll() : OpenFile(kOpenReadWrite) {
    describe_as(mortem::format::FileKind::Epoll, "anon_inode:[eventpoll]");
  }
  ~Epoll() override;

  Result<void> add(int32_t descriptor, OpenFile& file, const EpollEvent& event);
  Result<void> modify(int32_t descriptor, OpenFile& file, const EpollEvent& event);
  Result<void> remove(int32_t descriptor, OpenFile& file);
  void end(EpollInterest& interest);

  // Up to `most` events of what is ready now; what stays ready (level-triggered) goes to the end of the list.
  size_t collect(EpollEvent* events, size_t most);
  bool may_be_ready();                                       // something stands on the list
  void add_thread(Waiter& waiter) { threads_.add(waiter); }  // to be told of it
  void make_ready(EpollInterest& interest);

  uint16_t poll_events() override;
  bool needs_polling() const override { return polled_count_ > 0; }
  WaitQueue* wait_queue() override { return &watchers_; }
  OpenFileKind kind() const override { return OpenFileKind::Epoll; }
  Result<uint64_t> seek(int64_t, int) override { return 0; }
  Result<InodeStatus> status() override { return anonymous_status(); }
  const char* path() const override { return "anon_inode:[eventpoll]"; }

 private:
  EpollInterest* find(int32_t descriptor, const OpenFile& file) const;
  Result<void> check_nesting(OpenFile& file);
  bool reaches(const Epoll& wanted) const;
  int depth_below() const;  // epolls in epolls in this one
  int depth_above() const;  // epolls that this one is in
  void look_at_polled();
  void change_polled_count(int by);
  void append_ready(EpollInterest& interest);
  EpollInterest* take_first_ready();
  void unlink_ready(EpollInterest& interest);

  EpollInterest* interests_ = nullptr;
  EpollInterest *first_ready_ = nullptr, *last_ready_ = nullptr;
  int polled_count_ = 0;  // interests in files whose input makes no interrupt
  WaitQueue threads_;     // in epoll_wait
  WaitQueue watchers_;    // whoever polls this epoll: poll, other epolls
};

// The file is going: nobody can be interested in it any more.
void forget_interests(OpenFile& file);

}  // namespace kernel::linux
