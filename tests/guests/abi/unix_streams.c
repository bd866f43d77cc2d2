// AF_UNIX streams: pairs, names, listening and connecting, half-closed connections, what errors there are.
// Built with musl too.
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "abi.h"
#include "sockets.h"

static char g_bytes[400000];

static struct sockaddr_un named(const char* name, socklen_t* length) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, name);
  *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1);
  return address;
}
static struct sockaddr_un abstract(const char* name, socklen_t* length) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path + 1, name);
  *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
  return address;
}
static int bind_to(int socket, struct sockaddr_un address, socklen_t length) {
  return bind(socket, (struct sockaddr*)&address, length);
}
static int connect_to(int socket, struct sockaddr_un address, socklen_t length) {
  return connect(socket, (struct sockaddr*)&address, length);
}

static void show_name(const char* what, int descriptor, int (*get)(int, struct sockaddr*, socklen_t*)) {
  struct sockaddr_un address;
  memset(&address, 'x', sizeof address);
  socklen_t length = sizeof address;
  const int error = error_of(get(descriptor, (struct sockaddr*)&address, &length));
  printf("%s: error %d, length %u, family %d", what, error, length, length >= 2 ? address.sun_family : -1);
  for (unsigned at = 2; at < length && at < sizeof address; ++at) {
    const char byte = ((char*)&address)[at];
    if (byte >= 32)
      putchar(byte);
    else
      printf("\\%d", byte);
  }
  putchar('\n');
}

// Linux counts the memory that unread messages take, which is the kernel's own: more than the bytes in them, or none.
static void show_unread(const char* what, int socket) {
  int left = -1;
  const int error = error_of(ioctl(socket, SIOCOUTQ, &left));
  printf("%s: error %d, %s\n", what, error, left < 0 ? "nothing said" : left > 0 ? "some" : "none");
}

