// The session over a live program: a process of this machine behind our own stub, because that needs no VM.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <regex>
#include <thread>

#include "dump_builder.h"
#include "inspector/app/model/session.h"
#include "inspector/target/stub_client.h"

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

// The stub talks over one end of a socket pair, its standard input and output; the other end is returned.
int start_stub(const std::string& program, pid_t& server) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return -1;
  server = fork();
  if (server == 0) {
    dup2(pair[1], 0);
    dup2(pair[1], 1);
    execl(STUB_PROGRAM, STUB_PROGRAM, "--stdio", program.c_str(), nullptr);
    _exit(127);
  }
  close(pair[1]);
  return pair[0];
}

class LiveSessionTest : public ::testing::Test {
 protected:
  void SetUp() override { open("stepped.c", "-O0"); }
  void open(const std::string& source, const std::string& options) {
    const std::string program = program_ = (folder_ / "stepped").string();
    const std::string said = test::run_command("gcc -g " + options + " -Wl,--build-id " SESSION_PROGRAMS "/" + source +
                                               " -o " + program + " 2>&1");
    ASSERT_TRUE(std::filesystem::exists(program)) << said;
    const int stub = start_stub(program, server_);
    ASSERT_GE(stub, 0);
    SessionSetup setup;
    setup.target = "stepped";
    setup.open = [socket = stub](const std::string&) -> Result<OpenedSource> {
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
    if (server_ < 0) return;
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
  std::string program_;
  pid_t server_ = -1;
  std::unique_ptr<Session> session_;
};

// A view's thread may ask when the program has just been let go: what comes next is the stop, not its answer.
TEST(StubClient, AnswersNothingWhileTheProgramRuns) {
  test::TemporaryFolder folder;
  const std::string program = (folder / "stepped").string();
  test::run_command("gcc -g -O0 " SESSION_PROGRAMS "/stepped.c -o " + program);
  pid_t server = -1;
  auto client = StubClient::connect(start_stub(program, server), "stepped");
  ASSERT_TRUE(client) << client.error().message;
  StubClient& stub = **client;
  uint8_t bytes[16];
  ASSERT_TRUE(stub.resume());
  for (int times = 0; times < 3; ++times) {
    const auto read = stub.read_memory(0, bytes);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().message, "stepped: its program runs");
  }
  EXPECT_FALSE(stub.registers(stub.stopped_thread()));
  std::optional<StubStop> stop;
  ASSERT_TRUE(wait_until([&] {
    auto waited = stub.wait_for_stop(100);
    EXPECT_TRUE(waited) << waited.error().message;
    if (waited) stop = *waited;
    return !waited || stop;
  }));
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->kind, StubStop::Kind::Exited);
  EXPECT_EQ(stop->code, 10);
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
}

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

  session_->add_breakpoint("stepped.c:17", "i == 7");
  run(Motion::Continue);
  EXPECT_EQ(place(), "main:17") << errors();
  EXPECT_EQ(value("i"), "7");
  session_->remove_breakpoint(2);
  run(Motion::Continue);
  EXPECT_EQ(session_->phase(), Phase::Ended);
  EXPECT_EQ(session_->problem(), "the program ended with status 10");
  EXPECT_FALSE(session_->live());
}

TEST_F(LiveSessionTest, AWatchpointStopsBehindTheWrite) {
  if (!DEBUG_REGISTERS_WORK) GTEST_SKIP() << "this machine's debug registers do nothing (debug_registers_probe.c)";
  session_->add_watchpoint("counter", session_->first_thread(), 0);
  run(Motion::Continue);
  EXPECT_EQ(session_->stop_text(), "watchpoint 1: counter") << errors();
  EXPECT_EQ(value("counter"), "1");
}

uint64_t register_of(const std::vector<RegisterSet>& sets, const std::string& name, bool* changed = nullptr) {
  for (const RegisterSet& set : sets)
    for (const RegisterFacts& one : set.registers) {
      if (one.name != name) continue;
      uint64_t value = 0;
      memcpy(&value, one.bytes.data(), std::min(one.bytes.size(), sizeof value));
      if (changed) *changed = one.changed;
      return value;
    }
  return 0;
}

TEST_F(LiveSessionTest, ABreakpointOnAFunctionWithoutAFrameStandsAtItsEntry) {
  session_->add_breakpoint("frameless");
  run(Motion::Continue);
  EXPECT_EQ(session_->stop_text(), "breakpoint 1: frameless") << errors();
  const auto entry = wait_for([&] { return session_->address_of("frameless"); });
  const auto sets = wait_for([&] { return session_->registers(session_->first_thread(), 0); });
  ASSERT_TRUE(entry && sets);
  EXPECT_EQ(register_of(*sets, "rip"), *entry);
  EXPECT_EQ(value("seen"), "0");
}

