#include "tools/socket_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>

#include "tools/qemu/instance.h"

namespace mortem::tools {

namespace fs = std::filesystem;

Result<Descriptor> listen_at_path(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const mode_t before = umask(0177);
  auto listener = listen_at(folder, path.filename().string());
  umask(before);
  return listener;
}

Result<Descriptor> listen_at_port(uint16_t& port) {
  Descriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const std::string name = fmt::format("127.0.0.1:{}", port);
  if (!listener) return system_failure("cannot make a socket for", name);
  const int on = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  socklen_t size = sizeof address;
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 || listen(listener.get(), 8) != 0 ||
      getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return system_failure("cannot listen at", name);
  port = ntohs(address.sin_port);
  return listener;
}

void accept_clients(int listener, const std::function<void(int)>& serve, const std::function<bool()>& stop_wanted) {
  while (!stop_wanted()) {
    const Descriptor client(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (!client && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (!client) return;
    const int on = 1;
    setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on a Unix socket, which needs none
    serve(client.get());
  }
}

}  // namespace mortem::tools
