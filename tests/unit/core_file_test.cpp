// The core reader on dumps as the kernel writes them (by the builder), and on broken ones.
#include "snapshot/core_file.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>

#include "dump_builder.h"
#include "snapshot/dump_info.h"
#include "snapshot/little_endian.h"

namespace mortem {
namespace {

using test::Bytes;
using test::DumpBuilder;

constexpr uint64_t kCode = 0x400000, kStack = 0x7fff'f000'0000, kKernel = 0xffff'ffff'8000'0000;
constexpr uint64_t kDirectMap = 0xffff'8880'0000'0000, kUntouched = 0x6000'0000, kReserved = 0x5000'0000;

format::GeneralRegisters planted(uint64_t base) {
  format::GeneralRegisters registers{};
  auto* words = reinterpret_cast<uint64_t*>(&registers);
  for (size_t index = 0; index < format::kGeneralRegisters.size(); ++index) words[index] = base + index;
  return registers;
}

DumpBuilder sample() {
  DumpBuilder dump;
  dump.thread(41, "worker", planted(0x4100)).thread(42, "main thread", planted(0x4200));
  dump.threads[0].signal = 11;
  dump.threads[1].floating_point = test::pattern(512, 3);
  dump.threads[1].extended_state = test::pattern(2696, 4);
  dump.segment(kCode, test::pattern(8192, 5), PF_R | PF_X);
  dump.segment(kStack, test::pattern(12288, 6));
  dump.segment(kKernel, test::pattern(4096, 7));
  dump.segment(0xffff'ffff'ffff'f000, test::pattern(4096, 8));
  dump.siginfo = test::pattern(128, 9);
  dump.program_name = "crasher";
  dump.command_line = "/bin/crasher --now";
  dump.auxiliary_vector = {AT_PAGESZ, 4096, AT_ENTRY, kCode + 0x10};
  dump.file_mappings = {{kCode, kCode + 8192, 0, "/bin/crasher"}, {kCode + 8192, kCode + 12288, 8192, "/bin/crasher"}};
  snapshot::CoreModule module;
  module.path = "/bin/crasher";
  module.id_kind = format::ModuleIdKind::GnuBuildId;
  module.id = test::pattern(20, 10);
  module.start = kCode;
  module.end = kCode + 12288;
  dump.modules = {module};
  module.kind = format::ModuleKind::Kernel;
  module.path = "mortem-kernel.elf";
  module.load_bias = module.start = kKernel;
  module.end = kKernel + 4096;
  dump.modules.push_back(module);
  dump.reason.emplace();
  dump.reason->kind = format::ReasonKind::Signal;
  dump.reason->level = format::DumpLevel::Full;
  dump.reason->thread = 42;
  dump.reason->signal = 11;
  dump.reason->signal_code = 1;
  dump.reason->known = format::kReasonHasFaultAddress | format::kReasonHasTrap;
  dump.reason->trap_vector = 14;
  dump.reason->trap_error_code = 6;
  dump.reason->fault_address = 0x18;
  std::strcpy(dump.reason->message, "SIGSEGV: write to 0x18");
  dump.identity.emplace();
  dump.identity->boot_id[0] = 0xAB;
  dump.identity->memory_bytes = 256 << 20;
  dump.identity->resident_bytes = 5 << 20;
  std::strcpy(dump.identity->kernel_version, "mortem 0.1");
  dump.machine_registers.emplace();
  dump.machine_registers->thread = 42;
  dump.machine_registers->registers.cr2 = 0x18;
  dump.page_map = {
      {kDirectMap, 0x10000, 0x200000, format::PageMapKind::Alias, 6},
      {kCode, 4096, 0x203000, format::PageMapKind::Stored, 5},
      {kCode + 4096, 4096, 0x201000, format::PageMapKind::Stored, 5},
      {kUntouched, 0x4000'0000, ~0ull, format::PageMapKind::Untouched, 6},
      {kReserved, 0x1000, ~0ull, format::PageMapKind::Reserved, 0},
  };
  dump.kernel_log = "[0.000] boot\n[0.100] ready\n";
  return dump;
}

std::unique_ptr<snapshot::CoreFile> open(Bytes bytes) {
  auto source = snapshot::open_bytes(test::memory_source(std::move(bytes), "x.core"));
  if (!source) throw std::runtime_error(source.error().message);
  auto core = snapshot::CoreFile::from(std::move(*source));
  if (!core) throw std::runtime_error(core.error().message);
  return std::move(*core);
}

std::string error_of(Bytes bytes) {
  auto source = snapshot::open_bytes(test::memory_source(std::move(bytes), "x.core"));
  if (!source) return source.error().message;
  auto core = snapshot::CoreFile::from(std::move(*source));
  return core ? "" : core.error().message;
}

Bytes memory(const snapshot::CoreFile& core, uint64_t address, size_t length) {
  Bytes bytes(length, 0xEE);
  auto got = core.read_memory(address, bytes);
  EXPECT_TRUE(got) << got.error().message;
  bytes.resize(got ? *got : 0);
  return bytes;
}

Bytes part(const Bytes& bytes, size_t from, size_t length) {
  return Bytes(bytes.begin() + from, bytes.begin() + from + length);
}

class CoreFileOf : public testing::TestWithParam<bool> {};  // compressed or not
INSTANTIATE_TEST_SUITE_P(PlainAndCompressed, CoreFileOf, testing::Bool());

TEST_P(CoreFileOf, HoldsWhatWasPutIn) {
  const DumpBuilder dump = sample();
  const auto core = open(GetParam() ? dump.dump(10'000) : dump.core());
  ASSERT_EQ(core->threads().size(), 2u);
  const auto& crashed = core->threads()[0];
  EXPECT_EQ(crashed.id, 42u);  // the reason names it, so it comes first
  EXPECT_EQ(crashed.name, "main thread");
  EXPECT_EQ(std::memcmp(&crashed.registers, &dump.threads[1].registers, sizeof(crashed.registers)), 0);
  EXPECT_EQ(crashed.floating_point, dump.threads[1].floating_point);
  EXPECT_EQ(crashed.extended_state, dump.threads[1].extended_state);
  EXPECT_EQ(core->threads()[1].name, "worker");
  EXPECT_EQ(core->threads()[1].signal, 11);
  EXPECT_EQ(core->threads()[1].registers.r12, 0x4103u);
  EXPECT_TRUE(core->threads()[1].extended_state.empty());

  ASSERT_EQ(core->modules().size(), 2u);
  EXPECT_EQ(core->modules()[0].path, "/bin/crasher");
  EXPECT_EQ(core->modules()[0].id, dump.modules[0].id);
  EXPECT_EQ(core->modules()[1].kind, format::ModuleKind::Kernel);
  EXPECT_EQ(core->modules()[1].load_bias, kKernel);
  ASSERT_EQ(core->file_mappings().size(), 2u);
  EXPECT_EQ(core->file_mappings()[1].file_offset, 8192u);
  EXPECT_EQ(core->file_mappings()[1].path, "/bin/crasher");
  EXPECT_EQ(core->auxiliary_vector(), dump.auxiliary_vector);
  EXPECT_EQ(Bytes(core->siginfo().begin(), core->siginfo().end()), dump.siginfo);
  EXPECT_EQ(core->program_name(), "crasher");
  EXPECT_EQ(core->command_line(), "/bin/crasher --now");
  EXPECT_EQ(core->kernel_log(), dump.kernel_log);
  EXPECT_STREQ(core->reason()->message, "SIGSEGV: write to 0x18");
  EXPECT_EQ(core->identity()->memory_bytes, 256u << 20);
  EXPECT_EQ(core->machine_registers()->registers.cr2, 0x18u);
  EXPECT_EQ(core->page_map().size(), 5u);
  EXPECT_EQ(core->segments().size(), 4u);
}

TEST_P(CoreFileOf, MemoryIsWhatIsThereAndNothingElse) {
  const DumpBuilder dump = sample();
  const auto core = open(GetParam() ? dump.dump(10'000) : dump.core());
  const Bytes &code = dump.segments[0].content, &stack = dump.segments[1].content, &last = dump.segments[3].content;
  EXPECT_EQ(memory(*core, kCode, 8192), code);
  EXPECT_EQ(memory(*core, kCode + 8000, 8192), part(code, 8000, 192));  // ends at the hole
  EXPECT_EQ(memory(*core, kStack + 1, 12287), part(stack, 1, 12287));
  EXPECT_EQ(memory(*core, 0xffff'ffff'ffff'fff0, 64), part(last, 4080, 16));  // ends with the address space
  for (uint64_t absent : {uint64_t{0}, kCode - 1, kCode + 8192, kStack - 1, kReserved, kKernel - 1})
    EXPECT_TRUE(memory(*core, absent, 1).empty()) << std::hex << absent;
}

TEST_P(CoreFileOf, UntouchedPagesAreKnownZeros) {
  const DumpBuilder dump = sample();
  const auto core = open(GetParam() ? dump.dump() : dump.core());
  EXPECT_EQ(memory(*core, kUntouched + 0x1000'0000, 5000), Bytes(5000, 0));
  EXPECT_EQ(memory(*core, kUntouched + 0x4000'0000 - 16, 64), Bytes(16, 0));
}

TEST_P(CoreFileOf, OtherViewsOfAPageAreFoundByItsPhysicalAddress) {
  const DumpBuilder dump = sample();
  const auto core = open(GetParam() ? dump.dump() : dump.core());
  const Bytes& code = dump.segments[0].content;
  // Physical 0x201000 and 0x203000 are stored, the pages around them are not.
  EXPECT_EQ(memory(*core, kDirectMap + 0x3000, 8192), part(code, 0, 4096));
  EXPECT_EQ(memory(*core, kDirectMap + 0x1ff0, 16), part(code, 8176, 16));
  EXPECT_TRUE(memory(*core, kDirectMap, 16).empty());
  EXPECT_TRUE(memory(*core, kDirectMap + 0x2000, 16).empty());
}

TEST(CoreFile, StoredBytesGoBeforeUntouched) {
  DumpBuilder dump;
  dump.segment(0x10000, Bytes(4096, 7));
  dump.page_map = {{0x8000, 0x10000, ~0ull, format::PageMapKind::Untouched, 6}};
  Bytes expected(0x8000, 0);
  expected.resize(0x9000, 7);
  expected.resize(0x10000, 0);
  EXPECT_EQ(memory(*open(dump.core()), 0x8000, 0x20000), expected);
}

TEST(CoreFile, BytesThatTheFileDoesNotHoldAreNotThere) {
  DumpBuilder dump;
  dump.segments.push_back({0x10000, Bytes(100, 7), 4096, 6});
  const auto core = open(dump.core());
  EXPECT_EQ(memory(*core, 0x10000, 4096), Bytes(100, 7));
  EXPECT_TRUE(memory(*core, 0x10064, 1).empty());
}

TEST(CoreFile, OverlappingSegmentsAreReadOnce) {
  DumpBuilder dump;
  dump.segment(0x10000, Bytes(0x2000, 1)).segment(0x11000, Bytes(0x2000, 2)).segment(0x10800, Bytes(0x100, 3));
  Bytes expected(0x2000, 1);
  expected.resize(0x3000, 2);
  EXPECT_EQ(memory(*open(dump.core()), 0x10000, 0x4000), expected);
}

TEST(CoreFile, MoreThan65534Segments) {
  DumpBuilder dump;
  for (uint64_t index = 0; index < 66'000; ++index)
    dump.segments.push_back(
        {0x10000 + index * 0x2000, index % 1000 == 0 ? Bytes(8, uint8_t(index / 1000)) : Bytes{}, 8, 6});
  const auto core = open(dump.core());
  EXPECT_EQ(core->segments().size(), 66'000u);
  EXPECT_EQ(memory(*core, 0x10000 + 65'000 * 0x2000, 8), Bytes(8, 65));
}

TEST(CoreFile, UnknownAndLaterNotesAreSkippedAndListed) {
  DumpBuilder dump = sample();
  Bytes later(64, 0x55);
  std::memcpy(later.data(), snapshot::bytes_of(format::NoteHeader{2, 64}).data(), 8);
  dump.more_notes = {{"MORTEM", 99, Bytes(3, 1)},
                     {"VENDOR", 1, Bytes(5, 2)},
                     {"MORTEM", static_cast<uint32_t>(format::NoteType::Identity), later}};
  const auto core = open(dump.core());
  const auto& notes = core->notes();
  ASSERT_GE(notes.size(), 3u);
  for (size_t index = notes.size() - 3; index < notes.size(); ++index) EXPECT_FALSE(notes[index].understood);
  EXPECT_EQ(notes[notes.size() - 2].owner, "VENDOR");
  EXPECT_EQ(core->identity()->memory_bytes, 256u << 20);
}

TEST(CoreFile, ALongerNoteOfTheSameVersionIsRead) {
  DumpBuilder dump;
  format::IdentityNote identity{};
  identity.header = {1, sizeof(identity) + 32};
  identity.uptime_ns = 77;
  Bytes descriptor(sizeof(identity) + 32, 0xCC);
  std::memcpy(descriptor.data(), &identity, sizeof(identity));
  dump.more_notes = {{"MORTEM", static_cast<uint32_t>(format::NoteType::Identity), descriptor}};
  EXPECT_EQ(open(dump.core())->identity()->uptime_ns, 77u);
}

// Every cut of a dump gives an error of one line that names the file, and never a core that looks whole.
TEST(CoreFile, EveryCutIsAnError) {
  DumpBuilder dump = sample();
  dump.segments.resize(2);
  const Bytes core = dump.core();
  for (size_t length = 0; length < core.size(); length += length < 8192 ? 7 : 331) {
    const std::string error = error_of(part(core, 0, length));
    ASSERT_EQ(error.find("x.core: "), 0u) << length << ": " << error;
    ASSERT_EQ(error.find('\n'), std::string::npos);
    if (length >= 64) {
      ASSERT_NE(error.find("truncated core: "), std::string::npos) << length << ": " << error;
    }
  }
  const Bytes compressed = dump.dump(4096);
  for (size_t length = 0; length < compressed.size(); length += 97) {
    const std::string error = error_of(part(compressed, 0, length));
    ASSERT_EQ(error.find("x.core: "), 0u) << length << ": " << error;
  }
}

TEST(CoreFile, ATruncatedCoreNamesTheOffset) {
  DumpBuilder dump;
  dump.segment(0x10000, Bytes(4096, 1));
  Bytes core = dump.core();
  core.resize(core.size() - 1);
  EXPECT_EQ(error_of(core),
            "x.core: truncated core: segment 1 wants 0x1000 bytes at file offset 0x1000, the file ends at 0x1fff");
}

// Any byte may be changed: an error or a core, never a crash (the sanitizers watch), and reads stay inside.
TEST(CoreFile, EveryChangedHeaderByteIsSurvived) {
  const Bytes core = sample().core();
  const size_t end = 64 + 5 * 56 + 4000;
  for (size_t at = 0; at < end; ++at)
    for (uint8_t value : {uint8_t{0x00}, uint8_t{0x7F}, uint8_t{0xFF}}) {
      Bytes changed = core;
      changed[at] = value;
      auto opened = snapshot::CoreFile::from(test::memory_source(std::move(changed), "x.core"));
      if (!opened) {
        ASSERT_EQ(opened.error().message.find("x.core: "), 0u) << opened.error().message;
        continue;
      }
      Bytes bytes(100);
      for (const auto& segment : (*opened)->segments()) (void)(*opened)->read_memory(segment.address, bytes);
      (void)(*opened)->read_memory(kDirectMap + 0x3000, bytes);
    }
}

TEST(CoreFile, OtherFilesAreNamed) {
  EXPECT_EQ(error_of({}), "x.core: neither an ELF core nor a zstd-compressed one");
  EXPECT_EQ(error_of(Bytes(5000, 'x')), "x.core: neither an ELF core nor a zstd-compressed one");
  Bytes core = sample().core();
  auto with = [&](size_t at, uint8_t value) {
    Bytes changed = core;
    changed[at] = value;
    return error_of(changed);
  };
  EXPECT_EQ(with(16, ET_DYN), "x.core: an ELF file, but not a core: a program or shared library (type 3)");
  EXPECT_EQ(with(18, EM_AARCH64), "x.core: a core of machine 183: only x86-64 (62) is read");
  EXPECT_EQ(with(4, ELFCLASS32), "x.core: an ELF file, but not a 64-bit one: only x86-64 cores are read");
  EXPECT_EQ(with(5, ELFDATA2MSB), "x.core: a big-endian ELF file: only x86-64 cores are read");
}

TEST(DumpInfo, TellsWhatTheDumpTells) {
  const auto core = open(sample().core());
  const auto info = snapshot::gather_dump_info(*core);
  EXPECT_TRUE(info.made_by_mortem);
  EXPECT_EQ(info.identity->boot_id, "ab000000000000000000000000000000");
  EXPECT_FALSE(info.identity->wall_clock_ns);  // 0 is unknown, not 1970
  EXPECT_EQ(info.reason->kind, "signal");
  EXPECT_EQ(info.reason->signal_name, "SIGSEGV");
  EXPECT_EQ(info.reason->level, "full");
  EXPECT_EQ(info.reason->fault_address, 0x18u);
  EXPECT_EQ(info.reason->trap_vector, 14u);
  EXPECT_FALSE(info.reason->exit_status);
  EXPECT_EQ(info.threads[0].id, 42u);
  EXPECT_TRUE(info.threads[0].crashed);
  EXPECT_FALSE(info.threads[1].crashed);
  EXPECT_EQ(info.threads[0].instruction_pointer, 0x4210u);
  EXPECT_TRUE(info.threads[0].has_extended_state);
  EXPECT_EQ(info.modules[1].kind, "kernel");
  EXPECT_EQ(info.modules[0].id.size(), 40u);
  EXPECT_EQ(info.memory.stored_bytes, 8192u + 12288 + 4096 + 4096);
  EXPECT_EQ(info.memory.page_map_bytes.at("untouched"), 0x4000'0000u);
  EXPECT_EQ(info.memory.page_map_bytes.at("stored"), 8192u);
}

}  // namespace
}  // namespace mortem
