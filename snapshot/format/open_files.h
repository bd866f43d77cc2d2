// Open descriptors and sockets: how the kernel keeps them for readers that know none of its C++, and how they stand in
// notes. Everybody walks them with open_files_walk.h: the crash path, the stub, a reader of bare RAM.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mortem::format {

enum class FileKind : uint32_t {
  Other = 0,
  File = 1,  // of a file system; folders and devices too
  Console = 2,
  Input = 3,  // the host's standard input
  Pipe = 4,
  Event = 5,
  Timer = 6,
  Epoll = 7,
  Signal = 8,
  Inotify = 9,
  Socket = 10,
};

// Addresses are the kernel's, 0: not there.
struct SocketSummary {
  uint16_t family;    // socket(2): AF_…
  uint8_t type;       // SOCK_…
  uint8_t protocol;   // IPPROTO_…; 0 of a Unix socket
  uint32_t awaits_accept;  // 1: a connection that the program has not accepted yet
  uint64_t number;         // of "socket:[N]"
  uint64_t record;         // of the pointer to lwIP's record
  uint64_t received;       // of the uint64_t that counts bytes that nobody read yet
  uint64_t sent;           // of a Unix socket: of the uint64_t that counts bytes on their way to the peer
  uint64_t unix_state;     // of the byte: 0 closed, 1 listening, 2 connected
  uint64_t unix_name;      // of the socket's own name: 128 bytes of sockaddr_un, then its uint32_t length
};

// In every open file of the kernel.
struct OpenFileSummary {
  FileKind kind;
  uint32_t reserved;
  uint64_t path;      // of NUL-terminated text
  uint64_t position;  // of the uint64_t
  uint64_t socket;    // of its SocketSummary
};

// What lwIP's records look like: offsets into tcp_pcb, tcp_pcb_listen and udp_pcb.
struct SocketRecordLayout {
  uint32_t local_address, remote_address;  // of both: 16 bytes of address…
  uint32_t address_type;                   // …and behind them, so far from the address, a byte: 6 is IPv6, 0 IPv4
  uint32_t tcp_next, tcp_state, tcp_local_port, tcp_remote_port, tcp_owner;  // owner: the open file; 0: closed
  uint32_t tcp_mss, tcp_send_window, tcp_receive_window, tcp_congestion_window;
  uint32_t tcp_acknowledged, tcp_written;  // sequence numbers (uint32_t): what lies between waits to be acknowledged
  uint32_t tcp_retransmissions;            // uint8_t: of the oldest segment
  uint32_t listen_backlog, listen_pending; // uint16_t
  uint32_t udp_local_port, udp_remote_port;
};

struct OpenFileTables {
  uint32_t version;  // 1
  uint32_t size;     // sizeof(OpenFileTables)
  uint64_t descriptors;       // of the pointer to the table
  uint64_t descriptor_count;  // of the int32_t: its places
  uint32_t descriptor_size, descriptor_file, descriptor_close_on_exec;  // a place: pointer, and bool
  uint32_t file_flags, file_summary;                                    // int32_t; OpenFileSummary
  uint32_t interface_next, interface_mtu, interface_address, interface_name;
  uint32_t reserved;
  uint64_t connections[2];  // of the pointers to the first record: all connections, those in TIME_WAIT
  uint64_t interfaces;      // of the pointer to the first
  SocketRecordLayout records;
};

// By these names a guest's debug stub gives the tables below as files (vFile), without a NoteHeader.
inline constexpr char kDescriptorTablePath[] = "mortem:descriptors", kSocketTablePath[] = "mortem:sockets";
// And by these what the notes KernelLog, StandardError and StandardOutput of a dump hold: the end of each as text.
inline constexpr char kKernelLogPath[] = "mortem:kernel-log", kStandardErrorPath[] = "mortem:standard-error",
                      kStandardOutputPath[] = "mortem:standard-output";

// One of the note DescriptorTable: path_length bytes of path follow (no NUL), padded to 8; the next is at +
// entry_length.
struct DescriptorEntry {
  uint32_t entry_length;
  int32_t descriptor;
  FileKind kind;
  uint32_t flags;           // open(2): O_…
  uint32_t known;           // kDescriptorHas…
  uint16_t close_on_exec;
  uint16_t path_length;
  uint64_t position;
  uint64_t socket;          // number of "socket:[N]"; 0: it is none
};
static_assert(sizeof(DescriptorEntry) == 40);
inline constexpr uint32_t kDescriptorHasPosition = 1;

// One of the note SocketTable, whose NoteHeader is followed by the uint32_t size of each and a uint32_t of padding.
struct SocketEntry {
  int32_t descriptor;   // -1: none: not accepted yet, or closed by the program and not over yet
  uint16_t family;      // AF_…
  uint8_t type;         // SOCK_…
  uint8_t protocol;     // IPPROTO_…
  uint64_t number;      // of "socket:[N]"; 0: the program closed it
  uint32_t state;       // of TCP: Linux's numbers (include/net/tcp_states.h); of Unix sockets TCP's words
  uint32_t known;       // kSocketHas…
  uint32_t awaits_accept;
  uint16_t local_port, remote_port;
  uint8_t local_is_v6, remote_is_v6, reserved[6];
  uint8_t local_address[16], remote_address[16];  // IPv4: the first four bytes
  uint64_t receive_queue;  // bytes; of a listener: connections to be accepted
  uint64_t send_queue;     // bytes not acknowledged or not read; of a listener: the most that may wait
  uint32_t mtu;            // of the interface that has the local address; 0: unknown
  uint32_t mss;            // of TCP: bytes of a segment
  uint32_t send_window, receive_window, congestion_window;  // of TCP, bytes
  uint32_t retransmissions;                                 // of TCP: of the oldest segment
  uint32_t name_length;
  char name[108];  // of a Unix socket: sun_path, a NUL in front of an abstract one's
};
static_assert(sizeof(SocketEntry) == 224);
inline constexpr uint32_t kSocketHasState = 1, kSocketHasAddresses = 2, kSocketHasQueues = 4, kSocketHasTcp = 8;

enum class TcpState : uint32_t {
  Established = 1,
  SynSent = 2,
  SynReceived = 3,
  FinWait1 = 4,
  FinWait2 = 5,
  TimeWait = 6,
  Closed = 7,
  CloseWait = 8,
  LastAck = 9,
  Listen = 10,
  Closing = 11,
};

}  // namespace mortem::format
