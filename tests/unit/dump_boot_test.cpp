// A dump made into what QEMU boots, over a guest of a few pages; and with every number in its description wrong.
#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>

#include "snapshot/format/resume.h"
#include "snapshot/resume/dump_boot.h"
#include "tests/unit/dump_builder.h"

namespace {

using namespace mortem;
using namespace mortem::format;
using namespace mortem::test;

constexpr uint64_t kDirectMap = 0xFFFF'8880'0000'0000, kKernel = 0xFFFF'FFFF'8000'0000, kPageSize = 4096;
constexpr uint64_t kPages = 2048, kKernelAt = 0x200000, kRootAt = 0x300000, kOwnersAt = 0x301000, kAppAt = 0x302000,
                   kFileAt = 0x303000, kApp = 0x400000;

GuestDescription description() {
  GuestDescription block{};
  std::memcpy(block.magic, kGuestDescriptionMagic, sizeof block.magic);
  block.version = kGuestDescriptionVersion;
  block.size = sizeof block;
  block.page_table_root = kRootAt;
  block.direct_map_base = kDirectMap;
  block.kernel_virtual_base = kKernel;
  block.kernel_physical_base = kKernelAt;
  block.kernel_image_size = 2 * kPageSize;
  block.kernel_build_id_length = 2;
  block.kernel_build_id[0] = 0xAB;
  block.memory_pages = kPages;
  block.page_owner_table = kDirectMap + kOwnersAt;
  block.host_bridge = 0x29C0'8086;
  block.resume_code = kKernel + 0x100;
  block.resume_code_size = 64;
  block.resume_entry = kKernel + 0x800;
  return block;
}

struct Guest {
  GuestDescription block = description();
  PageOwner file_owner = PageOwner::PageCache;
  DumpLevel level = DumpLevel::Full;
  ReasonKind kind = ReasonKind::Signal;
  uint64_t app_physical = kAppAt;

