#include "kernel/crash/open_files.h"

#include "kernel/crash/checked_memory.h"
#include "snapshot/format/open_files_walk.h"

namespace kernel {

using namespace mortem::format;

OpenFileTables g_open_file_tables;

namespace {

constexpr size_t kLongestName = 4096;  // PATH_MAX

bool read_for_walk(void* to, uint64_t address, size_t size) {
  return read_kernel(to, reinterpret_cast<const void*>(address), size);
}

OpenFilesWalk<decltype(&read_for_walk)> make_walk() {
  return {g_open_file_tables, read_for_walk};
}

}  // namespace

bool write_descriptor_table(ByteSink& to) {
  if (!OpenFilesWalk<decltype(&read_for_walk)>::fits(g_open_file_tables)) return true;
  return make_walk().descriptors([&](DescriptorEntry entry, uint64_t path) {
    static char text[kLongestName];
    if (path == 0 || !read_kernel_string(text, sizeof text, reinterpret_cast<const char*>(path))) text[0] = 0;
    uint16_t length = 0;
    while (text[length] != 0) ++length;
    const uint32_t content = sizeof entry + length, padding = -content & 7;
    entry.path_length = length;
    entry.entry_length = content + padding;
    return to.write(&entry, sizeof entry) && to.write(text, length) && to.write_zeros(padding);
  });
}

bool write_socket_table(ByteSink& to) {
  const uint32_t head[2] = {sizeof(SocketEntry), 0};
  if (!to.write(head, sizeof head)) return false;
  if (!OpenFilesWalk<decltype(&read_for_walk)>::fits(g_open_file_tables)) return true;
  return make_walk().sockets([&](const SocketEntry& entry) { return to.write(&entry, sizeof entry); });
}

}  // namespace kernel
