// Serves a program under ptrace to gdb or LLDB through gdbstub:
//   stub_program --stdio [--output FILE] PROGRAM [ARGUMENT...]     for gdb's "target remote | ..."
//   stub_program --port-file FILE [--output FILE] PROGRAM ...      TCP on the loopback, the port written to FILE;
//                                                                  takes one client after the other
// Ends when the program has ended and its last client is gone; the exit status is the program's.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "gdbstub/server.h"
#include "ptrace_target.h"

using namespace mortem;

namespace {

int listen_on_loopback(const std::string& port_file) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 1) != 0) return -1;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::ofstream(port_file + ".new") << ntohs(address.sin_port) << "\n";
  rename((port_file + ".new").c_str(), port_file.c_str());
  return listener;
}

// The transport of a client, in small pieces on purpose.
class Connection {
 public:
  Connection(int in, int out) : in_(in), out_(out) {}
  int in() const { return in_; }

  // False: the client has gone.
  bool receive(gdbstub::Server& server) {
    uint8_t buffer[1500];
    const ssize_t count = read(in_, buffer, sizeof buffer);
    if (count <= 0) return false;
    std::span<const uint8_t> bytes(buffer, static_cast<size_t>(count));
    while (!bytes.empty()) {
      bytes = bytes.subspan(server.feed(bytes));
      if (!drain(server)) return false;
    }
    return true;
  }

  bool drain(gdbstub::Server& server) {
    for (auto bytes = server.output(); !bytes.empty(); bytes = server.output()) {
      const ssize_t count = write(out_, bytes.data(), std::min<size_t>(bytes.size(), 4000));
      if (count <= 0) return false;
      server.consume(static_cast<size_t>(count));
    }
    return true;
  }

 private:
  int in_, out_;
};

int serve(test::PtraceTarget& target, int listener) {
  const auto server = std::make_unique<gdbstub::Server>(target, gdbstub::Server::AppState::Stopped);
  gdbstub::Stop first;
  first.thread = target.next_thread(0);
  first.signal = SIGTRAP;
  server->report_stop(first);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  const int child_events = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  std::unique_ptr<Connection> connection;
  if (listener < 0) connection = std::make_unique<Connection>(0, 1);
  while (connection || !target.has_ended()) {
    pollfd waits[] = {{child_events, POLLIN, 0}, {connection ? connection->in() : listener, POLLIN, 0}};
    if (poll(waits, 2, -1) < 0) continue;
    signalfd_siginfo information;
    while (read(child_events, &information, sizeof information) == sizeof information) {
    }
    bool here = true;
    if (waits[1].revents != 0 && connection) {
      here = connection->receive(*server);
    } else if (waits[1].revents != 0) {
      const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      const int on = 1;
      setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      connection = std::make_unique<Connection>(client, client);
    }
    while (const auto stop = target.take_stop()) {
      server->report_stop(*stop);
      if (connection && here) here = connection->drain(*server);
    }
    if (here) continue;
    if (listener >= 0) close(connection->in());
    connection.reset();
    server->connection_lost();
  }
  return target.exit_status();
}

}  // namespace

int main(int count, char** arguments) {
  std::string port_file, output = "/dev/null";
  int index = 1;
  for (; index < count && arguments[index][0] == '-'; ++index) {
    const std::string option = arguments[index];
    if (option == "--port-file" && index + 1 < count) port_file = arguments[++index];
    if (option == "--output" && index + 1 < count) output = arguments[++index];
  }
  if (index >= count) {
    fprintf(stderr, "usage: stub_program --stdio|--port-file FILE [--output FILE] PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  signal(SIGINT, SIG_IGN);  // gdb's terminal sends it to us, too
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  test::PtraceTarget target;
  if (!target.start(std::vector<std::string>(arguments + index, arguments + count), output)) {
    perror("stub_program: start");
    return 2;
  }
  int listener = -1;
  if (!port_file.empty() && (listener = listen_on_loopback(port_file)) < 0) {
    perror("stub_program: listen");
    return 2;
  }
  return serve(target, listener);
}
