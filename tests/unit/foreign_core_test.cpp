// Cores of real programs, made by this machine's kernel and by gdb, compared with what readelf and gdb say of them.
#include <elf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "dump_builder.h"
#include "pattern_matches.h"
#include "snapshot/core_file.h"
#include "snapshot/dump_info.h"
#include "snapshot/little_endian.h"

namespace mortem {
namespace {

constexpr const char* kProgram = R"(
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
unsigned long planted[4] = {0x1111222233334444, 0x5555666677778888, 0, 0x99};
static void *wait_for_ever(void *ready) {
  (void)!write(*(int *)ready, "", 1);
  for (;;) pause();
}
int main(int argc, char **argv) {
  int ready[2];
  char byte;
  pthread_t thread;
  (void)argc, (void)argv;
  (void)!pipe(ready);
  for (int i = 0; i < 2; ++i) pthread_create(&thread, 0, wait_for_ever, &ready[1]);
  for (int i = 0; i < 2; ++i) (void)!read(ready[0], &byte, 1);
  *(volatile int *)0x18 = 1;
}
)";

struct Case {
  const char* name;
  const char* link;   // how the program is linked
  const char* maker;  // "kernel" or "gdb"
};

class ForeignCore : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    program = folder / "victim";
    test::write_file(folder / "victim.c", {reinterpret_cast<const uint8_t*>(kProgram), std::string(kProgram).size()});
    int status = -1;
    test::run_command("cc -O1 -g -Wl,--build-id=sha1 " + std::string(GetParam().link) + " -o " + program.string() +
                          " " + (folder / "victim.c").string() + " -pthread 2>&1",
                      &status);
    ASSERT_EQ(status, 0);
    const std::string in_folder = "cd " + folder.path().string() + " && ";
    if (std::string(GetParam().maker) == "kernel") {
      test::run_command(in_folder + "sh -c 'ulimit -c unlimited; ./victim one two; true' >/dev/null 2>&1");
      test::run_command(in_folder + "mv core core.made 2>/dev/null || mv core.[0-9]* core.made 2>/dev/null");
    } else {
      test::run_command(
          in_folder +
          "timeout 60 gdb -nx -batch -ex 'run' -ex 'generate-core-file core.made' --args ./victim one two "
          ">gdb.log 2>&1");
    }
    // Where core_pattern(5) gives the kernel's cores to a program there is nothing to look at; gdb always makes one.
    const bool is_made = std::filesystem::exists(folder / "core.made");
    if (!is_made && std::string(GetParam().maker) == "kernel") GTEST_SKIP() << "the kernel's cores go elsewhere here";
    ASSERT_TRUE(is_made);
    path = folder / "core.made";
    auto opened = snapshot::CoreFile::open(path);
    ASSERT_TRUE(opened) << opened.error().message;
    core = std::move(*opened);
  }

  std::string tool(const std::string& command) { return test::run_command("LC_ALL=C " + command + " 2>/dev/null"); }

  test::TemporaryFolder folder;
  std::filesystem::path program, path;
  std::unique_ptr<snapshot::CoreFile> core;
};

uint64_t number(const std::string& text) {
  return std::stoull(text, nullptr, 16);
}

TEST_P(ForeignCore, SegmentsAreReadelfs) {
  std::istringstream lines(tool("readelf -lW " + path.string()));
  std::vector<snapshot::CoreSegment> expected;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string type, offset, address, physical, file_size, memory_size;
    fields >> type >> offset >> address >> physical >> file_size >> memory_size;
    if (type != "LOAD" || number(memory_size) == 0) continue;
    expected.push_back({number(address), number(memory_size), number(offset), number(file_size), number(physical), 0});
  }
  ASSERT_GT(expected.size(), 3u);
  ASSERT_EQ(core->segments().size(), expected.size());
  for (size_t index = 0; index < expected.size(); ++index) {
    EXPECT_EQ(core->segments()[index].address, expected[index].address);
    EXPECT_EQ(core->segments()[index].memory_size, expected[index].memory_size);
    EXPECT_EQ(core->segments()[index].file_offset, expected[index].file_offset);
    EXPECT_EQ(core->segments()[index].file_size, expected[index].file_size);
  }
}

TEST_P(ForeignCore, RegistersAreGdbs) {
  const std::string output =
      tool("gdb -nx -batch -ex 'thread apply all info registers' " + program.string() + " " + path.string());
  std::istringstream lines(output);
  std::map<uint32_t, std::map<std::string, uint64_t>> expected;
  uint32_t thread = 0;
  for (std::string line; std::getline(lines, line);) {
    for (const auto& match : test::matches_of("^Thread [0-9]+ .*LWP ([0-9]+)", line)) thread = std::stoul(match[1]);
    for (const auto& match : test::matches_of("^([a-z0-9_]+) +0x([0-9a-f]+) ", line))
      expected[thread][match[1]] = number(match[2]);
  }
  ASSERT_EQ(expected.size(), 3u) << output;
  ASSERT_EQ(core->threads().size(), 3u);
  for (const auto& one : core->threads()) {
    ASSERT_TRUE(expected.contains(one.id));
    const auto& registers = expected.at(one.id);
    for (const auto& description : format::kGeneralRegisters) {
      // `info registers` leaves these out.
      if (std::string_view(description.name) == "orig_rax" || std::string_view(description.name).ends_with("_base"))
        continue;
      const uint64_t value = *snapshot::load<uint64_t>(snapshot::bytes_of(one.registers), description.offset);
      ASSERT_TRUE(registers.contains(description.name)) << description.name;
      EXPECT_EQ(value, registers.at(description.name)) << description.name << " of thread " << one.id;
    }
    EXPECT_EQ(one.floating_point.size(), 512u);
  }
}

