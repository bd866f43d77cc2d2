// The Ethernet interface: frames between the network card (drivers/virtio_network.h) and lwIP.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

struct netif;
struct pbuf;

namespace kernel::net {

// What the card receives into stays with the socket until the program reads. Half: so much is kept that only sockets
// which keep little themselves may take more, or those of programs that do not read would make the guest deaf.
// Nothing: the rest is for what is not kept.
enum class ReceiveRoom { Enough, Half, Nothing };
ReceiveRoom receive_room();
// May a socket keep what came, which has so many bytes already?
inline bool may_keep_received(size_t kept) {
  constexpr size_t kLittle = 8192;
  const ReceiveRoom room = receive_room();
  return room == ReceiveRoom::Enough || (room == ReceiveRoom::Half && kept < kLittle);
}
// Few bytes must not hold a buffer of the card for as long as the program likes: they move to a small one.
pbuf* move_if_small(pbuf* bytes);

// False: there is no card, or no memory for it. `news` is called from its interrupt, once after each
// ethernet_wait_for_news().
bool ethernet_initialize(void (*news)(void* context));
netif& ethernet_interface();
// In a guest that was resumed from a dump: the card of this machine takes the old one's place, under the same address.
// False: there is none, or it does not start.
bool ethernet_resume();
// The card's filter takes everything: what it is called outside is what we answer to. Interrupts off.
void ethernet_set_hardware_address(std::span<const uint8_t, 6> address);

// The rest: within a NetworkScope, nothing without a card.
// Whatever has come and was not looked at, and whatever waits to be sent, is as if lost on its way.
void ethernet_forget_frames();
bool ethernet_receive(size_t most);  // hands over what came; true: there is more
void ethernet_flush();               // frames go out, memory goes to the card
bool ethernet_may_put_off();         // few frames wait for ethernet_flush(), but some
bool ethernet_wait_for_news();       // interrupts on again; true: something came already
void ethernet_be_quiet();            // interrupts off
bool ethernet_has_news();            // something came
void ethernet_set_mtu(unsigned mtu);

}  // namespace kernel::net
