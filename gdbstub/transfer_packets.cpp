// qXfer: larger things, piece by piece. A reply begins with 'm' if there is more and with 'l' if this was the last.
#include "gdbstub/program_image.h"
#include "gdbstub/session.h"
#include "gdbstub/target_description.h"

namespace mortem::gdbstub {

namespace {

struct Piece {
  std::string_view annex;
  uint64_t offset;
  uint64_t length;
};

// Text is written anew for each piece, and what is not in the piece is thrown away: no buffer for the whole.
template <typename Writer>
void send_text(Session& session, const Piece& piece, Writer write) {
  session.reply.text("m");
  session.reply.open_window(piece.offset, piece.length);
  write(session.reply);
  if (!session.reply.window_has_more()) session.reply.set_first('l');
}

template <typename Reader>
void send_bytes(Session& session, const Piece& piece, Reader read) {
  const std::span<uint8_t> staged = session.reply.stage(piece.length, Reply::Encoding::Binary, 1);
  const int64_t count = read(staged);
  if (count < 0) return session.error(ErrorNumber::Io);
  const std::span<uint8_t> bytes = staged.first(static_cast<size_t>(count));
  const size_t fitting = session.reply.binary_fitting(bytes, 1);
  session.reply.text(fitting == bytes.size() && bytes.size() < staged.size() ? "l" : "m");
  session.reply.binary(bytes.first(fitting));
}

void target_description(Session& session, const Piece& piece) {
  if (piece.annex != "target.xml") return session.error(ErrorNumber::Invalid);
  const bool has_avx = session.register_count() > kFirstAvxRegister;
  send_text(session, piece, [&](Reply& reply) { write_target_description(reply, has_avx); });
}

void window_thread(Session& session, ThreadId thread) {
  if (session.client.multiprocess) {
    session.reply.window_text("p");
    session.reply.window_hex(session.target.description().process);
    session.reply.window_text(".");
  }
  session.reply.window_hex(thread);
}

void threads(Session& session, const Piece& piece) {
  Target& target = session.target;
  send_text(session, piece, [&](Reply& reply) {
    reply.window_text("<?xml version=\"1.0\"?>\n<threads>\n");
    for (ThreadId thread = target.next_thread(0); thread != 0; thread = target.next_thread(thread)) {
      reply.window_text("<thread id=\"");
      window_thread(session, thread);
      if (const size_t length = target.thread_name(thread, session.text); length > 0) {
        reply.window_text("\" name=\"");
        reply.window_markup({session.text.data(), length});
      }
      reply.window_text("\"/>\n");
    }
    reply.window_text("</threads>\n");
  });
}

void executable_path(Session& session, const Piece& piece) {
  Arguments annex(piece.annex);
  uint64_t process;
  if (!annex.done() && (!annex.hex(process) || process != session.target.description().process))
    return session.error(ErrorNumber::NoThread);
  const int64_t length = session.target.executable_path(session.text);
  if (length < 0) return session.error(ErrorNumber::Io);
  send_text(session, piece, [&](Reply& reply) {
    reply.window_text({session.text.data(), static_cast<size_t>(length)});
  });
}

void auxiliary_vector(Session& session, const Piece& piece) {
  send_bytes(session, piece,
             [&](std::span<uint8_t> bytes) { return session.target.read_auxiliary_vector(piece.offset, bytes); });
}

void signal_information(Session& session, const Piece& piece) {
  const ThreadId thread = session.selected_thread();
  if (thread == 0) return session.error(ErrorNumber::NoThread);
  send_bytes(session, piece,
             [&](std::span<uint8_t> bytes) { return session.target.read_siginfo(thread, piece.offset, bytes); });
}

void window_address(Reply& reply, std::string_view attribute, uint64_t value) {
  reply.window_text(attribute);
  reply.window_text("=\"0x");
  reply.window_hex(value);
  reply.window_text("\"");
}

// A list may be damaged, or run in a circle.
constexpr int kMostLibraries = 4096, kMostNamespaces = 64;

// gdb 13 wants "lmid", which tells namespaces apart; gdbserver has the address of the list there, too.
void window_library(Session& session, uint64_t list, uint64_t address, const LinkMap& map) {
  Reply& reply = session.reply;
  const std::span<uint8_t> text(reinterpret_cast<uint8_t*>(session.text.data()), session.text.size());
  const size_t read = session.target.read_memory(map.name, text);
  size_t length = 0;
  while (length < read && session.text[length] != 0) ++length;
  if (length == 0 || length == read) return;
  std::string_view name(session.text.data(), length);
  // LLDB has read it from memory under that name, and forgets what is not in this list.
  if (session.client.thread_suffix && name == "linux-vdso.so.1") name = "[vdso]";
  reply.window_text("<library name=\"");
  reply.window_markup(name);
  reply.window_text("\"");
  window_address(reply, " lm", address);
  window_address(reply, " l_addr", map.load_address);
  window_address(reply, " l_ld", map.dynamic);
  window_address(reply, " lmid", list);
  reply.window_text("/>\n");
}

// LLDB learns nowhere else which file the program is. One at a fixed address (ET_EXEC) is said once: LLDB 19 makes it
// the target's executable each time, and then forgets where all else was loaded.
void window_program(Session& session, uint64_t link_map) {
  const int64_t length = session.client.thread_suffix ? session.target.executable_path(session.text) : -1;
  LocalFile file;
  if (length < 0 || !session.target.local_file({session.text.data(), static_cast<size_t>(length)}, file)) return;
  if (file.size == 0 || (file.load_bias == 0 && session.client.library_lists > 1)) return;
  session.reply.window_text("<library name=\"");
  session.reply.window_markup(file.path);
  session.reply.window_text("\"");
  window_address(session.reply, " lm", link_map);
  window_address(session.reply, " l_addr", file.load_bias);
  window_address(session.reply, " l_ld", 0);
  session.reply.window_text("/>\n");
}

// GDB manual, node "Library List Format for SVR4 Targets". The program itself is named only as main-lm.
void libraries(Session& session, const Piece& piece) {
  Target& target = session.target;
  if (piece.offset == 0) ++session.client.library_lists;
  send_text(session, piece, [&](Reply& reply) {
    uint64_t address = first_link_map_list(target);
    LinkMapList list;
    reply.window_text("<library-list-svr4 version=\"1.0\"");
    if (address == 0 || !read_link_map_list(target, address, list) || list.first == 0) {
      if (!session.client.thread_suffix) return reply.window_text("/>");
      reply.window_text(">\n");
      window_program(session, 0);
      reply.window_text("</library-list-svr4>\n");
      return;
    }
    const uint64_t program = list.first;
    window_address(reply, " main-lm", program);
    reply.window_text(">\n");
    window_program(session, program);
    for (int lists = 0; address != 0 && lists < kMostNamespaces; ++lists, address = list.next) {
      if (!read_link_map_list(target, address, list)) break;
      LinkMap map;
      uint64_t at = list.first;
      for (int count = 0; at != 0 && count < kMostLibraries && read_object(target, at, map); ++count, at = map.next)
        if (at != program) window_library(session, address, at, map);
    }
    reply.window_text("</library-list-svr4>\n");
  });
}

// GDB manual, node "Memory Map Format". What is not in it gdb does not ask for. All of it is "ram": of a "rom" gdb
// would refuse to change a byte.
void memory_map(Session& session, const Piece& piece) {
  send_text(session, piece, [&](Reply& reply) {
    reply.window_text("<?xml version=\"1.0\"?>\n<memory-map>\n");
    MemoryRegion region;
    for (uint64_t at = 0; session.target.memory_region(at, region);) {
      if (region.mapped) {
        reply.window_text("<memory type=\"ram\"");
        window_address(reply, " start", region.start);
        window_address(reply, " length", region.size);
        reply.window_text("/>\n");
      }
      const uint64_t next = region.start + region.size;
      if (next <= at) break;
      at = next;
      region = {};
    }
    reply.window_text("</memory-map>\n");
  });
}

struct Object {
  std::string_view name;
  bool (*offered)(const Description&);
  void (*read)(Session&, const Piece&);
};
constexpr Object kObjects[] = {
    {"features", [](const Description&) { return true; }, target_description},
    {"threads", [](const Description&) { return true; }, threads},
    {"exec-file", [](const Description& description) { return description.executable_path; }, executable_path},
    {"auxv", [](const Description& description) { return description.auxiliary_vector; }, auxiliary_vector},
    {"libraries-svr4", [](const Description& description) { return description.auxiliary_vector; }, libraries},
    {"memory-map", [](const Description& description) { return description.memory_map && description.memory_regions; },
     memory_map},
    {"siginfo", [](const Description& description) { return description.signal_information; }, signal_information},
};

std::string_view take_up_to_colon(Arguments& arguments) {
  const std::string_view rest = arguments.rest();
  size_t length = 0;
  while (length < rest.size() && rest[length] != ':') ++length;
  arguments.skip(length + 1);
  return {rest.data(), length};
}

void write_signal_information(Session& session, Arguments arguments) {
  uint64_t offset;
  take_up_to_colon(arguments);  // the annex, empty
  if (!arguments.hex(offset) || !arguments.take(":")) return session.error(ErrorNumber::Invalid);
  const std::string_view data = arguments.rest();
  const int64_t count = session.target.write_siginfo(session.selected_thread(), offset,
                                                     {reinterpret_cast<const uint8_t*>(data.data()), data.size()});
  if (count < 0) return session.error(ErrorNumber::Io);
  session.reply.hex(static_cast<uint64_t>(count));
}

void transfer(Session& session, Arguments arguments) {
  const std::string_view name = take_up_to_colon(arguments);
  const std::string_view operation = take_up_to_colon(arguments);
  const Description description = session.target.description();
  for (const Object& object : kObjects) {
    if (object.name != name || !object.offered(description)) continue;
    if (operation == "write" && name == "siginfo") return write_signal_information(session, arguments);
    if (operation != "read") return;
    Piece piece;
    piece.annex = take_up_to_colon(arguments);
    if (!arguments.hex(piece.offset) || !arguments.hex_after(",", piece.length))
      return session.error(ErrorNumber::Invalid);
    return object.read(session, piece);
  }
}

constexpr PacketEntry kPackets[] = {{"qXfer", transfer}};

}  // namespace

std::span<const PacketEntry> transfer_packets() {
  return kPackets;
}

}  // namespace mortem::gdbstub
