// Instructions as text, the targets of jumps as `x/i` of gdb prints them.
#include "inspector/analysis/disassembly.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "pattern_matches.h"

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
  for (const auto& match : test::matches_of("(jmp|call|jne|loop) +(0x[0-9a-f]+)", theirs)) targets.push_back(match[2]);
  ASSERT_EQ(targets.size(), 4u) << theirs;
  for (size_t index = 0; index < targets.size(); ++index) {
    EXPECT_NE(instructions[index].text.find(" " + targets[index]), std::string::npos) << instructions[index].text;
    EXPECT_EQ(fmt::format("{:#x}", instructions[index].target.value_or(0)), targets[index]);
  }
  EXPECT_EQ(instructions[6].text, "mov rdi, qword ptr [rdi]");
  EXPECT_FALSE(instructions[4].target) << "call rax: known at run time only";
}

// What following a value through code rests on, one instruction a row.
TEST(InstructionFacts, OperandsAndWhatChanges) {
  using Kind = InstructionFacts::Kind;
  constexpr int kRax = 0, kRdx = 1, kRdi = 5, kRbp = 6, kRsp = 7;
  auto facts = [](std::vector<uint8_t> code) { return instruction_facts(kAddress, code).value(); };
  const auto load = facts({0x48, 0x8b, 0x47, 0x10});  // mov rax, [rdi+16]
  EXPECT_EQ(load.kind, Kind::Load);
  EXPECT_EQ(load.destination, kRax);
  ASSERT_EQ(load.accesses.size(), 1u);
  EXPECT_EQ(load.accesses[0].base, kRdi);
  EXPECT_EQ(load.accesses[0].displacement, 16);
  EXPECT_EQ(load.access_size, 8u);
  EXPECT_TRUE(load.reads && !load.writes);
  EXPECT_EQ(load.changed, 1u << kRax);
  const auto store = facts({0xc6, 0x04, 0xd1, 0x07});  // mov byte ptr [rcx+rdx*8], 7
  EXPECT_TRUE(store.writes && !store.reads);
  EXPECT_EQ(store.access_size, 1u);
  EXPECT_EQ(store.accesses.at(0).index, kRdx);
  EXPECT_EQ(store.accesses.at(0).scale, 8u);
  EXPECT_EQ(store.changed, 0u);
  const auto address = facts({0x48, 0x8d, 0x14, 0x85, 0, 0, 0, 0});  // lea rdx, [rax*4]
  EXPECT_EQ(address.kind, Kind::LoadAddress);
  EXPECT_EQ(address.destination, kRdx);
  EXPECT_TRUE(address.accesses.empty());
  EXPECT_EQ(address.memory.value().index, kRax);
  const auto global = facts({0x8b, 0x05, 0x10, 0, 0, 0});  // mov eax, [rip+16]
  EXPECT_EQ(global.memory.value().base, MemoryOperand::kNone);
  EXPECT_EQ(static_cast<uint64_t>(global.memory->displacement), kAddress + 6 + 16);
  const auto push = facts({0x55});  // push rbp
  EXPECT_TRUE(push.writes);
  EXPECT_EQ(push.accesses.at(0).base, kRsp);
  EXPECT_EQ(push.accesses.at(0).displacement, -8);
  const auto call = facts({0xff, 0x55, 0xf8});  // call [rbp-8]
  EXPECT_EQ(call.kind, Kind::Call);
  EXPECT_EQ(call.accesses.at(0).base, kRbp);
  EXPECT_TRUE(call.changed >> kRax & 1);
  EXPECT_FALSE(call.changed >> kRbp & 1);
  const auto division = facts({0xf7, 0xff});  // idiv edi
  EXPECT_EQ(division.kind, Kind::Divide);
  EXPECT_EQ(division.source, kRdi);
  EXPECT_EQ(division.access_size, 4u);
  EXPECT_EQ(facts({0x64, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0}).accesses.at(0).thread_local_base, true);  // mov eax, fs:[40]
  EXPECT_FALSE(instruction_facts(kAddress, std::vector<uint8_t>{0x06}));
}

TEST(Disassembly, EndsAtWhatIsNoInstruction) {
  const uint8_t code[] = {0x90, 0x06, 0x90};
  EXPECT_EQ(disassemble(kAddress, code, 10).size(), 1u);
  const uint8_t cut[] = {0xe8, 0, 0};
  EXPECT_TRUE(disassemble(kAddress, cut, 10).empty());
}

}  // namespace
}  // namespace mortem::inspector
