#include "kernel/memory/reclaim.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace kernel {

void panic(const char*, ...) {
  std::abort();
}

namespace {

size_t g_asked[2], g_has[2];

size_t first(size_t wanted) {
  g_asked[0] = wanted;
  EXPECT_EQ(reclaim_pages(100), 0u) << "a reclaimer that allocates must not be asked again";
  return g_has[0];
}
size_t second(size_t wanted) {
  g_asked[1] = wanted;
  return g_has[1];
}

// Registered for ever, and each test may run in a process of its own.
void register_both() {
  static bool done = false;
  if (!done) {
    EXPECT_EQ(reclaim_pages(5), 0u) << "nobody to ask";
    register_reclaimer(first);
    register_reclaimer(second);
  }
  done = true;
}

TEST(Reclaim, AsksTheNextForWhatIsStillMissing) {
  register_both();
  g_has[0] = 3, g_has[1] = 9;
  EXPECT_EQ(reclaim_pages(8), 12u);
  EXPECT_EQ(g_asked[0], 8u);
  EXPECT_EQ(g_asked[1], 5u);
}

TEST(Reclaim, StopsWhenThereIsEnough) {
  register_both();
  g_has[0] = 8, g_asked[1] = 77;
  EXPECT_EQ(reclaim_pages(8), 8u);
  EXPECT_EQ(g_asked[1], 77u);
}

}  // namespace
}  // namespace kernel
