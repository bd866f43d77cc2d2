// qGetTLSAddr: where a thread has a thread-local variable.
//
// What gdb 13 really needs of us for `print variable`: it finds no address by itself on a remote target, whatever
// fs_base it has read, and asks qGetTLSAddr:THREAD,OFFSET,LINK_MAP. For a static program the link map is 0. gdbserver
// answers with libthread_db, which needs symbols of the program that many static programs do not have (natively, gdb
// then says that it cannot find thread-local storage). We need none for the program itself:
//  - Its block lies below the thread pointer, fs_base, at a place that the linker has already fixed ("Variant II" of
//    Drepper, ELF Handling For Thread-Local Storage; local-exec code counts on it), whether glibc, musl or another made
//    the program. Its size and alignment are in PT_TLS.
//  - A shared library's block is in the dynamic thread vector, at fs_base + 8, under the number that glibc keeps in its
//    private part of link_map. The offset of that field is said by the symbol _thread_db_link_map_l_tls_modid of libc
//    (nptl_db's way), which we ask the client for by qSymbol.
// LLDB 19 does not ask: from the register that target.xml calls the thread pointer it does the same by itself for
// dynamic programs, and cannot do it for static ones.
#include "gdbstub/program_image.h"
#include "gdbstub/session.h"

namespace mortem::gdbstub {

namespace {

constexpr std::string_view kModuleNumberSymbol = "_thread_db_link_map_l_tls_modid";

bool address_in_program(Session& session, uint64_t thread_pointer, uint64_t offset, uint64_t& address) {
  ProgramHeader segment{};
  if (thread_pointer == 0 || !find_segment(session.target, kThreadLocalSegment, segment)) return false;
  const uint64_t alignment = segment.alignment > 1 ? segment.alignment : 1;
  if ((alignment & (alignment - 1)) != 0) return false;
  // The block begins at an address that is congruent to the segment's, modulo its alignment.
  const uint64_t first = (0 - segment.address) & (alignment - 1);
  const uint64_t size = ((segment.memory_size - first + alignment - 1) & ~(alignment - 1)) + first;
  address = thread_pointer - size + offset;
  return true;
}

bool address_in_library(Session& session, uint64_t thread_pointer, uint64_t offset, uint64_t link_map,
                        uint64_t& address) {
  struct VectorEntry {  // dtv_t; the first counts generations
    uint64_t block, to_free;
  };
  constexpr uint64_t kNotAllocated = ~0ull;  // TLS_DTV_UNALLOCATED: this thread has not used it yet
  constexpr uint64_t kOffsetOfVector = 8;    // tcbhead_t.dtv
  uint64_t number, vector;
  if (session.module_number_offset == 0) return false;
  if (!read_object(session.target, link_map + session.module_number_offset, number) || number == 0) return false;
  if (!read_object(session.target, thread_pointer + kOffsetOfVector, vector)) return false;
  VectorEntry length, entry;  // the length stands before the vector
  if (!read_object(session.target, vector - sizeof length, length) || number > length.block) return false;
  if (!read_object(session.target, vector + number * sizeof entry, entry)) return false;
  if (entry.block == kNotAllocated || entry.block == 0) return false;
  address = entry.block + offset;
  return true;
}

void thread_local_address(Session& session, Arguments arguments) {
  ThreadSelector selector;
  uint64_t offset, link_map;
  if (!arguments.thread(selector) || !arguments.hex_after(",", offset) || !arguments.hex_after(",", link_map))
    return session.error(ErrorNumber::Invalid);
  const ThreadId thread = session.thread_of(selector);
  if (!session.load_registers(thread)) return session.error(ErrorNumber::NoThread);
  const uint64_t thread_pointer = session.registers.general.fs_base;
  // The program is the first in the list.
  LinkMap map{};
  const bool is_program = link_map == 0 || (read_object(session.target, link_map, map) && map.previous == 0);
  uint64_t address;
  const bool found = is_program ? address_in_program(session, thread_pointer, offset, address)
                                : address_in_library(session, thread_pointer, offset, link_map, address);
  if (!found) return session.error(ErrorNumber::BadAddress);
  session.reply.hex(address);
}

// "qSymbol::": the client can look symbols up; "qSymbol:VALUE:NAME": the one we asked for, VALUE empty: not found.
void symbol(Session& session, Arguments arguments) {
  uint64_t value = 0;
  const bool found = arguments.hex(value);
  if (!arguments.take(":")) return session.error(ErrorNumber::Invalid);
  if (found) {
    struct {
      uint32_t bits, count, offset;
    } description;
    if (read_object(session.target, value, description) && description.bits == 64)
      session.module_number_offset = description.offset;
  }
  const bool asks = arguments.done();
  if (!asks || session.module_number_offset != 0) return session.ok();
  session.reply.text("qSymbol:");
  session.reply.hex_text(kModuleNumberSymbol);
}

constexpr PacketEntry kPackets[] = {{"qGetTLSAddr", thread_local_address}, {"qSymbol", symbol}};

}  // namespace

std::span<const PacketEntry> thread_local_storage_packets() {
  return kPackets;
}

}  // namespace mortem::gdbstub
