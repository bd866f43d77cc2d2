// What the dying guest writes into a slot is what the host reads out of it; and when the power goes at any moment of
// it, the host never takes what is there for a whole dump. The kernel's own slot writer and compressor, on a disk in
// memory.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "dump_builder.h"
#include "kernel/crash/dump_slot.h"
#include "kernel/crash/seekable_compressor.h"
#include "snapshot/little_endian.h"
#include "snapshot/slots.h"

namespace mortem {
namespace {

using snapshot::SlotCondition;
using test::Bytes;

constexpr uint64_t kImageSize = 3 << 20, kPartition = 1 << 20;
constexpr uint64_t kSector = 512;

// A disk with a volatile cache: what was written since the last flush may be lost or kept, write by write. It reads
// the buffer of a write only when the next call comes, as a device may.
class Disk final : public kernel::DumpDisk {
 public:
  explicit Disk(Bytes start) : stable(std::move(start)) {}

  bool read(uint64_t offset, void* to, size_t size) override {
    if (!step(offset, size)) return false;
    std::memcpy(to, with_all_writes().data() + offset, size);
    return true;
  }
  bool write(uint64_t offset, const void* from, size_t size) override {
    if (!step(offset, size)) return false;
    pending_ = {offset, from, size};
    return true;
  }
  bool flush() override {
    if (!step(0, 0)) return false;
    stable = with_all_writes();
    cached_.clear();
    return true;
  }
  const char* error() const override { return "the power went"; }

  int calls_left = 1 << 30;
  Bytes stable;

  Bytes with_all_writes() const {
    Bytes disk = stable;
    for (const auto& [offset, bytes] : cached_) std::copy(bytes.begin(), bytes.end(), disk.begin() + offset);
    return disk;
  }
  // After the power went: each cached write arrived or not.
  Bytes after_power_cut(std::mt19937& random) const {
    Bytes disk = stable;
    for (const auto& [offset, bytes] : cached_)
      if (random() & 1) std::copy(bytes.begin(), bytes.end(), disk.begin() + offset);
    return disk;
  }

 private:
  struct Pending {
    uint64_t offset = 0;
    const void* from = nullptr;
    size_t size = 0;
  };

  bool step(uint64_t offset, size_t size) {
    EXPECT_EQ(offset % kSector, 0u);
    EXPECT_EQ(size % kSector, 0u);
    EXPECT_LE(offset + size, stable.size());
    if (pending_.from) {
      const auto* bytes = static_cast<const uint8_t*>(pending_.from);
      cached_.emplace_back(pending_.offset, Bytes(bytes, bytes + pending_.size));
      pending_ = {};
    }
    return calls_left-- > 0;
  }