TEST_F(LiveSessionTest, AnAddressIsThatOfTheSelectedFrame) {
  session_->add_breakpoint("twice");
  run(Motion::Continue);
  session_->remove_breakpoint(1);
  session_->add_breakpoint("add");
  run(Motion::Continue);
  EXPECT_EQ(place(), "add:6") << errors();
  const uint32_t thread = session_->first_thread();
  const auto callee = wait_for([&] { return session_->address_of("&a", thread, 0); });
  const auto caller = wait_for([&] { return session_->address_of("&a", thread, 1); });
  ASSERT_TRUE(callee && caller) << callee.problem << caller.problem;
  EXPECT_LT(*callee, *caller);
  EXPECT_FALSE(wait_for([&] { return session_->address_of("&first", thread, 1); }));
  EXPECT_TRUE(wait_for([&] { return session_->address_of("&first", thread, 2); }));
}

TEST_F(LiveSessionTest, WhatChangedSinceTheLastStopIsMarked) {
  const auto registers = [&] {
    session_->next_frame();
    return wait_for([&] { return session_->registers(session_->first_thread(), 0); });
  };
  bool rip = true, rsp = true;
  register_of(*registers(), "rip", &rip);
  EXPECT_FALSE(rip) << "there was no stop before";
  session_->add_breakpoint("stepped.c:17");
  run(Motion::Continue);
  const auto address = wait_for([&] { return session_->address_of("&counter"); });
  ASSERT_TRUE(address);
  const size_t offset = *address % kMemoryPage;
  const auto page = [&] {
    session_->next_frame();
    return wait_for([&] { return session_->memory(*address); });
  };
  EXPECT_TRUE(page()->changed.empty()) << "it was not read at the stop before";
  run(Motion::StepOver);  // counter++
  const auto after = page();
  ASSERT_EQ(after->changed.size(), after->known);
  EXPECT_TRUE(after->changed[offset]);
  EXPECT_FALSE(after->changed[offset + 1]);
  const auto sets = registers();
  register_of(*sets, "rip", &rip);
  register_of(*sets, "rsp", &rsp);
  EXPECT_TRUE(rip);
  EXPECT_FALSE(rsp);
  run(Motion::StepInstruction);  // changes no memory
  EXPECT_TRUE(page()->changed.empty());
  // Two stops between two looks: what changed in the last one is not known.
  run(Motion::Continue);
  run(Motion::Continue);
  EXPECT_TRUE(page()->changed.empty());
}

TEST_F(LiveSessionTest, AMarkKeepsWhatWasThere) {
  session_->add_breakpoint("stepped.c:17");
  run(Motion::Continue);
  const auto address = wait_for([&] { return session_->address_of("&counter"); });
  ASSERT_TRUE(address);
  ASSERT_TRUE(session_->marks().add(*address, 4, std::nullopt));
  ASSERT_TRUE(wait_until([&] { return session_->next_frame(), session_->marks().all().size() == 1; }));
  const auto differences = [&] {
    RangeBytes now;
    EXPECT_TRUE(wait_until([&] {
      session_->next_frame();
      return now = read_range(*session_, *address, 4), !now.pending;
    }));
    return compare(session_->marks().all()[0].then, now);
  };
  EXPECT_EQ(differences().different, 0u);
  run(Motion::Continue);
  run(Motion::Continue);
  ASSERT_EQ(differences().differences.size(), 1u);
  EXPECT_EQ(differences().differences[0].offset, 0u);
  EXPECT_EQ(differences().unknown, 0u);
  EXPECT_NE(session_->marks().at(*address + 3), nullptr);
  EXPECT_EQ(session_->marks().at(*address + 4), nullptr);
  EXPECT_FALSE(session_->marks().add(~uint64_t{0}, 2, std::nullopt)) << "it passes the end of memory";
}

