// /proc, /sys and /tmp.
#pragma once

namespace kernel::linux {

void make_process_files(const char* program_path);

}  // namespace kernel::linux
