// The inspector's session over a real core, as views use it: ask, draw what is there, ask again.
#include "inspector/app/model/session.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "dump_builder.h"

namespace mortem::inspector::app {
namespace {

constexpr auto kDeadline = std::chrono::seconds(60);

// The answer once it is there; the deadline is a failure.
template <typename Ask>
auto wait_for(Ask ask) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  auto answer = ask();
  while (answer.pending && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    answer = ask();
  }
  EXPECT_FALSE(answer.pending) << "no answer in time";
  return answer;
}

// The core of a program that was built here and died under gdb.
class SessionTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new test::TemporaryFolder;
    const std::string program = (*folder_ / "inspected").string(), core = (*folder_ / "core").string();
    int status = 0;
    const std::string said = test::run_command(
        "gcc -g -O0 -pthread -Wl,--build-id " SESSION_PROGRAMS "/inspected.c -o " + program +
            " 2>&1 && gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'set startup-with-shell off' -ex run"
            " -ex 'generate-core-file " +
            core + "' " + program + " 2>&1",
        &status);
    ASSERT_TRUE(std::filesystem::exists(core)) << said;
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }

  static std::unique_ptr<Session> open(const std::string& name = "core") {
    SessionSetup setup;
    setup.target = (*folder_ / name).string();
    setup.open = [](const std::string& target) -> Result<OpenedSource> {
      OpenedSource source;
      source.core = TRY(snapshot::CoreFile::open(target));
      return source;
    };
    setup.symbols.debug_folders.clear();
    setup.wake = [] {};
    auto session = std::make_unique<Session>(std::move(setup));
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    while (session->phase() == Phase::Opening && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return session;
  }

  static const ValueFacts* named(const std::vector<VariableFacts>& all, const std::string& name) {
    for (const VariableFacts& one : all)
      if (one.value.name == name) return &one.value;
    return nullptr;
  }

  static test::TemporaryFolder* folder_;
};
test::TemporaryFolder* SessionTest::folder_ = nullptr;

TEST_F(SessionTest, NothingWaitsAndTheStackComes) {
  const auto session = open();
  ASSERT_EQ(session->phase(), Phase::Stopped) << session->problem();
  const uint64_t before = session->revision();
  EXPECT_TRUE(session->stack(session->first_thread()).pending);
  const auto stack = wait_for([&] { return session->stack(session->first_thread()); });
  ASSERT_TRUE(stack) << stack.problem;
  ASSERT_GE(stack->frames.size(), 3u);
  EXPECT_EQ(stack->frames[0].function, "fail_at");
  EXPECT_EQ(stack->frames[1].function, "middle");
  EXPECT_EQ(stack->frames[2].function, "main");
  EXPECT_GT(session->revision(), before);
}

TEST_F(SessionTest, AMissingFileIsASentence) {
  const auto session = open("not there");
  EXPECT_EQ(session->phase(), Phase::Failed);
  EXPECT_NE(session->problem().find("not there"), std::string::npos);
  const auto stack = session->stack(1);
  EXPECT_FALSE(stack.pending);
  EXPECT_EQ(stack.problem, session->problem());
}

TEST_F(SessionTest, ACoreOfLinuxSaysWhyItCannotGoOn) {
  EXPECT_NE(open()->why_not_resumed().find("no dump of a Mortem guest"), std::string::npos);
}

TEST_F(SessionTest, SummaryNamesThePointer) {
  const auto session = open();
  const auto summary = wait_for([&] { return session->summary(); });
  ASSERT_TRUE(summary) << summary.problem;
  EXPECT_NE(summary->findings.reason.sentence.find("box->missing"), std::string::npos)
      << summary->findings.reason.sentence;
  EXPECT_EQ(summary->findings.signature.frames.front(), "fail_at");
  ASSERT_TRUE(summary->findings.telling_frame);
  EXPECT_EQ(summary->findings.telling_frame->function, "fail_at");
  ASSERT_TRUE(summary->source);
  EXPECT_NE(summary->source->lines[3].find("box->missing->number"), std::string::npos);
}

