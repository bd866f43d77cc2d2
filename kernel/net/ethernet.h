// The Ethernet interface: frames between the network card (drivers/virtio_network.h) and lwIP.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

struct netif;

namespace kernel::net {

// False: there is no card, or no memory for it. `news` is called from its interrupt, once after each
// ethernet_wait_for_news().
bool ethernet_initialize(void (*news)(void* context));
netif& ethernet_interface();
// The card's filter takes everything: what it is called outside is what we answer to. Interrupts off.
void ethernet_set_hardware_address(std::span<const uint8_t, 6> address);

// The rest: within a NetworkScope, nothing without a card.
bool ethernet_receive(size_t most);  // hands over what came; true: there is more
void ethernet_flush();               // frames go out, memory goes to the card
bool ethernet_wait_for_news();       // interrupts on again; true: something came already
void ethernet_set_mtu(unsigned mtu);

}  // namespace kernel::net
