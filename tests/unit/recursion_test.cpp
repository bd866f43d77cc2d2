#include "inspector/analysis/recursion.h"

#include <gtest/gtest.h>

namespace mortem::inspector {
namespace {

std::vector<uint64_t> repeat(std::vector<uint64_t> head, const std::vector<uint64_t>& group, size_t count,
                             const std::vector<uint64_t>& tail) {
  for (size_t i = 0; i < count; ++i) head.insert(head.end(), group.begin(), group.end());
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

TEST(Recursion, NothingRepeats) {
  EXPECT_TRUE(find_recursions(std::vector<uint64_t>{1, 2, 3, 4}).empty());
  EXPECT_TRUE(find_recursions({}).empty());
  EXPECT_TRUE(find_recursions(std::vector<uint64_t>{1, 2, 1, 2, 3}).empty());  // twice is no recursion
}

TEST(Recursion, OneFunction) {
  const auto runs = find_recursions(repeat({9}, {1}, 10000, {7, 8}));
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].first, 1u);
  EXPECT_EQ(runs[0].period, 1u);
  EXPECT_EQ(runs[0].count, 10000u);
}

TEST(Recursion, PeriodTwo) {
  const auto runs = find_recursions(repeat({9, 9}, {1, 2}, 500, {3}));
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].first, 2u);
  EXPECT_EQ(runs[0].period, 2u);
  EXPECT_EQ(runs[0].count, 500u);
}

TEST(Recursion, AFunctionTwiceInAPeriod) {
  const auto runs = find_recursions(repeat({}, {1, 2, 1, 3}, 50, {}));
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].period, 4u);
  EXPECT_EQ(runs[0].count, 50u);
}

TEST(Recursion, TwoRunsOneAfterAnother) {
  const auto runs = find_recursions(repeat(repeat({}, {1}, 5, {4}), {2, 3}, 6, {}));
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[1].first, 6u);
  EXPECT_EQ(runs[1].period, 2u);
  EXPECT_EQ(runs[1].count, 6u);
}

}  // namespace
}  // namespace mortem::inspector
