// How much the program read and wrote, for /proc/self/io (proc(5)).
#pragma once

#include <cstdint>

namespace kernel::linux {

struct InputOutputCounts {
  uint64_t bytes_read = 0, bytes_written = 0;  // by read, write and their kin, and sendfile
  uint64_t reads = 0, writes = 0;              // of those calls
};
inline InputOutputCounts g_io_counts;

}  // namespace kernel::linux
