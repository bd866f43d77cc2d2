// The session over a live program: a process of this machine behind our own stub, because that needs no VM.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "dump_builder.h"
#include "inspector/app/model/session.h"

namespace mortem::inspector::app {
namespace {

constexpr auto kDeadline = std::chrono::seconds(60);

template <typename Condition>
bool wait_until(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

template <typename Ask>
auto wait_for(Ask ask) {
  EXPECT_TRUE(wait_until([&] { return !ask().pending; }));
  return ask();
}

// The stub talks over one end of a socket pair, its standard input and output.
class LiveSessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string program = (folder_ / "stepped").string();
    const std::string said =
        test::run_command("gcc -g -O0 -Wl,--build-id " SESSION_PROGRAMS "/stepped.c -o " + program + " 2>&1");
    ASSERT_TRUE(std::filesystem::exists(program)) << said;
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    server_ = fork();
    if (server_ == 0) {
      dup2(pair[1], 0);
      dup2(pair[1], 1);
      execl(STUB_PROGRAM, STUB_PROGRAM, "--stdio", program.c_str(), nullptr);
      _exit(127);
    }
    close(pair[1]);
    SessionSetup setup;
    setup.target = "stepped";
    setup.open = [socket = pair[0]](const std::string&) -> Result<OpenedSource> {
      OpenedSource source;
      source.stub_socket = socket;
      return source;
    };
    setup.symbols.debug_folders.clear();
    setup.symbols.extra_files = {program};
    setup.wake = [] {};
    session_ = std::make_unique<Session>(std::move(setup));
    ASSERT_TRUE(wait_until([&] { return session_->phase() != Phase::Opening; }));
    ASSERT_EQ(session_->phase(), Phase::Stopped) << session_->problem();
    ASSERT_TRUE(session_->live());
  }
  void TearDown() override {
    session_.reset();
    kill(server_, SIGKILL);
    waitpid(server_, nullptr, 0);
  }

  void run(Motion motion) {
    session_->next_frame();
    session_->move(motion, session_->first_thread());
    ASSERT_TRUE(wait_until([&] { return session_->phase() != Phase::Running; })) << errors();
  }
  std::string errors() {
    std::string text;
    for (const JobFacts& one : session_->jobs().list()) text += one.title + ": " + one.text + "\n";
    return text;
  }
  // "function:line" of the innermost frame.
  std::string place() {
    const auto stack = wait_for([&] { return session_->stack(session_->first_thread()); });
    if (!stack || stack->frames.empty()) return stack.problem;
    return stack->frames[0].function + ":" + std::to_string(stack->frames[0].line);
  }
  std::string value(const std::string& expression) {
    const auto watch = wait_for([&] { return session_->watch(expression, session_->first_thread(), 0); });
    return watch ? watch->text : watch.problem;
  }

  test::TemporaryFolder folder_;
  pid_t server_ = -1;
  std::unique_ptr<Session> session_;
};

TEST_F(LiveSessionTest, BreakStepChangeCallAndEnd) {
  session_->add_breakpoint("add");
  run(Motion::Continue);
  EXPECT_EQ(place(), "add:6") << errors();
  EXPECT_EQ(session_->stop_text(), "breakpoint 1: add") << errors();
  run(Motion::StepOver);
  EXPECT_EQ(place(), "add:7") << errors();
  EXPECT_EQ(value("sum"), "3");
  session_->assign("sum", "sum + 40", session_->first_thread(), 0);
  ASSERT_TRUE(wait_until([&] { return value("sum") == "43"; })) << errors();
  session_->enable_breakpoint(1, false);
  run(Motion::StepOut);
  EXPECT_EQ(place(), "main:13") << errors();
  run(Motion::StepLine);
  EXPECT_EQ(place(), "main:14") << errors();
  EXPECT_EQ(value("first"), "43");
  run(Motion::StepOver);
  EXPECT_EQ(place(), "main:15") << errors();
  EXPECT_EQ(value("second"), "30");

  const uint64_t job = session_->call("add(5, first)", session_->first_thread(), 0);
  ASSERT_TRUE(wait_until([&] { return session_->jobs().find(job)->state != JobState::Running; }));
  EXPECT_EQ(session_->jobs().find(job)->text, "add(5, first) = 0x30") << errors();
  EXPECT_EQ(place(), "main:15");

  session_->add_watchpoint("counter", session_->first_thread(), 0);
  run(Motion::Continue);
  EXPECT_EQ(session_->stop_text(), "watchpoint 2: counter") << errors();
  EXPECT_EQ(value("counter"), "1");
  session_->remove_breakpoint(2);

  session_->add_breakpoint("stepped.c:17", "i == 7");
  run(Motion::Continue);
  EXPECT_EQ(place(), "main:17") << errors();
  EXPECT_EQ(value("i"), "7");
  session_->remove_breakpoint(3);
  run(Motion::Continue);
  EXPECT_EQ(session_->phase(), Phase::Ended);
  EXPECT_EQ(session_->problem(), "the program ended with status 10");
  EXPECT_FALSE(session_->live());
}

TEST_F(LiveSessionTest, InterruptAndLeaveWhileItRuns) {
  session_->next_frame();
  session_->assign("counter", "1000000000", session_->first_thread(), 0);
  session_->move(Motion::Continue, session_->first_thread());
  session_->interrupt();
  ASSERT_TRUE(wait_until([&] { return session_->phase() != Phase::Running; })) << errors();
  EXPECT_TRUE(session_->phase() == Phase::Stopped || session_->phase() == Phase::Ended) << errors();
}

// Two thousand million rounds: neither waits for their end.
TEST_F(LiveSessionTest, InterruptAtOnceAndLeaveWhileItRuns) {
  session_->add_breakpoint("stepped.c:17");
  run(Motion::Continue);
  session_->remove_breakpoint(1);
  session_->assign("i", "-2000000000", session_->first_thread(), 0);
  session_->move(Motion::Continue, session_->first_thread());
  session_->interrupt();  // the lane may not have begun
  ASSERT_TRUE(wait_until([&] { return session_->phase() != Phase::Running; })) << errors();
  ASSERT_EQ(session_->phase(), Phase::Stopped) << errors();
  EXPECT_EQ(session_->stop_text(), "interrupted");
  session_->move(Motion::Continue, session_->first_thread());
  session_.reset();
}

TEST_F(LiveSessionTest, WhatIsWrongIsSaid) {
  session_->add_breakpoint("nowhere_at_all");
  ASSERT_TRUE(wait_until([&] { return !session_->jobs().list().empty(); }));
  EXPECT_NE(errors().find("nowhere_at_all"), std::string::npos);
  session_->assign("counter", "no_such", session_->first_thread(), 0);
  ASSERT_TRUE(wait_until([&] { return session_->jobs().list().size() == 2; }));
  EXPECT_NE(errors().find("no_such"), std::string::npos);
}

}  // namespace
}  // namespace mortem::inspector::app
