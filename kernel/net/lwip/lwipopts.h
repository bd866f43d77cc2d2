/* lwIP's options (src/include/lwip/opt.h of its sources explains each). */
#pragma once

/* One context, no threads of lwIP's own, no sequential API: kernel/net stands on the raw one. */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_STATS 0
#define LWIP_NOASSERT 0

/* All memory comes from the kernel's heap, within a limit (kernel/net/lwip_port.cpp). */
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 16
#define mem_clib_malloc lwip_port_allocate
#define mem_clib_calloc lwip_port_allocate_zeroed
#define mem_clib_free lwip_port_free
/* The driver puts virtio's header (12 bytes) in front of a frame. */
#define PBUF_LINK_ENCAPSULATION_HLEN 16
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define PBUF_POOL_BUFSIZE 1600

#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define IP_DEFAULT_TTL 64
#define LWIP_ARP 1
#define LWIP_ETHERNET 1
#define LWIP_RAW 1
#define LWIP_UDP 1
#define LWIP_TCP 1
#define LWIP_ICMP 1
#define LWIP_DNS 0
#define LWIP_IGMP 1
#define LWIP_IPV6_MLD 1
#define LWIP_HAVE_LOOPIF 1
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_LOOPBACK_MAX_PBUFS 0
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_NETIF_HWADDRHINT 1
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define SO_REUSE 1
#define SO_REUSE_RXTOALL 1
#define IP_SOF_BROADCAST 1
#define LWIP_MULTICAST_TX_OPTIONS 1

#define ARP_TABLE_SIZE 64
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 32
#define ETHARP_TABLE_MATCH_NETIF 1
#define IP_REASSEMBLY 1
#define IP_FRAG 1
#define IP_REASS_MAX_PBUFS 128
#define IPV6_FRAG_COPYHEADER 1 /* pointers are larger than what IPv6's fragment header leaves */
#define LWIP_ND6_NUM_NEIGHBORS 64
#define LWIP_ND6_NUM_DESTINATIONS 64
#define LWIP_ND6_NUM_ROUTERS 4
#define MEMP_NUM_ND6_QUEUE 256
#define LWIP_ND6_QUEUEING 1

#define LWIP_DHCP 1
#define LWIP_AUTOIP 0
#define DHCP_DOES_ARP_CHECK 0 /* a VM's address is its network's to give: the wait would be most of a start */
#define LWIP_DHCP_GET_NTP_SRV 0
#define LWIP_DHCP_MORE_REQUEST_OPTIONS 6, 26 /* name servers, MTU (RFC 2132); dhcp.patch */
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_IPV6_DHCP6 0

/* TCP: windows and buffers for throughput. lwIP's ticks are made finer, because its retransmission timer counts in
   them. */
#define TCP_TMR_INTERVAL 50
#define LWIP_TCP_RTO_TIME 1000 /* RFC 6298, section 2.1 */
#define TCP_RTO_MIN_TICKS 2    /* 200 ms, as Linux; tcp.patch */
#define TCP_RTO_MAX_TICKS 1200 /* 120 s, as Linux; tcp_tries.patch */
#define TCP_MSL 30000UL        /* half of Linux's TIME_WAIT */
#define TCP_FIN_WAIT_TIMEOUT 60000
#define TCP_SYN_RCVD_TIMEOUT 64000
#define TCP_SYNMAXRTX 6
#define TCP_MSS 8960 /* at most; what goes out follows the interface's MTU */
#define TCP_CALCULATE_EFF_SEND_MSS 1
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 4
#define TCP_WND (256 * 1024)
#define TCP_SND_BUF (256 * 1024)
#define TCP_SND_QUEUELEN 2048
#define TCP_OVERSIZE 256
#define TCP_QUEUE_OOSEQ 1
#define LWIP_TCP_SACK_OUT 1
#define TCP_OOSEQ_MAX_BYTES TCP_WND
#define TCP_LISTEN_BACKLOG 1
#define LWIP_TCP_KEEPALIVE 1
#define LWIP_TCP_TIMESTAMPS 0
#define MEMP_NUM_TCP_PCB 65536 /* of the heap, so this only has to satisfy lwIP's own checks */
#define MEMP_NUM_TCP_SEG 65536
#define MEMP_NUM_SYS_TIMEOUT 32
#define LWIP_DISABLE_MEMP_SANITY_CHECKS 1
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 /* they are about marks of its sequential API, in 16 bits */

#include "kernel/net/lwip/hooks.h"
