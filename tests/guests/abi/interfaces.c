// Network interfaces and their addresses, as getifaddrs(3) and netlink(7) show them. Which ones there are beside the
// loopback interface is each machine's own business.
// Built with musl too.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "abi.h"
#include "sockets.h"

static void show_address(const char* what, const struct sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "none";
  if (address != NULL && address->sa_family == AF_INET)
    inet_ntop(AF_INET, &((const struct sockaddr_in*)address)->sin_addr, text, sizeof text);
  if (address != NULL && address->sa_family == AF_INET6)
    inet_ntop(AF_INET6, &((const struct sockaddr_in6*)address)->sin6_addr, text, sizeof text);
  printf(", %s %s", what, text);
}

static void show_list(void) {
  struct ifaddrs* list = NULL;
  printf("getifaddrs: error %d\n", error_of(getifaddrs(&list)));
  int odd = 0;
  for (const struct ifaddrs* each = list; each != NULL; each = each->ifa_next) {
    if (if_nametoindex(each->ifa_name) == 0) ++odd;
    if (each->ifa_addr == NULL || strcmp(each->ifa_name, "lo") != 0) continue;
    printf("lo: family %d, flags %#x", each->ifa_addr->sa_family, each->ifa_flags);
    if (each->ifa_addr->sa_family == AF_INET || each->ifa_addr->sa_family == AF_INET6) {
      show_address("address", each->ifa_addr);
      show_address("mask", each->ifa_netmask);
    }
    printf("\n");
  }
  printf("interfaces without an index: %d\n", odd);
  freeifaddrs(list);
  char name[IF_NAMESIZE] = "";
  printf("index of lo: %u, name of 1: %s\n", if_nametoindex("lo"), if_indextoname(1, name));
}

static char g_bytes[32768];

// What comes back of one request: types and flags, and what is said of the loopback interface.
static void ask(const char* what, int type, int flags, int family, size_t body) {
  const int made = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  struct {
    struct nlmsghdr header;
    struct ifinfomsg link;
  } request = {.header = {.nlmsg_type = (unsigned short)type, .nlmsg_flags = (unsigned short)flags, .nlmsg_seq = 77}};
  request.header.nlmsg_len = (unsigned)(sizeof request.header + body);
  request.link.ifi_family = (unsigned char)family;
  request.link.ifi_index = 1;
  const struct sockaddr_nl to = {.nl_family = AF_NETLINK};
  const ssize_t sent = sendto(made, &request, request.header.nlmsg_len, 0, (const struct sockaddr*)&to, sizeof to);
  struct sockaddr_nl own;
  socklen_t length = sizeof own;
  getsockname(made, (struct sockaddr*)&own, &length);
  printf("%s: sent all %d, own port is the process %d\n", what, sent == (ssize_t)request.header.nlmsg_len,
         own.nl_pid == (unsigned)getpid());
  for (int is_done = 0; !is_done;) {
    struct sockaddr_nl from;
    length = sizeof from;
    struct timeval patience = {1, 0};
    setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const ssize_t got = recvfrom(made, g_bytes, sizeof g_bytes, 0, (struct sockaddr*)&from, &length);
    if (got < 0) {
      printf("  nothing: error %d\n", errno);
      break;
    }
    if (from.nl_pid != 0 || length != sizeof from) printf("  not from the kernel\n");
    unsigned left = (unsigned)got;
    for (struct nlmsghdr* at = (struct nlmsghdr*)g_bytes; NLMSG_OK(at, left); at = NLMSG_NEXT(at, left)) {
      if (at->nlmsg_seq != 77 || at->nlmsg_pid != own.nl_pid) printf("  of another question\n");
      is_done = at->nlmsg_type == NLMSG_DONE || at->nlmsg_type == NLMSG_ERROR || (at->nlmsg_flags & NLM_F_MULTI) == 0;
      if (at->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr* error = NLMSG_DATA(at);
        printf("  error %d about type %d\n", error->error, error->msg.nlmsg_type);
      } else if (at->nlmsg_type == RTM_NEWLINK) {
        const struct ifinfomsg* link = NLMSG_DATA(at);
        if (link->ifi_index != 1) continue;
        printf("  link 1: flags of message %#x, type %d, flags %#x", at->nlmsg_flags & ~NLM_F_DUMP_FILTERED,
               link->ifi_type, link->ifi_flags);
        int size = (int)IFLA_PAYLOAD(at);
        for (struct rtattr* each = IFLA_RTA(link); RTA_OK(each, size); each = RTA_NEXT(each, size)) {
          if (each->rta_type == IFLA_IFNAME) printf(", name %s", (const char*)RTA_DATA(each));
          if (each->rta_type == IFLA_MTU) printf(", MTU %u", *(const unsigned*)RTA_DATA(each));
          if (each->rta_type == IFLA_ADDRESS) printf(", hardware address of %d bytes", (int)RTA_PAYLOAD(each));
        }
        printf("\n");
      } else if (at->nlmsg_type == RTM_NEWADDR) {
        const struct ifaddrmsg* address = NLMSG_DATA(at);
        if (address->ifa_index != 1) continue;
        printf("  address: family %d, prefix %d, scope %d, flags %#x", address->ifa_family, address->ifa_prefixlen,
               address->ifa_scope, address->ifa_flags);
        int size = (int)IFA_PAYLOAD(at);
        char text[INET6_ADDRSTRLEN];
        for (struct rtattr* each = IFA_RTA(address); RTA_OK(each, size); each = RTA_NEXT(each, size)) {
          if (each->rta_type == IFA_ADDRESS || each->rta_type == IFA_LOCAL)
            printf(", %s %s", each->rta_type == IFA_LOCAL ? "local" : "address",
                   inet_ntop(address->ifa_family, RTA_DATA(each), text, sizeof text));
          if (each->rta_type == IFA_LABEL) printf(", label %s", (const char*)RTA_DATA(each));
        }
        printf("\n");
      } else if (at->nlmsg_type == NLMSG_DONE) {
        printf("  done: flags of message %#x\n", at->nlmsg_flags & ~NLM_F_DUMP_FILTERED);
      }
    }
  }
  close(made);
}

