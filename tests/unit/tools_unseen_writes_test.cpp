// What a guest is asked to write again while QEMU copies it; guest and QEMU are a socket and a pipe here.
#include "tools/qemu/unseen_writes.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "tools/qemu/control_channel.h"

namespace mortem::tools {
namespace {

using format::ControlPages;
using format::ControlType;
using format::ControlWriteAgain;

constexpr uint64_t kPage = 4096, kMiB = 1 << 20, kMemory = 64 * kMiB, kNear = 16 * kMiB;
constexpr uint64_t kFarPages = (kMemory - kNear) / kPage;

using Runs = std::vector<std::pair<uint32_t, uint32_t>>;  // first page frame, count

// Answers what it is asked, and keeps it.
class PlayedGuest {
 public:
  PlayedGuest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    host = Descriptor(ends[0]);
    thread_ = std::thread([this, end = ends[1]] { serve(Descriptor(end)); });
  }
  ~PlayedGuest() { thread_.join(); }  // when the host's end is closed

  // Of all messages since the last call.
  std::vector<Runs> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(asked_, {});
  }

  Descriptor host;
  std::atomic<bool> stands = false;     // says nothing any more
  std::atomic<bool> says_more = false;  // before each answer, that to another question
  std::atomic<bool> leaves = false;     // instead of the next answer

 private:
  void serve(Descriptor end) {
    ControlDecoder decoder;
    char part[4096];
    for (ssize_t got; (got = read(end.get(), part, sizeof part)) > 0;) {
      decoder.add({part, size_t(got)});
      for (auto message = decoder.next(); message && *message; message = decoder.next()) answer(end.get(), **message);
    }
  }
  void answer(int end, const ControlMessage& message) {
    ASSERT_EQ(message.type, ControlType::WriteAgain);
    ControlWriteAgain head;
    ASSERT_GE(message.payload.size(), sizeof head);
    std::memcpy(&head, message.payload.data(), sizeof head);
    Runs runs;
    for (size_t at = sizeof head; at < message.payload.size(); at += sizeof(ControlPages)) {
      ControlPages pages;
      ASSERT_LE(at + sizeof pages, message.payload.size());
      std::memcpy(&pages, message.payload.data() + at, sizeof pages);
      runs.emplace_back(pages.first, pages.count);
    }
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back(runs);
    }
    if (stands) return;
    if (leaves) {
      shutdown(end, SHUT_RDWR);
      return;
    }
    if (says_more) say(end, head.number + 77);
    say(end, head.number);
  }
  static void say(int end, uint32_t number) {
    const std::string text = encode({ControlType::WroteAgain, {reinterpret_cast<const char*>(&number), sizeof number}});
    ASSERT_EQ(write(end, text.data(), text.size()), ssize_t(text.size()));
  }

  std::mutex mutex_;
  std::vector<Runs> asked_;
  std::thread thread_;
};

class UnseenWritesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    from_ = Descriptor(ends[0]);
    to_ = Descriptor(ends[1]);
    auto watched = UnseenWrites::watch(std::move(guest_.host), kMemory, kNear);
    ASSERT_TRUE(watched) << watched.error().message;
    unseen_ = std::move(*watched);
    EXPECT_EQ(guest_.take(), std::vector<Runs>{{}});  // whether it is there
  }
  void TearDown() override { unseen_.reset(); }

  void page(uint64_t frame) {
    ASSERT_TRUE(unseen_->page({.address = frame * kPage, .at = at_, .read = at_ + 8, .is_zero = false}, from_.get()));
    at_ += kPage + 8;
  }
  void zeros(uint64_t first, uint64_t count) {
    for (uint64_t frame = first; frame < first + count; ++frame) {
      ASSERT_TRUE(unseen_->page({.address = frame * kPage, .at = at_, .read = at_ + 9, .is_zero = true}, from_.get()));
      at_ += 9;
    }
  }
  // So much has QEMU sent already.
  void lies_in_pipe(uint64_t bytes) {
    const std::string text(bytes, 'x');
    ASSERT_EQ(write(to_.get(), text.data(), text.size()), ssize_t(text.size()));
  }
  void read_pipe() {
    char bytes[65536];
    ASSERT_GT(read(from_.get(), bytes, sizeof bytes), 0);
  }
  void pages(uint64_t first, uint64_t count) {
    for (uint64_t frame = first; frame < first + count; ++frame) page(frame);
  }
  void part_ended() { ASSERT_TRUE(unseen_->part_ended(at_, from_.get())); }
  // QEMU says that the guest has stopped; the reading thread finds nothing more.
  bool stops_well() {
    auto well = std::async(std::launch::async, [this] { return unseen_->has_stopped_well(); });
    while (well.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready)
      unseen_->nothing_comes(from_.get());
    return well.get();
  }

  PlayedGuest guest_;
  Descriptor from_, to_;
  std::unique_ptr<UnseenWrites> unseen_;
  uint64_t at_ = 100;  // in the stream
};

TEST_F(UnseenWritesTest, WhatLayInThePipeIsSuspect) {
  lies_in_pipe(3 * (kPage + 8));
  part_ended();  // of the list of blocks
  EXPECT_EQ(guest_.take(), std::vector<Runs>{{}});
  pages(1000, 3);
  EXPECT_TRUE(guest_.take().empty());
  page(5000);  // QEMU reads it when it writes it: the copy waits until the guest has written to the others
  EXPECT_EQ(guest_.take(), (std::vector<Runs>{{{1000, 3}}}));
  pages(6000, 500);
  EXPECT_TRUE(guest_.take().empty());
}

TEST_F(UnseenWritesTest, APageThatLayThereInPartIsSuspect) {
  lies_in_pipe(1);
  part_ended();
  guest_.take();
  pages(1000, 2);
  EXPECT_EQ(guest_.take(), (std::vector<Runs>{{{1000, 1}}}));
}

TEST_F(UnseenWritesTest, ZerosMayHaveLainInQemusBuffer) {
  part_ended();
  guest_.take();
  zeros(100, 5000);  // of nine bytes each: the buffer holds fewer
  EXPECT_EQ(guest_.take(), (std::vector<Runs>{{{100, 32768 / 9 + 1}}}));
  pages(0, kFarPages);
  part_ended();
  page(7000);
  EXPECT_EQ(guest_.take(), (std::vector<Runs>{{{7000, 1}}}));
  zeros(8000, 2);
  page(7001);
  EXPECT_EQ(guest_.take(), (std::vector<Runs>{{{8000, 2}}}));
  pages(7002, 32);  // with these two QEMU has written its buffer
  zeros(9000, 1);
  page(7100);
  EXPECT_TRUE(guest_.take().empty());
}

TEST_F(UnseenWritesTest, FarFromTheEndOfTheFirstRoundQemuDoesNotLook) {
  part_ended();
  pages(0, kFarPages - 1);
  guest_.take();
  part_ended();
  EXPECT_TRUE(guest_.take().empty());
  page(kFarPages - 1);
  part_ended();
  EXPECT_TRUE(guest_.take().empty());
  page(1);  // it has looked: how long behind the part's end nobody said
  EXPECT_EQ(guest_.take(), (std::vector<Runs>{{{1, 1}}}));
}

TEST_F(UnseenWritesTest, SuspectsOfAShortPartAreNamedAtItsEnd) {
  part_ended();
  pages(0, kFarPages);
  part_ended();
  guest_.take();
  lies_in_pipe(5 * (kPage + 8));
  part_ended();
  EXPECT_TRUE(guest_.take().empty());
  for (const uint64_t frame : {9, 7, 8, 100, 7}) page(frame);
  part_ended();
  EXPECT_EQ(guest_.take(), (std::vector<Runs>{{{9, 1}}, {{7, 2}, {100, 1}}}));
  read_pipe();
  EXPECT_TRUE(stops_well());
}

