// Disk images as sfdisk makes them, and the dump slots in them as the dying guest fills them.
#include "snapshot/slots.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>

#include "dump_builder.h"
#include "snapshot/cut_dump.h"
#include "snapshot/little_endian.h"

namespace mortem {
namespace {

using snapshot::SlotCondition;
using test::Bytes;

constexpr uint32_t kSlots = 3;

// An image with a root and a dump partition, in a folder of its own.
class Image : public testing::Test {
 protected:
  void SetUp() override {
    path = folder / "disk.raw";
    make("label: gpt\nstart=1MiB, size=1MiB, type=" + std::string(format::kRootPartitionTypeText) +
         ", name=root\nstart=2MiB, size=2MiB, type=" + format::kDumpPartitionTypeText + ", name=dump\n");
    auto made = snapshot::write_dump_partition(path, 2 << 20, 2 << 20, kSlots);
    ASSERT_TRUE(made) << made.error().message;
    dump = sample().dump(8192);
  }

  void make(const std::string& script) {
    test::write_file(folder / "script", {reinterpret_cast<const uint8_t*>(script.data()), script.size()});
    int status = -1;
    test::run_command("rm -f " + path.string() + "; truncate -s 5M " + path.string() +
                          " && PATH=$PATH:/usr/sbin sfdisk -q " + path.string() + " < " + (folder / "script").string() +
                          " 2>&1",
                      &status);
    ASSERT_EQ(status, 0);
  }

