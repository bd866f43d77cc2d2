#include "inspector/serve/serve_client.h"

#include <unistd.h>

#include <array>
#include <cerrno>

#include "gdbstub/server.h"
#include "inspector/serve/served_target.h"

namespace mortem::inspector {
namespace {

class Connection {
 public:
  Connection(ServedTarget& target, int in, int out, const ServeOptions& options)
      : target_(target),
        options_(options),
        server_(std::make_unique<gdbstub::Server>(target, gdbstub::Server::AppState::Stopped)),
        in_(in),
        out_(out) {
    server_->report_stop(target.stop());
  }

  void run() {
    while (receive()) {
    }
  }

 private:
  bool is_over() const { return options_.stop_wanted && options_.stop_wanted(); }

  // False: the client has gone.
  bool receive() {
    std::array<uint8_t, 16384> buffer;
    const ssize_t count = read(in_, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) return !is_over();
    if (count <= 0) return false;
    std::span<const uint8_t> bytes(buffer.data(), static_cast<size_t>(count));
    while (!bytes.empty()) {
      bytes = bytes.subspan(server_->feed(bytes));
      if (const auto stop = target_.take_stop()) server_->report_stop(*stop);
      if (!drain()) return false;
    }
    return true;
  }

  bool drain() {
    for (auto bytes = server_->output(); !bytes.empty(); bytes = server_->output()) {
      const ssize_t count = write(out_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR && !is_over()) continue;
      if (count <= 0) return false;
      server_->consume(static_cast<size_t>(count));
    }
    return true;
  }

  ServedTarget& target_;
  const ServeOptions& options_;
  std::unique_ptr<gdbstub::Server> server_;
  const int in_, out_;
};

}  // namespace

void serve_client(const Target& target, Symbolizer& symbolizer, int in, int out, const ServeOptions& options) {
  ServedTarget served(target, symbolizer, options.first_write);
  Connection(served, in, out, options).run();
}

}  // namespace mortem::inspector
