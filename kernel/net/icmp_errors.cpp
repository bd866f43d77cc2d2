#include "kernel/net/icmp_errors.h"

#include "kernel/library/log.h"
#include "kernel/net/inet_address.h"
#include "kernel/net/lwip/hooks.h"
#include "kernel/net/path_mtu.h"
#include "kernel/net/udp_socket.h"
#include "lwip/icmp.h"
#include "lwip/pbuf.h"
#include "lwip/prot/icmp.h"
#include "lwip/prot/icmp6.h"
#include "lwip/prot/ip.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/raw.h"
#include "lwip/udp.h"

namespace kernel::net {
namespace {

// What an error is about: the first bytes of a packet that this guest is said to have sent.
struct Sent {
  uint8_t protocol = 0;
  ip_addr_t from{}, to{};
  uint16_t from_port = 0, to_port = 0;
  uint32_t sequence = 0;  // TCP's
};

constexpr size_t kMost = 128;  // of the message, what is looked at

uint16_t read16(const uint8_t* at) {
  return static_cast<uint16_t>(at[0] << 8 | at[1]);
}
uint32_t read32(const uint8_t* at) {
  return uint32_t{read16(at)} << 16 | read16(at + 2);
}

// `bytes` begins with the IP header. False: it is cut, a fragment, or neither UDP nor TCP.
bool parse_sent(const uint8_t* bytes, size_t length, Sent& sent) {
  if (length < IP_HLEN) return false;
  size_t header = 0;
  if (bytes[0] >> 4 == 4) {
    header = (bytes[0] & 15) * 4u;
    sent.protocol = bytes[9];
    if ((read16(bytes + 6) & 0x1FFF) != 0) return false;
    IP_ADDR4(&sent.from, bytes[12], bytes[13], bytes[14], bytes[15]);
    IP_ADDR4(&sent.to, bytes[16], bytes[17], bytes[18], bytes[19]);
  } else {
    header = IP6_HLEN;
    if (length < header) return false;
    sent.protocol = bytes[6];
    uint32_t words[8];
    __builtin_memcpy(words, bytes + 8, sizeof words);
    IP_ADDR6(&sent.from, words[0], words[1], words[2], words[3]);
    IP_ADDR6(&sent.to, words[4], words[5], words[6], words[7]);
  }
  if (header < IP_HLEN || length < header + 8) return false;
  const uint8_t* transport = bytes + header;
  sent.from_port = read16(transport);
  sent.to_port = read16(transport + 2);
  sent.sequence = read32(transport + 4);
  return sent.protocol == IP_PROTO_UDP || sent.protocol == IP_PROTO_TCP;
}

bool is_same(const ip_addr_t& own, const ip_addr_t& told) {
  if (IP_GET_TYPE(&own) != IP_GET_TYPE(&told)) return false;
  return IP_IS_V6_VAL(own) ? ip6_addr_cmp_zoneless(ip_2_ip6(&own), ip_2_ip6(&told)) : ip_addr_cmp(&own, &told);
}

void tell_udp(const Sent& sent, Error error) {
  for (udp_pcb* pcb = lwip_port_udp_first(sent.from_port); pcb != nullptr; pcb = pcb->port_next)
    if (pcb->local_port == sent.from_port && pcb->remote_port == sent.to_port && is_same(pcb->remote_ip, sent.to))
      if (auto* socket = UdpSocket::of(*pcb)) socket->report(error);
}

// RFC 1122, section 4.2.3.9: a connection that is up does not end for what may pass.
void handle_unreachable(const Sent& sent, Error error) {
  if (sent.protocol == IP_PROTO_UDP)
    tell_udp(sent, error);
  else
    end_connecting(sent.from, sent.from_port, sent.to, sent.to_port, sent.sequence, error);
}

void handle_too_big(const Sent& sent, uint32_t mtu) {
  if (sent.protocol == IP_PROTO_TCP)
    lower_path_mtu(sent.from, sent.from_port, sent.to, sent.to_port, sent.sequence, mtu);
  else
    tell_udp(sent, Error::MessageTooLong);
}

u8_t receive4(void*, raw_pcb*, pbuf* packet, const ip_addr_t*) {
  uint8_t bytes[kMost];
  const size_t length = pbuf_copy_partial(packet, bytes, kMost, 0);
  const size_t header = length >= IP_HLEN ? (bytes[0] & 15) * 4u : 0;
  if (header < IP_HLEN || length < header + 8) return 0;
  const uint8_t* icmp = bytes + header;
  Sent sent;
  if (icmp[0] != ICMP_DUR || !parse_sent(icmp + 8, length - header - 8, sent)) return 0;
  switch (icmp[1]) {
    case ICMP_DUR_PORT:
      handle_unreachable(sent, Error::ConnectionRefused);
      break;
    case ICMP_DUR_HOST:
      handle_unreachable(sent, Error::HostUnreachable);
      break;
    case ICMP_DUR_NET:
      handle_unreachable(sent, Error::NetworkUnreachable);
      break;
    case ICMP_DUR_FRAG:
      handle_too_big(sent, read16(icmp + 6));  // RFC 1191, section 4: next-hop MTU; 0: the router is an old one
      break;
  }
  return 0;  // lwIP looks at it too
}

u8_t receive6(void*, raw_pcb*, pbuf* packet, const ip_addr_t*) {
  uint8_t bytes[kMost];
  const size_t length = pbuf_copy_partial(packet, bytes, kMost, IP6_HLEN);
  Sent sent;
  if (length < 8 || !parse_sent(bytes + 8, length - 8, sent)) return 0;
  if (bytes[0] == ICMP6_TYPE_PTB) {
    handle_too_big(sent, read32(bytes + 4));
  } else if (bytes[0] == ICMP6_TYPE_DUR) {
    constexpr uint8_t kNoRoute = 0, kProhibited = 1, kPort = 4;  // RFC 4443, section 3.1
    handle_unreachable(sent, bytes[1] == kPort         ? Error::ConnectionRefused
                             : bytes[1] == kNoRoute    ? Error::NetworkUnreachable
                             : bytes[1] == kProhibited ? Error::AccessDenied
                                                       : Error::HostUnreachable);
  }
  return 0;
}

}  // namespace

void listen_for_icmp_errors() {
  raw_pcb* four = raw_new_ip_type(IPADDR_TYPE_V4, IP_PROTO_ICMP);
  raw_pcb* six = raw_new_ip_type(IPADDR_TYPE_V6, IP6_NEXTH_ICMP6);
  if (four == nullptr || six == nullptr) {
    log(LogLevel::Warning, "no memory to listen for ICMP errors");
    return;
  }
  raw_recv(four, receive4, nullptr);
  raw_recv(six, receive6, nullptr);
}

}  // namespace kernel::net
