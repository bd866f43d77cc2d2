// The core writer, from a guest of bytes to the file that stock tools open.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "crash_fake_guest.h"
#include "kernel/crash/core_writer.h"
#include "kernel/crash/dump_plan.h"
#include "kernel/crash/elf.h"
#include "kernel/crash/seekable_compressor.h"
#include "kernel/memory/page_tree.h"
#undef TRY  // the kernel's; the host has its own
#include "snapshot/core_file.h"

namespace mortem::test {
namespace {

using namespace kernel;
using format::DumpLevel;

class VectorSink final : public ByteSink {
 public:
  bool write(const void* from, size_t size) override {
    if (bytes.size() + size > limit) return false;
    const auto* at = static_cast<const uint8_t*>(from);
    bytes.insert(bytes.end(), at, at + size);
    return true;
  }
  bool write_zeros(uint64_t count) override {
    if (bytes.size() + count > limit) return false;
    bytes.resize(bytes.size() + count);
    return true;
  }
  std::vector<uint8_t> bytes;
  uint64_t limit = ~uint64_t{0};
};

std::vector<uint8_t> plain_core(const CrashState& state, DumpLevel level = DumpLevel::Full) {
  VectorSink sink;
  CoreWriter writer(state, level, Deadline());
  EXPECT_EQ(writer.write(sink), CoreResult::Written);
  return std::move(sink.bytes);
}

struct CompressorBuffers {
  std::vector<uint8_t> workspace = std::vector<uint8_t>(compressor_workspace_size());
  std::vector<uint8_t> frame = std::vector<uint8_t>(kFrameSize);
  std::vector<uint8_t> output = std::vector<uint8_t>(compressor_output_size());
  std::vector<uint32_t> table = std::vector<uint32_t>(1 << 16);
  CompressorMemory memory() { return {workspace, frame, output, table}; }
};

std::filesystem::path write_file(const char* name, const std::vector<uint8_t>& bytes) {
  const auto path = std::filesystem::path(testing::TempDir()) / (std::to_string(getpid()) + name);
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return path;
}

std::string run(const std::string& command) {
  std::string output;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  char part[4096];
  while (const size_t count = fread(part, 1, sizeof part, pipe)) output.append(part, count);
  const int status = pclose(pipe);
  return status == 0 ? output : output + "\nexit status of " + command + ": " + std::to_string(status);
}

std::vector<uint8_t> bytes_at(const snapshot::CoreFile& core, uint64_t address, size_t size) {
  std::vector<uint8_t> bytes(size);
  auto count = core.read_memory(address, bytes);
  bytes.resize(count ? *count : 0);
  return bytes;
}

TEST(CrashCore, ReaderSeesWhatTheGuestWas) {
  FakeGuest guest;
  guest.crash_of_the_app();
  const auto path = write_file(".core", plain_core(guest.state));
  auto opened = snapshot::CoreFile::open(path);
  ASSERT_TRUE(opened) << opened.error().message;
  const snapshot::CoreFile& core = **opened;

  ASSERT_EQ(core.threads().size(), 1u);
  EXPECT_EQ(core.threads()[0].id, kProcessId);
  EXPECT_EQ(core.threads()[0].name, "fake");
  EXPECT_EQ(core.threads()[0].signal, 11);
  EXPECT_EQ(std::memcmp(&core.threads()[0].registers, &guest.state.machine.general, sizeof(format::GeneralRegisters)),
            0);
  ASSERT_TRUE(core.reason());
  EXPECT_STREQ(core.reason()->message, guest.state.message);
  EXPECT_EQ(core.reason()->fault_address, 0x10u);
  EXPECT_EQ(core.reason()->trap_vector, 14u);
  EXPECT_EQ(core.kernel_log(), "first line\nsecond line\n");
  EXPECT_EQ(core.command_line(), "/bin/fake --quick");
  EXPECT_EQ(core.auxiliary_vector(), (std::vector<uint64_t>{3, 0x400040, 6, 4096}));  // AT_NULL ends it
  ASSERT_EQ(core.file_mappings().size(), 3u);
  EXPECT_EQ(core.file_mappings()[1].file_offset, kPageSize);
  ASSERT_EQ(core.modules().size(), 2u);  // the program and, from the guest description, the kernel
  EXPECT_EQ(core.modules()[0].path, "/bin/fake");
  EXPECT_EQ(core.modules()[0].id, (std::vector<uint8_t>{0xAB, 0xCD, 0xEF, 0x01}));

  EXPECT_EQ(bytes_at(core, kFakeText, 4), std::vector<uint8_t>(4, 0x90));
  EXPECT_EQ(bytes_at(core, kFakeData, 4), std::vector<uint8_t>(4, 0xDA));
  EXPECT_EQ(bytes_at(core, 0x500000, 4), std::vector<uint8_t>(4, 0));  // untouched, small: stored as zeros
  EXPECT_EQ(bytes_at(core, kFakeData + kPageSize, 4).size(), 0u);      // never read from its file
  EXPECT_EQ(bytes_at(core, 0x600000, 4).size(), 0u);                   // PROT_NONE
  // 64 GiB that nobody touched: not in the file, our reader knows from the page map that they are zero.
  EXPECT_EQ(bytes_at(core, 0x10'0000'0000, 4), std::vector<uint8_t>(4, 0));
  EXPECT_LT(core.bytes().size(), 1u << 20);
  std::filesystem::remove(path);
}

format::PageMapKind kind_at(const snapshot::CoreFile& core, uint64_t address) {
  for (const auto& entry : core.page_map())
    if (entry.virtual_start <= address && address < entry.virtual_start + entry.length) return entry.kind;
  return format::PageMapKind{};
}

void sort_areas(FakeGuest& guest) {
  std::sort(guest.areas.begin(), guest.areas.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
}

TEST(CrashCore, APageOfManyViewsIsStoredOnce) {
  using format::PageMapKind;
  FakeGuest guest;
  guest.crash_of_the_app();
  std::vector<uint32_t> stored_at(guest.page_count, 77);  // what an earlier walk left there is forgotten
  guest.state.stored_at = stored_at;
  constexpr uint64_t kFirst = 0x800000, kSecond = 0x900000;
  guest.area(kFirst, kFirst + 4 * kPageSize, kProtectRead, AreaKind::File, "/lib/twice");
  guest.area(kSecond, kSecond + 4 * kPageSize, kProtectRead, AreaKind::File, "/lib/twice");
  for (uint64_t page = 0; page < 4; ++page) {
    const PageOwner owner = page < 2 ? PageOwner::PageCache : PageOwner::SharedMemory;
    const PhysicalAddress physical =
        guest.map(kFirst + page * kPageSize, owner, static_cast<uint8_t>(0xC0 + page), false);
    // The other view shows them in the other order, so that no two follow each other.
    *guest.entry(kSecond + (3 - page) * kPageSize) = physical | 5;
  }
  sort_areas(guest);
  const PhysicalAddress unmapped = guest.allocate(PageOwner::SharedMemory);
  std::memset(guest.bytes(unmapped), 0xEE, kPageSize);
  for (const DumpLevel level : {DumpLevel::Full, DumpLevel::AppOnly}) {
    const std::vector<uint8_t> bytes = plain_core(guest.state, level);
    for (int fill = 0xC0; fill < 0xC4; ++fill) {
      size_t count = 0;
      for (size_t at = 0; at + kPageSize <= bytes.size(); at += kPageSize)
        count += std::all_of(&bytes[at], &bytes[at] + kPageSize, [fill](uint8_t byte) { return byte == fill; });
      EXPECT_EQ(count, 1u) << fill;
    }
    const auto path = write_file(".core", bytes);
    auto core = snapshot::CoreFile::open(path);
    ASSERT_TRUE(core) << core.error().message;
    for (uint64_t page = 0; page < 4; ++page) {
      const std::vector<uint8_t> wanted(4, static_cast<uint8_t>(0xC0 + page));
      EXPECT_EQ(bytes_at(**core, kFirst + page * kPageSize, 4), wanted);
      EXPECT_EQ(bytes_at(**core, kSecond + (3 - page) * kPageSize, 4), wanted);
      EXPECT_EQ(kind_at(**core, kSecond + page * kPageSize), PageMapKind::Alias);
      const PhysicalAddress physical = *guest.entry(kFirst + page * kPageSize) & 0x000f'ffff'ffff'f000;
      EXPECT_EQ(kind_at(**core, g_direct_map_base + physical), PageMapKind::Alias);
      EXPECT_EQ(bytes_at(**core, g_direct_map_base + physical, 4), wanted);
    }
    EXPECT_EQ(kind_at(**core, g_direct_map_base + unmapped),
              level == DumpLevel::Full ? PageMapKind::Stored : PageMapKind::Dropped);
    std::filesystem::remove(path);
  }
  // Without the table every view is stored.
  guest.state.stored_at = {};
  const auto path = write_file(".core", plain_core(guest.state));
  auto core = snapshot::CoreFile::open(path);
  ASSERT_TRUE(core) << core.error().message;
  EXPECT_EQ(kind_at(**core, kSecond), PageMapKind::Stored);
  EXPECT_EQ(bytes_at(**core, kSecond, 4), std::vector<uint8_t>(4, 0xC3));
  std::filesystem::remove(path);
}

TEST(CrashCore, AFileInMemoryIsSeenWhereItIsMappedThoughNobodyLooked) {
  using format::PageMapKind;
  FakeGuest guest;
  guest.crash_of_the_app();
  std::vector<uint32_t> stored_at(guest.page_count);
  guest.state.stored_at = stored_at;
  const PhysicalAddress node = guest.allocate(PageOwner::KernelHeap), page = guest.allocate(PageOwner::SharedMemory);
  std::memset(guest.bytes(page), 0xAB, kPageSize);
  reinterpret_cast<PhysicalAddress*>(guest.bytes(node))[3] = page;
  reinterpret_cast<PhysicalAddress*>(guest.bytes(node))[4] = 0x123;  // no page
  PageTree::Shape shape{node, 1};
  constexpr uint64_t kView = 0x800000, kDamaged = 0xA00000;
  guest.area(kView, kView + 6 * kPageSize, kProtectRead, AreaKind::File, "/memfd:x (deleted)", kPageSize);
  guest.areas.back().memory = reinterpret_cast<const PageTree*>(&shape);
  guest.area(kDamaged, kDamaged + kPageSize, kProtectRead, AreaKind::File, "/memfd:y (deleted)");
  guest.areas.back().memory = reinterpret_cast<const PageTree*>(uint64_t{24});
  sort_areas(guest);
  const auto path = write_file(".core", plain_core(guest.state));
  auto core = snapshot::CoreFile::open(path);
  ASSERT_TRUE(core) << core.error().message;
  EXPECT_EQ(bytes_at(**core, kView + 2 * kPageSize, 4), std::vector<uint8_t>(4, 0xAB));
  EXPECT_EQ(bytes_at(**core, kView, 4), std::vector<uint8_t>(4, 0));
  EXPECT_EQ(kind_at(**core, kView + 3 * kPageSize), PageMapKind::Dropped);
  EXPECT_EQ(kind_at(**core, kDamaged), PageMapKind::Dropped);
  EXPECT_EQ(kind_at(**core, g_direct_map_base + page), PageMapKind::Alias);
  EXPECT_EQ((*core)->file_mappings().size(), 3u) << "a file that is nowhere else is none to look for";
  std::filesystem::remove(path);
}

TEST(CrashCore, PageMapNamesWhatIsNotThere) {
  using format::PageMapKind;
  FakeGuest guest;
  guest.crash_of_the_app();
  guest.state.reserve_start = guest.allocate(PageOwner::KernelHeap, 2);
  guest.state.reserve_end = guest.state.reserve_start + 2 * kPageSize;
  const uint64_t heap = g_direct_map_base + guest.allocate(PageOwner::KernelHeap);
  const uint64_t cache = g_direct_map_base + guest.allocate(PageOwner::PageCache);
  const auto path = write_file(".core", plain_core(guest.state));
  auto core = snapshot::CoreFile::open(path);
  ASSERT_TRUE(core) << core.error().message;
  EXPECT_EQ(kind_at(**core, kFakeText), PageMapKind::Stored);
  EXPECT_EQ(kind_at(**core, kFakeData + kPageSize), PageMapKind::Dropped);
  EXPECT_EQ(kind_at(**core, 0x600000), PageMapKind::Reserved);
  EXPECT_EQ(kind_at(**core, 0x10'0000'0000), PageMapKind::Untouched);
  EXPECT_EQ(kind_at(**core, heap), PageMapKind::Stored);
  EXPECT_EQ(kind_at(**core, cache), PageMapKind::Dropped);
  EXPECT_EQ(kind_at(**core, g_direct_map_base + guest.state.reserve_start), PageMapKind::Dropped);
  const PhysicalAddress text = *guest.entry(kFakeText) & 0x000f'ffff'ffff'f000;
  EXPECT_EQ(kind_at(**core, g_direct_map_base + text), PageMapKind::Alias);
  std::filesystem::remove(path);
}

TEST(CrashCore, StockToolsAgree) {
  FakeGuest guest;
  guest.crash_of_the_app();
  alignas(64) static uint8_t extended[832] = {};
  const uint64_t xcr0 = 7;
  std::memcpy(extended + 464, &xcr0, sizeof xcr0);
  std::memcpy(extended + 512, &xcr0, sizeof xcr0);  // XSTATE_BV: all three components are there
  extended[160] = 0x5A;                             // first byte of xmm0
  guest.state.extended_state = extended;
  guest.state.extended_state_size = sizeof extended;
  guest.state.extended_state_is_xsave = true;
  const auto path = write_file(".core", plain_core(guest.state));

  const std::string readelf = run("LC_ALL=C readelf -W -a -n " + path.string());
  EXPECT_EQ(readelf.find("arning"), std::string::npos) << readelf;
  EXPECT_EQ(readelf.find("rror"), std::string::npos) << readelf;
  EXPECT_NE(readelf.find("NT_X86_XSTATE"), std::string::npos) << readelf;
  const std::string eu = run("LC_ALL=C eu-readelf -l -n " + path.string());
  EXPECT_NE(eu.find("MORTEM"), std::string::npos) << eu;
  EXPECT_EQ(eu.find("exit status"), std::string::npos) << eu;

  const std::string gdb = run("gdb -nx -batch -ex 'core-file " + path.string() +
                              "' -ex 'info registers' -ex 'info registers fs_base gs_base' -ex 'p "
                              "$_siginfo._sifields._sigfault.si_addr' -ex 'p $_siginfo.si_signo' "
                              "-ex 'x/2xb 0x403000' -ex 'x/xb 0x404000' -ex 'x/xb 0x600000' -ex 'p $xmm0.v16_int8[0]' "
                              "-ex 'info auxv' -ex 'maint info sections'");
  const auto expect_register = [&](const char* name, uint64_t value) {
    char line[64];
    snprintf(line, sizeof line, "\n%-15s0x%lx ", name, value);
    EXPECT_NE(gdb.find(line), std::string::npos) << line << " not in:\n" << gdb;
  };
  const auto& general = guest.state.machine.general;
#define MORTEM_EXPECT(name, size, gdb_number, dwarf, index) \
  if (std::string_view(#name) != "orig_rax") expect_register(#name, general.name);
  MORTEM_GENERAL_REGISTERS(MORTEM_EXPECT)
#undef MORTEM_EXPECT
  EXPECT_NE(gdb.find("= (void *) 0x10"), std::string::npos) << gdb;
  EXPECT_NE(gdb.find(" = 11"), std::string::npos) << gdb;
  EXPECT_NE(gdb.find("0x403000:\t0xda\t0xda"), std::string::npos) << gdb;
  EXPECT_NE(gdb.find("Cannot access memory at address 0x404000"), std::string::npos) << gdb;
  EXPECT_NE(gdb.find("Cannot access memory at address 0x600000"), std::string::npos) << gdb;
  EXPECT_NE(gdb.find("= 90"), std::string::npos) << gdb;  // 0x5A in xmm0
  // None of our notes is taken for one of Linux's.
  EXPECT_EQ(gdb.find(".auxv"), gdb.rfind(".auxv")) << gdb;
  EXPECT_NE(gdb.find("AT_PAGESZ"), std::string::npos) << gdb;
  std::filesystem::remove(path);
}

TEST(CrashCore, OnlyTheCrashedThreadHasTheSignal) {
  FakeGuest guest;
  guest.crash_of_the_app();
  TrapFrame frame{};
  frame.rip = 0x401044;
  frame.r15 = 0x15;
  Thread other{};
  other.id = 7;
  std::strcpy(other.name, "worker");
  other.frame = &frame;
  Thread lost = other;  // its saved registers cannot be read: better no thread than one of zeros
  lost.id = 8;
  lost.frame = reinterpret_cast<TrapFrame*>(8);
  other.next = &lost;
  lost.next = &other;  // a list that bites its tail
  g_threads->next = &other;
  lost.next = nullptr;
  const auto path = write_file(".core", plain_core(guest.state));
  auto core = snapshot::CoreFile::open(path);
  ASSERT_TRUE(core) << core.error().message;
  ASSERT_EQ((*core)->threads().size(), 2u);
  EXPECT_EQ((*core)->threads()[0].signal, 11);
  EXPECT_EQ((*core)->threads()[1].id, 7u);
  EXPECT_EQ((*core)->threads()[1].signal, 0);
  EXPECT_EQ((*core)->threads()[1].registers.r15, 0x15u);
  std::filesystem::remove(path);
}

TEST(CrashCore, MoreThan65534Segments) {
  FakeGuest guest(80'000);
  guest.crash_of_the_app();
  guest.areas.clear();
  // One physical page behind each second page: as many segments as pages.
  constexpr uint64_t kCount = 66'000, kBase = 0x7000'0000'0000;
  const PhysicalAddress page = guest.allocate(PageOwner::App);
  for (uint64_t i = 0; i < kCount; ++i) {
    const uint64_t address = kBase + 2 * i * kPageSize;
    *guest.entry(address) = page | 7;
    guest.area(address, address + kPageSize, kProtectRead, AreaKind::Anonymous);
  }
  std::memset(guest.bytes(page), 0x42, kPageSize);
  const auto path = write_file(".core", plain_core(guest.state, DumpLevel::AppOnly));
  elf::Header header;
  std::ifstream(path, std::ios::binary).read(reinterpret_cast<char*>(&header), sizeof header);
  EXPECT_EQ(header.program_header_count, 0xffff);
  auto core = snapshot::CoreFile::open(path);
  ASSERT_TRUE(core) << core.error().message;
  EXPECT_EQ((*core)->segments().size(), kCount);
  EXPECT_EQ(bytes_at(**core, kBase + 2 * (kCount - 1) * kPageSize, 2), std::vector<uint8_t>(2, 0x42));
  const std::string readelf = run("LC_ALL=C readelf -W -h " + path.string());
  EXPECT_NE(readelf.find("65535 (66001)"), std::string::npos) << readelf;
  EXPECT_EQ(readelf.find("arning"), std::string::npos) << readelf;
  const std::string gdb = run("gdb -nx -batch -ex 'core-file " + path.string() + "' -ex 'x/xb 0x700000000000'");
  EXPECT_NE(gdb.find("0x700000000000:\t0x42"), std::string::npos) << gdb;
  std::filesystem::remove(path);
}

TEST(CrashCore, SmallerLevelsHoldLessAndSayWhat) {
  using format::PageMapKind;
  FakeGuest guest;
  guest.crash_of_the_app();
  const uint64_t heap = g_direct_map_base + guest.allocate(PageOwner::KernelHeap);
  auto path = write_file(".core", plain_core(guest.state, DumpLevel::AppOnly));
  auto core = snapshot::CoreFile::open(path);
  ASSERT_TRUE(core) << core.error().message;
  EXPECT_EQ((*core)->reason()->level, DumpLevel::AppOnly);
  EXPECT_EQ(kind_at(**core, heap), PageMapKind::Dropped);
  EXPECT_EQ(kind_at(**core, kFakeData), PageMapKind::Stored);

  path = write_file(".core", plain_core(guest.state, DumpLevel::Registers));
  core = snapshot::CoreFile::open(path);
  ASSERT_TRUE(core) << core.error().message;
  EXPECT_EQ(kind_at(**core, kFakeData), PageMapKind::Dropped);
  EXPECT_EQ(kind_at(**core, 0x400000), PageMapKind::Stored);  // the module's ELF header
  EXPECT_EQ(kind_at(**core, guest.state.machine.general.rsp), PageMapKind::Stored);
  EXPECT_EQ((*core)->threads()[0].registers.rbx, guest.state.machine.general.rbx);
  std::filesystem::remove(path);
}

TEST(CrashCore, DamageIsLeftOutNotFollowed) {
  FakeGuest guest;
  guest.crash_of_the_app();
  // A page table that leads out of RAM, an area that is upside down, a module table that is cut, a bad path.
  guest.map(0x8000'0000, PageOwner::App, 1);
  auto* table = reinterpret_cast<uint64_t*>(guest.bytes(guest.root));
  table[(0x5555'5555'0000 >> 39) & 511] = (uint64_t{1} << 45) | 7;
  guest.area(0x7fff'f000, 0x7fff'0000, kProtectRead, AreaKind::Anonymous);
  guest.area(0x5555'5555'0000, 0x5555'5556'0000, kProtectRead, AreaKind::Anonymous);
  guest.areas[1].path = reinterpret_cast<const char*>(3);
  guest.modules.resize(guest.modules.size() - 8);
  std::sort(guest.areas.begin(), guest.areas.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
  const auto path = write_file(".core", plain_core(guest.state));
  auto core = snapshot::CoreFile::open(path);
  ASSERT_TRUE(core) << core.error().message;
  EXPECT_EQ(kind_at(**core, 0x5555'5555'0000), format::PageMapKind::Dropped);
  EXPECT_EQ((*core)->file_mappings().size(), 2u);
  EXPECT_EQ(bytes_at(**core, kFakeText, 1), std::vector<uint8_t>(1, 0x90));
  std::filesystem::remove(path);
}

TEST(CrashCore, EndsWhenTimeIsUp) {
  FakeGuest guest;
  guest.crash_of_the_app();
  crash_clock_prepare(0);
  guest.clock_step = 1'000'000;  // each look at the clock is a millisecond
  VectorSink sink;
  CoreWriter writer(guest.state, DumpLevel::Full, Deadline::in_ms(5));
  EXPECT_EQ(writer.write(sink), CoreResult::TooLate);
}

TEST(CrashCore, CompressedIsTheSameForZstdAndForOurReader) {
  FakeGuest guest;
  guest.crash_of_the_app();
  const PhysicalAddress heap = guest.allocate(PageOwner::KernelHeap, 300);
  for (size_t i = 0; i < 300 * kPageSize; ++i) guest.bytes(heap)[i] = static_cast<uint8_t>((i * i) >> 7);
  guest.area(0x7000'0000'0000, 0x7000'0080'0000, kProtectRead | kProtectWrite, AreaKind::Anonymous);
  std::swap(guest.areas[guest.areas.size() - 1], guest.areas[guest.areas.size() - 2]);
  const std::vector<uint8_t> plain = plain_core(guest.state);

  CompressorBuffers buffers;
  VectorSink stored;
  SeekableCompressor compressor(buffers.memory(), stored);
  CoreWriter writer(guest.state, DumpLevel::Full, Deadline());
  ASSERT_EQ(writer.write(compressor), CoreResult::Written);
  ASSERT_TRUE(compressor.finish());
  EXPECT_EQ(compressor.content_bytes(), plain.size());
  EXPECT_LT(stored.bytes.size(), plain.size() / 4);

  const auto path = write_file(".zst", stored.bytes);
  const auto plain_path = write_file(".core", plain);
  EXPECT_EQ(run("zstd -q -t " + path.string()), "");
  EXPECT_EQ(run("zstd -q -d -c " + path.string() + " | cmp - " + plain_path.string()), "");
  auto core = snapshot::CoreFile::open(path);
  ASSERT_TRUE(core) << core.error().message;
  EXPECT_EQ(bytes_at(**core, kFakeData, 2), std::vector<uint8_t>(2, 0xDA));
  std::filesystem::remove(path);
  std::filesystem::remove(plain_path);
}

// Gives each frame the time that the test says.
uint64_t g_now, g_compressing, g_storing;
unsigned g_looks;
uint64_t frame_clock() {
  // Twice a frame: before and behind it; the first four are compressed, the next four stored.
  if (g_looks++ % 2 == 1) g_now += g_looks <= 8 ? g_compressing : g_storing;
  return g_now;
}

std::vector<uint8_t> compressed(bool may_store, uint64_t compressing, uint64_t storing, std::vector<uint8_t>& content) {
  g_now = g_looks = 0, g_compressing = compressing, g_storing = storing;
  content.clear();
  CompressorBuffers buffers;
  VectorSink stored;
  SeekableCompressor compressor(buffers.memory(), stored, may_store, frame_clock);
  const std::vector<uint8_t> frame = [] {
    std::vector<uint8_t> bytes(kFrameSize);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = "not much in here"[i % 16];
    return bytes;
  }();
  for (int number = 0; number < 40; ++number) {
    EXPECT_TRUE(compressor.write(frame.data(), frame.size()));
    content.insert(content.end(), frame.begin(), frame.end());
  }
  // Half of these is not memory's: they are compressed in any case.
  for (int number = 0; number < 10; ++number) {
    EXPECT_TRUE(compressor.write(frame.data(), frame.size() / 2) && compressor.write_zeros(frame.size() / 2));
    content.insert(content.end(), frame.begin(), frame.begin() + ptrdiff_t(frame.size() / 2));
    content.insert(content.end(), frame.size() / 2, 0);
  }
  EXPECT_TRUE(compressor.finish());
  return stored.bytes;
}

TEST(CrashCore, FramesAreStoredWhereCompressingIsMuchSlower) {
  std::vector<uint8_t> content;
  EXPECT_LT(compressed(false, 1000, 1, content).size(), kFrameSize);
  EXPECT_LT(compressed(true, 400, 100, content).size(), 5 * kFrameSize);  // four of them to find out
  EXPECT_GT(compressed(true, 400, 100, content).size(), 4 * kFrameSize);
  const std::vector<uint8_t> stored = compressed(true, 401, 100, content);
  EXPECT_GT(stored.size(), 36 * kFrameSize);
  EXPECT_LT(stored.size(), 37 * kFrameSize);
  const auto path = write_file(".zst", stored), plain_path = write_file(".content", content);
  EXPECT_EQ(run("zstd -q -t " + path.string()), "");
  EXPECT_EQ(run("zstd -q -d -c " + path.string() + " | cmp - " + plain_path.string()), "");
  EXPECT_NE(run("zstd -lv " + path.string() + " 2>&1").find("XXH64"), std::string::npos);
  std::filesystem::remove(path);
  std::filesystem::remove(plain_path);
}

TEST(CrashCore, SinkThatIsFullStopsIt) {
  FakeGuest guest;
  guest.crash_of_the_app();
  CompressorBuffers buffers;
  VectorSink stored;
  stored.limit = 100;
  SeekableCompressor compressor(buffers.memory(), stored);
  CoreWriter writer(guest.state, DumpLevel::Full, Deadline());
  const CoreResult result = writer.write(compressor);
  EXPECT_TRUE(result == CoreResult::SinkFailed || !compressor.finish());
  EXPECT_EQ(compressor.failure(), SeekableCompressor::Failure::Sink);

  buffers.table.resize(1);
  VectorSink other;
  SeekableCompressor small(buffers.memory(), other);
  EXPECT_FALSE(small.write_zeros(kFrameSize) && small.finish());
  EXPECT_EQ(small.failure(), SeekableCompressor::Failure::TableFull);
}

}  // namespace
}  // namespace mortem::test
