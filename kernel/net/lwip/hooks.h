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
/* One option of a DHCP answer that lwIP itself does not know; `offset` is of its value in `bytes`. */
void lwip_port_dhcp_option(struct netif* interface, uint8_t message_type, uint8_t option, uint8_t length,
                           struct pbuf* bytes, uint16_t offset);
#ifdef __cplusplus
}
#endif
#define LWIP_HOOK_DHCP_PARSE_OPTION(netif, dhcp, state, msg, msg_type, option, len, pbuf, offset) \
  lwip_port_dhcp_option(netif, msg_type, option, len, pbuf, offset)