  std::unique_ptr<snapshot::CoreFile> core() const {
    DumpBuilder dump;
    dump.thread(2, "program", {});
    const auto add = [&](uint64_t address, uint64_t physical, Bytes content) {
      dump.page_map.push_back({address, content.size(), physical, PageMapKind::Stored, 6});
      dump.segment(address, std::move(content));
    };
    Bytes owners(kPageSize);
    const auto own = [&](uint64_t physical, PageOwner owner) { owners[physical / kPageSize] = uint8_t(owner); };
    own(kGuestDescriptionAddress, PageOwner::Reserved);
    own(kKernelAt, PageOwner::KernelImage);
    own(kRootAt, PageOwner::PageTable);
    own(kOwnersAt, PageOwner::KernelHeap);
    own(kAppAt, PageOwner::App);
    own(kFileAt, file_owner);
    Bytes page(kPageSize);
    std::memcpy(page.data(), &block, sizeof block);
    add(kApp, app_physical, pattern(kPageSize, 3));
    add(kDirectMap + kGuestDescriptionAddress, kGuestDescriptionAddress, page);
    add(kDirectMap + kRootAt, kRootAt, pattern(kPageSize, 2));
    add(kDirectMap + kOwnersAt, kOwnersAt, owners);
    add(kKernel, kKernelAt, pattern(2 * kPageSize, 1));
    dump.reason = ReasonNote{};
    dump.reason->kind = kind;
    dump.reason->level = level;
    dump.machine_registers = MachineRegistersNote{};
    dump.machine_registers->registers.cr3 = kRootAt;
    dump.machine_registers->registers.efer = 0xD01;
    return snapshot::CoreFile::from(memory_source(dump.core(), "guest.dump")).value();
  }
};

std::string error_of(const Guest& guest) {
  TemporaryFolder folder;
  const auto core = guest.core();
  const auto boot = snapshot::make_dump_boot(*core, folder / "memory", snapshot::FirmwareMemory::Low);
  EXPECT_EQ(std::filesystem::is_empty(folder.path()), !boot.has_value());
  return boot ? std::string() : boot.error().message;
}

TEST(DumpBoot, MemoryAndTrampoline) {
  TemporaryFolder folder;
  const auto core = Guest().core();
  const auto boot = snapshot::make_dump_boot(*core, folder / "memory", snapshot::FirmwareMemory::Low);
  ASSERT_TRUE(boot) << boot.error().message;
  EXPECT_EQ(boot->machine_type, "q35");
  EXPECT_EQ(boot->kernel_id, "ab00");
  EXPECT_EQ(boot->memory_bytes, kPages * kPageSize);
  EXPECT_EQ(boot->lost_pages, 1u);
  const Bytes memory = read_file(folder / "memory");
  ASSERT_EQ(memory.size(), kPages * kPageSize);
  const auto at = [&](uint64_t physical, size_t size) {
    return Bytes(memory.begin() + int64_t(physical), memory.begin() + int64_t(physical + size));
  };
  EXPECT_EQ(at(kAppAt, kPageSize), pattern(kPageSize, 3));
  EXPECT_EQ(at(kKernelAt, 2 * kPageSize), pattern(2 * kPageSize, 1));
  EXPECT_EQ(memory[kOwnersAt + kFileAt / kPageSize], uint8_t(PageOwner::Lost));
  EXPECT_EQ(memory[kOwnersAt + kAppAt / kPageSize], uint8_t(PageOwner::App));

  Elf64_Ehdr header;
  std::memcpy(&header, boot->trampoline.data(), sizeof header);
  EXPECT_EQ(header.e_entry, kResumeTrampolineAddress);
  ASSERT_EQ(boot->trampoline.size(), kPageSize + kResumeBytes);
  const uint8_t* area = boot->trampoline.data() + kPageSize;
  EXPECT_EQ(Bytes(area, area + 64), at(kKernelAt + 0x100, 64));
  ResumeRequest request;
  std::memcpy(&request, area + (kResumeRequestAddress - kResumeTrampolineAddress), sizeof request);
  EXPECT_EQ(request.entry, kKernel + 0x800);
  EXPECT_EQ(request.page_table_root, kRootAt);
  EXPECT_EQ(request.efer, 0x901u);
  // The kernel's half of the tables is the dump's.
  const uint8_t* tables = area + (kResumeTables - kResumeTrampolineAddress);
  EXPECT_EQ(Bytes(tables + 2048, tables + 4096), at(kRootAt + 2048, 2048));
}

TEST(DumpBoot, WhatCannotGoOnIsSaid) {
  const auto with = [](auto change) {
    Guest guest;
    change(guest);
    return error_of(guest);
  };
  EXPECT_EQ(with([](Guest&) {}), "");
  EXPECT_NE(with([](Guest& guest) { guest.level = DumpLevel::AppOnly; }).find("not full"), std::string::npos);
  EXPECT_NE(with([](Guest& guest) { guest.kind = ReasonKind::KernelPanic; }).find("its kernel had ended"),
            std::string::npos);
  EXPECT_NE(
      with([](Guest& guest) { guest.block.size = offsetof(GuestDescription, host_bridge); }).find("build id ab00"),
      std::string::npos);
  EXPECT_NE(with([](Guest& guest) { guest.file_owner = PageOwner::PageTable; }).find("0x303000"), std::string::npos);
  EXPECT_NE(with([](Guest& guest) { guest.app_physical = kPages * kPageSize; }).find("had no memory"),
            std::string::npos);
}

// A damaged description gives an error or another memory, never a fault or a file that stays.
TEST(DumpBoot, EveryWordOfTheDescriptionWrong) {
  for (size_t word = 0; word < sizeof(GuestDescription) / 8; ++word)
    for (const uint64_t value : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, uint64_t{1} << 63, kKernel, kDirectMap - 1}) {
      Guest guest;
      std::memcpy(reinterpret_cast<uint8_t*>(&guest.block) + word * 8, &value, sizeof value);
      error_of(guest);
    }
}

}  // namespace