  Pending pending_;
  std::vector<std::pair<uint64_t, Bytes>> cached_;
};

class KernelDumpSlot : public testing::Test {
 protected:
  void SetUp() override {
    const std::string script =
        "label: gpt\nstart=1MiB, size=1MiB, type=" + std::string(format::kDumpPartitionTypeText) + "\n";
    test::write_file(folder / "script", {reinterpret_cast<const uint8_t*>(script.data()), script.size()});
    int status = -1;
    test::run_command("truncate -s " + std::to_string(kImageSize) + " " + (folder / "disk").string() +
                          " && PATH=$PATH:/usr/sbin sfdisk -q " + (folder / "disk").string() + " < " +
                          (folder / "script").string(),
                      &status);
    ASSERT_EQ(status, 0);
    auto made = snapshot::write_dump_partition(folder / "disk", kPartition, 1 << 20, 2);
    ASSERT_TRUE(made) << made.error().message;
    partition.offset = kPartition;
    partition.length = 1 << 20;
    partition.slot_size = made->slot_size;
    partition.slot_count = made->slot_count;
    fresh = test::read_file(folder / "disk");

    test::DumpBuilder builder;
    builder.thread(9, "main", {});
    builder.segment(0x400000, test::pattern(150'000)).segment(0x800000, Bytes(700'000, 0));
    builder.segment(0xA00000, test::pattern(5'001, 2));
    core = builder.core();
  }

  // The kernel's part; true: it says that the dump is in the slot.
  bool crash(Disk& disk, std::span<const uint8_t> content, format::DumpLevel level = format::DumpLevel::Full,
             uint64_t signature = 0) {
    Bytes first(kernel::DumpSlot::kBufferSize), second(kernel::DumpSlot::kBufferSize);
    kernel::DumpSlot slot(disk, partition, first, second);
    choice = slot.choose(signature, 1'700'000'000'000'000'000);
    occurrence = slot.occurrence();
    if (choice != kernel::DumpSlot::Choice::Found) return false;
    const std::string text = "it crashed";
    if (!slot.start({{1, 2, 3}, 1'700'000'000'000'000'000, 1, text})) return false;
    std::vector<uint64_t> workspace(kernel::compressor_workspace_size() / 8 + 1);
    Bytes frame(kernel::kFrameSize), output(kernel::compressor_output_size());
    std::vector<uint32_t> table(1000);
    kernel::SeekableCompressor compressor(
        {{reinterpret_cast<uint8_t*>(workspace.data()), workspace.size() * 8}, frame, output, table}, slot);
    for (size_t at = 0; at < content.size(); at += 4096) {
      const auto piece = content.subspan(at, std::min<size_t>(4096, content.size() - at));
      if (!compressor.write(piece.data(), piece.size())) {
        full = slot.full();
        return false;
      }
    }
    const bool finished = compressor.finish() && slot.finish(level, compressor.content_bytes());
    full = slot.full();
    return finished;
  }

  snapshot::DiskImage image(Bytes disk) {
    auto opened = snapshot::DiskImage::from(test::memory_source(std::move(disk), "disk"));
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }

  Bytes content_of(const snapshot::DiskImage& image, const snapshot::Slot& slot) {
    auto dump = snapshot::open_slot_dump(image, slot);
    EXPECT_TRUE(dump) << dump.error().message;
    if (!dump) return {};
    Bytes content((*dump)->bytes().size());
    EXPECT_TRUE((*dump)->bytes().read(0, content));
    return content;
  }

  test::TemporaryFolder folder;
  kernel::DumpPartition partition{};
  kernel::DumpSlot::Choice choice{};
  bool full = false;
  uint64_t occurrence = 0;
  Bytes fresh, core;
};

TEST_F(KernelDumpSlot, TheHostReadsWhatTheGuestWrote) {
  Disk disk(fresh);
  ASSERT_TRUE(crash(disk, core));
  const auto written = image(disk.stable);
  const auto slots = snapshot::read_dump_slots(written);
  ASSERT_TRUE(slots) << slots.error().message;
  const auto& slot = slots->slots[0];
  EXPECT_EQ(slot.condition, SlotCondition::Complete) << slot.problem;
  EXPECT_EQ(slot.text, "it crashed");
  EXPECT_EQ(slot.header.sequence, 1u);
  EXPECT_EQ(slot.header.boot_id[2], 3);
  EXPECT_EQ(slot.header.expanded_length, core.size());
  EXPECT_EQ(content_of(written, slot), core);
  ASSERT_TRUE(snapshot::extract_slot(written, slot, folder / "x.core.zst"));
  int status = -1;
  test::run_command("cd " + folder.path().string() + " && zstd -qd x.core.zst", &status);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(test::read_file(folder / "x.core"), core);
}

TEST_F(KernelDumpSlot, TheNextDumpGoesIntoTheNextSlotAndNoneIsOverwritten) {
  Disk disk(fresh);
  ASSERT_TRUE(crash(disk, core));
  ASSERT_TRUE(crash(disk, core, format::DumpLevel::AppOnly));
  EXPECT_FALSE(crash(disk, core));
  EXPECT_EQ(choice, kernel::DumpSlot::Choice::NoneFree);
  auto slots = snapshot::read_dump_slots(image(disk.stable));
  ASSERT_TRUE(slots);
  EXPECT_EQ(slots->slots[1].condition, SlotCondition::Partial);
  EXPECT_EQ(slots->newest()->header.sequence, 2u);

  test::write_file(folder / "disk", disk.stable);
  ASSERT_TRUE(snapshot::release_slot(folder / "disk", slots->slots[1]));
  Disk released(test::read_file(folder / "disk"));
  ASSERT_TRUE(crash(released, core));
  slots = snapshot::read_dump_slots(image(released.stable));
  ASSERT_TRUE(slots);
  EXPECT_EQ(slots->newest()->index, 1u);
  EXPECT_EQ(slots->newest()->header.sequence, 3u);
}

TEST_F(KernelDumpSlot, ADumpThatDoesNotFitNeverLooksWhole) {
  Disk disk(fresh);
  test::DumpBuilder large;
  large.segment(0x400000, test::pattern(900'000));
  EXPECT_FALSE(crash(disk, large.core()));
  EXPECT_TRUE(full);
  const auto slots = snapshot::read_dump_slots(image(disk.with_all_writes()));
  ASSERT_TRUE(slots);
  EXPECT_EQ(slots->slots[0].condition, SlotCondition::CutShort);
  EXPECT_EQ(slots->slots[1].condition, SlotCondition::Empty);  // not a byte past its end
}

// The kinds of what the slots hold, by slot: {signature, number, count}; zeros: empty.
struct KindRow {
  uint64_t signature, number, count;
  bool operator==(const KindRow&) const = default;
};
std::vector<KindRow> kinds(const snapshot::DumpSlots& slots) {
  std::vector<KindRow> rows;
  for (const auto& slot : slots.slots)
    rows.push_back(slot.has_dump() ? KindRow{slot.kind.signature, slot.kind.number, slot.kind.count} : KindRow{});
  return rows;
}

TEST_F(KernelDumpSlot, OfOneKindTheFirstAndTheNewestAreKept) {
  Disk disk(fresh);
  Bytes other = core;
  other[5000] ^= 1;
  ASSERT_TRUE(crash(disk, core, format::DumpLevel::Full, 77));
  for (uint64_t number = 2; number <= 5; ++number) {
    ASSERT_TRUE(crash(disk, other, format::DumpLevel::Full, 77));
    EXPECT_EQ(occurrence, number);
    const auto written = image(disk.stable);
    const auto slots = snapshot::read_dump_slots(written);
    ASSERT_TRUE(slots);
    EXPECT_EQ(kinds(*slots), (std::vector<KindRow>{{77, 1, number}, {77, number, number}}));
    EXPECT_EQ(content_of(written, slots->slots[0]), core);
    EXPECT_EQ(content_of(written, slots->slots[1]), other);
    EXPECT_EQ(slots->newest()->header.sequence, number);
  }
}

TEST_F(KernelDumpSlot, ANewKindTakesThePlaceOfAnOldOnesNewest) {
  Disk disk(fresh);
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(crash(disk, core, format::DumpLevel::Full, 77));
  ASSERT_TRUE(crash(disk, core, format::DumpLevel::Full, 88));
  auto slots = snapshot::read_dump_slots(image(disk.stable));
  ASSERT_TRUE(slots);
  EXPECT_EQ(kinds(*slots), (std::vector<KindRow>{{77, 1, 3}, {88, 1, 1}}));
  // Now each has its only dump: both are counted, neither is overwritten, a third kind finds no room.
  const auto before = disk.stable;
  EXPECT_FALSE(crash(disk, core, format::DumpLevel::Full, 77));
  EXPECT_EQ(choice, kernel::DumpSlot::Choice::Counted);
  EXPECT_EQ(occurrence, 4u);
  EXPECT_FALSE(crash(disk, core, format::DumpLevel::Full, 88));
  EXPECT_EQ(choice, kernel::DumpSlot::Choice::Counted);
  EXPECT_FALSE(crash(disk, core, format::DumpLevel::Full, 99));
  EXPECT_EQ(choice, kernel::DumpSlot::Choice::NoneFree);
  EXPECT_FALSE(crash(disk, core));
  EXPECT_EQ(choice, kernel::DumpSlot::Choice::NoneFree);
  const auto after = image(disk.stable);
  slots = snapshot::read_dump_slots(after);
  ASSERT_TRUE(slots);
  EXPECT_EQ(kinds(*slots), (std::vector<KindRow>{{77, 1, 4}, {88, 1, 2}}));
  EXPECT_EQ(content_of(after, slots->slots[0]), core);
  EXPECT_EQ(content_of(after, slots->slots[1]), core);
}

TEST_F(KernelDumpSlot, TheCountOutlivesARelease) {
  Disk disk(fresh);
  for (uint64_t number = 1; number <= 4; ++number) {
    ASSERT_TRUE(crash(disk, core, format::DumpLevel::Full, 77));
    EXPECT_EQ(occurrence, number);
    test::write_file(folder / "disk", disk.stable);
    const auto slots = snapshot::read_dump_slots(image(disk.stable));
    ASSERT_TRUE(slots);
    ASSERT_TRUE(snapshot::release_slot(folder / "disk", *slots->newest()));
    disk.stable = test::read_file(folder / "disk");
  }
  // Another kind's crash takes the slot that has no count to lose.
  ASSERT_TRUE(crash(disk, core, format::DumpLevel::Full, 88));
  ASSERT_TRUE(crash(disk, core, format::DumpLevel::Full, 77));
  EXPECT_EQ(occurrence, 5u);
}

// With three slots the one before the newest is whole until the newest is.
TEST_F(KernelDumpSlot, WithAThirdSlotNothingIsOverwrittenBeforeTheNewDumpIsWhole) {
  test::write_file(folder / "disk", fresh);
  const auto made = snapshot::write_dump_partition(folder / "disk", kPartition, 1 << 20, 3);
  ASSERT_TRUE(made);
  partition.slot_size = made->slot_size;
  partition.slot_count = 3;
  Disk disk(test::read_file(folder / "disk"));
  for (int round = 0; round < 2; ++round) ASSERT_TRUE(crash(disk, core, format::DumpLevel::Full, 77));
  const Bytes two = disk.stable;
  std::mt19937 random(6);
  for (int calls = 0;; ++calls) {
    Disk cut(two);
    cut.calls_left = calls;
    const bool said_done = crash(cut, core, format::DumpLevel::Full, 77);
    const auto after = image(cut.after_power_cut(random));
    const auto slots = snapshot::read_dump_slots(after);
    ASSERT_TRUE(slots);
    size_t whole = 0;
    for (const auto& slot : slots->slots) {
      if (!slot.has_dump()) continue;
      ++whole;
      EXPECT_EQ(content_of(after, slot), core);
    }
    EXPECT_GE(whole, 2u) << "after " << calls << " calls";
    EXPECT_EQ(slots->slots[0].condition, SlotCondition::Complete);
    if (said_done) break;
  }
  Disk three(two);
  ASSERT_TRUE(crash(three, core, format::DumpLevel::Full, 77));
  const auto after = snapshot::read_dump_slots(image(three.stable));
  ASSERT_TRUE(after);
  EXPECT_EQ(kinds(*after), (std::vector<KindRow>{{77, 1, 3}, {}, {77, 3, 3}}));
  ASSERT_TRUE(crash(disk, core, format::DumpLevel::Full, 77));
  ASSERT_TRUE(crash(disk, core, format::DumpLevel::Full, 77));
  const auto slots = snapshot::read_dump_slots(image(disk.stable));
  ASSERT_TRUE(slots);
  EXPECT_EQ(kinds(*slots), (std::vector<KindRow>{{77, 1, 4}, {77, 4, 4}, {}}));
}

// The newest of a kind is overwritten in place when there are two slots: the first stays whole at any moment.
TEST_F(KernelDumpSlot, ThePowerMayGoWhileTheNewestIsReplaced) {
  Disk disk(fresh);
  for (int round = 0; round < 2; ++round) ASSERT_TRUE(crash(disk, core, format::DumpLevel::Full, 77));
  const Bytes two = disk.stable;
  Bytes other = core;
  other[5000] ^= 1;
  std::mt19937 random(7);
  for (int calls = 0;; ++calls) {
    Disk cut(two);
    cut.calls_left = calls;
    const bool said_done = crash(cut, other, format::DumpLevel::Full, 77);
    for (int attempt = 0; attempt < 4; ++attempt) {
      const auto after = image(cut.after_power_cut(random));
      const auto slots = snapshot::read_dump_slots(after);
      ASSERT_TRUE(slots);
      ASSERT_EQ(slots->slots[0].condition, SlotCondition::Complete) << "after " << calls << " calls";
      EXPECT_EQ(content_of(after, slots->slots[0]), core);
      if (slots->slots[1].has_dump()) {
        EXPECT_EQ(content_of(after, slots->slots[1]), slots->slots[1].header.sequence == 2 ? core : other);
      } else {
        EXPECT_EQ(slots->slots[1].condition, SlotCondition::CutShort);
      }
    }
    if (said_done) break;
  }
}

// An older, released dump of the same program stands in the slot, so that its frames are behind the cut.
TEST_F(KernelDumpSlot, ThePowerMayGoAtAnyMoment) {
  Disk before(fresh);
  Bytes older = core;
  std::copy_n(test::pattern(50'000, 77).begin(), 50'000, older.begin() + 20'000);
  ASSERT_TRUE(crash(before, older));
  test::write_file(folder / "disk", before.stable);
  auto old_slots = snapshot::read_dump_slots(image(before.stable));
  ASSERT_TRUE(old_slots);
  ASSERT_TRUE(snapshot::release_slot(folder / "disk", old_slots->slots[0]));
  const Bytes start = test::read_file(folder / "disk");

  std::mt19937 random(5);
  int cut_short = 0, empty = 0, whole = 0;
  for (int calls = 0;; ++calls) {
    Disk disk(start);
    disk.calls_left = calls;
    const bool said_done = crash(disk, core);
    for (int attempt = 0; attempt < 8; ++attempt) {
      const auto after = image(disk.after_power_cut(random));
      auto slots = snapshot::read_dump_slots(after);
      ASSERT_TRUE(slots) << slots.error().message;
      const auto& slot = slots->slots[0];
      switch (slot.condition) {
        case SlotCondition::Complete:
          ++whole;
          EXPECT_EQ(content_of(after, slot), core) << "after " << calls << " calls";
          EXPECT_EQ(slot.text, "it crashed");
          break;
        case SlotCondition::CutShort:
          ++cut_short;
          break;
        case SlotCondition::Empty:
          ++empty;
          break;
        default:
          ADD_FAILURE() << snapshot::slot_condition_text(slot.condition) << " after " << calls << " calls";
      }
      if (said_done) {
        EXPECT_EQ(slot.condition, SlotCondition::Complete);
      }
    }
    if (said_done) break;
  }
  EXPECT_GT(cut_short, 0);
  EXPECT_GT(empty, 0);
  EXPECT_GT(whole, 0);
}

}  // namespace
}  // namespace mortem