static void pairs(void) {
  int ends[2];
  fact("socketpair", error_of(socketpair(AF_UNIX, SOCK_STREAM, 0, ends)));
  show_poll("a fresh pair", ends[0]);
  show_name("its name", ends[0], getsockname);
  show_name("its peer", ends[0], getpeername);
  fact("write", write(ends[0], "hello", 5));
  fact("send", send(ends[0], " world", 6, 0));
  int count = 0;
  fact("FIONREAD", error_of(ioctl(ends[1], FIONREAD, &count)));
  fact("bytes there", count);
  show_unread("SIOCOUTQ before they are read", ends[0]);
  show_poll("with bytes", ends[1]);
  char text[64] = {0};
  fact("peek", recv(ends[1], text, 4, MSG_PEEK));
  printf("%s\n", text);
  fact("read of two messages", read(ends[1], text, sizeof text));
  printf("%s\n", text);
  fact("nothing left", error_of(recv(ends[1], text, 1, MSG_DONTWAIT)));
  show_unread("SIOCOUTQ when they were", ends[0]);
  struct iovec parts[3] = {{"ab", 2}, {"", 0}, {"cdef", 4}};
  fact("writev", writev(ends[1], parts, 3));
  struct iovec into[2] = {{text, 3}, {text + 10, 20}};
  fact("readv", readv(ends[0], into, 2));
  printf("%.3s %.3s\n", text, text + 10);
  fact("read of nothing", read(ends[0], text, 0));
  fact("lseek", error_of(lseek(ends[0], 0, SEEK_SET)));
  fact("pread", error_of(pread(ends[0], text, 1, 0)));
  fact("MSG_OOB", send(ends[0], "x", 1, MSG_OOB) < 0 ? 0 : 0);
  struct stat status;
  fact("fstat", error_of(fstat(ends[0], &status)));
  printf("mode %o\n", status.st_mode);

  // All of it.
  fact("long write", fcntl(ends[0], F_SETFL, O_NONBLOCK));
  long total = 0;
  for (long done; (done = write(ends[0], g_bytes, sizeof g_bytes)) > 0;) total += done;
  fact("would wait", errno);
  fact("more than 100000 went", total > 100000);
  show_poll("full", ends[0]);
  long back = 0;
  for (long done; back < total && (done = recv(ends[1], g_bytes, sizeof g_bytes, 0)) > 0;) back += done;
  fact("all came", back == total);
  show_poll("empty again", ends[0]);
  fact("not connected to",
       error_of(connect(ends[0], (struct sockaddr*)&(struct sockaddr_un){.sun_family = AF_UNIX}, 3)));
  fact("sendto with an address",
       error_of(sendto(ends[0], "x", 1, 0,
                       (struct sockaddr*)&(struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = "/x"}, 10)));

  // One way closed.
  fact("shutdown of writing", error_of(shutdown(ends[0], SHUT_WR)));
  show_poll("who cannot write", ends[0]);
  show_poll("whose peer cannot write", ends[1]);
  fact("end of file", read(ends[1], text, 1));
  fact("no signal", error_of(send(ends[0], "x", 1, MSG_NOSIGNAL)));
  fact("the other way", write(ends[1], "back", 4));
  fact("arrives", read(ends[0], text, 10));
  fact("shutdown of nothing", error_of(shutdown(ends[0], 3)));
  close(ends[1]);
  show_poll("whose peer is gone", ends[0]);
  fact("end of file", read(ends[0], text, 1));
  show_name("its peer", ends[0], getpeername);
  close(ends[0]);

  // A peer that had not read everything.
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  write(ends[0], "unread", 6);
  write(ends[1], "kept", 4);
  close(ends[1]);
  show_poll("reset", ends[0]);
  fact("what it sent is there", read(ends[0], text, 10));
  fact("then the reset", error_of(read(ends[0], text, 10)));
  fact("then the end", read(ends[0], text, 10));
  close(ends[0]);

  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  write(ends[0], "unread", 6);
  close(ends[1]);
  int error = 0;
  socklen_t length = sizeof error;
  fact("SO_ERROR", error_of(getsockopt(ends[0], SOL_SOCKET, SO_ERROR, &error, &length)));
  fact("is", error);
  getsockopt(ends[0], SOL_SOCKET, SO_ERROR, &error, &length);
  fact("once", error);
  close(ends[0]);
}

static int g_pipes;
static void on_pipe(int signal) {
  g_pipes += signal == SIGPIPE;
}

static void broken(void) {
  int ends[2];
  struct sigaction action = {.sa_handler = on_pipe};
  sigaction(SIGPIPE, &action, NULL);
  const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
  for (int index = 0; index < 3; ++index) {
    g_pipes = 0;
    socketpair(AF_UNIX, types[index], 0, ends);
    close(ends[1]);
    fact("write to nobody", error_of(write(ends[0], "x", 1)));
    fact("signals", g_pipes);
    fact("again", error_of(send(ends[0], "x", 1, 0)));
    fact("signals", g_pipes);
    fact("quiet", error_of(send(ends[0], "x", 1, MSG_NOSIGNAL)));
    fact("signals", g_pipes);
    struct iovec part = {"x", 1};
    fact("writev", error_of(writev(ends[0], &part, 1)));
    fact("signals", g_pipes);
    close(ends[0]);
  }
  signal(SIGPIPE, SIG_IGN);
}

