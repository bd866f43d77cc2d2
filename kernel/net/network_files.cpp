// Connections and interfaces as Linux shows them in files (proc(5); Documentation/networking/proc_net_tcp.rst,
// Documentation/ABI/testing/sysfs-class-net).
#include "kernel/net/network_files.h"

#include "kernel/library/log.h"
#include "kernel/linux/identity.h"
#include "kernel/memory/heap.h"
#include "kernel/net/configuration.h"
#include "kernel/net/interfaces.h"
#include "kernel/net/tcp_socket.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"

namespace kernel::net {

uint8_t linux_tcp_state(unsigned lwip_state) {
  constexpr uint8_t kStates[] = {7, 10, 2, 3, 1, 4, 5, 8, 11, 9, 6};
  return lwip_state < sizeof kStates ? kStates[lwip_state] : 7;
}

namespace {

constexpr uint32_t kTicksOfLinux = TCP_SLOW_INTERVAL / 10;  // USER_HZ in one of lwIP's

// Addresses word by word as they stand in memory; IPv4 ones of an IPv6 socket as ::ffff:a.b.c.d.
size_t format_endpoint(char* to, size_t size, const ip_addr_t& address, uint16_t port, int family) {
  if (family == linux::kFamilyInet)
    return format_text(to, size, "%08X:%04X", ip_addr_isany(&address) ? 0 : ip_2_ip4(&address)->addr, port);
  uint32_t words[4] = {};
  if (IP_IS_V4_VAL(address) && !ip_addr_isany(&address)) {
    words[2] = lwip_htonl(0xFFFF);
    words[3] = ip_2_ip4(&address)->addr;
  } else if (IP_IS_V6_VAL(address)) {
    __builtin_memcpy(words, ip_2_ip6(&address)->addr, sizeof words);
  }
  return format_text(to, size, "%08X%08X%08X%08X:%04X", words[0], words[1], words[2], words[3], port);
}

struct TimerOfRow {
  unsigned kind;  // 0: none; 1: sends again; 2: keepalive; 3: TIME_WAIT; 4: probes a closed window
  uint32_t ticks;
};

uint32_t ticks_left(uint32_t since, uint32_t milliseconds) {
  const uint32_t passed = tcp_ticks - since, all = milliseconds / TCP_SLOW_INTERVAL;
  return all > passed ? (all - passed) * kTicksOfLinux : 0;
}

TimerOfRow timer_of(const tcp_pcb& pcb) {
  if (pcb.state == TIME_WAIT) return {3, ticks_left(pcb.tmr, 2 * TCP_MSL)};
  if (pcb.persist_backoff > 0) return {4, 0};
  if (pcb.rtime >= 0 && pcb.unacked != nullptr)
    return {1, pcb.rto > pcb.rtime ? static_cast<uint32_t>(pcb.rto - pcb.rtime) * kTicksOfLinux : 0};
  if (ip_get_option(&pcb, SOF_KEEPALIVE))
    return {2,
            pcb.keep_cnt_sent == 0 ? ticks_left(pcb.tmr, pcb.keep_idle) : ticks_left(pcb.keep_since, pcb.keep_intvl)};
  return {0, 0};
}

struct Row {
  TreeText& text;
  int family;
  unsigned number = 0;

