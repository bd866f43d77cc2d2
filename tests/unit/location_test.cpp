// Location expressions: every operator, and that what is not known stays unknown.
#include "inspector/values/location.h"

#include <gtest/gtest.h>
#include <libdwarf/dwarf.h>

#include <bit>
#include <cstring>
#include <map>

#include "inspector/target/target.h"
#include "tests/unit/dump_builder.h"

namespace mortem::inspector {
namespace {

constexpr uint64_t kData = 0x7000;

class FakeContext final : public LocationContext {
 public:
  std::map<uint64_t, uint64_t> registers = {{3, kData}, {5, 55}};
  Found<std::vector<uint8_t>> register_bytes(uint64_t number) override {
    const auto found = registers.find(number);
    if (found == registers.end()) return not_known("a register was not saved");
    std::vector<uint8_t> bytes(8);
    std::memcpy(bytes.data(), &found->second, 8);
    return bytes;
  }
  Found<uint64_t> frame_base() override { return 0x7100; }
  Found<uint64_t> cfa() override { return 0x7200; }
  uint64_t load_bias() override { return 0x1000; }
  Found<uint64_t> indexed(uint64_t index) override { return 0x400000 + index; }
  Found<uint64_t> thread_local_address(uint64_t offset) override { return 0x9000 + offset; }
  Found<uint64_t> entry_value(std::span<const uint8_t> expression) override {
    if (expression.size() == 1 && expression[0] == DW_OP_reg5) return 77;
    return not_known("the caller does not say");
  }
  Found<uint64_t> parameter_at_entry(uint64_t unit_offset) override { return unit_offset + 1; }
  Found<uint64_t> variable_value(uint64_t info_offset) override { return info_offset + 2; }
  Found<ExpressionType> base_type(uint64_t unit_offset) override {
    switch (unit_offset) {
      case 1:
        return ExpressionType{TypeKind::Signed, 4, false};
      case 2:
        return ExpressionType{TypeKind::Unsigned, 1, false};
      case 3:
        return ExpressionType{TypeKind::Float, 8, false};
      case 4:
        return ExpressionType{TypeKind::Float, 4, false};
      default:
        return not_known("no such type");
    }
  }
  Found<std::vector<uint8_t>> called(uint64_t offset, bool) override {
    if (offset == 9) return std::vector<uint8_t>{DW_OP_call2, 9, 0};  // itself
    return std::vector<uint8_t>{DW_OP_lit7};
  }
};

class Location : public testing::Test {
 protected:
  void SetUp() override {
    test::DumpBuilder builder;
    builder.thread(1, "one", {});
    builder.segment(kData, {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88});
    core_ = snapshot::CoreFile::from(test::memory_source(builder.core())).value();
    target_ = open_core_target(*core_).value();
    memory_ = std::make_unique<MemoryCache>(*target_);
  }
  std::optional<uint64_t> number(std::vector<uint8_t> bytes, LocationInput input = {}) {
    const auto result = evaluate_number(bytes, context_, *memory_, input);
    return result ? std::optional(*result) : std::nullopt;
  }
  Found<std::vector<LocationPiece>> pieces(std::vector<uint8_t> bytes) {
    return evaluate_location(bytes, context_, *memory_);
  }
  FakeContext context_;
  std::unique_ptr<snapshot::CoreFile> core_;
  std::unique_ptr<Target> target_;
  std::unique_ptr<MemoryCache> memory_;
};

using Kind = LocationPiece::Kind;

TEST_F(Location, Places) {
  EXPECT_EQ(number({DW_OP_addr, 0x10, 0, 0, 0, 0, 0, 0, 0}), 0x1010u);
  EXPECT_EQ(number({DW_OP_fbreg, 0x70}), 0x70F0u);
  EXPECT_EQ(number({DW_OP_call_frame_cfa}), 0x7200u);
  EXPECT_EQ(number({DW_OP_breg3, 8}), kData + 8);
  EXPECT_EQ(number({DW_OP_bregx, 5, 2}), 57u);
  EXPECT_EQ(number({DW_OP_addrx, 3}), 0x401003u);
  EXPECT_EQ(number({DW_OP_constx, 3}), 0x400003u);
  EXPECT_EQ(number({DW_OP_lit8, DW_OP_form_tls_address}), 0x9008u);
  EXPECT_EQ(number({DW_OP_push_object_address, DW_OP_lit1, DW_OP_plus}, {500, {}}), 501u);
  EXPECT_EQ(number({DW_OP_lit1, DW_OP_plus}, {std::nullopt, {41}}), 42u);
  EXPECT_EQ(number({DW_OP_GNU_parameter_ref, 4, 0, 0, 0}), 5u);
  EXPECT_EQ(number({DW_OP_GNU_variable_value, 4, 0, 0, 0}), 6u);
}

TEST_F(Location, Kinds) {
  EXPECT_EQ(pieces({DW_OP_fbreg, 0})->front().kind, Kind::Memory);
  EXPECT_EQ(pieces({DW_OP_reg5})->front().kind, Kind::Register);
  EXPECT_EQ(pieces({DW_OP_reg5})->front().register_number, 5u);
  EXPECT_EQ(pieces({DW_OP_regx, 0x85, 0x01})->front().register_number, 133u);
  const auto value = pieces({DW_OP_lit9, DW_OP_stack_value});
  EXPECT_EQ(value->front().kind, Kind::Bytes);
  EXPECT_EQ(value->front().bytes, (std::vector<uint8_t>{9, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(pieces({DW_OP_implicit_value, 2, 0xAA, 0xBB})->front().bytes, (std::vector<uint8_t>{0xAA, 0xBB}));
  const auto pointer = pieces({DW_OP_implicit_pointer, 0x40, 0, 0, 0, 0x7E});
  EXPECT_EQ(pointer->front().kind, Kind::ImplicitPointer);
  EXPECT_EQ(pointer->front().entry_offset, 0x40u);
  EXPECT_EQ(pointer->front().byte_offset, -2);
  const auto nothing = pieces({});
  EXPECT_EQ(nothing->front().kind, Kind::Missing);
  EXPECT_TRUE(nothing->front().missing.optimized_out);
}

TEST_F(Location, PiecesAreWhatIsThere) {
  const auto all = pieces({DW_OP_reg5, DW_OP_piece, 4, DW_OP_piece, 2, DW_OP_breg9, 0, DW_OP_piece, 2, DW_OP_lit3,
                           DW_OP_stack_value, DW_OP_bit_piece, 3, 1});
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 4u);
  EXPECT_EQ((*all)[0].kind, Kind::Register);
  EXPECT_EQ((*all)[0].bit_size, 32u);
  EXPECT_TRUE((*all)[1].missing.optimized_out);
  EXPECT_EQ((*all)[2].kind, Kind::Missing);  // its address rests on a register that is not known
  EXPECT_FALSE((*all)[2].missing.optimized_out);
  EXPECT_EQ((*all)[2].missing.why, "a register was not saved");
  EXPECT_EQ((*all)[3].bit_size, 3u);
  EXPECT_EQ((*all)[3].bit_offset, 1u);
}

TEST_F(Location, ValuesAtEntry) {
  EXPECT_EQ(number({DW_OP_entry_value, 1, DW_OP_reg5, DW_OP_lit1, DW_OP_plus}), 78u);
  EXPECT_EQ(number({DW_OP_entry_value, 1, DW_OP_reg4}), std::nullopt);
  EXPECT_EQ(pieces({DW_OP_entry_value, 1, DW_OP_reg4, DW_OP_stack_value})->front().kind, Kind::Missing);
}

TEST_F(Location, TheUnknownStaysUnknown) {
  EXPECT_EQ(number({DW_OP_breg9, 0, DW_OP_lit0, DW_OP_mul}), std::nullopt);
  EXPECT_EQ(number({DW_OP_breg9, 0, DW_OP_deref}), std::nullopt);
  EXPECT_EQ(number({DW_OP_breg3, 1, DW_OP_deref}), std::nullopt);  // its last byte is not in the dump
  EXPECT_EQ(number({DW_OP_breg3, 0, DW_OP_deref}), 0x8877665544332211u);
  EXPECT_EQ(number({DW_OP_breg3, 6, DW_OP_deref_size, 2}), 0x8877u);
  EXPECT_FALSE(pieces({DW_OP_breg9, 0, DW_OP_bra, 0, 0, DW_OP_lit1}));  // where it goes on is not known
}

TEST_F(Location, TypedArithmetic) {
  // A byte wraps at 256; converted to int it keeps its value.
  EXPECT_EQ(number({DW_OP_const_type, 2, 1, 250, DW_OP_const_type, 2, 1, 10, DW_OP_plus, DW_OP_convert, 1}), 4u);
  EXPECT_EQ(number({DW_OP_const_type, 1, 4, 0xFF, 0xFF, 0xFF, 0xFF, DW_OP_convert, 0}), ~uint64_t{0});
  EXPECT_EQ(number({DW_OP_const_type, 1, 4, 0xFB, 0xFF, 0xFF, 0xFF, DW_OP_convert, 3}), std::bit_cast<uint64_t>(-5.0));
  EXPECT_EQ(number({DW_OP_regval_type, 5, 1, DW_OP_convert, 4}), std::bit_cast<uint32_t>(55.0f));
  EXPECT_EQ(number({DW_OP_breg3, 0, DW_OP_deref_type, 4, 1}), 0x44332211u);
  const auto value = pieces({DW_OP_const_type, 1, 4, 1, 0, 0, 0, DW_OP_stack_value});
  EXPECT_EQ(value->front().bytes.size(), 4u);
  EXPECT_FALSE(pieces({DW_OP_regval_type, 5, 99}));
}

TEST_F(Location, GenericArithmeticIsSignedWhereItShouldBe) {
  EXPECT_EQ(number({DW_OP_const1s, 0xF8, DW_OP_lit2, DW_OP_div}), static_cast<uint64_t>(-4));
  EXPECT_EQ(number({DW_OP_const1s, 0xF8, DW_OP_lit1, DW_OP_shr}), 0x7FFFFFFFFFFFFFFCu);
  EXPECT_EQ(number({DW_OP_const1s, 0xF8, DW_OP_lit1, DW_OP_shra}), static_cast<uint64_t>(-4));
  EXPECT_EQ(number({DW_OP_lit1, DW_OP_const1s, 0xF8, DW_OP_gt}), 1u);
  EXPECT_EQ(number({DW_OP_lit7, DW_OP_lit4, DW_OP_mod}), 3u);
  EXPECT_EQ(number({DW_OP_lit1, DW_OP_const1u, 64, DW_OP_shl}), 0u);
  EXPECT_EQ(number({DW_OP_lit7, DW_OP_lit0, DW_OP_div}), std::nullopt);
}

TEST_F(Location, CallsAndWhatIsBroken) {
  EXPECT_EQ(number({DW_OP_call4, 1, 0, 0, 0, DW_OP_lit1, DW_OP_plus}), 8u);
  EXPECT_EQ(number({DW_OP_call2, 9, 0}), std::nullopt);       // without end
  EXPECT_EQ(number({DW_OP_skip, 0xFD, 0xFF}), std::nullopt);  // a loop
  EXPECT_EQ(number({DW_OP_skip, 0x10, 0}), std::nullopt);     // beyond the end
  EXPECT_EQ(number({DW_OP_plus}), std::nullopt);
  EXPECT_EQ(number({DW_OP_const4u, 1}), std::nullopt);
  EXPECT_EQ(number({DW_OP_implicit_value, 9, 1}), std::nullopt);
  EXPECT_EQ(number({DW_OP_implicit_value, 0}), std::nullopt);  // found by tests/fuzz
  EXPECT_EQ(number({0xEE}), std::nullopt);
}

}  // namespace
}  // namespace mortem::inspector
