// What a file system does to the mappings of a file whose content goes away or was written back.
#pragma once

#include <cstdint>

namespace kernel {

class Inode;

// The file was cut, or got a hole: its pages of index [first, last) go out of every mapping, so that the next access
// asks the file again (behind its end: SIGBUS). Copies that a private mapping wrote go only when the file was cut, as
// on Linux (unmap_mapping_range).
enum class PrivateCopies : bool { Stay, Go };
void unmap_file_pages(const Inode& inode, uint64_t first, uint64_t last, PrivateCopies copies);

// Before content is written back: the next write of any shared mapping to a page of [first, last) faults, and asks for
// the page with PageUse::Write again.
void write_protect_file_pages(const Inode& inode, uint64_t first, uint64_t last);

// Memory is short: page `index` of the file goes out of every mapping that shows it, so that the next access asks the
// file again (mlock(2) is no more than a wish). Not if the program used it through one of them since this was asked
// last: false.
bool unmap_unused_file_page(const Inode& inode, uint64_t index);

// Does a shared mapping that may be written exist?
bool has_writable_mapping(const Inode& inode);

}  // namespace kernel
