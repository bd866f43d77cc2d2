// Walks the kernel's open descriptors and sockets through whoever can read its memory. Nothing that is read is trusted:
// lists may be cut or run in circles, every count has an end.
//
// Read: bool(void* to, uint64_t address, size_t size), false: not there.
#pragma once

#include "snapshot/format/open_files.h"

namespace mortem::format {

template <typename Read>
class OpenFilesWalk {
 public:
  OpenFilesWalk(const OpenFileTables& tables, Read read) : tables_(tables), read_(read) {}

  static bool fits(const OpenFileTables& tables) {
    return tables.version == 1 && tables.size == sizeof tables && tables.descriptor_size >= 9 &&
           tables.descriptor_size <= 64 && tables.descriptor_file <= tables.descriptor_size - 8 &&
           tables.descriptor_close_on_exec < tables.descriptor_size;
  }

  // visit(const DescriptorEntry&, uint64_t path): the path's address, 0: none. Its entry_length and path_length are not
  // filled in. False from it: stop. Returns false when it was stopped.
  template <typename Visit>
  bool descriptors(Visit visit) {
    return each_descriptor([&](const DescriptorEntry& entry, const OpenFileSummary& summary, uint64_t) {
      return visit(entry, summary.path);
    });
  }

  // visit(const SocketEntry&): those with descriptors first, then those that the program does not have (any more).
  template <typename Visit>
  bool sockets(Visit visit) {
    const bool all = each_descriptor([&](const DescriptorEntry& entry, const OpenFileSummary& summary, uint64_t) {
      if (summary.socket == 0) return true;
      SocketEntry socket = of_summary(summary.socket);
      socket.descriptor = entry.descriptor;
      return visit(socket);
    });
    return all && ownerless(visit);
  }

 private:
  static constexpr uint32_t kMostDescriptors = 1 << 20, kMostRecords = 1 << 20, kMostInterfaces = 16;

  template <typename T>
  bool get(T& to, uint64_t address) {
    return address != 0 && read_(&to, address, sizeof to);
  }
  template <typename T>
  T at(uint64_t address, bool& is_known) {
    T value{};
    if (!get(value, address)) {
      is_known = false;
      value = T{};
    }
    return value;
  }

  template <typename Visit>
  bool each_descriptor(Visit visit) {
    uint64_t table = 0;
    int32_t count = 0;
    if (!get(table, tables_.descriptors) || !get(count, tables_.descriptor_count)) return true;
    for (int32_t number = 0; number < count && static_cast<uint32_t>(number) < kMostDescriptors; ++number) {
      uint8_t place[64];
      const uint64_t address = table + static_cast<uint64_t>(number) * tables_.descriptor_size;
      if (!read_(place, address, tables_.descriptor_size)) break;
      uint64_t file = 0;
      __builtin_memcpy(&file, place + tables_.descriptor_file, sizeof file);
      OpenFileSummary summary;
      if (file == 0 || !get(summary, file + tables_.file_summary)) continue;
      DescriptorEntry entry{};
      entry.descriptor = number;
      entry.kind = summary.kind;
      entry.close_on_exec = place[tables_.descriptor_close_on_exec] != 0;
      (void)get(entry.flags, file + tables_.file_flags);
      if (get(entry.position, summary.position)) entry.known |= kDescriptorHasPosition;
      SocketSummary socket;
      if (get(socket, summary.socket)) entry.socket = socket.number;
      if (!visit(entry, summary, file)) return false;
    }
    return true;
  }

  SocketEntry of_summary(uint64_t address) {
    SocketEntry entry{};
    entry.descriptor = -1;
    SocketSummary summary;
    if (!get(summary, address)) return entry;
    entry.family = summary.family;
    entry.type = summary.type;
    entry.protocol = summary.protocol;
    entry.number = summary.number;
    entry.awaits_accept = summary.awaits_accept;
    constexpr uint8_t kTcp = 6, kUdp = 17;
    uint64_t record = 0;
    bool queues = get(entry.receive_queue, summary.received);
    if (summary.unix_state != 0) {
      add_unix(summary, entry, queues);
    } else if (get(record, summary.record) && record != 0) {
      if (entry.protocol == kTcp) add_tcp(record, entry);
      if (entry.protocol == kUdp) add_udp(record, entry);
    } else {
      entry.state = static_cast<uint32_t>(TcpState::Closed);
      entry.known |= kSocketHasState;
    }
    if (queues) entry.known |= kSocketHasQueues;
    return entry;
  }

  void add_unix(const SocketSummary& summary, SocketEntry& entry, bool& queues) {
    constexpr TcpState kStates[] = {TcpState::Closed, TcpState::Listen, TcpState::Established};
    uint8_t state = 0;
    if (get(state, summary.unix_state) && state < 3) {
      entry.state = static_cast<uint32_t>(kStates[state]);
      entry.known |= kSocketHasState;
    }
    queues = get(entry.send_queue, summary.sent) && queues;
    struct {
      uint8_t bytes[128];
      uint32_t length;
    } name;
    constexpr uint32_t kFamily = sizeof(uint16_t);
    if (!read_(&name, summary.unix_name, sizeof name) || name.length <= kFamily) return;
    entry.name_length = name.length - kFamily < sizeof entry.name ? name.length - kFamily : sizeof entry.name;
    __builtin_memcpy(entry.name, name.bytes + kFamily, entry.name_length);
  }

