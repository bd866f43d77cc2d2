// Instructions as text, the targets of jumps as `x/i` of gdb prints them.
#include "inspector/analysis/disassembly.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <regex>

namespace mortem::inspector {
namespace {

// jmp +5, call -0x112, jne -16, loop -2, call rax, jmp [rip+8], mov rdi, [rdi], ret
constexpr uint8_t kCode[] = {0xeb, 0x05, 0xe8, 0xee, 0xfe, 0xff, 0xff, 0x75, 0xf0, 0xe2, 0xfe, 0xff,
                             0xd0, 0xff, 0x25, 0x08, 0,    0,    0,    0x48, 0x8b, 0x3f, 0xc3};
constexpr uint64_t kAddress = 0x600000;

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) return text;
  char part[4096];
  for (size_t got; (got = fread(part, 1, sizeof part, pipe)) > 0;) text.append(part, got);
  pclose(pipe);
  return text;
}

TEST(Disassembly, TargetsAreAbsoluteAsInGdb) {
  const auto instructions = disassemble(kAddress, kCode, 100);
  ASSERT_EQ(instructions.size(), 8u);
  // gdb reads the same bytes at the same place out of a program.
  const std::string name = testing::TempDir() + "disassembly_test";
  std::ofstream source(name + ".s");
  source << ".globl _start\n_start:\n.byte ";
  for (size_t index = 0; index < sizeof kCode; ++index) source << (index ? "," : "") << int(kCode[index]);
  source << "\n";
  source.close();
  ASSERT_EQ(
      std::system(fmt::format("cc -nostdlib -static -Wl,-Ttext={:#x} -o {}.elf {}.s", kAddress, name, name).c_str()),
      0);
  std::string theirs = output_of(
      fmt::format("gdb -nx -q -batch -ex 'set disassembly-flavor intel' -ex 'x/8i {:#x}' {}.elf 2>&1", kAddress, name));
  std::vector<std::string> targets;
  const std::regex jump("(?:jmp|call|jne|loop) +(0x[0-9a-f]+)");
  for (std::sregex_iterator at(theirs.begin(), theirs.end(), jump), end; at != end; ++at) targets.push_back((*at)[1]);
  ASSERT_EQ(targets.size(), 4u) << theirs;
  for (size_t index = 0; index < targets.size(); ++index) {
    EXPECT_NE(instructions[index].text.find(" " + targets[index]), std::string::npos) << instructions[index].text;
    EXPECT_EQ(fmt::format("{:#x}", instructions[index].target.value_or(0)), targets[index]);
  }
  EXPECT_EQ(instructions[6].text, "mov rdi, qword ptr [rdi]");
  EXPECT_FALSE(instructions[4].target) << "call rax: known at run time only";
}

TEST(Disassembly, EndsAtWhatIsNoInstruction) {
  const uint8_t code[] = {0x90, 0x06, 0x90};
  EXPECT_EQ(disassemble(kAddress, code, 10).size(), 1u);
  const uint8_t cut[] = {0xe8, 0, 0};
  EXPECT_TRUE(disassemble(kAddress, cut, 10).empty());
}

}  // namespace
}  // namespace mortem::inspector