TEST_F(SessionTest, ThreadsGroupsAndTree) {
  const auto session = open();
  const auto threads = session->threads();
  ASSERT_EQ(threads.size(), 3u);
  EXPECT_TRUE(threads[0].thread.crashed);
  EXPECT_EQ(threads[0].state, "crashed");
  const auto groups = wait_for([&] { return session->thread_groups(); });
  ASSERT_TRUE(groups);
  size_t largest = 0;
  for (const ThreadGroup& group : *groups) largest = std::max(largest, group.threads.size());
  EXPECT_EQ(largest, 2u);
  const auto tree = wait_for([&] { return session->parallel_stacks(); });
  ASSERT_TRUE(tree);
  EXPECT_EQ(tree->threads.size(), 3u);
  EXPECT_EQ(tree->callees.front().threads.size(), 2u);
}

TEST_F(SessionTest, VariablesOpenStepByStep) {
  const auto session = open();
  const uint32_t thread = session->first_thread();
  const auto variables = wait_for([&] { return session->variables(thread, 0); });
  ASSERT_TRUE(variables) << variables.problem;
  const ValueFacts* local = named(*variables, "local");
  ASSERT_NE(local, nullptr);
  EXPECT_EQ(local->text, "42");
  EXPECT_FALSE(local->expandable);
  const ValueFacts* box = named(*variables, "box");
  ASSERT_NE(box, nullptr);
  ASSERT_TRUE(box->expandable && box->pointer);
  const auto members = wait_for([&] { return session->children(box->handle); });
  ASSERT_TRUE(members) << members.problem;
  ASSERT_EQ(members->size(), 6u);
  EXPECT_EQ((*members)[3].name, "name");
  EXPECT_NE((*members)[3].text.find("\"a box\""), std::string::npos);
  EXPECT_EQ((*members)[4].text, "green");
  EXPECT_FALSE((*members)[5].expandable) << "a null pointer leads nowhere";
  EXPECT_EQ((*members)[2].count, 300u);
  const auto page = wait_for([&] { return session->children((*members)[2].handle, 200, 50); });
  ASSERT_TRUE(page);
  ASSERT_EQ(page->size(), 50u);
  EXPECT_EQ((*page)[0].name, "[200]");
  EXPECT_EQ((*page)[0].text, "40000");
}

TEST_F(SessionTest, WatchesAndTheirErrors) {
  const auto session = open();
  const uint32_t thread = session->first_thread();
  const auto sum = wait_for([&] { return session->watch("box->numbers[3] + counter", thread, 1); });
  ASSERT_TRUE(sum) << sum.problem;
  EXPECT_EQ(sum->text, "30");
  const auto wrong = wait_for([&] { return session->watch("box->nothing", thread, 0); });
  EXPECT_FALSE(wrong);
  EXPECT_NE(wrong.problem.find("nothing"), std::string::npos);
}

TEST_F(SessionTest, RegistersOfAFrameAreThoseThatAreKnown) {
  const auto session = open();
  const uint32_t thread = session->first_thread();
  const auto innermost = wait_for([&] { return session->registers(thread, 0); });
  ASSERT_TRUE(innermost);
  ASSERT_GE(innermost->size(), 3u);
  EXPECT_EQ((*innermost)[1].name, "x87");
  EXPECT_EQ((*innermost)[2].registers.front().name, "xmm0");
  const auto caller = wait_for([&] { return session->registers(thread, 1); });
  ASSERT_TRUE(caller);
  const auto bytes_of = [](const std::vector<RegisterSet>& sets, const std::string& name) {
    for (const RegisterFacts& one : sets.front().registers)
      if (one.name == name) return one.bytes;
    return std::vector<uint8_t>{1, 2, 3};
  };
  EXPECT_EQ(bytes_of(*innermost, "rax").size(), 8u);
  EXPECT_TRUE(bytes_of(*caller, "rax").empty()) << "a callee may have changed it";
  EXPECT_EQ(bytes_of(*caller, "rip").size(), 8u);
}

