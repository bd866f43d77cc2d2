// Stacks that are broken, and stacks without call frame information: dumps made by hand.
#include <gtest/gtest.h>

#include <cstring>

#include "inspector/analysis/stack.h"
#include "inspector/unwind/call_frame_information.h"
#include "inspector/unwind/frame_entries.h"
#include "tests/unit/dump_builder.h"

namespace mortem::inspector {
namespace {

using test::Bytes;

constexpr uint64_t kCode = 0x10000, kStack = 0x20000;

// A module without a file and without an ELF header: its code is in the dump, its call frame information nowhere.
class HandMade : public testing::Test {
 protected:
  HandMade() : code_(4096, 0x90), stack_(4096, 0) {
    registers_.rip = kCode + 0x100;
    registers_.rsp = kStack + 0x100;
  }
  void call_before(uint64_t return_address) { code_[return_address - kCode - 5] = 0xE8; }
  void word(uint64_t address, uint64_t value) { std::memcpy(&stack_[address - kStack], &value, sizeof value); }

  Stack stack(size_t limit = 1000) {
    test::DumpBuilder builder;
    builder.thread(1, "one", registers_).segment(kCode, code_, 5).segment(kStack, stack_, 6);
    snapshot::CoreModule module;
    module.path = "/not/there";
    module.start = kCode;
    module.end = kCode + code_.size();
    module.id_kind = format::ModuleIdKind::GnuBuildId;
    module.id = Bytes(20, 7);
    builder.modules.push_back(module);
    core_ = snapshot::CoreFile::from(test::memory_source(builder.core())).value();
    target_ = open_core_target(*core_).value();
    symbolizer_ = Symbolizer::create({});
    StackOptions options;
    options.frame_limit = limit;
    return unwind_stack(*target_, *symbolizer_, 1, options).value();
  }

  Bytes code_, stack_;
  format::GeneralRegisters registers_{};
  std::unique_ptr<snapshot::CoreFile> core_;
  std::unique_ptr<Target> target_;
  std::unique_ptr<Symbolizer> symbolizer_;
};

TEST_F(HandMade, FramePointerChain) {
  const uint64_t first = kCode + 0x200, second = kCode + 0x300;
  call_before(first), call_before(second);
  registers_.rbp = kStack + 0x110;
  word(kStack + 0x110, kStack + 0x140), word(kStack + 0x118, first);
  word(kStack + 0x140, 0), word(kStack + 0x148, second);
  const Stack found = stack();
  ASSERT_EQ(found.frames.size(), 3u);
  EXPECT_EQ(found.frames[0].trust, Trust::Registers);
  EXPECT_EQ(found.frames[1].pc, first);
  EXPECT_EQ(found.frames[1].trust, Trust::FramePointer);
  EXPECT_EQ(found.frames[2].pc, second);
  EXPECT_EQ(found.frames[2].trust, Trust::FramePointer);
  EXPECT_NE(found.end.find("no unwind information"), std::string::npos) << found.end;
  EXPECT_TRUE(found.frames[0].function.empty());
  EXPECT_EQ(found.frames[0].module, "/not/there");
  const auto missing = symbolizer_->missing_symbols();
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_NE(missing[0].find("its file was not found"), std::string::npos) << missing[0];
}

TEST_F(HandMade, CyclicFramePointersEnd) {
  const uint64_t back = kCode + 0x200;
  call_before(back);
  registers_.rbp = kStack + 0x110;
  word(kStack + 0x110, kStack + 0x110), word(kStack + 0x118, back);  // leads to itself
  const Stack found = stack();
  EXPECT_LE(found.frames.size(), 3u);
  for (size_t index = 1; index < found.frames.size(); ++index) EXPECT_EQ(found.frames[index].trust, Trust::Scan);
  EXPECT_FALSE(found.end.empty());
}

TEST_F(HandMade, ScanTakesOnlyWhatACallStandsBefore) {
  const uint64_t data = kCode + 0x400, back = kCode + 0x200;  // no call before `data`
  call_before(back);
  word(kStack + 0x100, data), word(kStack + 0x128, back);
  const Stack found = stack();
  ASSERT_EQ(found.frames.size(), 2u);
  EXPECT_EQ(found.frames[1].pc, back);
  EXPECT_EQ(found.frames[1].trust, Trust::Scan);
  EXPECT_EQ(found.frames[0].cfa, kStack + 0x130);
}

TEST_F(HandMade, JumpToNowhere) {
  const uint64_t back = kCode + 0x200;
  call_before(back);
  registers_.rip = 0;
  word(kStack + 0x100, back);
  Stack found = stack();
  ASSERT_EQ(found.frames.size(), 2u);
  EXPECT_EQ(found.frames[1].pc, back);
  EXPECT_EQ(found.frames[1].trust, Trust::Scan);

  word(kStack + 0x100, 42);
  found = stack();
  EXPECT_EQ(found.frames.size(), 1u);
  EXPECT_NE(found.end.find("no code at 0x0"), std::string::npos) << found.end;
}

TEST_F(HandMade, StackPointerOutsideOfMemory) {
  registers_.rsp = 0x900000;
  const Stack found = stack();
  EXPECT_EQ(found.frames.size(), 1u);
  EXPECT_FALSE(found.end.empty());
}

TEST_F(HandMade, FrameLimit) {
  for (uint64_t at = 0x100; at < 0xF00; at += 16) word(kStack + at, kCode + 0x200);
  call_before(kCode + 0x200);
  const Stack found = stack(10);
  EXPECT_EQ(found.frames.size(), 10u);
  EXPECT_EQ(found.end, "frame limit of 10");
}

// .eh_frame by hand (LSB 5.0, "Exception Frames"): absolute addresses, rsp + 8 at entry, one frame description.
Bytes eh_frame(uint8_t cfa_offset) {
  Bytes bytes;
  auto put32 = [&](uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<uint8_t>(value >> shift));
  };
  auto put64 = [&](uint64_t value) { put32(static_cast<uint32_t>(value)), put32(static_cast<uint32_t>(value >> 32)); };
  put32(20), put32(0);
  for (int byte : {1, int{'z'}, int{'R'}, 0, 1, 0x78, 16, 1, 0 /* absolute */})
    bytes.push_back(static_cast<uint8_t>(byte));
  for (int byte : {0x0C, 7, int{cfa_offset}, 0x90, 1, 0, 0}) bytes.push_back(static_cast<uint8_t>(byte));
  put32(28), put32(28), put64(kCode), put64(0x1000);
  for (int i = 0; i < 8; ++i) bytes.push_back(0);
  put32(0);
  return bytes;
}

// The same as .debug_frame (DWARF 5, section 6.4.1): no augmentation, another id, no terminator.
Bytes debug_frame(uint8_t cfa_offset) {
  const Bytes eh = eh_frame(cfa_offset);
  Bytes bytes = {20, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 1, 0x78, 16};
  bytes.insert(bytes.end(), eh.begin() + 17, eh.begin() + 24);  // the instructions
  bytes.insert(bytes.end(), 4, 0);
  bytes.insert(bytes.end(), eh.begin() + 24, eh.end() - 4);
  std::fill_n(bytes.begin() + 28, 4, 0);
  return bytes;
}

FrameSection section_of(Bytes bytes) {
  return FrameSection::from(".eh_frame", 0x5000, std::move(bytes), "program");
}

TEST(CallFrameInformation, ReadsWhatIsGood) {
  auto frames = CallFrameInformation::create(section_of(eh_frame(8)));
  ASSERT_NE(frames, nullptr);
  const UnwindRow* row = frames->find(kCode + 4);
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->cfa.number, 7);
  EXPECT_EQ(row->cfa.offset, 8);
  EXPECT_EQ(row->registers[16].kind, UnwindRule::Kind::AtOffset);
  EXPECT_EQ(row->registers[16].offset, -8);
  EXPECT_FALSE(row->signal_frame);
  EXPECT_EQ(frames->find(kCode - 1), nullptr);
  EXPECT_EQ(frames->find(kCode + 0x1000), nullptr);
}