  void add_addresses(uint64_t record, uint32_t local_port, uint32_t remote_port, bool has_remote, SocketEntry& entry) {
    const SocketRecordLayout& layout = tables_.records;
    bool known = true;
    entry.local_port = at<uint16_t>(record + local_port, known);
    known = known && read_(entry.local_address, record + layout.local_address, 16);
    entry.local_is_v6 = at<uint8_t>(record + layout.local_address + layout.address_type, known) != 0;
    if (has_remote) {
      entry.remote_port = at<uint16_t>(record + remote_port, known);
      known = known && read_(entry.remote_address, record + layout.remote_address, 16);
      entry.remote_is_v6 = at<uint8_t>(record + layout.remote_address + layout.address_type, known) != 0;
    } else {
      entry.remote_is_v6 = entry.local_is_v6;
    }
    if (known) entry.known |= kSocketHasAddresses;
    entry.mtu = mtu_of(entry);
  }

  void add_udp(uint64_t record, SocketEntry& entry) {
    add_addresses(record, tables_.records.udp_local_port, tables_.records.udp_remote_port, true, entry);
    entry.state = static_cast<uint32_t>(entry.remote_port != 0 ? TcpState::Established : TcpState::Closed);
    entry.known |= kSocketHasState;
  }

  void add_tcp(uint64_t record, SocketEntry& entry) {
    const SocketRecordLayout& layout = tables_.records;
    constexpr TcpState kStates[] = {TcpState::Closed,      TcpState::Listen,      TcpState::SynSent,
                                    TcpState::SynReceived, TcpState::Established, TcpState::FinWait1,
                                    TcpState::FinWait2,    TcpState::CloseWait,   TcpState::Closing,
                                    TcpState::LastAck,     TcpState::TimeWait};
    uint32_t state = 0;
    if (!get(state, record + layout.tcp_state) || state >= sizeof kStates / sizeof *kStates) return;
    const TcpState mine = kStates[state];
    entry.state = static_cast<uint32_t>(mine);
    entry.known |= kSocketHasState;
    const bool listens = mine == TcpState::Listen;
    add_addresses(record, layout.tcp_local_port, layout.tcp_remote_port, !listens, entry);
    bool known = true;
    if (listens) {
      entry.receive_queue = at<uint16_t>(record + layout.listen_pending, known);
      const auto backlog = at<uint16_t>(record + layout.listen_backlog, known);
      entry.send_queue = backlog > 0 ? backlog - 1u : 0;  // one more may wait than listen(2) was told, as on Linux
      return;
    }
    entry.mss = at<uint16_t>(record + layout.tcp_mss, known);
    entry.send_window = at<uint32_t>(record + layout.tcp_send_window, known);
    entry.receive_window = at<uint32_t>(record + layout.tcp_receive_window, known);
    entry.congestion_window = at<uint32_t>(record + layout.tcp_congestion_window, known);
    entry.retransmissions = at<uint8_t>(record + layout.tcp_retransmissions, known);
    const auto acknowledged = at<uint32_t>(record + layout.tcp_acknowledged, known);
    const auto written = at<uint32_t>(record + layout.tcp_written, known);
    if (!known) return;
    entry.known |= kSocketHasTcp;
    // The end of what is written counts as a byte, too, and is none.
    const bool has_end = mine == TcpState::FinWait1 || mine == TcpState::Closing || mine == TcpState::LastAck;
    const uint32_t waiting = written - acknowledged;
    entry.send_queue = has_end && waiting > 0 ? waiting - 1 : waiting;
  }

  // Connections without a socket of the program (TIME_WAIT and what is being closed), or not accepted yet.
  template <typename Visit>
  bool ownerless(Visit visit) {
    uint32_t count = 0;
    for (const uint64_t list : tables_.connections) {
      uint64_t record = 0;
      if (!get(record, list)) continue;
      for (; record != 0 && count < kMostRecords; ++count) {
        uint64_t owner = 0, next = 0;
        if (!get(owner, record + tables_.records.tcp_owner) || !get(next, record + tables_.records.tcp_next)) break;
        OpenFileSummary summary;
        SocketEntry entry{};
        bool is_wanted = owner == 0;
        if (owner == 0) {
          constexpr uint8_t kStream = 1, kTcp = 6;
          constexpr uint16_t kInet = 2, kInet6 = 10;
          entry.descriptor = -1;
          entry.type = kStream;
          entry.protocol = kTcp;
          add_tcp(record, entry);
          entry.family = entry.local_is_v6 != 0 ? kInet6 : kInet;
          entry.known |= kSocketHasQueues;  // nobody can read any more: what came is thrown away
        } else if (get(summary, owner + tables_.file_summary) && summary.socket != 0) {
          entry = of_summary(summary.socket);
          is_wanted = entry.awaits_accept != 0;
        }
        if (is_wanted && !visit(entry)) return false;
        record = next;
      }
    }
    return true;
  }

  uint32_t mtu_of(const SocketEntry& entry) {
    constexpr uint32_t kLoopback = 65536;  // as Linux says of lo
    if (entry.local_is_v6 != 0) {
      static constexpr uint8_t kOwn[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
      return __builtin_memcmp(entry.local_address, kOwn, sizeof kOwn) == 0 ? kLoopback : 0;
    }
    if (entry.local_address[0] == 127) return kLoopback;
    uint64_t interface = 0;
    if (!get(interface, tables_.interfaces)) return 0;
    for (uint32_t count = 0; interface != 0 && count < kMostInterfaces; ++count) {
      uint8_t address[4];
      uint16_t mtu = 0;
      uint64_t next = 0;
      if (!get(address, interface + tables_.interface_address) || !get(mtu, interface + tables_.interface_mtu) ||
          !get(next, interface + tables_.interface_next))
        return 0;
      if (__builtin_memcmp(address, entry.local_address, sizeof address) == 0) return mtu;
      interface = next;
    }
    return 0;
  }

  const OpenFileTables& tables_;
  Read read_;
};

}  // namespace mortem::format
