// Directories, read linearly: with dir_index the hash tree's blocks look like unused entries to such a reader.
#include "kernel/fs/ext2.h"

namespace kernel::ext2 {
namespace {

FileType file_type_of_record(uint8_t value) {
  constexpr FileType kTypes[] = {FileType::Regular,         FileType::Regular,     FileType::Directory,
                                 FileType::CharacterDevice, FileType::BlockDevice, FileType::Fifo,
                                 FileType::Socket,          FileType::Symlink};
  return kTypes[value < std::size(kTypes) ? value : 0];
}

}  // namespace

template <typename Visit>
Result<void> Ext2Inode::walk(uint64_t offset, Visit visit) {
  if (type() != kDirectory) return Error::NotDirectory;
  const uint32_t block_size = volume_.block_size();
  char name[256];
  while (offset < size()) {
    const uint64_t block_start = offset - offset % block_size;
    const Run run = TRY(map(block_start / block_size, 1));
    if (run.block == 0) return damaged("hole in a directory");
    // Records are walked from the start of the block, so that a cursor from the app cannot point into a name.
    for (uint32_t at = 0; at < block_size;) {
      DirectoryRecord record;
      const auto block = TRY(volume_.view(run.block));
      __builtin_memcpy(&record, block.data() + at, sizeof record);
      if (record.record_length < sizeof record || record.record_length % 4 != 0 ||
          record.record_length > block_size - at || record.name_length > record.record_length - sizeof record)
        return damaged("directory entry of impossible length");
      if (record.inode != 0 && block_start + at >= offset) {
        if (record.name_length == 0) return damaged("directory entry without a name");
        __builtin_memcpy(name, block.data() + at + sizeof record, record.name_length);
        for (size_t index = 0; index < record.name_length; ++index)
          if (name[index] == '\0' || name[index] == '/') return damaged("directory entry with NUL or / in its name");
        // The visitor may read more of the disk: the view of this block is gone behind this call.
        if (!visit(record, std::span<const char>{name, record.name_length}, block_start + at + record.record_length))
          return {};
      }
      if (record.record_length > block_size - at - sizeof record && at + record.record_length != block_size)
        return damaged("directory entries do not fill their block");
      at += record.record_length;
    }
    offset = block_start + block_size;
  }
  return {};
}

namespace {

constexpr uint32_t length_of(size_t name_length) {
  return (static_cast<uint32_t>(sizeof(DirectoryRecord) + name_length) + 3) & ~3u;
}

uint8_t type_of_record(uint16_t mode) {
  constexpr uint8_t kTypes[] = {0, 5, 3, 0, 2, 0, 4, 0, 1, 0, 7, 0, 6, 0, 0, 0};  // by mode >> 12
  return kTypes[mode >> 12];
}

// Calls visit(record, offset, offset of the record before it) for each record of a block, in use or not; false ends it.
// False: a record cannot be right.
template <typename Visit>
bool for_each_record(std::span<const uint8_t> block, Visit visit) {
  uint32_t before = 0;
  for (uint32_t at = 0; at < block.size();) {
    DirectoryRecord record;
    if (block.size() - at < sizeof record) return false;
    __builtin_memcpy(&record, block.data() + at, sizeof record);
    if (record.record_length < sizeof record || record.record_length % 4 != 0 ||
        record.record_length > block.size() - at || record.name_length > record.record_length - sizeof record)
      return false;
    if (!visit(record, at, before)) return true;
    before = at;
    at += record.record_length;
  }
  return true;
}

}  // namespace

Result<Ext2Inode::Place> Ext2Inode::find_place(std::span<const char> name) {
  if (!is_directory()) return Error::NotDirectory;
  const uint32_t block_size = volume_.block_size();
  Place place{};
  for (uint64_t index = 0; index < size() / block_size && place.inode == 0; ++index) {
    const Run run = TRY(map(index, 1));
    if (run.block == 0) return damaged("hole in a directory");
    const auto block = TRY(volume_.view(run.block));
    const bool is_whole = for_each_record(block, [&](const DirectoryRecord& record, uint32_t at, uint32_t before) {
      if (record.inode == 0 || record.name_length != name.size() ||
          __builtin_memcmp(block.data() + at + sizeof record, name.data(), name.size()) != 0)
        return true;
      place = {run.block, at, before, record.inode, record.file_type, index};
      return false;
    });
    if (!is_whole) return damaged("directory entry of impossible length");
  }
  if (place.inode == 0) return Error::NoEntry;
  return place;
}

// An unused record with room for the name, cut off from one that is too long or in a new block at the end.
Result<Ext2Inode::Place> Ext2Inode::make_place(std::span<const char> name) {
  const uint32_t block_size = volume_.block_size(), wanted = length_of(name.size());
  // The hash tree, if there is one, does not know the new name: without the flag its blocks are unused records.
  if ((disk_.flags & kIndexed) != 0) {
    disk_.flags &= ~kIndexed;
    TRY(store());
  }
  for (uint64_t index = insert_hint_; index < size() / block_size; ++index) {
    const Run run = TRY(map(index, 1));
    if (run.block == 0) return damaged("hole in a directory");
    const auto block = TRY(volume_.view(run.block));
    uint32_t offset = block_size, taken = 0;
    DirectoryRecord found{};
    const bool is_whole = for_each_record(block, [&](const DirectoryRecord& record, uint32_t at, uint32_t) {
      const uint32_t used = record.inode != 0 ? length_of(record.name_length) : 0;
      if (record.record_length < used + wanted) return true;
      offset = at;
      taken = used;
      found = record;
      return false;
    });
    if (!is_whole) return damaged("directory entry of impossible length");
    if (offset == block_size) continue;
    insert_hint_ = index;
    if (taken == 0) return Place{run.block, offset, offset, 0, 0, index};
    auto bytes = TRY(volume_.modify(run.block));
    const DirectoryRecord rest{0, static_cast<uint16_t>(found.record_length - taken), 0, 0};
    found.record_length = static_cast<uint16_t>(taken);
    __builtin_memcpy(bytes.data() + offset, &found, sizeof found);
    __builtin_memcpy(bytes.data() + offset + taken, &rest, sizeof rest);
    return Place{run.block, offset + taken, offset, 0, 0, index};
  }
  const uint64_t index = size() / block_size;
  auto added = map_or_allocate(index);
  if (added.is_error()) {
    TRY(store());
    return added.error();
  }
  auto bytes = TRY(volume_.create(added.value()));
  const DirectoryRecord whole{0, static_cast<uint16_t>(block_size), 0, 0};
  __builtin_memcpy(bytes.data(), &whole, sizeof whole);
  set_size(size() + block_size);
  TRY(store_sized());
  insert_hint_ = index;
  return Place{added.value(), 0, 0, 0, 0, index};
}

Result<void> Ext2Inode::fill_place(const Place& place, std::span<const char> name, const Ext2Inode& inode) {
  auto bytes = TRY(volume_.modify(place.block));
  DirectoryRecord record;
  __builtin_memcpy(&record, bytes.data() + place.offset, sizeof record);
  record.inode = inode.number();
  record.name_length = static_cast<uint8_t>(name.size());
  record.file_type = volume_.has_file_types() ? type_of_record(inode.disk_.mode) : 0;
  __builtin_memcpy(bytes.data() + place.offset, &record, sizeof record);
  __builtin_memcpy(bytes.data() + place.offset + sizeof record, name.data(), name.size());
  return {};
}

// The record before takes the room, or it stays as an unused one.
Result<void> Ext2Inode::clear_place(const Place& place) {
  auto bytes = TRY(volume_.modify(place.block));
  DirectoryRecord record;
  __builtin_memcpy(&record, bytes.data() + place.offset, sizeof record);
  const uint16_t length = record.record_length;
  if (place.before != place.offset) {
    __builtin_memcpy(&record, bytes.data() + place.before, sizeof record);
    record.record_length = static_cast<uint16_t>(record.record_length + length);
    __builtin_memcpy(bytes.data() + place.before, &record, sizeof record);
  } else {
    record.inode = 0;
    __builtin_memcpy(bytes.data() + place.offset, &record, sizeof record);
  }
  if (place.index < insert_hint_) insert_hint_ = place.index;
  return {};
}

Result<void> Ext2Inode::point_to(const Place& place, const Ext2Inode& inode) {
  auto bytes = TRY(volume_.modify(place.block));
  DirectoryRecord record;
  __builtin_memcpy(&record, bytes.data() + place.offset, sizeof record);
  record.inode = inode.number();
  if (volume_.has_file_types()) record.file_type = type_of_record(inode.disk_.mode);
  __builtin_memcpy(bytes.data() + place.offset, &record, sizeof record);
  return {};
}

Result<bool> Ext2Inode::is_empty() {
  bool has_others = false;
  TRY(walk(0, [&](const DirectoryRecord&, std::span<const char> name, uint64_t) {
    const bool is_dots = (name.size() == 1 && name[0] == '.') || (name.size() == 2 && name[0] == '.' && name[1] == '.');
    has_others = !is_dots;
    return is_dots;
  }));
  return !has_others;
}

// A new directory's block: "." and "..".
Result<void> Ext2Inode::begin_directory(Ext2Inode& parent) {
  const uint32_t block_size = volume_.block_size();
  auto block = map_or_allocate(0);
  if (block.is_error()) return block.error();
  auto bytes = TRY(volume_.create(block.value()));
  const uint32_t dot_length = length_of(1);
  const uint8_t type = volume_.has_file_types() ? type_of_record(kDirectory) : 0;
  const DirectoryRecord dot{number_, static_cast<uint16_t>(dot_length), 1, type};
  const DirectoryRecord dots{parent.number(), static_cast<uint16_t>(block_size - dot_length), 2, type};
  __builtin_memcpy(bytes.data(), &dot, sizeof dot);
  bytes[sizeof dot] = '.';
  __builtin_memcpy(bytes.data() + dot_length, &dots, sizeof dots);
  __builtin_memcpy(bytes.data() + dot_length + sizeof dots, "..", 2);
  set_size(block_size);
  return {};
}

Result<Inode*> Ext2Inode::lookup(std::span<const char> name) {
  return volume_.inode(TRY(find_place(name)).inode);
}

Result<void> Ext2Inode::list(uint64_t cursor, DirectoryVisitor visit, void* context) {
  TRY(walk(cursor, [&](const DirectoryRecord& record, std::span<const char> name, uint64_t next) {
    FileType type = file_type_of_record(record.file_type);
    if (!volume_.has_file_types()) {
      // Then only the inode knows; one that is damaged is listed all the same.
      type = FileType::Regular;
      if (auto inode = volume_.inode(record.inode); inode)
        if (auto status = inode.value()->status(); status) type = status.value().type;
    }
    return visit({name.data(), name.size(), record.inode, type, next}, context);
  }));
  return {};
}

}  // namespace kernel::ext2