static void names(const char* path) {
  socklen_t length;
  char text[64] = {0};
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  fact("close on exec", fcntl(listener, F_GETFD));
  show_poll("fresh", listener);
  fact("listen without a name", error_of(listen(listener, 1)));
  struct sockaddr_un address = named(path, &length);
  unlink(path);
  umask(022);
  fact("bind", error_of(bind_to(listener, address, length)));
  struct stat status;
  fact("stat", error_of(stat(path, &status)));
  printf("mode %o\n", status.st_mode);
  fact("open", error_of(open(path, O_RDWR)));
  fact("bind again", error_of(bind_to(listener, address, length)));
  const int other = socket(AF_UNIX, SOCK_STREAM, 0);
  fact("the same name", error_of(bind_to(other, address, length)));
  fact("connect to who does not listen", error_of(connect_to(other, address, length)));
  fact("write unconnected", error_of(write(other, "x", 1)));
  fact("read unconnected", error_of(read(other, text, 1)));
  fact("accept without listen", error_of(accept(listener, NULL, NULL)));
  fact("listen", error_of(listen(listener, 1)));
  show_poll("listening", listener);
  int value = 0;
  socklen_t value_length = sizeof value;
  getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &value, &value_length);
  fact("accepts connections", value);
  fcntl(listener, F_SETFL, O_NONBLOCK);
  fact("nobody", error_of(accept(listener, NULL, NULL)));
  fact("read from a listener", error_of(read(listener, text, 1)));
  fact("write to a listener", error_of(write(listener, "x", 1)));
  fact("connect", error_of(connect_to(other, address, length)));
  fact("connect again", error_of(connect_to(other, address, length)));
  fact("connect a listener", error_of(connect_to(listener, address, length)));
  show_poll("connected", other);
  show_poll("with a connection waiting", listener);
  fact("written before accept", write(other, "early", 5));
  struct sockaddr_un peer;
  socklen_t peer_length = sizeof peer;
  const int accepted = accept4(listener, (struct sockaddr*)&peer, &peer_length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  fact("peer's length", peer_length);
  fact("flags", fcntl(accepted, F_GETFL));
  fact("close on exec", fcntl(accepted, F_GETFD));
  show_name("accepted", accepted, getsockname);
  show_name("accepted's peer", accepted, getpeername);
  show_name("client's peer", other, getpeername);
  fact("read", read(accepted, text, sizeof text));
  fact("nothing more", error_of(read(accepted, text, sizeof text)));
  struct ucred credentials;
  socklen_t credentials_length = sizeof credentials;
  fact("SO_PEERCRED", error_of(getsockopt(other, SOL_SOCKET, SO_PEERCRED, &credentials, &credentials_length)));
  fact("it is us", credentials.pid == getpid() && credentials.uid == getuid() && credentials.gid == getgid());

  // A full backlog: one more than asked for finds a place.
  int clients[8];
  int connected = 0;
  for (int index = 0; index < 8; ++index) {
    clients[index] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect_to(clients[index], address, length) == 0) ++connected;
  }
  fact("connected", connected);
  fact("the last error", errno);
  close(listener);
  show_poll("never accepted", clients[0]);
  fact("its error", error_of(read(clients[0], text, 1)));
  for (int index = 0; index < 8; ++index) close(clients[index]);
  const int late = socket(AF_UNIX, SOCK_STREAM, 0);
  fact("the listener is gone", error_of(connect_to(late, address, length)));
  unlink(path);
  fact("the name is gone", error_of(connect_to(late, address, length)));
  address = named("/dev/null", &length);
  fact("no socket", error_of(connect_to(late, address, length)));
  address = named("/nowhere/socket", &length);
  fact("no directory", error_of(bind_to(late, address, length)));

  // Abstract names.
  address = abstract("mortem abi streams", &length);
  const int hidden = socket(AF_UNIX, SOCK_STREAM, 0);
  fact("bind", error_of(bind_to(hidden, address, length)));
  show_name("abstract", hidden, getsockname);
  fact("taken", error_of(bind_to(late, address, length)));
  fact("another type's", error_of(connect_to(socket(AF_UNIX, SOCK_SEQPACKET, 0), address, length)));
  fact("listen", error_of(listen(hidden, 5)));
  fact("connect", error_of(connect_to(late, address, length)));
  fact("shorter is another", error_of(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), address, length - 1)));
  close(hidden);
  show_poll("never accepted", late);
  close(late);
  const int automatic = socket(AF_UNIX, SOCK_STREAM, 0);
  address.sun_family = AF_UNIX;
  fact("autobind", error_of(bind_to(automatic, address, sizeof address.sun_family)));
  length = sizeof address;
  getsockname(automatic, (struct sockaddr*)&address, &length);
  fact("autobind's length", length);
  close(automatic);

  const int strange = socket(AF_UNIX, SOCK_STREAM, 0);
  fact("another family", error_of(bind(strange, (struct sockaddr*)&(struct sockaddr){.sa_family = AF_INET}, 16)));
  fact("too long", error_of(bind_to(strange, address, 111)));
  fact("much too long", error_of(bind_to(strange, address, 129)));
  fact("negative", error_of(bind_to(strange, address, (socklen_t)-1)));
  fact("bad pointer", error_of(bind(strange, (struct sockaddr*)8, 16)));
  fact("no family", error_of(connect_to(strange, address, 1)));
  close(strange);
}

