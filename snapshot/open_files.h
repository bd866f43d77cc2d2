// The program's open descriptors and its sockets, as a guest tells of them in a dump's notes, over its debug stub, or
// in the bare RAM of a clone.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "snapshot/format/open_files.h"
#include "snapshot/result.h"

namespace mortem::snapshot {

struct OpenDescriptor {
  int32_t number = 0;
  format::FileKind kind = format::FileKind::Other;
  std::string path;    // as /proc/self/fd shows it: "/etc/passwd", "socket:[4097]"
  uint32_t flags = 0;  // open(2)
  bool close_on_exec = false;
  std::optional<uint64_t> position;
  uint64_t socket = 0;  // number of "socket:[N]"; 0: it is none
};

struct OpenSocket {
  format::SocketEntry entry{};       // its descriptor: the first one
  std::vector<int32_t> descriptors;  // all; empty: not accepted yet, or closed by the program and not over yet

  bool has(uint32_t known) const { return (entry.known & known) == known; }
  std::string protocol() const;  // "tcp", "tcp6", "udp", "udp6", "unix stream", "netlink"
  std::string state() const;     // as ss(8) writes it: "ESTAB", "LISTEN", "TIME-WAIT"; empty: unknown
  std::string local() const;     // "10.0.2.15:8080", "[::]:80", "/run/server.sock", "@abstract"; empty: unknown
  std::string remote() const;    // "*:*" of a listener; empty: unknown, or it has none
};

struct OpenFiles {
  std::optional<std::vector<OpenDescriptor>> descriptors;  // by number; nothing: not known
  std::optional<std::vector<OpenSocket>> sockets;          // nothing: not known
};

const char* file_kind_text(format::FileKind kind);  // "file", "pipe", "socket", …
std::string open_flags_text(uint32_t flags);        // "read-write append non-blocking"

// What stands behind the header of the notes of those names; what a stub gives.
Result<std::vector<OpenDescriptor>> parse_descriptor_table(std::span<const uint8_t> bytes);
Result<std::vector<OpenSocket>> parse_socket_table(std::span<const uint8_t> bytes);

// What the notes of a clone have behind their header, out of the kernel's own records in memory. `tables`:
// GuestDescription::open_file_tables. `read`: kernel memory at a virtual address, all of it or false. Empty: the guest
// does not tell.
struct OpenFileTableBytes {
  std::vector<uint8_t> descriptors, sockets;
};
OpenFileTableBytes open_file_tables_of(uint64_t tables,
                                       const std::function<bool(void* to, uint64_t address, size_t size)>& read);

}  // namespace mortem::snapshot
