// The power goes at every moment of a workload: all writes before the last flush are on the disk, of those behind it
// any. Each time the file system mounts by itself, e2fsck finds nothing, and what was synced is there.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <random>

#include "tests/unit/ext3_images.h"
#include "tests/unit/image_files.h"

namespace {

using namespace kernel;
using namespace ext3_images;
using image_files::pattern;
using kernel_fakes::MemoryDisk;

using Files = std::map<std::string, std::string>;

// What fsync promised when so many records were written.
struct Promise {
  size_t records;
  Files synced;  // files whose content is known from here on, until they are changed
};

struct Recording {
  std::vector<uint8_t> before;
  std::vector<MemoryDisk::Write> record;
  std::vector<Promise> promises;  // in order; each holds until the next one
};

std::string fresh_name(int round) {
  return "fresh" + std::to_string(round);
}
std::string fresh_content(int round, size_t size) {
  return std::string(size, static_cast<char>('A' + round % 50));
}

// Numbered log files that grow by synced appends (as a database's), files replaced by rename, folders made and removed,
// large files written and deleted: all kinds of metadata, blocks freed and given out again as others.
Recording record_workload(uint32_t seed, int rounds) {
  Recording recording;
  recording.before = make(12);
  MemoryDisk disk(recording.before);
  disk.recording = true;
  Inode* root = mount(disk);
  std::mt19937 random(seed);
  Files synced;
  const auto promise = [&] { recording.promises.push_back({disk.record.size(), synced}); };
  for (int round = 0; round < rounds; ++round) {
    const std::string log_name = "log" + std::to_string(random() % 3);
    switch (random() % 7) {
      case 0:
      case 1: {  // append and sync
        Inode* log = find(root, log_name);
        if (log == nullptr) log = make_file(root, log_name);
        const std::string line = pattern(1 + random() % 9000, random());
        // Appending takes nothing of what was synced before.
        write(log, log->status().value().size, line);
        EXPECT_FALSE(log->sync(random() % 2 == 0 ? SyncKind::Everything : SyncKind::ContentAndSize).is_error());
        synced[log_name] = read(log);
        promise();
        break;
      }
      case 2: {  // replace by rename: afterwards the old or the new content, never another
        const std::string name = "state" + std::to_string(random() % 2), content = pattern(random() % 20'000, random());
        Inode* file = find(root, "new");
        EXPECT_FALSE(file != nullptr && root->remove_entry(text("new")).is_error());
        file = make_file(root, "new", content);
        EXPECT_FALSE(file->sync(SyncKind::Everything).is_error());
        synced.erase(name);  // from here on until the sync below one of two
        promise();
        EXPECT_FALSE(root->rename_entry(text("new"), *root, text(name)).is_error());
        EXPECT_FALSE(root->sync(SyncKind::Everything).is_error());
        synced[name] = content;
        promise();
        break;
      }
      case 3: {  // a folder with files, of which nothing is promised
        const std::string name = "folder" + std::to_string(random() % 3);
        if (Inode* folder = find(root, name)) {
          for (int index = 0; index < 5; ++index)
            (void)folder->remove_entry(text("file-with-a-long-name-" + std::to_string(index))).is_error();
          EXPECT_FALSE(root->remove_entry(text(name)).is_error());
        } else {
          folder = root->create(text(name), FileType::Directory, 0755).release_value();
          for (int index = 0; index < 5; ++index)
            make_file(folder, "file-with-a-long-name-" + std::to_string(index), pattern(random() % 5000, random()));
          EXPECT_TRUE(folder->create_symlink(text("file-with-a-long-name-4x"), text(std::string(300, 's'))));
          EXPECT_FALSE(folder->remove_entry(text("file-with-a-long-name-4x")).is_error());
        }
        break;
      }
      case 4: {  // large and short-lived: its blocks of pointers become others' data
        if (Inode* file = find(root, "large")) {
          auto changed = random() % 2 == 0 ? file->resize(random() % 400'000) : root->remove_entry(text("large"));
          EXPECT_FALSE(changed.is_error());
        } else {
          make_file(root, "large", pattern(200'000 + random() % 400'000, random()));
        }
        break;
      }
      case 5:
        EXPECT_FALSE(sync_root().is_error());
        break;
      case 6: {  // nobody syncs these: they may be short or not there, but hold nothing of another file ("ordered")
        make_file(root, fresh_name(round), fresh_content(round, 1 + random() % 30'000));
        for (int old = 0; old < round - 40; ++old) (void)root->remove_entry(text(fresh_name(old))).is_error();
        break;
      }
    }
  }
  unmount_root();
  recording.record = std::move(disk.record);
  kernel_fakes::free_all_memory();
  return recording;
}

// The disk as it may be after a cut behind `count` records: those up to the last flush, and any of the rest, each
// sector of them for itself.
std::vector<uint8_t> cut(const Recording& recording, size_t count, std::mt19937& random) {
  size_t safe = count;
  while (safe > 0 && recording.record[safe - 1].offset != MemoryDisk::kFlush) --safe;
  std::vector<uint8_t> bytes = recording.before;
  const uint32_t mode = random() % 4;  // all, none, or some
  for (size_t index = 0; index < count; ++index) {
    const auto& write = recording.record[index];
    if (write.offset == MemoryDisk::kFlush) continue;
    if (index < safe || mode == 0) {
      std::memcpy(&bytes[write.offset], write.content.data(), write.content.size());
      continue;
    }
    for (size_t at = 0; mode != 1 && at < write.content.size(); at += 512)
      if (random() % 2 == 0) std::memcpy(&bytes[write.offset + at], &write.content[at], 512);
  }
  return bytes;
}

void expect_nothing_foreign(Inode* root, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    Inode* file = find(root, fresh_name(round));
    if (file == nullptr) continue;
    const std::string found = read(file);
    EXPECT_TRUE(found == fresh_content(round, found.size())) << fresh_name(round);
  }
}

void expect_promises(Inode* root, const Recording& recording, size_t count) {
  const Promise* last = nullptr;
  for (const Promise& promise : recording.promises)
    if (promise.records <= count) last = &promise;
  if (last == nullptr) return;
  for (const auto& [name, content] : last->synced) {
    Inode* file = find(root, name);
    ASSERT_NE(file, nullptr) << name;
    const std::string found = read(file);
    EXPECT_TRUE(found == content || (name.starts_with("log") && found.starts_with(content)))
        << name << ": " << found.size() << " bytes, " << content.size() << " synced";
  }
}

class PowerCut : public testing::TestWithParam<uint32_t> {};

TEST_P(PowerCut, AtEveryMoment) {
  constexpr int kRounds = 160;
  const Recording recording = record_workload(GetParam(), kRounds);
  ASSERT_GT(recording.record.size(), 300u);
  std::mt19937 random(GetParam());
  size_t replayed = 0, judged = 0;
  for (size_t count = 0; count <= recording.record.size() && !HasFailure(); ++count) {
    SCOPED_TRACE("cut behind " + std::to_string(count));
    kernel_fakes::g_log.clear();
    std::vector<uint8_t> bytes = cut(recording, count, random);
    // e2fsck is slow: it judges some, before and after our own replay, and all while the log begins and ends.
    constexpr size_t kEdge = 20;
    const bool by_e2fsck = random() % 12 == 0 || count < kEdge || count + kEdge > recording.record.size();
    if (by_e2fsck) {
      const Verdict verdict = check(bytes, "-fp");
      EXPECT_LE(verdict.status, 1) << verdict.text;
      ++judged;
    }
    MemoryDisk disk(std::move(bytes));
    Inode* root = mount(disk);
    ASSERT_NE(root, nullptr);
    replayed += kernel_fakes::logged("replayed");
    expect_promises(root, recording, count);
    if (count % 8 == 0) expect_nothing_foreign(root, kRounds);
    if (by_e2fsck) {
      make_file(root, "after the cut", "it goes on");
      unmount_root();
      const Verdict verdict = check(disk.bytes);
      EXPECT_EQ(verdict.status, 0) << verdict.text;
    }
    kernel_fakes::free_all_memory();
  }
  EXPECT_GT(replayed, recording.record.size() / 2);
  EXPECT_GT(judged, 20u);
}

// Each takes half a minute of a processor: without being asked for all of them, one.
std::vector<uint32_t> workloads() {
  return std::getenv("MORTEM_ALL_WORKLOADS") ? std::vector<uint32_t>{1, 2, 3} : std::vector<uint32_t>{1};
}

INSTANTIATE_TEST_SUITE_P(Workloads, PowerCut, testing::ValuesIn(workloads()));

}  // namespace