  static test::DumpBuilder sample() {
    test::DumpBuilder builder;
    builder.thread(7, "main", {});
    builder.segment(0x400000, test::pattern(100'000));
    return builder;
  }

  void change(uint64_t offset, std::span<const uint8_t> bytes) {
    Bytes content = test::read_file(path);
    std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<ptrdiff_t>(offset));
    test::write_file(path, content);
  }
  void flip(uint64_t offset) {
    Bytes content = test::read_file(path);
    content[offset] ^= 0x40;
    test::write_file(path, content);
  }

  snapshot::DumpSlots slots() {
    auto read = try_slots();
    EXPECT_TRUE(read) << read.error().message;
    return std::move(*read);
  }
  Result<snapshot::DumpSlots> try_slots() { return snapshot::read_dump_slots(TRY(snapshot::DiskImage::open(path))); }
  std::string error() {
    auto read = try_slots();
    return read ? "" : read.error().message.substr(std::min(read.error().message.size(), path.string().size()));
  }

  // As the kernel does it.
  void fill(uint32_t index, format::SlotState state, uint64_t sequence) {
    const snapshot::Slot slot = slots().slots[index];
    format::SlotHeader header{};
    std::memcpy(header.magic, format::kSlotMagic, 8);
    header.version = 1;
    header.state = state;
    header.sequence = sequence;
    header.text_length = 5;
    header.wall_clock_ns = 1'700'000'000'000'000'000;
    header.reason_kind = 1;
    if (state != format::SlotState::Writing) {
      header.stored_length = dump.size();
      header.expanded_length = sample().core().size();
      header.level = state == format::SlotState::Complete ? format::DumpLevel::Full : format::DumpLevel::AppOnly;
      header.dump_checksum = format::crc32(dump);
    }
    header.checksum = format::header_checksum(header);
    change(slot.dump_offset, dump);
    change(slot.offset + format::kBlockSize, std::span(reinterpret_cast<const uint8_t*>("hello"), 5));
    change(slot.offset, snapshot::bytes_of(header));
  }

  Result<uint64_t> extract(uint32_t index, snapshot::Trust trust = snapshot::Trust::WholeOnly,
                           snapshot::Existing existing = snapshot::Existing::Keep) {
    auto image = TRY(snapshot::DiskImage::open(path));
    const auto slots = TRY(snapshot::read_dump_slots(image));
    return snapshot::extract_slot(image, slots.slots.at(index), folder / "out", trust, existing);
  }

  test::TemporaryFolder folder;
  std::filesystem::path path;
  Bytes dump;
};

TEST_F(Image, PartitionsAreWhatSfdiskSays) {
  auto image = snapshot::DiskImage::open(path);
  ASSERT_TRUE(image) << image.error().message;
  ASSERT_EQ(image->partitions().size(), 2u);
  EXPECT_FALSE(image->from_backup_table());
  auto root = image->root_partition(), dumps = image->dump_partition();
  ASSERT_TRUE(root && dumps);
  EXPECT_EQ(root->offset, 1u << 20);
  EXPECT_EQ(dumps->offset, 2u << 20);
  EXPECT_EQ(dumps->length, 2u << 20);
  EXPECT_EQ(dumps->number, 2u);
  EXPECT_EQ(dumps->name, "dump");
  EXPECT_EQ(snapshot::guid_text(dumps->type), format::kDumpPartitionTypeText);
  const std::string said = test::run_command("PATH=$PATH:/usr/sbin sfdisk -d " + path.string());
  EXPECT_NE(said.find(snapshot::guid_text(dumps->identity)), std::string::npos) << said;
}

TEST_F(Image, ADamagedFirstTableIsReplacedByTheBackup) {
  fill(1, format::SlotState::Complete, 1);
  for (uint64_t offset : {512 + 0, 512 + 60, 1024 + 3}) {
    flip(offset);
    auto image = snapshot::DiskImage::open(path);
    ASSERT_TRUE(image) << image.error().message;
    EXPECT_TRUE(image->from_backup_table());
    EXPECT_EQ(slots().slots[1].condition, SlotCondition::Complete);
    flip(offset);
  }
  flip(512 + 60);
  flip((5 << 20) - 512 + 60);
  EXPECT_EQ(error(),
            ": the GPT header at offset 0x200 fails its checksum, and there is no good backup at the end: the "
            "image is damaged or was cut");
}

TEST_F(Image, AFreshPartitionHasEmptySlots) {
  const auto fresh = slots();
  ASSERT_EQ(fresh.slots.size(), kSlots);
  EXPECT_NE(*snapshot::load<uint64_t>(fresh.header.disk_id), 0u);
  EXPECT_EQ(fresh.newest(), nullptr);
  for (const auto& slot : fresh.slots) {
    EXPECT_EQ(slot.condition, SlotCondition::Empty) << slot.problem;
    EXPECT_EQ(slot.dump_offset, slot.offset + 2 * format::kBlockSize);
    EXPECT_LE(slot.dump_offset + slot.dump_capacity, 4u << 20);
  }
}

TEST_F(Image, ExtractsExactlyTheStoredBytes) {
  fill(0, format::SlotState::Complete, 8);
  fill(2, format::SlotState::Partial, 9);
  const auto all = slots();
  EXPECT_EQ(all.slots[0].condition, SlotCondition::Complete);
  EXPECT_EQ(all.slots[0].text, "hello");
  EXPECT_EQ(all.slots[2].condition, SlotCondition::Partial);
  ASSERT_NE(all.newest(), nullptr);
  EXPECT_EQ(all.newest()->index, 2u);

  auto written = extract(0);
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(*written, dump.size());
  EXPECT_EQ(test::read_file(folder / "out"), dump);
  struct stat status {};
  ASSERT_EQ(stat((folder / "out").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);

  auto again = extract(2);
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("out: exists already"), std::string::npos);
  EXPECT_TRUE(extract(2, snapshot::Trust::WholeOnly, snapshot::Existing::Replace));

  auto image = snapshot::DiskImage::open(path);
  auto core = snapshot::open_slot_dump(*image, all.slots[0]);
  ASSERT_TRUE(core) << core.error().message;
  EXPECT_EQ((*core)->threads()[0].id, 7u);
}

TEST_F(Image, AChangedDumpIsNotHandedOutAsWhole) {
  fill(0, format::SlotState::Complete, 1);
  flip(slots().slots[0].dump_offset + dump.size() / 2);
  auto written = extract(0);
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message.find("slot 0: the dump fails its checksum"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
  EXPECT_TRUE(extract(0, snapshot::Trust::Force));
  EXPECT_EQ(std::filesystem::file_size(folder / "out"), dump.size());
}

TEST_F(Image, ADumpThatWasCutShortIsSaidToBe) {
  constexpr uint64_t kAddress = 0x400000, kSize = 100'000 / 4096 * 4096;
  test::DumpBuilder builder;
  builder.thread(7, "main", {});
  builder.reason.emplace().level = format::DumpLevel::Full;
  builder.segment(kAddress, test::pattern(kSize));
  builder.segment(0x800000, test::pattern(8192, 3));
  builder.page_map = {{kAddress, 4096, 0x1000, format::PageMapKind::Stored, 6},
                      {kAddress + 4096, kSize - 4096, 0x9000, format::PageMapKind::Stored, 6},
                      {0x800000, 8192, 0x200000, format::PageMapKind::Stored, 6},
                      {0x900000, 4096, ~uint64_t{0}, format::PageMapKind::Reserved, 0}};
  dump = builder.dump(8192);
  fill(1, format::SlotState::Writing, 4);
  const auto slot = slots().slots[1];
  // The guest died in the middle of its writing: behind stands what was in the slot before.
  const Bytes rubbish = test::pattern(dump.size() - 60'000, 5);
  change(slot.dump_offset + 60'000, rubbish);
  EXPECT_EQ(slot.condition, SlotCondition::CutShort);
  EXPECT_FALSE(slot.has_dump());
  EXPECT_EQ(slots().newest(), nullptr);
  auto written = extract(1);
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message.find("slot 1: the dump was cut short"), std::string::npos);

  auto forced = extract(1, snapshot::Trust::Force);
  ASSERT_TRUE(forced) << forced.error().message;
  EXPECT_EQ(*forced, std::filesystem::file_size(folder / "out"));
  auto opened = snapshot::CoreFile::open(folder / "out");
  ASSERT_TRUE(opened) << opened.error().message;
  const snapshot::CoreFile& core = **opened;
  ASSERT_TRUE(core.reason());
  EXPECT_EQ(core.reason()->level, snapshot::kLevelCutShort);
  EXPECT_EQ(core.threads().size(), 1u);

  // What is there is there, and nothing else is claimed.
  ASSERT_EQ(core.segments().size(), 1u);
  const uint64_t kept = core.segments()[0].file_size;
  EXPECT_EQ(core.segments()[0].memory_size, kept);
  EXPECT_EQ(kept % 4096, 0u);
  EXPECT_GT(kept, 40'000u);
  EXPECT_LT(kept, kSize);
  Bytes got(kSize);
  EXPECT_EQ(core.read_memory(kAddress, got).value_or(0), kept);
  const Bytes wanted = test::pattern(kSize);
  EXPECT_TRUE(std::equal(got.begin(), got.begin() + static_cast<ptrdiff_t>(kept), wanted.begin()));
  EXPECT_EQ(core.read_memory(0x800000, got).value_or(0), 0u);
  ASSERT_EQ(core.page_map().size(), 4u);
  EXPECT_EQ(core.page_map()[0].length, 4096u);
  EXPECT_EQ(core.page_map()[1].length, kept - 4096);
  EXPECT_EQ(core.page_map()[2].kind, format::PageMapKind::Dropped);
  EXPECT_EQ(core.page_map()[3].kind, format::PageMapKind::Reserved);

  int status = -1;
  test::run_command("zstd -qdc < " + (folder / "out").string() + " > " + (folder / "core").string(), &status);
  EXPECT_EQ(status, 0) << "zstd itself reads it";
  EXPECT_EQ(test::read_file(folder / "core").size(), core.bytes().size());
}

TEST_F(Image, ADumpThatWasCutShortBeforeItsNotesEndIsNone) {
  test::DumpBuilder builder = sample();
  for (const uint8_t byte : test::pattern(200'000)) builder.kernel_log += static_cast<char>('@' + byte % 64);
  dump = builder.dump(8192);
  fill(1, format::SlotState::Writing, 4);
  change(slots().slots[1].dump_offset + 60'000, test::pattern(dump.size() - 60'000, 5));
  auto forced = extract(1, snapshot::Trust::Force);
  ASSERT_FALSE(forced);
  EXPECT_NE(forced.error().message.find("before it had written the headers and notes"), std::string::npos)
      << forced.error().message;
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

TEST_F(Image, ATextRecordAloneIsNoDump) {
  dump.clear();
  fill(0, format::SlotState::Partial, 1);
  const auto slot = slots().slots[0];
  EXPECT_EQ(slot.condition, SlotCondition::Partial);
  EXPECT_EQ(slot.text, "hello");
  EXPECT_FALSE(slot.has_dump());
  auto written = extract(0);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, path.string() + ": slot 0: holds a text record and no dump");
  auto opened = snapshot::open_slot_dump(*snapshot::DiskImage::open(path), slot);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message, path.string() + ": slot 0 holds no dump that is whole (partial)");
}

TEST_F(Image, ADamagedSlotHeaderIsNotBelieved) {
  fill(0, format::SlotState::Complete, 1);
  flip(slots().slots[0].offset + 24);
  const auto slot = slots().slots[0];
  EXPECT_EQ(slot.condition, SlotCondition::Damaged);
  EXPECT_EQ(slot.problem, "its header fails its checksum");
  EXPECT_FALSE(extract(0, snapshot::Trust::Force));
  EXPECT_TRUE(snapshot::release_slot(path, slot));
  EXPECT_EQ(slots().slots[0].condition, SlotCondition::Empty);
}

TEST_F(Image, AReleasedSlotIsEmptyAndKeepsItsSequence) {
  fill(0, format::SlotState::Complete, 8);
  const auto slot = slots().slots[0];
  ASSERT_TRUE(snapshot::release_slot(path, slot));
  const auto released = slots().slots[0];
  EXPECT_EQ(released.condition, SlotCondition::Empty);
  EXPECT_EQ(released.header.sequence, 8u);
  EXPECT_EQ(slots().slots[1].condition, SlotCondition::Empty);

  fill(0, format::SlotState::Complete, 9);  // a guest was faster
  auto refused = snapshot::release_slot(path, slot);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("slot 0 holds another dump by now"), std::string::npos);
  EXPECT_EQ(slots().slots[0].condition, SlotCondition::Complete);
}

// The guest's header may come between the host's look at the slot and what it writes to release it.
TEST_F(Image, AReleaseThatComesLateDoesNotTakeANewerDump) {
  fill(0, format::SlotState::Complete, 8);
  const Bytes before = test::read_file(path);
  ASSERT_TRUE(snapshot::release_slot(path, slots().slots[0]));
  const Bytes released = test::read_file(path);
  test::write_file(path, before);
  fill(0, format::SlotState::Complete, 9);
  constexpr size_t kSector = 512;
  for (size_t at = 0; at < before.size(); at += kSector)
    if (std::memcmp(&before[at], &released[at], kSector) != 0) change(at, std::span(released).subspan(at, kSector));
  EXPECT_EQ(slots().slots[0].condition, SlotCondition::Complete);
  EXPECT_EQ(slots().slots[0].header.sequence, 9u);
  EXPECT_TRUE(extract(0));
  ASSERT_TRUE(snapshot::release_slot(path, slots().slots[0]));
  EXPECT_EQ(slots().slots[0].condition, SlotCondition::Empty);
}

TEST_F(Image, ADumpThatIsWrittenOverWhileItIsReadIsNotCalledDamage) {
  fill(0, format::SlotState::Complete, 8);
  auto image = snapshot::DiskImage::open(path);
  ASSERT_TRUE(image);
  const auto old = snapshot::read_dump_slots(*image)->slots[0];
  std::reverse(dump.begin(), dump.end());
  fill(0, format::SlotState::Complete, 9);
  image = snapshot::DiskImage::open(path);
  auto written = snapshot::extract_slot(*image, old, folder / "out");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message,
            path.string() + ": slot 0: the guest has crashed again and written over it; pull again");
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

TEST_F(Image, WhatIsNoImageOfOursIsNamed) {
  make("label: gpt\nstart=1MiB, size=1MiB, type=" + std::string(format::kRootPartitionTypeText) + "\n");
  EXPECT_EQ(error(), ": no dump partition: not made by mortem image create");
  make("label: dos\nstart=1MiB, size=1MiB\n");
  EXPECT_EQ(error(), ": no GPT: not a disk image made by mortem image create");
  test::write_file(path, Bytes(1000, 0));
  EXPECT_EQ(error(), ": too short for a disk image (1000 bytes)");
  test::write_file(path, {});
  EXPECT_EQ(error(), ": too short for a disk image (0 bytes)");
  int status = -1;
  test::run_command("rm " + path.string() + "; qemu-img create -f qcow2 " + path.string() + " 5M", &status);
  if (status == 0) {
    EXPECT_EQ(error(),
              ": a qcow2 file, only raw disk images are read: convert it first (qemu-img convert -O raw, or unpack "
              "it)");
  }
}

TEST_F(Image, EveryCutIsAnError) {
  fill(1, format::SlotState::Complete, 1);
  const Bytes whole = test::read_file(path);
  for (uint64_t length = 0; length < (4 << 20); length += length < 40'000 ? 501 : 99'991) {
    test::write_file(path, std::span(whole).first(length));
    const std::string said = error();
    ASSERT_NE(said, "") << length;
    ASSERT_EQ(said.find('\n'), std::string::npos);
  }
  test::write_file(path, std::span(whole).first(3 << 20));
  EXPECT_EQ(error(),
            ": truncated image: partition 2 is 0x200000 bytes at offset 0x200000, the file has 0x300000 bytes");
}

TEST_F(Image, DumpPartitionsThatCannotBeMade) {
  EXPECT_FALSE(snapshot::write_dump_partition(path, 0, 4096, 1));
  EXPECT_FALSE(snapshot::write_dump_partition(path, 0, 1 << 20, 0));
  EXPECT_FALSE(snapshot::write_dump_partition(path, 0, 4096 * 6, 2));
  EXPECT_FALSE(snapshot::write_dump_partition(folder / "none", 0, 1 << 20, 2));
  flip(2 << 20);
  EXPECT_EQ(error(), ": dump partition: its header is missing; the image is damaged or was cut");
}

}  // namespace
}  // namespace mortem