TEST_P(ForeignCore, SegmentBasesAreEuReadelfs) {
  const std::string notes = tool("eu-readelf -n " + path.string());
  std::vector<std::pair<uint64_t, uint64_t>> expected, got;
  for (const auto& match : test::matches_of("fs\\.base: +0x([0-9a-f]+) +gs\\.base: +0x([0-9a-f]+)", notes))
    expected.emplace_back(number(match[1]), number(match[2]));
  for (const auto& one : core->threads()) got.emplace_back(one.registers.fs_base, one.registers.gs_base);
  EXPECT_EQ(got, expected);
  EXPECT_EQ(got.size(), 3u);
}

TEST_P(ForeignCore, TheCrashedThreadAndItsReason) {
  const auto info = snapshot::gather_dump_info(*core);
  EXPECT_FALSE(info.made_by_mortem);
  ASSERT_TRUE(info.reason);
  EXPECT_EQ(info.reason->signal_name, "SIGSEGV");
  EXPECT_EQ(info.reason->fault_address, 0x18u);
  EXPECT_EQ(info.program_name, "victim");
  EXPECT_NE(info.command_line.find("victim one two"), std::string::npos) << info.command_line;
  EXPECT_FALSE(info.reason->level);
  EXPECT_TRUE(info.threads[0].crashed);
  EXPECT_FALSE(info.threads[1].crashed);
}

TEST_P(ForeignCore, ModulesHaveTheFilesBuildIdsAndBiases) {
  const auto& modules = core->modules();
  auto found = std::find_if(modules.begin(), modules.end(),
                            [](const auto& module) { return module.kind == format::ModuleKind::Program; });
  ASSERT_NE(found, modules.end());
  EXPECT_EQ(std::filesystem::path(found->path).filename(), "victim");
  const std::string notes = tool("readelf -n " + program.string());
  EXPECT_NE(notes.find("Build ID: " + snapshot::hexadecimal(found->id)), std::string::npos) << notes;

  const auto symbols = test::matches_of("([0-9a-f]+) D planted$", tool("nm " + program.string()));
  ASSERT_EQ(symbols.size(), 1u);
  uint64_t planted[4] = {};
  auto got = core->read_memory(number(symbols[0][1]) + found->load_bias, snapshot::writable_bytes_of(planted));
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, sizeof(planted));
  EXPECT_EQ(planted[0], 0x1111222233334444u);
  EXPECT_EQ(planted[1], 0x5555666677778888u);
  EXPECT_EQ(planted[3], 0x99u);

  const bool is_static = std::string(GetParam().link).find("static") != std::string::npos;
  size_t libraries = 0, interpreters = 0, with_id = 0;
  for (const auto& module : modules) {
    libraries += module.kind == format::ModuleKind::Library;
    interpreters += module.kind == format::ModuleKind::Interpreter;
    if (module.id.empty()) continue;
    ++with_id;
    if (module.kind != format::ModuleKind::Library && module.kind != format::ModuleKind::Interpreter) continue;
    EXPECT_NE(tool("readelf -n " + module.path).find(snapshot::hexadecimal(module.id)), std::string::npos)
        << module.path;
  }
  EXPECT_EQ(libraries, is_static ? 0u : 1u);  // libc
  EXPECT_EQ(interpreters, is_static ? 0u : 1u);
  EXPECT_GE(with_id, is_static ? 1u : 3u);
}

TEST_P(ForeignCore, FileMappingsAreEuReadelfs) {
  const std::string notes = tool("eu-readelf -n " + path.string());
  std::vector<snapshot::CoreFileMapping> expected;
  for (const auto& match : test::matches_of("^ +([0-9a-f]+)-([0-9a-f]+) ([0-9a-f]+) [0-9]+ +(/.+)$", notes))
    expected.push_back({number(match[1]), number(match[2]), number(match[3]), match[4]});
  ASSERT_FALSE(expected.empty());
  ASSERT_EQ(core->file_mappings().size(), expected.size());
  for (size_t index = 0; index < expected.size(); ++index) {
    EXPECT_EQ(core->file_mappings()[index].start, expected[index].start);
    EXPECT_EQ(core->file_mappings()[index].end, expected[index].end);
    EXPECT_EQ(core->file_mappings()[index].file_offset, expected[index].file_offset);
    EXPECT_EQ(core->file_mappings()[index].path, expected[index].path);
  }
}

TEST_P(ForeignCore, EveryCutIsAnError) {
  const test::Bytes whole = test::read_file(path);
  for (size_t length = 0; length < whole.size(); length += length < 20'000 ? 977 : whole.size() / 50) {
    test::write_file(folder / "cut", std::span(whole).first(length));
    auto opened = snapshot::CoreFile::open(folder / "cut");
    ASSERT_FALSE(opened) << length;
    ASSERT_EQ(opened.error().message.find((folder / "cut").string() + ": "), 0u) << opened.error().message;
  }
}

INSTANTIATE_TEST_SUITE_P(Made, ForeignCore,
                         testing::Values(Case{"KernelPie", "-pie -fPIE", "kernel"},
                                         Case{"KernelNoPie", "-no-pie", "kernel"},
                                         Case{"KernelStatic", "-static", "kernel"}, Case{"GdbPie", "-pie -fPIE", "gdb"},
                                         Case{"GdbStaticPie", "-static-pie -fPIE", "gdb"}),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace mortem
