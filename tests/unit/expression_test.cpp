#include "inspector/unwind/expression.h"

#include <gtest/gtest.h>
#include <libdwarf/dwarf.h>

#include "inspector/unwind/call_instruction.h"
#include "tests/unit/dump_builder.h"

namespace mortem::inspector {
namespace {

constexpr uint64_t kStack = 0x7000;

class Expression : public testing::Test {
 protected:
  void SetUp() override {
    test::DumpBuilder builder;
    builder.thread(1, "one", {});
    builder.segment(kStack, {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88});
    core_ = snapshot::CoreFile::from(test::memory_source(builder.core())).value();
    target_ = open_core_target(*core_).value();
    memory_ = std::make_unique<MemoryCache>(*target_);
    registers_.set(7, kStack);
    registers_.set(16, 0x40100B);
  }
  std::optional<uint64_t> value(std::vector<uint8_t> bytes, std::optional<uint64_t> initial = std::nullopt) {
    return evaluate_expression(bytes, registers_, *memory_, initial);
  }
  std::unique_ptr<snapshot::CoreFile> core_;
  std::unique_ptr<Target> target_;
  std::unique_ptr<MemoryCache> memory_;
  FrameRegisters registers_;
};

// The expression that ld puts into .eh_frame of .plt: rsp + 8 + ((rip & 15) >= 11) << 3.
TEST_F(Expression, ProcedureLinkageTable) {
  const std::vector<uint8_t> plt = {DW_OP_breg7, 8,        DW_OP_breg16, 0,         DW_OP_lit15, DW_OP_and,
                                    DW_OP_lit11, DW_OP_ge, DW_OP_lit3,   DW_OP_shl, DW_OP_plus};
  EXPECT_EQ(value(plt), kStack + 16);
  registers_.set(16, 0x401006);
  EXPECT_EQ(value(plt), kStack + 8);
}

TEST_F(Expression, Dereference) {
  EXPECT_EQ(value({DW_OP_breg7, 0, DW_OP_deref}), 0x8877665544332211u);
  EXPECT_EQ(value({DW_OP_breg7, 0, DW_OP_deref_size, 2}), 0x2211u);
  EXPECT_EQ(value({DW_OP_breg7, 1, DW_OP_deref}), std::nullopt);  // its last byte is not in the dump
}

TEST_F(Expression, SignedNumbersAndStackOperations) {
  EXPECT_EQ(value({DW_OP_breg7, 0x78}), kStack - 8);
  EXPECT_EQ(value({DW_OP_const1s, 0xFE, DW_OP_lit2, DW_OP_div}), ~uint64_t{0});
  EXPECT_EQ(value({DW_OP_lit1, DW_OP_lit2, DW_OP_swap, DW_OP_minus}), 1u);
  EXPECT_EQ(value({DW_OP_lit1, DW_OP_lit2, DW_OP_lit3, DW_OP_rot, DW_OP_drop, DW_OP_drop}), 3u);
  EXPECT_EQ(value({DW_OP_plus_uconst, 0x80, 0x01}, 1), 129u);
}

TEST_F(Expression, WhatIsBrokenHasNoValue) {
  EXPECT_EQ(value({}), std::nullopt);
  EXPECT_EQ(value({DW_OP_plus}), std::nullopt);
  EXPECT_EQ(value({DW_OP_breg3, 0}), std::nullopt);  // rbx is not known
  EXPECT_EQ(value({DW_OP_lit1, DW_OP_lit0, DW_OP_div}), std::nullopt);
  EXPECT_EQ(value({DW_OP_const8u, 1, 2}), std::nullopt);                 // cut off
  EXPECT_EQ(value({DW_OP_lit1, DW_OP_skip, 0xFD, 0xFF}), std::nullopt);  // loops for ever
  EXPECT_EQ(value({DW_OP_lit1, DW_OP_skip, 0x00, 0x70}), std::nullopt);  // jumps out
  EXPECT_EQ(value({0xFF}), std::nullopt);
}

TEST(CallInstruction, AllForms) {
  auto is_call = [](std::vector<uint8_t> bytes) { return ends_in_call(bytes); };
  EXPECT_TRUE(is_call({0xE8, 1, 2, 3, 4}));
  EXPECT_TRUE(is_call({0xFF, 0xD0}));                    // call rax
  EXPECT_TRUE(is_call({0x41, 0xFF, 0xD4}));              // call r12
  EXPECT_TRUE(is_call({0xFF, 0x50, 0x10}));              // call [rax+16]
  EXPECT_TRUE(is_call({0xFF, 0x15, 1, 2, 3, 4}));        // call [rip+disp32]
  EXPECT_TRUE(is_call({0xFF, 0x14, 0xC5, 1, 2, 3, 4}));  // call [rax*8+disp32]
  EXPECT_TRUE(is_call({0xFF, 0x94, 0x24, 1, 2, 3, 4}));  // call [rsp+disp32]
  EXPECT_FALSE(is_call({0xFF, 0xE0}));                   // jmp rax
  EXPECT_FALSE(is_call({0x90, 0x90, 0x90, 0x90, 0x90}));
  EXPECT_FALSE(is_call({}));
}

}  // namespace
}  // namespace mortem::inspector