int main(void) {
  show_list();
  ask("links", RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, AF_UNSPEC, sizeof(struct ifinfomsg));
  ask("IPv4 addresses", RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, AF_INET, sizeof(struct ifaddrmsg));
  ask("IPv6 addresses", RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, AF_INET6, sizeof(struct ifaddrmsg));
  ask("one link", RTM_GETLINK, NLM_F_REQUEST, AF_UNSPEC, sizeof(struct ifinfomsg));
  ask("no request", RTM_GETLINK, NLM_F_DUMP | NLM_F_ACK, AF_UNSPEC, sizeof(struct ifinfomsg));
  ask("no such type", 250, NLM_F_REQUEST, AF_UNSPEC, sizeof(struct ifinfomsg));
  printf("other types: error %d, %d\n", error_of(socket(AF_NETLINK, SOCK_STREAM, 0)),
         error_of(socket(AF_NETLINK, SOCK_RAW, 31)));
  const int one = socket(AF_NETLINK, SOCK_RAW, 0), other = socket(AF_NETLINK, SOCK_DGRAM, 0);
  const struct sockaddr_nl any = {.nl_family = AF_NETLINK};
  printf("bind: error %d, %d\n", error_of(bind(one, (const struct sockaddr*)&any, sizeof any)),
         error_of(bind(other, (const struct sockaddr*)&any, sizeof any)));
  struct sockaddr_nl names[2];
  socklen_t length = sizeof names[0];
  getsockname(one, (struct sockaddr*)&names[0], &length);
  getsockname(other, (struct sockaddr*)&names[1], &length);
  printf("first is the process: %d, second another: %d\n", names[0].nl_pid == (unsigned)getpid(),
         names[1].nl_pid != names[0].nl_pid);
  show_poll("nothing asked", one);
  return 0;
}
