// Go's table of functions and lines, made by hand: what it says, and that a broken one is no crash. Tables of real
// programs are compared with the runtime's own tracebacks in ../e2e/test_goroutines.py.
#include "inspector/symbols/go_line_table.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/dump_builder.h"

namespace mortem::inspector {
namespace {

constexpr uint64_t kTextStart = 0x401000;

class Table {
 public:
  template <typename T>
  Table& add(T value) {
    const auto* from = reinterpret_cast<const uint8_t*>(&value);
    bytes_.insert(bytes_.end(), from, from + sizeof value);
    return *this;
  }
  Table& text(const char* text) {
    bytes_.insert(bytes_.end(), text, text + std::strlen(text) + 1);
    return *this;
  }
  void put(size_t offset, uint64_t value) { std::memcpy(bytes_.data() + offset, &value, sizeof value); }
  size_t size() const { return bytes_.size(); }
  const test::Bytes& bytes() const { return bytes_; }

 private:
  test::Bytes bytes_;
};

// main.first at 0x401000–0x401010: line 10, from byte 4 on line 12, frame of 8 bytes from byte 4 on. main.second up to
// 0x401020, the program's first function.
test::Bytes small_table() {
  Table table;
  table.add(0xFFFFFFF1u).add(uint16_t{0}).add(uint8_t{1}).add(uint8_t{8});
  for (int field = 0; field < 8; ++field) table.add(uint64_t{0});
  table.put(8, 2);            // functions
  table.put(16, 1);           // files
  table.put(24, kTextStart);  // where the code starts
  auto section = [&](size_t field) { table.put(8 + 8 * field, table.size()); };
  section(3);
  table.text("").text("main.first").text("main.second");
  section(4);
  table.add(uint32_t{0});
  section(5);
  table.text("/src/main.go");
  section(6);
  table.add(uint8_t{0});
  for (const uint8_t one : {22, 4, 4, 12, 0}) table.add(one);  // at 1, lines: -1 + 11 = 10, then 12
  for (const uint8_t one : {2, 4, 16, 12, 0}) table.add(one);  // at 6, frames: 0, then 8
  for (const uint8_t one : {2, 16, 0}) table.add(one);         // at 11, one value for 16 bytes: 0
  section(7);
  const size_t start = table.size();
  table.add(0u).add(uint32_t{20}).add(uint32_t{0x10}).add(uint32_t{20 + 44}).add(uint32_t{0x20});
  EXPECT_EQ(table.size() - start, 20u);
  for (const auto& [name, entry, top, lines, frames] :
       {std::tuple(1u, 0u, uint8_t{0}, 1u, 6u), std::tuple(12u, 0x10u, uint8_t{1}, 11u, 11u)}) {
    table.add(entry).add(name).add(0u).add(0u).add(frames).add(11u).add(lines).add(0u).add(0u).add(0u);
    table.add(uint8_t{0}).add(top).add(uint8_t{0}).add(uint8_t{0});
  }
  return table.bytes();
}

class GoTable : public testing::Test {
 protected:
  void SetUp() override {
    test::run_command("echo 'int nothing;' > " + path("a.c") + " && gcc -c -o " + path("a.o") + " " + path("a.c"));
  }
  std::string path(const char* name) { return (folder_ / name).string(); }
  std::unique_ptr<GoLineTable> open(const test::Bytes& table) {
    test::write_file(folder_ / "table", table);
    test::run_command("objcopy --add-section .gopclntab=" + path("table") + " " + path("a.o") + " " + path("b.o"));
    auto image = ElfImage::map_file(folder_ / "b.o");
    if (!image) return nullptr;
    image_ = *image;
    return GoLineTable::create(*image_);
  }

  test::TemporaryFolder folder_;
  std::shared_ptr<const ElfImage> image_;
};

TEST_F(GoTable, FunctionsLinesAndFrames) {
  const auto table = open(small_table());
  ASSERT_TRUE(table);
  const auto first = table->locate(kTextStart + 2), later = table->locate(kTextStart + 7);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].function, "main.first");
  EXPECT_EQ(first[0].file, "/src/main.go");
  EXPECT_EQ(first[0].line, 10u);
  ASSERT_EQ(later.size(), 1u);
  EXPECT_EQ(later[0].line, 12u);
  EXPECT_EQ(table->locate(kTextStart + 0x1F).at(0).function, "main.second");
  EXPECT_TRUE(table->locate(kTextStart - 1).empty());
  EXPECT_TRUE(table->locate(kTextStart + 0x20).empty());
  EXPECT_EQ(table->stack_rule(kTextStart + 2)->delta, 0);
  EXPECT_EQ(table->stack_rule(kTextStart + 7)->delta, 8);
  EXPECT_FALSE(table->stack_rule(kTextStart + 7)->outermost);
  EXPECT_TRUE(table->stack_rule(kTextStart + 0x12)->outermost);
}

TEST_F(GoTable, BrokenOnesAreNoCrash) {
  const test::Bytes good = small_table();
  EXPECT_FALSE(open(test::Bytes(good.begin(), good.begin() + 40)));
  test::Bytes other = good;
  other[0] = 0xF7;  // a layout we do not know
  EXPECT_FALSE(open(other));
  for (size_t at = 8; at < good.size(); at += 3) {
    test::Bytes broken = good;
    broken[at] = 0xFF;
    if (at + 1 < broken.size()) broken[at + 1] = 0xFF;
    if (const auto table = open(broken))
      for (uint64_t address = kTextStart - 4; address < kTextStart + 0x28; ++address) {
        table->locate(address);
        table->stack_rule(address);
      }
  }
}

}  // namespace
}  // namespace mortem::inspector
