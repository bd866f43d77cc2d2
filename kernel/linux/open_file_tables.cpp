// Puts together where everything about open files is, and tells it in the guest description block.
#include "kernel/crash/open_files.h"
#include "kernel/linux/files.h"
#include "kernel/memory/guest_description.h"
#include "kernel/net/network.h"

namespace kernel {

void open_file_tables_initialize() {
  mortem::format::OpenFileTables& tables = g_open_file_tables;
  tables.size = sizeof tables;
  linux::describe_descriptors(tables);
  net::describe_records(tables);
  tables.version = 1;
  guest_description().open_file_tables = reinterpret_cast<uint64_t>(&tables);
}

}  // namespace kernel
