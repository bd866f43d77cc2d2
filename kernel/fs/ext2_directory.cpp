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
    const uint64_t place = uint64_t{run.block} * block_size;
    // Records are walked from the start of the block, so that a cursor from the app cannot point into a name.
    for (uint32_t at = 0; at < block_size;) {
      DirectoryRecord record;
      const auto block = TRY(volume_.cache().view(place, block_size));
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

Result<Inode*> Ext2Inode::lookup(std::span<const char> name) {
  uint32_t found = 0;
  TRY(walk(0, [&](const DirectoryRecord& record, std::span<const char> entry, uint64_t) {
    if (entry.size() != name.size() || __builtin_memcmp(entry.data(), name.data(), name.size()) != 0) return true;
    found = record.inode;
    return false;
  }));
  if (found == 0) return Error::NoEntry;
  return volume_.inode(found);
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
