// The program's descriptors and sockets as tables of plain records, for the dump's notes and for the debug stub. No
// pointer is trusted.
#pragma once

#include "kernel/crash/byte_sink.h"
#include "snapshot/format/open_files.h"

namespace kernel {

extern mortem::format::OpenFileTables g_open_file_tables;
void open_file_tables_initialize();  // once, when the network is there

// What stands behind the NoteHeader of the notes of those names. False: the sink stopped it.
bool write_descriptor_table(ByteSink& to);
bool write_socket_table(ByteSink& to);

}  // namespace kernel
