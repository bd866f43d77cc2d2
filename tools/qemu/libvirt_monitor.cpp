#include "tools/qemu/libvirt_monitor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "tools/output.h"
#include "tools/qemu/libvirt_library.h"

namespace mortem::tools {

using nlohmann::json;

namespace {

constexpr unsigned kLongestCommandSeconds = 60;  // then whoever waited for it has given up

std::string libvirt_says(const LibvirtLibrary& library, const LibvirtDomain& domain) {
  const char* const message = library.last_error_message();
  return fmt::format("{}: libvirt says: {}", domain.connection, printable(message ? message : "nothing"));
}

// Between a socket on which QMP is spoken and libvirt.
class Bridge {
 public:
  explicit Bridge(int socket) : socket_(socket) {}

  Result<void> open(const LibvirtDomain& domain) {
    library_ = TRY(LibvirtLibrary::load());
    library_.set_error_function(nullptr, [](void*, void*) {});  // else it prints
    if (library_.register_event_loop() != 0) return failure(ErrorKind::System, libvirt_says(library_, domain));
    const auto connection = library_.open(domain.connection.c_str());
    if (connection == nullptr) return failure(ErrorKind::System, libvirt_says(library_, domain));
    domain_ = library_.find_domain(connection, domain.name.c_str());
    const bool is_none = domain_ == nullptr && library_.last_error_code() == LibvirtLibrary::kNoDomain;
    if (is_none || (domain_ != nullptr && library_.is_active(domain_) == 0))
      return failure(ErrorKind::NotFound, fmt::format("no domain {1} runs at {0}; see virsh -c {0} list",
                                                      domain.connection, printable(domain.name)));
    const auto ignore = [](void*) {};
    if (domain_ == nullptr ||
        library_.register_monitor_events(connection, domain_, nullptr, on_event, this, ignore, 0) < 0 ||
        library_.add_descriptor(socket_, LibvirtLibrary::kReadable | LibvirtLibrary::kHangup, on_socket, this, ignore) <
            0)
      return failure(ErrorKind::System, libvirt_says(library_, domain));
    return {};
  }

  void serve() {
    send({{"QMP", json::object()}});
    while (!has_ended_ && library_.run_event_loop_once() == 0) {
    }
  }

 private:
  static void on_event(void*, void*, const char* event, long long seconds, unsigned microseconds, const char* details,
                       void* context) {
    json message = {{"event", event}, {"timestamp", {{"seconds", seconds}, {"microseconds", microseconds}}}};
    const json data = details ? json::parse(details, nullptr, false) : json();
    if (data.is_object()) message["data"] = data;
    static_cast<Bridge*>(context)->send(message);
  }

  static void on_socket(int, int, int, void* context) { static_cast<Bridge*>(context)->receive(); }

  void receive() {
    char part[1 << 14];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 8)];
    iovec bytes{part, sizeof part};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = recvmsg(socket_, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) {
      has_ended_ = true;
      return;
    }
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
      if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) continue;
      for (size_t at = 0; at + sizeof(int) <= one->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
        int file;
        std::memcpy(&file, CMSG_DATA(one) + at, sizeof file);
        files_.emplace_back(file);
      }
    }
    pending_.append(part, size_t(got));
    for (size_t end; !has_ended_ && (end = pending_.find('\n')) != std::string::npos;) {
      const json command = json::parse(pending_.begin(), pending_.begin() + ptrdiff_t(end), nullptr, false);
      pending_.erase(0, end + 1);
      if (command.is_object()) execute(command);
    }
  }

  void execute(json command) {
    const std::string name = command.value("execute", "");
    const json id = command.value("id", json());
    command.erase("id");                         // libvirt has its own
    json answer = {{"return", json::object()}};  // of libvirt's own beginning
    if (name != "qmp_capabilities") answer = ask(command.dump(), name == "getfd" || name == "add-fd");
    answer["id"] = id;
    send(answer);
  }

  json ask(const std::string& command, bool takes_file) {
    Descriptor file;
    if (takes_file && !files_.empty()) {
      file = std::move(files_.front());
      files_.pop_front();
    }
    int number = file.get();
    char* text = nullptr;
    alarm(kLongestCommandSeconds);
    const int result = library_.monitor_command(domain_, command.c_str(), file ? 1 : 0, file ? &number : nullptr,
                                                nullptr, nullptr, &text, 0);
    alarm(0);
    const std::unique_ptr<char, decltype(&free)> kept(text, free);
    json answer = result == 0 && text != nullptr ? json::parse(text, nullptr, false) : json();
    if (answer.is_object()) return answer;
    const char* const message = library_.last_error_message();
    return {{"error", {{"class", "GenericError"}, {"desc", fmt::format("libvirt: {}", message ? message : "?")}}}};
  }

  void send(const json& message) {
    const std::string line = message.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    for (std::string_view left = line; !left.empty() && !has_ended_;) {
      const ssize_t put = ::send(socket_, left.data(), left.size(), MSG_NOSIGNAL);
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) has_ended_ = true;
      left.remove_prefix(size_t(std::max<ssize_t>(put, 0)));
    }
  }

  const int socket_;
  LibvirtLibrary library_{};
  LibvirtLibrary::Domain domain_ = nullptr;
  std::deque<Descriptor> files_;  // that came with commands, in their order
  std::string pending_;
  bool has_ended_ = false;
};