static void* write_late(void* end) {
  sleep_ms(50);
  write(*(int*)end, "late", 4);
  sleep_ms(50);
  write(*(int*)end, "r", 1);
  return NULL;
}
static void* accept_late(void* listener) {
  sleep_ms(50);
  return (void*)(long)accept(*(int*)listener, NULL, NULL);
}
static void* drain(void* end) {
  static char bytes[100000];
  long total = 0, count;
  while ((count = read(*(int*)end, bytes, sizeof bytes)) > 0) total += count;
  return (void*)total;
}
static void on_alarm(int signal) {
  (void)signal;
}

static void waiting(void) {
  int ends[2];
  char text[64];
  pthread_t thread;
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  pthread_create(&thread, NULL, write_late, &ends[0]);
  fact("waits", read(ends[1], text, sizeof text));
  fact("and for the rest", recv(ends[1], text, 1, MSG_WAITALL));
  pthread_join(thread, NULL);
  pthread_create(&thread, NULL, write_late, &ends[0]);
  fact("all of it", recv(ends[1], text, 5, MSG_WAITALL));
  pthread_join(thread, NULL);
  pthread_create(&thread, NULL, write_late, &ends[0]);
  fact("into a large buffer", recv(ends[1], g_bytes, sizeof g_bytes, 0));
  pthread_join(thread, NULL);
  fact("the last byte", recv(ends[1], g_bytes, sizeof g_bytes, 0));

  // More than the buffers hold.
  pthread_create(&thread, NULL, drain, &ends[1]);
  long sent = 0;
  for (int round = 0; round < 5; ++round) sent += write(ends[0], g_bytes, sizeof g_bytes);
  shutdown(ends[0], SHUT_WR);
  void* drained;
  pthread_join(thread, &drained);
  fact("sent", sent);
  fact("drained", (long)drained);
  close(ends[0]);
  close(ends[1]);

  // Times.
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  struct timeval time = {0, 60000};
  fact("SO_RCVTIMEO", error_of(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time)));
  fact("SO_SNDTIMEO", error_of(setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time)));
  const long start = now_ms();
  fact("timed out", error_of(read(ends[0], text, 1)));
  fact("not before its time", now_ms() - start >= 50);
  long total = 0;
  for (long done; (done = write(ends[0], g_bytes, sizeof g_bytes)) > 0;) total += done;
  fact("no room in time", errno);
  fact("not a little", total > 100000);
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  time = (struct timeval){5, 0};
  setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  struct timeval back = {0, 0};
  socklen_t length = sizeof back;
  getsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &back, &length);
  fact("seconds", back.tv_sec);
  ualarm(50000, 0);
  fact("with a timeout a signal interrupts", error_of(read(ends[0], text, 1)));
  time = (struct timeval){0, 1000000};
  fact("no time", error_of(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time)));
  fact("too short", error_of(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, 8)));
  close(ends[0]);
  close(ends[1]);

  // A connection that waits for its place.
  socklen_t name_length;
  struct sockaddr_un address = abstract("mortem abi backlog", &name_length);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  bind_to(listener, address, name_length);
  listen(listener, 0);
  const int first = socket(AF_UNIX, SOCK_STREAM, 0), second = socket(AF_UNIX, SOCK_STREAM, 0);
  fact("first", error_of(connect_to(first, address, name_length)));
  pthread_create(&thread, NULL, accept_late, &listener);
  fact("second", error_of(connect_to(second, address, name_length)));
  void* accepted;
  pthread_join(thread, &accepted);
  fact("accepted", (long)accepted > 0);
  close(first);
  close(second);
  close(listener);
}

