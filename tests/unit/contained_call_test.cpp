// Crashes of libraries end the piece of work and not the program.
#include "inspector/app/model/contained_call.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "inspector/app/model/questions.h"

namespace mortem::inspector::app {
namespace {

// Not to be seen through by the compiler.
volatile int* volatile nowhere = nullptr;

volatile bool goes_on = true;

__attribute__((noinline)) int recurse(int depth) {
  volatile char room[4096];
  room[0] = static_cast<char>(depth);
  return goes_on ? recurse(depth + 1) + room[0] : 0;
}

TEST(ContainedCall, ItsEndIsItsEnd) {
  int done = 0;
  EXPECT_FALSE(contained_call([&] { done = 1; }));
  EXPECT_EQ(done, 1);
}

TEST(ContainedCall, CrashesComeBack) {
  for (int round = 0; round < 3; ++round) {
    auto crash = contained_call([] { *nowhere = 1; });
    ASSERT_TRUE(crash);
    EXPECT_EQ(crash->signal, SIGSEGV);
    crash = contained_call([] { std::abort(); });
    ASSERT_TRUE(crash);
    EXPECT_EQ(crash->signal, SIGABRT);
  }
}

TEST(ContainedCall, AStackMayOverflow) {
  std::optional<Crash> crash;
  std::thread([&] { crash = contained_call([] { recurse(0); }); }).join();
  ASSERT_TRUE(crash);
  EXPECT_EQ(crash->signal, SIGSEGV);
}

TEST(ContainedCall, TheFileThatWasReadIsNamed) {
  const auto crash = contained_call([] {
    now_reading(Reader::Llvm, "broken.debug");
    *nowhere = 1;
  });
  ASSERT_TRUE(crash && crash->suspect);
  EXPECT_EQ(crash->suspect->file, "broken.debug");
  const auto other = contained_call([] { *nowhere = 1; });
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->suspect) << "what was read before is not to blame";
}

TEST(ContainedCall, OutsideOfItACrashIsACrash) {
  (void)contained_call([] {});
  EXPECT_EXIT(*nowhere = 1, ::testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EXIT(std::abort(), ::testing::KilledBySignal(SIGABRT), "");
}

TEST(Questions, ACrashIsAskedAgainAndThenAProblem) {
  std::atomic<int> tries = 0, crashes = 0;
  Questions questions({[] {}, [&](Lane, const Crash&) { return ++crashes < 3; }});
  auto ask = [&] {
    return questions.ask<int>({1}, Lane::Analysis, Priority::Visible, [&]() -> Result<int> {
      if (++tries < 3) *nowhere = 1;
      return 7;
    });
  };
  while (ask().pending) std::this_thread::yield();
  ASSERT_TRUE(ask());
  EXPECT_EQ(*ask(), 7);
  auto hopeless = [&] {
    return questions.ask<int>({2}, Lane::Analysis, Priority::Visible, [&]() -> Result<int> {
      *nowhere = 1;
      return 7;
    });
  };
  while (hopeless().pending) std::this_thread::yield();
  EXPECT_FALSE(hopeless());
  EXPECT_NE(hopeless().problem.find("signal 11"), std::string::npos);
}

TEST(Questions, WhatNeverEndsCanBeBrokenOff) {
  Questions questions({[] {}, [](Lane, const Crash&) { return false; }});
  volatile bool forever = true;
  auto ask = [&] {
    return questions.ask<int>({1}, Lane::Analysis, Priority::Visible, [&]() -> Result<int> {
      while (forever) {
      }
      return 1;
    });
  };
  (void)ask();
  while (questions.current(Lane::Analysis).empty()) std::this_thread::yield();
  while (ask().pending) questions.break_off(Lane::Analysis);
  EXPECT_EQ(ask().problem, "was broken off");
}

TEST(Questions, OutdatedAnswersAreShownUntilTheNewOnesAreThere) {
  Questions questions({[] {}, [](Lane, const Crash&) { return false; }});
  std::atomic<int> value = 1;
  auto ask = [&] {
    return questions.ask<int>({1}, Lane::Facts, Priority::Visible, [&]() -> Result<int> { return value.load(); });
  };
  while (ask().pending) std::this_thread::yield();
  EXPECT_EQ(*ask(), 1);
  value = 2;
  questions.outdate();
  const auto between = ask();
  ASSERT_TRUE(between);
  EXPECT_TRUE(between.pending || *between == 2);
  while (ask().pending) std::this_thread::yield();
  EXPECT_EQ(*ask(), 2);
}

}  // namespace
}  // namespace mortem::inspector::app