  void append(const tcp_pcb& pcb) {
    const bool listens = pcb.state == LISTEN;
    const TcpOwner owner = TcpCallbacks::owner(pcb);
    if (owner.family != family) return;
    const auto& listener = reinterpret_cast<const tcp_pcb_listen&>(pcb);
    const uint32_t unsent = listens || pcb.state == TIME_WAIT ? 0 : pcb.snd_lbb - pcb.lastack;
    const uint64_t unread = listens ? listener.accepts_pending : owner.received;
    const TimerOfRow timer = listens ? TimerOfRow{0, 0} : timer_of(pcb);
    const unsigned retransmits = listens ? 0u : pcb.nrtx;
    const unsigned probes = listens ? 0u : pcb.persist_probe + pcb.keep_cnt_sent;
    const uint32_t user = owner.number != 0 ? linux::g_identity.user.effective : 0;

    static const ip_addr_t kNobody{};
    char own[48], peer[48], line[320];
    format_endpoint(own, sizeof own, pcb.local_ip, pcb.local_port, family);
    format_endpoint(peer, sizeof peer, listens ? kNobody : pcb.remote_ip, listens ? uint16_t{0} : pcb.remote_port,
                    family);
    size_t length =
        format_text(line, sizeof line, "%4u: %s %s %02X %08X:%08lX %02X:%08X %08X %5u %8u %lu 1 0000000000000000",
                    number++, own, peer, linux_tcp_state(pcb.state), unsent, unread, timer.kind, timer.ticks,
                    retransmits, user, probes, owner.number);
    if (listens)
      length += format_text(line + length, sizeof line - length, " 100 0 0 10 0");
    else if (pcb.state != TIME_WAIT && pcb.state != SYN_RCVD)
      length += format_text(line + length, sizeof line - length, " %u 4 0 %u -1",
                            static_cast<unsigned>(pcb.rto) * kTicksOfLinux, pcb.mss != 0 ? pcb.cwnd / pcb.mss : 0u);
    constexpr size_t kRow = 149;
    while (family == linux::kFamilyInet && length < kRow) line[length++] = ' ';
    line[length++] = '\n';
    text.append({line, length});
  }
};

template <int family>
Result<void> connections(TreeText& text, void*) {
  if (family == linux::kFamilyInet) {
    constexpr char kHead[] =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
    text.append({kHead, sizeof kHead - 1});
    for (size_t column = sizeof kHead - 1; column < 149; ++column) text.append({" ", 1});
    text.append({"\n", 1});
  } else {
    text.append(
        "  sl  local_address                         remote_address                        st tx_queue rx_queue tr "
        "tm->when retrnsmt   uid  timeout inode\n");
  }
  Row row{text, family};
  for (const tcp_pcb* pcb = tcp_listen_pcbs.pcbs; pcb != nullptr && !text.is_full(); pcb = pcb->next) row.append(*pcb);
  for (const tcp_pcb* pcb = tcp_active_pcbs; pcb != nullptr && !text.is_full(); pcb = pcb->next) row.append(*pcb);
  for (const tcp_pcb* pcb = tcp_tw_pcbs; pcb != nullptr && !text.is_full(); pcb = pcb->next) row.append(*pcb);
  return {};
}

// In the order of their numbers.
template <typename Visitor>
Result<void> for_each_interface(Visitor visit) {
  for (unsigned index = 1; index < 256; ++index)
    if (const netif* interface = netif_get_by_index(static_cast<u8_t>(index))) TRY(visit(*interface));
  return {};
}

Result<void> devices(TreeText& text, void*) {
  text.append(
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier "
      "compressed\n");
  return for_each_interface([&](const netif& interface) -> Result<void> {
    const auto& [received, sent] = interface_counts(interface);
    const char* name = interface_name(interface);
    for (size_t column = __builtin_strlen(name); column < 6; ++column) text.append({" ", 1});
    text.append(
        "%s: %7lu %7lu    0 %4lu    0     0          0         0 %8lu %7lu    0 %4lu    0     0       0          0\n",
        name, received.bytes, received.packets, received.dropped, sent.bytes, sent.packets, sent.dropped);
    return {};
  });
}

Result<void> resolver_configuration(TreeText& text, void*) {
  write_resolver_configuration(text);
  return {};
}

void append_hardware_address(TreeText& text, const netif& interface, bool is_broadcast) {
  for (int index = 0; index < 6; ++index) {
    const uint8_t byte = interface.hwaddr_len != 6 ? 0 : is_broadcast ? 0xFF : interface.hwaddr[index];
    text.append("%s%02x", index > 0 ? ":" : "", byte);
  }
  text.append("\n");
}

struct InterfaceFile {
  const char* name;
  void (*write)(TreeText& text, const netif& interface);
};
constexpr InterfaceFile kInterfaceFiles[] = {
    {"address", [](TreeText& text, const netif& interface) { append_hardware_address(text, interface, false); }},
    {"broadcast", [](TreeText& text, const netif& interface) { append_hardware_address(text, interface, true); }},
    {"addr_len", [](TreeText& text, const netif&) { text.append("6\n"); }},
    {"carrier", [](TreeText& text, const netif&) { text.append("1\n"); }},
    {"dormant", [](TreeText& text, const netif&) { text.append("0\n"); }},
    {"flags",
     [](TreeText& text, const netif& interface) {
       constexpr uint32_t kOfThisMoment = 0x10040;  // IFF_RUNNING, IFF_LOWER_UP
       text.append("0x%x\n", interface_flags(interface) & ~kOfThisMoment);
     }},
    {"ifindex", [](TreeText& text, const netif& interface) { text.append("%u\n", netif_get_index(&interface)); }},
    {"iflink", [](TreeText& text, const netif& interface) { text.append("%u\n", netif_get_index(&interface)); }},
    {"mtu", [](TreeText& text, const netif& interface) { text.append("%u\n", interface_mtu(interface)); }},
    {"operstate",
     [](TreeText& text, const netif& interface) { text.append(is_loopback(interface) ? "unknown\n" : "up\n"); }},
    {"type", [](TreeText& text, const netif& interface) { text.append("%u\n", interface_type(interface)); }},
};
constexpr InterfaceFile kCounterFiles[] = {
    {"rx_bytes", [](TreeText& text, const netif& of) { text.append("%lu\n", interface_counts(of).received.bytes); }},
    {"rx_dropped",
     [](TreeText& text, const netif& of) { text.append("%lu\n", interface_counts(of).received.dropped); }},
    {"rx_packets",
     [](TreeText& text, const netif& of) { text.append("%lu\n", interface_counts(of).received.packets); }},
    {"tx_bytes", [](TreeText& text, const netif& of) { text.append("%lu\n", interface_counts(of).sent.bytes); }},
    {"tx_dropped", [](TreeText& text, const netif& of) { text.append("%lu\n", interface_counts(of).sent.dropped); }},
    {"tx_packets", [](TreeText& text, const netif& of) { text.append("%lu\n", interface_counts(of).sent.packets); }},
};
// What does not come about here.
constexpr const char* kZeroCounters[] = {
    "collisions",     "multicast",           "rx_compressed",     "rx_crc_errors",    "rx_errors",
    "rx_fifo_errors", "rx_frame_errors",     "rx_length_errors",  "rx_missed_errors", "rx_nohandler",
    "rx_over_errors", "tx_aborted_errors",   "tx_carrier_errors", "tx_compressed",    "tx_errors",
    "tx_fifo_errors", "tx_heartbeat_errors", "tx_window_errors"};

struct FileOfInterface {
  const InterfaceFile& file;
  const netif& interface;
};

Result<void> add_files(TreeDirectory& folder, std::span<const InterfaceFile> files, const netif& interface) {
  const auto generate = [](TreeText& text, void* context) -> Result<void> {
    const auto& [file, of] = *static_cast<const FileOfInterface*>(context);
    file.write(text, of);
    return {};
  };
  for (const InterfaceFile& file : files)
    TRY(folder.add_file(file.name, 0444, {.generate = generate}, TRY(make<FileOfInterface>(file, interface))));
  return {};
}

}  // namespace

Result<void> add_network_files(TreeDirectory& proc_net) {
  TRY(proc_net.add_file("tcp", 0444, {.generate = connections<linux::kFamilyInet>}));
  TRY(proc_net.add_file("tcp6", 0444, {.generate = connections<linux::kFamilyInet6>}));
  TRY(proc_net.add_file("dev", 0444, {.generate = devices}));
  TRY(proc_net.add_file("pnp", 0444, {.generate = resolver_configuration}));
  return {};
}

Result<void> add_interface_folders(TreeDirectory& sys_class) {
  TreeDirectory* all = TRY(sys_class.add_directory("net"));
  return for_each_interface([&](const netif& interface) -> Result<void> {
    TreeDirectory* folder = TRY(all->add_directory(interface_name(interface)));
    TRY(add_files(*folder, kInterfaceFiles, interface));
    TreeDirectory* counters = TRY(folder->add_directory("statistics"));
    TRY(add_files(*counters, kCounterFiles, interface));
    for (const char* name : kZeroCounters) TRY(counters->add_text(name, "0\n"));
    return {};
  });
}

}  // namespace kernel::net