static void edges(void) {
  int ends[2];
  char text[16];
  struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP, {0}}, got[4];
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
  const int epoll = epoll_create1(0);
  epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
  printf("epoll: %d", epoll_wait(epoll, got, 4, 0));
  printf(" %#x\n", got[0].events);
  printf("no edge: %d\n", epoll_wait(epoll, got, 4, 0));
  write(ends[1], "x", 1);
  printf("bytes: %d", epoll_wait(epoll, got, 4, 0));
  printf(" %#x\n", got[0].events);
  write(ends[1], "y", 1);
  printf("more bytes: %d\n", epoll_wait(epoll, got, 4, 0));
  fact("read", read(ends[0], text, 16));
  shutdown(ends[1], SHUT_WR);
  printf("half closed: %d", epoll_wait(epoll, got, 4, 0));
  printf(" %#x\n", got[0].events);
  close(ends[1]);
  printf("closed: %d", epoll_wait(epoll, got, 4, 0));
  printf(" %#x\n", got[0].events);
  close(ends[0]);
  close(epoll);
}

static void options(void) {
  const int number = socket(AF_UNIX, SOCK_STREAM, 0);
  const int names[] = {SO_DEBUG,    SO_REUSEADDR, SO_TYPE,       SO_ERROR,    SO_DONTROUTE, SO_BROADCAST, SO_SNDBUF,
                       SO_RCVBUF,   SO_KEEPALIVE, SO_OOBINLINE,  SO_NO_CHECK, SO_PRIORITY,  SO_PASSCRED,  SO_RCVLOWAT,
                       SO_SNDLOWAT, SO_TIMESTAMP, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN,    SO_MARK,      200};
  for (unsigned index = 0; index < sizeof names / sizeof names[0]; ++index) {
    int value = -1;
    socklen_t length = sizeof value;
    int error = error_of(getsockopt(number, SOL_SOCKET, names[index], &value, &length));
    printf("option %d: error %d value %d length %u;", names[index], error, error ? 0 : value, length);
    value = 7;
    error = error_of(setsockopt(number, SOL_SOCKET, names[index], &value, sizeof value));
    printf(" set %d;", error);
    length = sizeof value;
    error = error_of(getsockopt(number, SOL_SOCKET, names[index], &value, &length));
    printf(" now %d\n", error ? 0 : value);
  }
  int value = 1;
  fact("too short", error_of(setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &value, 3)));
  fact("negative", error_of(setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &value, (socklen_t)-1)));
  fact("bad pointer", error_of(setsockopt(number, SOL_SOCKET, SO_REUSEADDR, (void*)8, 4)));
  fact("another level", error_of(setsockopt(number, 6, 1, &value, 4)));
  socklen_t length = 1;
  char byte = 9;
  fact("one byte", error_of(getsockopt(number, SOL_SOCKET, SO_TYPE, &byte, &length)));
  printf("%d %u\n", byte, length);
  struct linger linger = {1, 5}, back = {0, 0};
  length = sizeof back;
  fact("linger", error_of(setsockopt(number, SOL_SOCKET, SO_LINGER, &linger, sizeof linger)));
  getsockopt(number, SOL_SOCKET, SO_LINGER, &back, &length);
  printf("%d %d\n", back.l_onoff, back.l_linger);
  value = 10000000;
  setsockopt(number, SOL_SOCKET, SO_SNDBUF, &value, sizeof value);
  value = 1;
  setsockopt(number, SOL_SOCKET, SO_RCVBUF, &value, sizeof value);
  length = sizeof value;
  getsockopt(number, SOL_SOCKET, SO_RCVBUF, &value, &length);
  fact("smallest", value);
  fact("not a socket", error_of(getsockopt(0, SOL_SOCKET, SO_TYPE, &value, &length)));
  fact("not open", error_of(getsockopt(900, SOL_SOCKET, SO_TYPE, &value, &length)));
  close(number);
  fact("family", error_of(socket(77, SOCK_STREAM, 0)));
  fact("negative family", error_of(socket(-1, SOCK_STREAM, 0)));
  fact("type", error_of(socket(AF_UNIX, 11, 0)));
  fact("no such type", error_of(socket(AF_UNIX, SOCK_RDM, 0)));
  fact("flags", error_of(socket(AF_UNIX, SOCK_STREAM | 0x100, 0)));
  fact("protocol", error_of(socket(AF_UNIX, SOCK_STREAM, 6)));
  fact("pair in no memory", error_of(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8)));
}

