#include "kernel/net/transmit_checksum.h"

#include "kernel/drivers/virtio_network.h"
#include "lwip/inet_chksum.h"
#include "lwip/pbuf.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/tcp.h"

namespace kernel::net {
namespace {

// Where TCP begins in the frame, and the sum of its pseudo header (RFC 9293, section 3.1; RFC 8200, section 8.1).
// False: no TCP. lwIP makes its own headers in one piece, without extension headers before TCP, and never fragments
// TCP.
struct TcpPlace {
  uint16_t start;
  uint32_t sum;
};
bool find_tcp(const pbuf& frame, TcpPlace& place) {
  const auto* bytes = static_cast<const uint8_t*>(frame.payload);
  if (frame.len < SIZEOF_ETH_HDR + IP_HLEN + TCP_HLEN) return false;
  const unsigned type = bytes[12] << 8 | bytes[13];
  const uint8_t* ip = bytes + SIZEOF_ETH_HDR;
  unsigned header, addresses, address_bytes;
  if (type == ETHTYPE_IP) {
    header = (ip[0] & 15) * 4u;
    addresses = 12;
    address_bytes = 8;
    const bool is_fragment = ((ip[6] & 0x3F) | ip[7]) != 0;
    if (ip[9] != IP_PROTO_TCP || is_fragment) return false;
  } else if (type == ETHTYPE_IPV6) {
    header = IP6_HLEN;
    addresses = 8;
    address_bytes = 32;
    if (ip[6] != IP_PROTO_TCP) return false;
  } else {
    return false;
  }
  place.start = static_cast<uint16_t>(SIZEOF_ETH_HDR + header);
  if (frame.len < place.start + TCP_HLEN) return false;
  place.sum = lwip_port_checksum(ip + addresses, static_cast<int>(address_bytes));
  place.sum += lwip_htons(static_cast<u16_t>(IP_PROTO_TCP));
  place.sum += lwip_htons(static_cast<u16_t>(frame.tot_len - place.start));
  while (place.sum >> 16 != 0) place.sum = (place.sum & 0xFFFF) + (place.sum >> 16);
  return true;
}

}  // namespace

void request_checksum(pbuf& frame, VirtioNetworkHeader& header) {
  constexpr uint16_t kChecksumOffset = 16;  // in the TCP header
  TcpPlace place;
  if (!find_tcp(frame, place)) return;
  const auto sum = static_cast<uint16_t>(place.sum);
  __builtin_memcpy(static_cast<uint8_t*>(frame.payload) + place.start + kChecksumOffset, &sum, sizeof sum);
  header.flags = VirtioNetworkHeader::kNeedsChecksum;
  header.checksum_start = place.start;
  header.checksum_offset = kChecksumOffset;
}

}  // namespace kernel::net
