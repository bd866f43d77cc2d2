#include "tools/qemu/qmp.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "tools/qemu/instance.h"

namespace mortem::tools {

using nlohmann::json;

namespace {

Result<void> send_with_descriptor(int socket, const std::string& line, int descriptor) {
  iovec part{const_cast<char*>(line.data()), line.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
  if (sendmsg(socket, &message, MSG_NOSIGNAL) != ssize_t(line.size()))
    return failure(ErrorKind::System, fmt::format("QEMU takes no file on its QMP socket: {}", std::strerror(errno)));
  return {};
}

// Of one command, in whatever connection: QEMU gives the answer to the last command of a client that has gone to the
// client that comes next.
std::string next_id() {
  static std::atomic<uint64_t> count = 0;
  return fmt::format("{}-{}", getpid(), ++count);
}

}  // namespace

Result<Qmp> Qmp::negotiate(Descriptor socket, int timeout_ms) {
  Qmp qmp(PeerSocket(std::move(socket), "its QMP socket"), timeout_ms);
  if (!TRY(qmp.receive(timeout_ms)))  // the greeting
    return failure(ErrorKind::System, "QEMU does not answer on its QMP socket: is another client connected to it?");
  TRY(qmp.execute("qmp_capabilities"));
  return qmp;
}

Result<Qmp> Qmp::connect(const std::filesystem::path& instance, int timeout_ms) {
  return negotiate(TRY(connect_to(instance, "qmp")), timeout_ms);
}

Result<Qmp> Qmp::connect_to_socket(const std::filesystem::path& socket, int timeout_ms) {
  std::filesystem::path folder = socket.parent_path();
  if (folder.empty()) folder = ".";
  return negotiate(TRY(connect_to(folder, socket.filename().string())), timeout_ms);
}

Result<json> Qmp::execute(const std::string& command, json arguments, int descriptor) {
  TRY_VOID(send(command, std::move(arguments), descriptor));
  return answer(command);
}

Result<void> Qmp::send(const std::string& command, json arguments, int descriptor) {
  if (is_late_) return failure(ErrorKind::Unavailable, "QEMU does not answer on its QMP socket any more");
  asked_.push_back(next_id());
  const std::string line =
      json{{"execute", command}, {"arguments", std::move(arguments)}, {"id", asked_.back()}}.dump() + "\n";
  return descriptor >= 0 ? send_with_descriptor(socket_.get(), line, descriptor) : socket_.send(line);
}

Result<json> Qmp::answer(const std::string& command) {
  const std::string id = asked_.front();
  asked_.pop_front();
  for (;;) {
    auto message = TRY(receive(timeout_ms_));
    if (!message) is_late_ = true;
    if (!message)
      return failure(ErrorKind::Unavailable,
                     fmt::format("QEMU does not answer {} on its QMP socket within {} s", command, timeout_ms_ / 1000));
    if (message->contains("event")) {
      events_.push_back(std::move(*message));
      continue;
    }
    if (message->value("id", json()) != id) continue;
    if (message->contains("return")) return (*message)["return"];
    if (message->contains("error")) {
      const json& error = (*message)["error"];
      return failure(ErrorKind::System, fmt::format("QEMU refuses {}: {}", command,
                                                    error.is_object() ? error.value("desc", "?") : std::string("?")));
    }
  }
}

Result<std::optional<json>> Qmp::next_event(int timeout_ms) {
  if (events_.empty()) {
    auto message = TRY(receive(timeout_ms));
    if (!message || !message->contains("event")) return std::optional<json>();
    return message;
  }
  json event = std::move(events_.front());
  events_.pop_front();
  return std::optional<json>(std::move(event));
}

Result<std::optional<json>> Qmp::receive(int timeout_ms) {
  constexpr size_t kLongestLine = 64 << 20;
  size_t end;
  while ((end = pending_.find('\n')) == std::string::npos) {
    if (pending_.size() > kLongestLine) return failure(ErrorKind::System, "QEMU sent something that is not QMP");
    if (!TRY(socket_.receive(pending_, timeout_ms))) return std::optional<json>();
  }
  json message = json::parse(pending_.begin(), pending_.begin() + ptrdiff_t(end), nullptr, false);
  pending_.erase(0, end + 1);
  if (!message.is_object()) return failure(ErrorKind::System, "QEMU sent something that is not QMP");
  return std::optional<json>(std::move(message));
}

int64_t event_time_us(const json& event) {
  const json stamp = event.value("timestamp", json::object());
  if (!stamp.is_object()) return 0;
  return stamp.value("seconds", int64_t{0}) * 1'000'000 + stamp.value("microseconds", int64_t{0});
}

}  // namespace mortem::tools