bool is_same(const UnwindRule& one, const UnwindRule& other) {
  return one.kind == other.kind && one.number == other.number && one.offset == other.offset &&
         std::equal(one.expression.begin(), one.expression.end(), other.expression.begin(), other.expression.end());
}

bool is_same(const UnwindRow& one, const UnwindRow& other) {
  for (unsigned number = 0; number < FrameRegisters::kCount; ++number)
    if (!is_same(one.registers[number], other.registers[number])) return false;
  return is_same(one.cfa, other.cfa) && one.return_address == other.return_address &&
         one.signal_frame == other.signal_frame;
}

// What one entry says alone is what libdwarf reads out of the whole section.
void expect_same_rows(const FrameSection& section, size_t least) {
  ASSERT_TRUE(frame_entries(section)) << section.file;
  const auto frames = CallFrameInformation::create(section), asked = CallFrameInformation::create(section);
  size_t rows = 0, different = 0;
  frames->visit_rows([&](uint64_t low, uint64_t high, const UnwindRow& row) {
    ++rows;
    for (const uint64_t address : {low, high - 1}) {
      const UnwindRow* found = asked->find(address);
      if (found && is_same(*found, row)) continue;
      if (++different < 5) ADD_FAILURE() << section.file << " at " << std::hex << address;
    }
  });
  EXPECT_EQ(different, 0u);
  EXPECT_GE(rows, least);
}

TEST(CallFrameInformation, OneEntrySaysTheSameAlone) {
  const char* const libc = "/lib/x86_64-linux-gnu/libc.so.6";
  expect_same_rows(*FrameSection::of(ElfImage::map_file(libc).value(), ".eh_frame"), 1000);
  expect_same_rows(section_of(eh_frame(8)), 1);
  expect_same_rows(FrameSection::from(".debug_frame", 0, debug_frame(8), "program"), 1);
}

// Cut off or changed anywhere: no crash, and no row out of bytes that are not there.
TEST(CallFrameInformation, SurvivesBrokenBytes) {
  const Bytes good = eh_frame(8);
  for (size_t length = 0; length < good.size(); ++length)
    if (auto frames = CallFrameInformation::create(section_of(Bytes(good.begin(), good.begin() + length))))
      frames->find(kCode + 4);
  for (size_t at = 0; at < good.size(); ++at)
    for (uint8_t value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
      Bytes bad = good;
      bad[at] = value;
      if (auto frames = CallFrameInformation::create(section_of(bad))) frames->find(kCode + 4);
    }
}

}  // namespace
}  // namespace mortem::inspector