// What is in the tree, not what can be typed: a member of an element, a member behind a pointer.
TEST_F(LiveSessionTest, ValuesOfTheTreeAreSet) {
  session_->add_breakpoint("main");  // before it, nobody has relocated the pointers
  run(Motion::Continue);
  const uint32_t thread = session_->first_thread();
  const auto whole = wait_for([&] { return session_->watch("pairs", thread, 0); });
  ASSERT_TRUE(whole) << whole.problem;
  const auto elements = wait_for([&] { return session_->children(whole->handle); });
  ASSERT_TRUE(elements && elements->size() == 2);
  const auto members = wait_for([&] { return session_->children((*elements)[0].handle); });
  ASSERT_TRUE(members && members->size() == 3);
  session_->assign((*members)[1].handle, "right", "7.25", thread, 0);
  ASSERT_TRUE(wait_until([&] { return value("pairs[0].right") == "7.25"; })) << errors();
  // The handles are of the guest as it was before.
  const auto again = wait_for([&] { return session_->watch("pairs[0].other", thread, 0); });
  ASSERT_TRUE(again && again->pointer);
  const auto behind = wait_for([&] { return session_->children(again->handle); });
  ASSERT_TRUE(behind && behind->size() == 3);
  session_->assign((*behind)[0].handle, "left", "-5", thread, 0);
  ASSERT_TRUE(wait_until([&] { return value("pairs[1].left") == "-5"; })) << errors();
  session_->assign((*behind)[0].handle, "left", "1", thread, 0);
  ASSERT_TRUE(wait_until([&] { return !session_->jobs().list().empty(); }));
  EXPECT_NE(errors().find("of a stop before"), std::string::npos) << errors();
}

// The same steps by us and by gdb stand at the same lines, as people see them: one after the other, from main to its
// end.
class StepsLikeGdb : public LiveSessionTest {
 protected:
  void SetUp() override {}

  // Addresses at which it stood, in the program itself. Where gdb only enters a function that is inlined there, without
  // an instruction, it stands at one address twice.
  std::vector<uint64_t> steps_of_gdb(const std::string& command) {
    std::string words =
        "gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'set debug-file-directory /nowhere' -ex 'set "
        "startup-with-shell off' -ex 'break main' -ex run -ex 'p $pc'";
    for (int count = 0; count < kSteps; ++count) words += " -ex " + command + " -ex 'p $pc'";
    const std::string said = test::run_command(words + " " + program_ + " 2>&1");
    const std::regex place("\\$[0-9]+ = \\(void \\(\\*\\)\\(\\)\\) 0x([0-9a-f]+) <");
    std::vector<uint64_t> places;
    for (std::sregex_iterator one(said.begin(), said.end(), place), end; one != end; ++one) {
      const uint64_t pc = std::stoull((*one)[1].str(), nullptr, 16);
      if (is_in_program(pc) && (places.empty() || places.back() != pc)) places.push_back(pc);
    }
    EXPECT_GE(places.size(), 8u) << said;
    return places;
  }

  std::vector<uint64_t> steps_of_ours(Motion motion) {
    session_->add_breakpoint("main");
    run(Motion::Continue);
    session_->remove_breakpoint(1);
    std::vector<uint64_t> places;
    for (int count = 0; count <= kSteps; ++count) {
      const auto sets = wait_for([&] { return session_->registers(session_->first_thread(), 0); });
      const uint64_t pc = sets ? register_of(*sets, "rip") : 0;
      if (!is_in_program(pc)) break;
      places.push_back(pc);
      run(motion);
      if (session_->phase() != Phase::Stopped) break;
    }
    return places;
  }

  void expect_the_same(Motion motion, const std::string& command) {
    const auto ours = steps_of_ours(motion);
    auto theirs = steps_of_gdb(command);
    theirs.resize(std::min(theirs.size(), ours.size()));  // who enters no inlined functions comes farther
    EXPECT_EQ(text(ours, program_), text(theirs, program_)) << command << '\n' << errors();
    EXPECT_EQ(ours, theirs) << command;
  }

  // With the lines that gdb and we would have shown, to see what differs.
  static std::string text(const std::vector<uint64_t>& places, const std::string& program) {
    std::string addresses;
    for (const uint64_t one : places) addresses += fmt::format(" {:#x}", one);
    return test::run_command("addr2line -f -s -p -e " + program + addresses);
  }

  static bool is_in_program(uint64_t pc) { return pc >= 0x400000 && pc < 0x500000; }
  static constexpr int kSteps = 60;
};

TEST_F(StepsLikeGdb, Unoptimized) {
  for (const auto& [motion, command] : {std::pair{Motion::StepOver, "next"}, std::pair{Motion::StepLine, "step"}}) {
    open("steps.c", "-O0 -no-pie");
    expect_the_same(motion, command);
    TearDown();
  }
}

TEST_F(StepsLikeGdb, Optimized) {
  for (const auto& [motion, command] : {std::pair{Motion::StepOver, "next"}, std::pair{Motion::StepLine, "step"}}) {
    open("steps.c", "-O2 -no-pie");
    expect_the_same(motion, command);
    TearDown();
  }
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
