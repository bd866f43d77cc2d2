/* Where lwIP calls the kernel (its LWIP_HOOK_… options). */
#pragma once
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
struct netif;
struct pbuf;
struct dhcp;
struct dhcp_msg;
struct tcp_pcb;
struct ip_addr;
struct ip6_addr;
/* One option of a DHCP answer that lwIP itself does not know; `offset` is of its value in `bytes`. */
void lwip_port_dhcp_option(struct netif* interface, uint8_t message_type, uint8_t option, uint8_t length,
                           struct pbuf* bytes, uint16_t offset);
/* The retransmission timer of a connection went off: what is to go out again stands in its unsent queue. */
void lwip_port_tcp_sends_again(struct tcp_pcb* connection);
/* What is known of the way to an address; `of_link`: the MTU where it begins. */
uint16_t lwip_port_path_mtu(const struct ip_addr* to, uint16_t of_link);
/* The router that the setting names for what is not on the link; null: those that advertise themselves. */
const struct ip6_addr* lwip_port_ipv6_gateway(void);
#ifdef __cplusplus
}
#endif
#define LWIP_HOOK_DHCP_PARSE_OPTION(netif, dhcp, state, msg, msg_type, option, len, pbuf, offset) \
  lwip_port_dhcp_option(netif, msg_type, option, len, pbuf, offset)
#define LWIP_HOOK_ND6_GET_GW(netif, destination) lwip_port_ipv6_gateway()
#define LWIP_HOOK_TCP_PATH_MTU(destination, mtu) lwip_port_path_mtu(destination, mtu)
#define LWIP_HOOK_TCP_RETRANSMIT(pcb) lwip_port_tcp_sends_again(pcb)
