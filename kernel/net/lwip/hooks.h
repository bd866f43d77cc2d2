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
struct tcp_pcb_listen;
struct udp_pcb;
struct ip_addr;
struct ip6_addr;
/* One option of a DHCP answer that lwIP itself does not know; `offset` is of its value in `bytes`. */
void lwip_port_dhcp_option(struct netif* interface, uint8_t message_type, uint8_t option, uint8_t length,
                           struct pbuf* bytes, uint16_t offset);
/* The retransmission timer of a connection went off: what is to go out again stands in its unsent queue. */
void lwip_port_tcp_sends_again(struct tcp_pcb* connection);
/* A segment with content came for a connection that is established. 0: there is no room for them. */
int lwip_port_tcp_has_room(const struct tcp_pcb* connection, uint32_t sequence);
/* What is known of the way to an address; `of_link`: the MTU where it begins. */
uint16_t lwip_port_path_mtu(const struct ip_addr* to, uint16_t of_link);
/* The router that the setting names for what is not on the link; null: those that advertise themselves. */
const struct ip6_addr* lwip_port_ipv6_gateway(void);
/* Initial sequence numbers that nobody else can guess (RFC 6528). */
uint32_t lwip_port_initial_sequence(const struct ip_addr* own, uint16_t own_port, const struct ip_addr* peer,
                                    uint16_t peer_port);

/* tcp_tables.cpp: lwIP's lists of connections, and the tables beside them. */
extern struct tcp_pcb* lwip_port_tcp_busy;                            /* what the timers look at, by busy_next */
extern struct tcp_pcb* lwip_port_tcp_oldest_time_wait;                /* null: none */
void lwip_port_tcp_added(struct tcp_pcb** list, struct tcp_pcb* pcb); /* is to be */
void lwip_port_tcp_removed(struct tcp_pcb** list, struct tcp_pcb* pcb);
void lwip_port_tcp_established(struct tcp_pcb* pcb); /* it was half open */
void lwip_port_tcp_is_busy(struct tcp_pcb* pcb);
void lwip_port_tcp_rests(struct tcp_pcb* pcb); /* the timers have looked at it: it may leave the busy ones */
void lwip_port_tcp_wake_some(void);            /* with each tick: those whose keepalive is due */
/* A packet from the guest to itself. */
void lwip_port_looped(uint32_t length);
/* tcp_timeouts.cpp, with each tick. 0: the connection lives; 1: it ends without a word; 2: with a reset. */
int lwip_port_tcp_timeouts(struct tcp_pcb* pcb);
/* When it is time to send something again, or to probe a closed window: 1: that was tried often enough. */
int lwip_port_tcp_gives_up(struct tcp_pcb* pcb);
/* A connection, one in TIME_WAIT too. */
struct tcp_pcb* lwip_port_tcp_find(const struct ip_addr* peer, uint16_t peer_port, const struct ip_addr* own,
                                   uint16_t own_port);
struct tcp_pcb_listen* lwip_port_tcp_find_listener(const struct ip_addr* peer, uint16_t peer_port,
                                                   const struct ip_addr* own, uint16_t own_port);

/* syn_cookies.cpp */
uint32_t lwip_port_syn_cookie(const struct tcp_pcb* pcb, uint32_t peer_sequence);
/* What was agreed on; negative: not a number that was given lately, or nothing had to make room. */
int lwip_port_syn_cookie_options(const struct ip_addr* own, uint16_t own_port, const struct ip_addr* peer,
                                 uint16_t peer_port, uint32_t peer_sequence, uint32_t cookie);
void lwip_port_syn_cookie_apply(struct tcp_pcb* pcb, int options);

/* tcp_ports.cpp; ports are 0 where there is none */
int lwip_port_tcp_is_taken(const struct tcp_pcb* pcb, const struct ip_addr* own, uint16_t own_port);
uint16_t lwip_port_tcp_free_port(void);
uint16_t lwip_port_tcp_free_port_to(const struct tcp_pcb* pcb); /* its addresses and the peer's port are set */

/* udp_tables.cpp */
void lwip_port_udp_added(struct udp_pcb* pcb);
void lwip_port_udp_removed(struct udp_pcb* pcb);
struct udp_pcb* lwip_port_udp_first(uint16_t own_port); /* of those with that port, by port_next */
struct udp_pcb* lwip_port_udp_find(const struct ip_addr* peer, uint16_t peer_port, const struct ip_addr* own,
                                   uint16_t own_port, struct netif* interface, uint8_t is_broadcast);
int lwip_port_udp_is_taken(const struct udp_pcb* pcb, const struct ip_addr* own, uint16_t own_port);
uint16_t lwip_port_udp_free_port(void);
#ifdef __cplusplus
}
#endif
#define LWIP_HOOK_TCP_ISN lwip_port_initial_sequence
#define LWIP_HOOK_DHCP_PARSE_OPTION(netif, dhcp, state, msg, msg_type, option, len, pbuf, offset) \
  lwip_port_dhcp_option(netif, msg_type, option, len, pbuf, offset)
#define LWIP_HOOK_ND6_GET_GW(netif, destination) lwip_port_ipv6_gateway()
#define LWIP_HOOK_TCP_PATH_MTU(destination, mtu) lwip_port_path_mtu(destination, mtu)
#define LWIP_HOOK_TCP_RETRANSMIT(pcb) lwip_port_tcp_sends_again(pcb)
#define LWIP_HOOK_TCP_HAS_ROOM(pcb, sequence) lwip_port_tcp_has_room(pcb, sequence)