TEST_F(SessionTest, MemoryIsHeldOrSaysWhyNot) {
  const auto session = open();
  const auto needle = wait_for([&] { return session->address_of("&needle"); });
  ASSERT_TRUE(needle) << needle.problem;
  const auto page = wait_for([&] { return session->memory(*needle); });
  ASSERT_TRUE(page);
  uint64_t word = 0;
  std::memcpy(&word, page->bytes.data() + *needle % kMemoryPage, sizeof word);
  EXPECT_EQ(word, 0x1122334455667788u);
  const auto nothing = wait_for([&] { return session->memory(0x1000); });
  ASSERT_TRUE(nothing);
  EXPECT_EQ(nothing->state, MemoryPage::State::Unmapped);
  EXPECT_EQ(nothing->known, 0u);
  const auto ranges = session->address_space();
  ASSERT_TRUE(ranges);
  const AddressRange* data = range_at(*ranges, *needle);
  ASSERT_NE(data, nullptr);
  EXPECT_EQ(data->kind, RangeKind::Data);
}

TEST_F(SessionTest, CodeIsTheWholeFunctionWithLines) {
  const auto session = open();
  const auto stack = wait_for([&] { return session->stack(session->first_thread()); });
  const auto code = wait_for([&] { return session->code(stack->frames[0].pc); });
  ASSERT_TRUE(code) << code.problem;
  EXPECT_EQ(code->function, "fail_at");
  ASSERT_FALSE(code->rows.empty());
  EXPECT_EQ(code->start, code->rows.front().address);
  bool has_pc = false;
  for (const CodeRow& row : code->rows) {
    has_pc |= row.address == stack->frames[0].pc;
    EXPECT_NE(row.line, 0u);
  }
  EXPECT_TRUE(has_pc);
  const auto source = wait_for([&] { return session->source(stack->frames[0].file, stack->frames[0].pc); });
  ASSERT_TRUE(source) << source.problem;
  EXPECT_NE(source->lines[stack->frames[0].line - 1].find("box->missing->number"), std::string::npos);
}

TEST_F(SessionTest, SymbolsAndTypes) {
  const auto session = open();
  const auto list = wait_for([&] { return session->symbols("POINTS_AT", 10); });
  ASSERT_TRUE(list);
  ASSERT_EQ(list->symbols.size(), 1u);
  EXPECT_EQ(list->symbols[0].name, "points_at_needle");
  EXPECT_FALSE(list->symbols[0].function);
  const auto type = wait_for([&] { return session->type("node"); });
  ASSERT_TRUE(type) << type.problem;
  ASSERT_EQ(type->members.size(), 3u);
  EXPECT_EQ(type->members[1].hole_after, 3u);
  EXPECT_EQ(type->size, 16u);
}

TEST_F(SessionTest, WhoPointsHere) {
  const auto session = open();
  SearchQuery query;
  query.kind = SearchQuery::Kind::PointersTo;
  query.text = "needle";
  const uint64_t job = session->start_search(query);
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (session->jobs().find(job)->state == JobState::Running && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  ASSERT_EQ(session->jobs().find(job)->state, JobState::Done) << session->jobs().find(job)->text;
  const auto results = session->search_results(job);
  EXPECT_TRUE(results->complete);
  const auto place = wait_for([&] { return session->address_of("&points_at_needle"); });
  ASSERT_TRUE(place);
  bool found = false;
  for (const SearchHit& hit : results->hits) found |= hit.address == *place;
  EXPECT_TRUE(found);
}

TEST_F(SessionTest, WhatNobodyAsksForIsNotBegun) {
  const auto session = open();
  // Everything asked for in one frame and given up in the next, but for one question.
  for (uint64_t page = 0; page < 10000; ++page) (void)session->memory(page * kMemoryPage);
  session->next_frame();
  session->next_frame();
  const auto last = wait_for([&] { return session->memory(1 << 30); });
  EXPECT_TRUE(last);
}

TEST_F(SessionTest, ASessionMayEndAtAnyTime) {
  for (int round = 0; round < 5; ++round) {
    const auto session = open();
    (void)session->summary();
    (void)session->parallel_stacks();
    (void)session->start_search({SearchQuery::Kind::Text, "a box", 1, true, 10});
  }
}

}  // namespace
}  // namespace mortem::inspector::app
