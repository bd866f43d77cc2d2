// What readers from outside must know of lwIP's records (snapshot/format/open_files.h).
#include <cstddef>

#include "kernel/net/network.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/udp.h"

namespace kernel::net {

void describe_records(mortem::format::OpenFileTables& tables) {
  tables.connections[0] = reinterpret_cast<uint64_t>(&tcp_active_pcbs);
  tables.connections[1] = reinterpret_cast<uint64_t>(&tcp_tw_pcbs);
  tables.interfaces = reinterpret_cast<uint64_t>(&netif_list);
  tables.interface_next = offsetof(netif, next);
  tables.interface_mtu = offsetof(netif, mtu);
  tables.interface_address = offsetof(netif, ip_addr);
  tables.interface_name = offsetof(netif, name);
  static_assert(sizeof(tcp_state) == 4 && sizeof(tcpwnd_size_t) == 4);
  static_assert(offsetof(tcp_pcb, state) == offsetof(tcp_pcb_listen, state) &&
                offsetof(tcp_pcb, local_port) == offsetof(tcp_pcb_listen, local_port));
  mortem::format::SocketRecordLayout& records = tables.records;
  records.local_address = offsetof(tcp_pcb, local_ip);
  records.remote_address = offsetof(tcp_pcb, remote_ip);
  static_assert(offsetof(udp_pcb, local_ip) == offsetof(tcp_pcb, local_ip) &&
                offsetof(udp_pcb, remote_ip) == offsetof(tcp_pcb, remote_ip));
  records.address_type = offsetof(ip_addr_t, type);
  records.tcp_next = offsetof(tcp_pcb, next);
  records.tcp_state = offsetof(tcp_pcb, state);
  records.tcp_local_port = offsetof(tcp_pcb, local_port);
  records.tcp_remote_port = offsetof(tcp_pcb, remote_port);
  records.tcp_owner = offsetof(tcp_pcb, callback_arg);
  records.tcp_mss = offsetof(tcp_pcb, mss);
  records.tcp_send_window = offsetof(tcp_pcb, snd_wnd);
  records.tcp_receive_window = offsetof(tcp_pcb, rcv_wnd);
  records.tcp_congestion_window = offsetof(tcp_pcb, cwnd);
  records.tcp_acknowledged = offsetof(tcp_pcb, lastack);
  records.tcp_written = offsetof(tcp_pcb, snd_lbb);
  records.tcp_retransmissions = offsetof(tcp_pcb, nrtx);
  records.listen_backlog = offsetof(tcp_pcb_listen, backlog);
  records.listen_pending = offsetof(tcp_pcb_listen, accepts_pending);
  records.udp_local_port = offsetof(udp_pcb, local_port);
  records.udp_remote_port = offsetof(udp_pcb, remote_port);
}

}  // namespace kernel::net
