// An HTTP server that looks up a session for each request; of /crash it finds none, and counts in it all the same.
// Requests are written to /requests, which /log gives back, and /sync says whether they are on the disk.
// usage: session_server PORT
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

namespace {

struct Session {
  long requests = 0;
};

std::map<std::string, Session> sessions;
char greeting[32] = "hello";
double load = 0.25;
int requests_log;

[[gnu::noinline]] Session* find_session(const std::string& path) {
  if (path == "/crash") return nullptr;
  return &sessions[path];
}

[[gnu::noinline]] double serve(int connection, const std::string& path, double factor) {
  Session* session = find_session(path);
  // One store, so that whoever skips it knows how long it is.
  asm volatile("incq (%0)\nbehind_the_store:" ::"r"(&session->requests) : "memory", "cc");
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  dprintf(requests_log, "%s\n", path.c_str());
  char body[160], answer[320];
  int length = snprintf(body, sizeof body, "%s %s %.3f %ld", greeting, path.c_str(), load * factor,
                        static_cast<long>(now.tv_sec * 1000 + now.tv_nsec / 1'000'000));
  if (path == "/sync") length = snprintf(body, sizeof body, "%d", fsync(requests_log));
  if (path == "/log") {
    const ssize_t got = pread(requests_log, body, sizeof body - 1, 0);
    length = got > 0 ? static_cast<int>(got) : 0;
    body[length] = 0;
  }
  const int whole = snprintf(answer, sizeof answer, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", length, body);
  if (write(connection, answer, static_cast<size_t>(whole)) != whole) perror("write");  // the client may be gone
  return factor;
}

}  // namespace

// For a debugger to call.
extern "C" long requests_in_all(long more) {
  for (const auto& [path, session] : sessions) more += session.requests;
  return more;
}

int main(int count, char** arguments) {
  const int port = count > 1 ? atoi(arguments[1]) : 80;
  const int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, 16) != 0) return 1;
  signal(SIGPIPE, SIG_IGN);  // who asked for /crash is gone when its answer comes
  requests_log = open("/requests", O_RDWR | O_CREAT | O_APPEND, 0644);
  printf("serving on %d\n", port);
  fflush(stdout);
  for (double factor = 1; requests_in_all(0) >= 0;) {
    const int connection = accept(listener, nullptr, nullptr);
    if (connection < 0) continue;
    char request[1024];
    const ssize_t length = read(connection, request, sizeof request - 1);
    if (length > 4) {
      request[length] = 0;
      const char* path = request + 4;  // behind "GET "
      factor = serve(connection, std::string(path, strcspn(path, " ")), factor) + 1;
    }
    close(connection);
  }
}
