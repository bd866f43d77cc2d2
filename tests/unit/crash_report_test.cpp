// The text of the crash report: what it says, what it must never say, and what is left when there is no room.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "crash_fake_guest.h"
#include "kernel/crash/report.h"
#include "kernel/crash/signature.h"
#include "kernel/crash/stages.h"
#include "kernel/crash/trap_message.h"

namespace mortem::test {
namespace {

using namespace kernel;

std::string g_console;
void to_console(const char* line, size_t length) {
  g_console.append(line, length);
}

std::string report(const CrashState& state, size_t record_size = 4096, std::string* record = nullptr) {
  g_console.clear();
  std::string bytes(record_size, '\x55');
  TextWriter text({bytes.data(), record_size}, to_console);
  write_report(state, text, Deadline());
  EXPECT_LE(text.record_length(), record_size);
  if (record != nullptr) *record = bytes.substr(0, text.record_length());
  for (size_t i = text.record_length(); i < record_size; ++i)
    EXPECT_EQ(bytes[i], '\x55') << "written behind the record";
  return g_console;
}

void expect_lines_fit(const std::string& text) {
  size_t start = 0;
  while (start < text.size()) {
    const size_t end = text.find('\n', start);
    ASSERT_NE(end, std::string::npos) << "the last line has no end";
    EXPECT_LE(end - start, 120u) << text.substr(start, end - start);
    start = end + 1;
  }
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

// The same crash has the same signature on each boot (test_reboot.py has ten with real address randomization); another
// place, another reason, another status has another one.
TEST(CrashSignature, TellsCrashesApart) {
  uint64_t first;
  {
    FakeGuest guest;
    guest.crash_of_the_app();
    first = crash_signature(guest.state);
    EXPECT_NE(first, 0u);
    guest.state.frame.rip += 1;
    EXPECT_NE(crash_signature(guest.state), first);
    guest.state.frame.rip -= 1;
    guest.state.reason.signal = 6;
    EXPECT_NE(crash_signature(guest.state), first);
    guest.state.reason.signal = 11;
    guest.state.reason.exit_status = 3;
    EXPECT_NE(crash_signature(guest.state), first);
  }
  FakeGuest again;
  again.crash_of_the_app();
  again.state.reason.fault_address += 8;  // the heap stands elsewhere
  EXPECT_EQ(crash_signature(again.state), first);
}

// Without frame pointers the return addresses on the stack stand for the callers.
TEST(CrashSignature, SeesCallersWithoutFramePointers) {
  static constexpr uint8_t call_opcode = 0xE8;
  const auto signature = [](uint64_t caller, uint8_t in_data = 0) {
    FakeGuest guest;
    guest.crash_of_the_app();
    guest.state.frame.rbp = 0;
    guest.poke(caller - 5, &call_opcode, sizeof call_opcode);
    // Data is no return address, whatever stands before it.
    guest.poke(kFakeData + 0x80 - 5, &in_data, sizeof in_data);
    const uint64_t words[2] = {kFakeData + 0x80, caller};
    guest.poke(guest.state.frame.rsp, words, sizeof words);
    return crash_signature(guest.state);
  };
  EXPECT_EQ(signature(kFakeText + 0x100), signature(kFakeText + 0x100));
  EXPECT_NE(signature(kFakeText + 0x100), signature(kFakeText + 0x200));
  EXPECT_EQ(signature(kFakeText + 0x100, call_opcode), signature(kFakeText + 0x100));
}

TEST(CrashReport, OfTheApp) {
  FakeGuest guest;
  guest.crash_of_the_app();
  const std::string text = report(guest.state);
  expect_lines_fit(text);
  EXPECT_EQ(text.find("crash: SIGSEGV: write to address 0x10, which is not mapped\n"), 0u) << text;
  EXPECT_NE(text.find("thread 2 \"fake\", trap 14 (page fault), error code 0x6, address 0x10\n"), std::string::npos)
      << text;
  const auto* values = reinterpret_cast<const uint8_t*>(&guest.state.machine.general);
  for (const auto& one : format::kGeneralRegisters) {
    uint64_t value;
    std::memcpy(&value, values + one.offset, sizeof value);
    char expected[64];
    snprintf(expected, sizeof expected, "%-8s %0*lx", one.name, one.size * 2, value);
    EXPECT_NE(text.find(expected), std::string::npos) << expected << " not in\n" << text;
  }
  EXPECT_NE(text.find("stack (frame pointers):\n"
                      "  #0  0x0000000000401033 /bin/fake+0x401033\n"
                      "  #1  0x0000000000401022 /bin/fake+0x401022\n"
                      "  #2  0x0000000000401011 /bin/fake+0x401011\n"
                      "modules:\n"
                      "  0x0000000000400000-0x0000000000404000 /bin/fake abcdef01\n"),
            std::string::npos)
      << text;
}

TEST(CrashReport, OfTheKernelShowsBoth) {
  FakeGuest guest;
  guest.crash_of_the_app();
  TrapFrame app = guest.state.frame;
  app.rip = kFakeText + 0x77;
  app.cs = 0x33;
  g_threads->frame = &app;
  guest.state.in_kernel = true;
  guest.state.frame.vector = kNoTrapVector;
  std::string text = report(guest.state);
  EXPECT_NE(text.find("kernel registers:\n"), std::string::npos);
  EXPECT_NE(text.find("app stack (frame pointers):\n  #0  0x0000000000401077"), std::string::npos) << text;
  g_threads->frame = reinterpret_cast<TrapFrame*>(16);
  text = report(guest.state);
  EXPECT_NE(text.find("app registers: <unavailable>\n"), std::string::npos) << text;
}

TEST(CrashReport, WithoutAThread) {
  FakeGuest guest;
  guest.crash_of_the_app();
  guest.state.thread_known = false;
  EXPECT_NE(report(guest.state).find("thread <unavailable>"), std::string::npos);
  guest.state.thread_address = nullptr;
  EXPECT_NE(report(guest.state).find("no thread"), std::string::npos);
}

TEST(CrashReport, StackThatBitesItsTailEnds) {
  FakeGuest guest;
  guest.crash_of_the_app();
  const uint64_t stack = guest.state.frame.rbp;
  const uint64_t loop[] = {stack, kFakeText};
  guest.poke(stack, loop, sizeof loop);
  EXPECT_NE(report(guest.state).find("  #1  0x0000000000401000"), std::string::npos);
  guest.state.frame.rbp = 0x1234'5678;  // not mapped
  EXPECT_EQ(report(guest.state).find("  #1"), std::string::npos);
}

TEST(CrashReport, DeepRecursionIsCounted) {
  FakeGuest guest;
  guest.crash_of_the_app();
  guest.area(0x9000'0000, 0x9010'0000, kProtectRead | kProtectWrite, AreaKind::Stack);
  for (uint64_t page = 0x9000'0000; page < 0x9010'0000; page += kPageSize) guest.map(page, PageOwner::App, 0);
  for (uint64_t at = 0x9000'0000; at + 16 < 0x9010'0000; at += 16) {
    const uint64_t frame[] = {at + 32 < 0x9010'0000 ? at + 16 : 0, kFakeText + 8};
    guest.poke(at, frame, sizeof frame);
  }
  guest.state.frame.rbp = 0x9000'0000;
  // 65535 frames stand there, and the one of rip.
  EXPECT_NE(report(guest.state).find("  and 65520 more\n"), std::string::npos) << g_console;
}

TEST(CrashReport, RecordOfEverySizeIsCutCleanly) {
  FakeGuest guest;
  guest.crash_of_the_app();
  const std::string whole = report(guest.state);
  for (size_t size = 0; size <= whole.size() + 8; ++size) {
    std::string record;
    EXPECT_EQ(report(guest.state, size, &record), whole);
    if (record.empty()) continue;
    EXPECT_EQ(record.back(), '\n');
    const bool cut = record.size() >= 4 && record.compare(record.size() - 4, 4, "...\n") == 0;
    const std::string kept = cut ? record.substr(0, record.size() - 4) : record;
    EXPECT_EQ(whole.compare(0, kept.size(), kept), 0);
    EXPECT_EQ(cut, kept.size() < whole.size());
  }
}

TEST(CrashReport, LongAndDirtyTextIsTamed) {
  FakeGuest guest;
  guest.crash_of_the_app();
  std::memset(guest.state.message, 'x', sizeof guest.state.message);  // no NUL anywhere
  guest.state.message[3] = '\x1b';
  guest.state.message[4] = '\r';
  const std::string text = report(guest.state);
  expect_lines_fit(text);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find("crash: xxx??xxx"), 0u) << text;
  EXPECT_NE(text.find("...\n"), std::string::npos);
}

TEST(TrapMessage, SaysWhatHappened) {
  char message[256];
  TrapFrame frame{};
  frame.vector = 14;
  frame.error_code = 2;
  describe_kernel_trap(frame, 0x18, message);
  EXPECT_STREQ(message, "page fault in the kernel: write to an unmapped address 0x18");
  EXPECT_EQ(reason_of_kernel_trap(frame, 0x18, message).kind, format::ReasonKind::KernelPanic);
  frame.vector = 8;
  describe_kernel_trap(frame, 0, message);
  EXPECT_STREQ(message, "double fault in the kernel (trap 8, error code 0x2)");
  EXPECT_EQ(reason_of_kernel_trap(frame, 0, message).kind, format::ReasonKind::DoubleFault);
  char tiny[8];
  describe_kernel_trap(frame, 0, tiny);
  EXPECT_STREQ(tiny, "double ");
}

// Whatever traps, and however often: the path goes forward and ends.
TEST(CrashStages, EveryTrapLeadsForwardToTheEnd) {
  for (unsigned first = 0; first <= static_cast<unsigned>(CrashStage::Leave); ++first) {
    CrashStage stage = static_cast<CrashStage>(first);
    for (int steps = 0; stage != CrashStage::Leave; ++steps) {
      ASSERT_LT(steps, 13);
      const CrashStage next = stage_after_trap(stage, DumpDone::No);
      ASSERT_GT(next, stage);
      stage = next;
    }
  }
  EXPECT_EQ(stage_after_trap(CrashStage::DumpFull, DumpDone::No), CrashStage::DumpApp);
  EXPECT_EQ(stage_after(CrashStage::DumpFull, DumpDone::Yes), CrashStage::SayWhere);
  EXPECT_EQ(stage_after_trap(CrashStage::OpenDisk, DumpDone::No), CrashStage::SayWhere);
  EXPECT_EQ(stage_after_trap(CrashStage::Report, DumpDone::No), CrashStage::Signature);
  EXPECT_EQ(stage_after_trap(CrashStage::Signature, DumpDone::No), CrashStage::OpenDisk);
}

}  // namespace
}  // namespace mortem::test