static void files(void) {
  int ends[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  const int file = open("/tmp/mortem-abi-sendfile", O_RDWR | O_CREAT | O_TRUNC, 0600);
  write(file, "0123456789", 10);
  off_t offset = 2;
  fact("sendfile", sendfile(ends[0], file, &offset, 5));
  fact("offset", offset);
  char text[32] = {0};
  fact("read", read(ends[1], text, sizeof text));
  printf("%s\n", text);
  lseek(file, 8, SEEK_SET);
  fact("to the end", sendfile(ends[0], file, NULL, 100));
  fact("from a socket", error_of(sendfile(file, ends[0], NULL, 1)));
  fact("at the end", lseek(file, 0, SEEK_CUR));
  fact("nothing left", sendfile(ends[0], file, NULL, 100));
  offset = -1;
  fact("negative", error_of(sendfile(ends[0], file, &offset, 1)));
  fact("not for reading", error_of(sendfile(ends[0], 1, NULL, 1)));
  // More than goes at once: what did not go is not lost.
  ftruncate(file, 3000000);
  lseek(file, 0, SEEK_SET);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  const long went = sendfile(ends[0], file, NULL, 3000000);
  fact("some went", went > 100000 && went < 3000000);
  fact("the position is behind them", lseek(file, 0, SEEK_CUR) == went);
  fact("no more", error_of(sendfile(ends[0], file, NULL, 3000000)));

  const int copy = open("/tmp/mortem-abi-copy", O_RDWR | O_CREAT | O_TRUNC, 0600);
  off_t from = 3, to = 5;
  fact("copy", copy_file_range(file, &from, copy, &to, 4, 0));
  printf("%ld %ld\n", (long)from, (long)to);
  fact("read", pread(copy, text, sizeof text, 0));
  printf("%.4s\n", text + 5);
  lseek(file, 2999990, SEEK_SET);
  fact("to the end", copy_file_range(file, NULL, copy, NULL, 100, 0));
  fact("position", lseek(copy, 0, SEEK_CUR));
  fact("flags", error_of(copy_file_range(file, NULL, copy, NULL, 100, 1)));
  fact("into itself", error_of(copy_file_range(file, &from, file, &to, 100, 0)));
  fact("a socket", error_of(copy_file_range(file, NULL, ends[0], NULL, 100, 0)));
  const int folder = open("/tmp", O_RDONLY);
  fact("a folder", error_of(copy_file_range(folder, NULL, copy, NULL, 100, 0)));
  const int reader = open("/tmp/mortem-abi-copy", O_RDONLY);
  fact("not for writing", error_of(copy_file_range(file, NULL, reader, NULL, 100, 0)));
  unlink("/tmp/mortem-abi-copy");
  unlink("/tmp/mortem-abi-sendfile");
  close(folder);
  close(reader);
  close(copy);
  close(file);
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  pairs();
  broken();
  names("/tmp/mortem-abi-stream");
  waiting();
  edges();
  options();
  files();
  return 0;
}
