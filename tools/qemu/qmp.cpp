#include "tools/qemu/qmp.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "tools/qemu/instance.h"

namespace mortem::tools {

using nlohmann::json;

Result<Qmp> Qmp::connect(const std::filesystem::path& instance, int timeout_ms) {
  Qmp qmp(TRY(connect_to(instance, "qmp")), timeout_ms);
  TRY(qmp.receive());  // the greeting
  TRY(qmp.execute("qmp_capabilities"));
  return qmp;
}

Result<json> Qmp::execute(const std::string& command, json arguments) {
  const std::string line = json{{"execute", command}, {"arguments", std::move(arguments)}}.dump() + "\n";
  TRY_VOID(write_all(socket_.get(), line, "the QMP socket"));
  for (;;) {
    json message = TRY(receive());
    if (message.contains("return")) return message["return"];
    if (message.contains("error"))
      return failure(ErrorKind::System,
                     fmt::format("QEMU refuses {}: {}", command, message["error"].value("desc", "?")));
    // Events come in between.
  }
}

Result<json> Qmp::receive() {
  for (;;) {
    if (const size_t end = pending_.find('\n'); end != std::string::npos) {
      json message = json::parse(pending_.substr(0, end), nullptr, false);
      pending_.erase(0, end + 1);
      if (!message.is_object()) return failure(ErrorKind::System, "QEMU sent something that is not QMP");
      return message;
    }
    pollfd wait{socket_.get(), POLLIN, 0};
    const int ready = poll(&wait, 1, timeout_ms_);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return failure(ErrorKind::System, "QEMU does not answer on its QMP socket");
    char part[4096];
    const ssize_t got = read(socket_.get(), part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return failure(ErrorKind::System, "QEMU closed its QMP socket");
    pending_.append(part, size_t(got));
  }
}

}  // namespace mortem::tools
