// How the guest gets its addresses: by DHCP and router advertisements, or as the setting `net=` says
// (library/command_line.h).
#pragma once

struct netif;

namespace kernel {
class TreeText;
}

namespace kernel::net {

void configure(netif& interface);
bool is_configured();  // an IPv4 address is there, or none will come
// The content of /etc/resolv.conf (resolv.conf(5)), from DHCP or the setting. Shown as /proc/net/pnp, where Linux's own
// boot-time DHCP client shows it.
void write_resolver_configuration(TreeText& text);

}  // namespace kernel::net