TEST_F(UnseenWritesTest, MoreRunsThanOneMessageHolds) {
  part_ended();
  guest_.take();
  constexpr uint64_t kMany = 1100;
  for (uint64_t number = 0; number < kMany; ++number) zeros(2 * number, 1);
  page(5000);
  const auto asked = guest_.take();
  ASSERT_EQ(asked.size(), 3u);
  Runs all;
  for (const Runs& one : asked) all.insert(all.end(), one.begin(), one.end());
  ASSERT_EQ(all.size(), kMany);
  for (uint64_t number = 0; number < kMany; ++number)
    EXPECT_EQ(all[number], (std::pair<uint32_t, uint32_t>(2 * number, 1)));
}

TEST_F(UnseenWritesTest, AGuestThatStopsWithSuspectsWasNotCopiedWell) {
  part_ended();
  zeros(0, 3);
  EXPECT_FALSE(stops_well());
}

TEST_F(UnseenWritesTest, NorOneThatStopsBeforeItsAnswer) {
  part_ended();
  zeros(0, 3);
  guest_.stands = true;
  auto well = std::async(std::launch::async, [this] { return unseen_->has_stopped_well(); });
  part_ended();  // comes back though nothing is answered
  while (well.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) unseen_->nothing_comes(from_.get());
  EXPECT_FALSE(well.get());
}

TEST_F(UnseenWritesTest, OneThatStopsWhileItIsAskedForNothingWasCopiedWell) {
  part_ended();
  pages(0, kFarPages);
  guest_.stands = true;
  auto well = std::async(std::launch::async, [this] { return unseen_->has_stopped_well(); });
  part_ended();
  while (well.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) unseen_->nothing_comes(from_.get());
  EXPECT_TRUE(well.get());
  guest_.take();
  pages(0, 10);  // the guest stands: QEMU reads what is there
  part_ended();
  EXPECT_TRUE(guest_.take().empty());
}

TEST_F(UnseenWritesTest, WhatStillLiesInThePipeIsWaitedFor) {
  part_ended();
  pages(0, kFarPages);
  ASSERT_EQ(write(to_.get(), "x", 1), 1);
  auto well = std::async(std::launch::async, [this] { return unseen_->has_stopped_well(); });
  for (int times = 0; times < 20; ++times) {
    unseen_->nothing_comes(from_.get());
    EXPECT_NE(well.wait_for(std::chrono::milliseconds(1)), std::future_status::ready);
  }
  char byte;
  ASSERT_EQ(read(from_.get(), &byte, 1), 1);
  while (well.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) unseen_->nothing_comes(from_.get());
  EXPECT_TRUE(well.get());
}

TEST_F(UnseenWritesTest, AnAnswerToSomebodyElseIsNone) {
  guest_.says_more = true;
  part_ended();
  zeros(1000, 3);
  page(2000);
  pages(3000, 40);
  EXPECT_TRUE(stops_well());
}

TEST_F(UnseenWritesTest, AGuestThatAnswersNoMoreIsLost) {
  part_ended();
  EXPECT_FALSE(unseen_->has_lost_guest());
  guest_.leaves = true;
  EXPECT_FALSE(unseen_->part_ended(at_, from_.get()));
  EXPECT_TRUE(unseen_->has_lost_guest());
}

TEST(UnseenWrites, AGuestWithoutAKeeper) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  Descriptor control(ends[0]);
  shutdown(ends[1], SHUT_WR);
  const auto watched = UnseenWrites::watch(std::move(control), kMemory, kNear);
  ASSERT_FALSE(watched);
  EXPECT_EQ(watched.error().message, "the guest's keeper has gone");
  close(ends[1]);
}

}  // namespace
}  // namespace mortem::tools
