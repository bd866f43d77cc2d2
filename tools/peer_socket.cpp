#include "tools/peer_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace mortem::tools {

tl::unexpected<Error> PeerSocket::closed() const {
  return failure(ErrorKind::System, "QEMU closed " + name_);
}

Result<void> PeerSocket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return closed();
    bytes.remove_prefix(size_t(count));
  }
  return {};
}

Result<bool> PeerSocket::receive(std::string& to, int timeout_ms) {
  for (;;) {
    pollfd wait{socket_.get(), POLLIN, 0};
    const int ready = poll(&wait, 1, timeout_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    char part[4096];
    const ssize_t got = read(socket_.get(), part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return closed();
    to.append(part, size_t(got));
    return true;
  }
}

}  // namespace mortem::tools
