// TCP checksums that the card fills in (virtio 1.1, section 5.1.6.2).
#pragma once

struct pbuf;

namespace kernel {
struct VirtioNetworkHeader;
}

namespace kernel::net {

// For an Ethernet frame with TCP in it, whole: puts the sum of the pseudo header where the card expects it and says in
// the header where that is. Others are left as they are, and lwIP has filled theirs in.
void request_checksum(pbuf& frame, VirtioNetworkHeader& header);

}  // namespace kernel::net
