// inotify(7): programs that watch files and folders are told what calls did to them. Whoever changes something says so
// here; without a watch that costs one comparison.
#pragma once

#include <cstdint>
#include <span>

#include "kernel/fs/inode.h"

namespace kernel::linux {

namespace file_event {  // sys/inotify.h: IN_...
inline constexpr uint32_t kAccess = 1, kModify = 2, kAttributes = 4, kCloseWrite = 8, kCloseNoWrite = 0x10,
                          kOpen = 0x20, kMovedFrom = 0x40, kMovedTo = 0x80, kCreate = 0x100, kDelete = 0x200,
                          kDeleteSelf = 0x400, kMoveSelf = 0x800, kIsDirectory = 0x40000000;
}  // namespace file_event

bool somebody_watches();

// Something happened to a file: who watches it is told, and who watches the folder in which `path` (absolute, resolved)
// has it, if it still has.
void tell_of_file(Inode& inode, const char* path, uint32_t event);
// The same, by the path that a call was given.
void tell_of_user_path(int directory, uint64_t user_path, FollowLast follow, Inode& inode, uint32_t event);
// To the file alone.
void tell_of_inode(Inode& inode, uint32_t event);
// To a name in a folder. `cookie` joins the two halves of a rename.
enum class NamedThing : bool { File, Directory };
void tell_of_name(Inode& folder, std::span<const char> name, uint32_t event, NamedThing thing, uint32_t cookie = 0);
uint32_t next_rename_cookie();
// A name of the file went, or an open file: when it was the last, watches of the file end.
void tell_if_gone(Inode& inode);

}  // namespace kernel::linux
