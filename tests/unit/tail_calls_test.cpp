// The inference of tail calls on call graphs made by hand. Function F starts at F * 0x100; its call number N returns to
// F * 0x100 + N.
#include "inspector/symbols/tail_calls.h"

#include <gtest/gtest.h>

#include <map>

using namespace mortem::inspector;

namespace {

using Addresses = std::vector<uint64_t>;

class Graph final : public CallSites {
 public:
  // `first` calls, with a frame of its own, function `to`.
  void call(uint64_t return_address, Addresses to) { calls_[return_address] = {return_address, starts(to), {}}; }
  void function(uint64_t number, std::vector<Addresses> jumps) {
    auto& list = tail_calls_[number * 0x100];
    for (size_t index = 0; index < jumps.size(); ++index)
      list.push_back({number * 0x100 + index + 1, starts(jumps[index]), {}});
  }

  const CallSite* returning_to(uint64_t return_address) override {
    const auto found = calls_.find(return_address);
    return found == calls_.end() ? nullptr : &found->second;
  }
  std::optional<uint64_t> function_start(uint64_t address) override { return address & ~uint64_t{0xff}; }
  const std::vector<CallSite>* tail_calls_of(uint64_t start) override {
    const auto found = tail_calls_.find(start);
    return found == tail_calls_.end() ? nullptr : &found->second;
  }

 private:
  static Addresses starts(Addresses functions) {
    for (uint64_t& one : functions) one *= 0x100;
    return functions;
  }
  std::map<uint64_t, CallSite> calls_;
  std::map<uint64_t, std::vector<CallSite>> tail_calls_;
};

class TailCalls : public testing::Test {
 protected:
  // From main's call, which returns to 0x1, to somewhere in `function`.
  Addresses to(uint64_t function) { return infer_tail_calls(graph_, 0x1, function * 0x100 + 0x42); }
  Graph graph_;
};

TEST_F(TailCalls, ADirectCallHasNone) {
  graph_.call(0x1, {1});
  graph_.function(1, {{2}});
  EXPECT_EQ(to(1), Addresses{});
}

TEST_F(TailCalls, AChainIsGivenInnermostFirst) {
  graph_.call(0x1, {1});
  graph_.function(1, {{2}});
  graph_.function(2, {{3}});
  graph_.function(3, {});
  EXPECT_EQ(to(2), (Addresses{0x101}));
  EXPECT_EQ(to(3), (Addresses{0x201, 0x101}));
}

TEST_F(TailCalls, WaysThatLeadElsewhereDoNotMatter) {
  graph_.call(0x1, {1});
  graph_.function(1, {{2}, {3}});
  graph_.function(2, {});
  graph_.function(3, {{4}});
  graph_.function(4, {});
  EXPECT_EQ(to(4), (Addresses{0x301, 0x102}));
}

TEST_F(TailCalls, OfTwoWaysOnlyTheCommonEndsAreGiven) {
  graph_.call(0x1, {1});
  graph_.function(1, {{2}});
  graph_.function(2, {{3}, {4}});
  graph_.function(3, {{5}});
  graph_.function(4, {{5}});
  graph_.function(5, {{6}});
  graph_.function(6, {});
  EXPECT_EQ(to(6), (Addresses{0x501, 0x101}));
}

TEST_F(TailCalls, TwoWaysWithNothingInCommonTellNothing) {
  graph_.call(0x1, {1});
  graph_.function(1, {{2}, {2}});
  graph_.function(2, {});
  EXPECT_EQ(to(2), Addresses{});
}

TEST_F(TailCalls, ACircleEndsAndOnlyItsWayOutIsSure) {
  graph_.call(0x1, {1});
  graph_.function(1, {{1}, {2}});
  graph_.function(2, {});
  EXPECT_EQ(to(2), (Addresses{0x102}));
}

TEST_F(TailCalls, AJumpThroughAPointerMayLeadAnywhere) {
  graph_.call(0x1, {1});
  graph_.function(1, {{2}, {}});
  graph_.function(2, {});
  EXPECT_EQ(to(2), Addresses{});
}

TEST_F(TailCalls, AFunctionWithoutDebugInformationMayJumpAnywhere) {
  graph_.call(0x1, {1});
  graph_.function(1, {{2}, {9}});
  graph_.function(2, {});
  EXPECT_EQ(to(2), Addresses{}) << "9 may have jumped to 2";
  EXPECT_EQ(to(9), (Addresses{0x102})) << "9 itself is reached from 1 only";
}

TEST_F(TailCalls, NoWayLeadsThere) {
  graph_.call(0x1, {1});
  graph_.function(1, {{2}});
  graph_.function(2, {});
  EXPECT_EQ(to(7), Addresses{});
  EXPECT_EQ(infer_tail_calls(graph_, 0x2, 0x242), Addresses{}) << "nothing is known of that call";
}

TEST_F(TailCalls, TooManyWaysEndInBoundedTime) {
  constexpr uint64_t kFunctions = 24;
  graph_.call(0x1, {1});
  for (uint64_t from = 1; from <= kFunctions; ++from) {
    std::vector<Addresses> jumps;
    for (uint64_t to = 1; to <= kFunctions; ++to) jumps.push_back({to});
    graph_.function(from, jumps);
  }
  EXPECT_EQ(to(99), Addresses{});
}

}  // namespace
