#include "kernel/task/poll_window.h"

#include <gtest/gtest.h>

namespace kernel {
namespace {

constexpr uint64_t kShort = 30'000, kMedium = 150'000, kLong = 10'000'000;

TEST(PollWindow, AnIdleGuestHaltsAtOnce) {
  PollWindow window;
  EXPECT_EQ(window.length(), 0);
  for (int wait = 0; wait < 10; ++wait) window.note_wait(kLong);
  EXPECT_EQ(window.length(), 0);
}

TEST(PollWindow, GrowsUntilItReachesTheWaits) {
  PollWindow window;
  window.note_wait(kShort);
  EXPECT_EQ(window.length(), PollWindow::kFirst);
  window.note_wait(kShort);  // it was long enough
  EXPECT_EQ(window.length(), PollWindow::kFirst);
  window.note_wait(kMedium);
  window.note_wait(kMedium);
  EXPECT_EQ(window.length(), PollWindow::kLongest);
  window.note_wait(kMedium);
  EXPECT_EQ(window.length(), PollWindow::kLongest);
}

TEST(PollWindow, LongWaitsEndItAfterAFew) {
  PollWindow window;
  for (int wait = 0; wait < 5; ++wait) window.note_wait(kMedium);
  int looks = 0;
  for (; window.length() > 0 && looks < 10; ++looks) window.note_wait(kLong);
  EXPECT_EQ(looks, 3);
}

TEST(PollWindow, OneShortWaitAmongLongOnesCostsOneLook) {
  PollWindow window;
  window.note_wait(kLong);
  window.note_wait(kShort);
  window.note_wait(kLong);
  EXPECT_EQ(window.length(), 0);
}

}  // namespace
}  // namespace kernel