// Of a process of its own; `told` gets one byte of the kind and the sentence of what went wrong at the beginning.
[[noreturn]] void run_bridge(const LibvirtDomain& domain, Descriptor socket, Descriptor told) {
  setsid();
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(signal, SIG_IGN);
  std::signal(SIGALRM, SIG_DFL);
  prctl(PR_SET_NAME, "mortem-libvirt");
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int standard : {0, 1, 2}) dup2(nothing, standard);
  close_descriptors_but({socket.get(), told.get()});
  Bridge bridge(socket.get());
  alarm(kLongestCommandSeconds);
  if (auto opened = bridge.open(domain); !opened) {
    (void)write_all(told.get(), static_cast<char>('0' + int(opened.error().kind)) + opened.error().message, "a pipe");
    _exit(1);
  }
  alarm(0);
  told.reset();
  bridge.serve();
  _exit(0);
}

// Empty: it has begun.
Result<std::string> what_it_tells(int from, int timeout_ms) {
  std::string text;
  for (char part[1024];;) {
    pollfd wait{from, POLLIN, 0};
    const int ready = poll(&wait, 1, timeout_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return failure(ErrorKind::Unavailable, "libvirt does not answer");
    const ssize_t got = read(from, part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(part, size_t(got));
  }
}

}  // namespace

std::optional<Result<LibvirtDomain>> parse_libvirt_domain(const std::string& text) {
  const size_t authority = text.find("://");
  const std::string scheme = text.substr(0, authority);
  if (authority == std::string::npos || (scheme != "qemu" && !scheme.starts_with("qemu+"))) return std::nullopt;
  const size_t path = authority + 3, parameters = std::min(text.find('?'), text.size());
  const size_t slash = text.rfind('/', parameters);
  const std::string place = slash > path ? text.substr(path, slash - path) : std::string();
  if ((scheme == "qemu" || scheme == "qemu+unix") && (place == "/system" || place == "/session") &&
      slash + 1 < parameters)
    return LibvirtDomain{text.substr(0, slash) + text.substr(parameters),
                         text.substr(slash + 1, parameters - slash - 1)};
  return failure(ErrorKind::BadInput,
                 fmt::format("{}: qemu:///system/NAME or qemu:///session/NAME; of another machine: "
                             "ssh://HOST/qemu:///system/NAME",
                             printable(text)));
}

Result<Qmp> connect_through_libvirt(const LibvirtDomain& domain, int timeout_ms) {
  int sockets[2], pipe[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
    return system_failure("cannot make", "a socket");
  Descriptor ours(sockets[0]), theirs(sockets[1]);
  if (pipe2(pipe, O_CLOEXEC) != 0) return system_failure("cannot make", "a pipe");
  Descriptor from(pipe[0]), told(pipe[1]);
  // Nobody waits for it: it ends when its socket does.
  const pid_t between = fork();
  if (between < 0) return system_failure("cannot start", "libvirt's client");
  if (between == 0) {
    if (fork() == 0) run_bridge(domain, std::move(theirs), std::move(told));
    _exit(0);
  }
  waitpid(between, nullptr, 0);
  theirs.reset(), told.reset();
  const std::string wrong = TRY(what_it_tells(from.get(), timeout_ms));
  if (!wrong.empty()) return failure(ErrorKind(wrong[0] - '0'), wrong.substr(1));
  return Qmp::over(std::move(ours), timeout_ms);
}

}  // namespace mortem::tools
