// AF_UNIX datagrams and sequenced packets; files and credentials that go along with messages.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "abi.h"
#include "sockets.h"

static struct sockaddr_un g_address;

static socklen_t abstract(const char* name) {
  memset(&g_address, 0, sizeof g_address);
  g_address.sun_family = AF_UNIX;
  strcpy(g_address.sun_path + 1, name);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}
static struct sockaddr* address(void) {
  return (struct sockaddr*)&g_address;
}

static void datagrams(void) {
  char text[64] = {0};
  int ends[2];
  fact("pair", error_of(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends)));
  show_poll("fresh", ends[0]);
  fact("send", send(ends[0], "one", 3, 0));
  fact("send", send(ends[0], "", 0, 0));
  fact("send", send(ends[0], "three!", 6, 0));
  int count = 0;
  ioctl(ends[1], FIONREAD, &count);
  fact("the first is long", count);
  fact("one at a time", recv(ends[1], text, 64, 0));
  fact("an empty one", recv(ends[1], text, 64, 0));
  fact("cut", recv(ends[1], text, 2, MSG_PEEK | MSG_TRUNC));
  struct iovec part = {text, 2};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  fact("cut", recvmsg(ends[1], &message, 0));
  fact("flags", message.msg_flags);
  static char medium[9000];
  send(ends[0], medium, 5000, 0);
  part = (struct iovec){medium, 3000};
  fact("cut", recvmsg(ends[1], &message, MSG_DONTWAIT));
  fact("flags", message.msg_flags);
  fact("nothing", error_of(recv(ends[1], text, 64, MSG_DONTWAIT)));
  static char large[300000];
  fact("too long", error_of(send(ends[0], large, sizeof large, 0)));
  fact("long", send(ends[0], large, 100000, MSG_DONTWAIT));
  fact("arrives whole", recv(ends[1], large, sizeof large, 0));
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  int sent = 0;
  while (send(ends[0], large, 1000, 0) == 1000) ++sent;
  fact("would wait", errno);
  fact("more than 50", sent > 50);
  show_poll("full", ends[0]);
  close(ends[1]);
  show_poll("peer closed", ends[0]);
  fact("refused", error_of(send(ends[0], "x", 1, 0)));
  fact("and no peer then", error_of(send(ends[0], "x", 1, 0)));
  fact("read", error_of(recv(ends[0], text, 1, 0)));
  close(ends[0]);

  // By name.
  const int server = socket(AF_UNIX, SOCK_DGRAM, 0), client = socket(AF_UNIX, SOCK_DGRAM, 0);
  socklen_t length = abstract("mortem abi datagrams");
  fact("nobody", error_of(sendto(client, "x", 1, 0, address(), length)));
  fact("no peer", error_of(send(client, "x", 1, 0)));
  fact("bind", error_of(bind(server, address(), length)));
  fact("listen", error_of(listen(server, 1)));
  fact("accept", error_of(accept(server, NULL, NULL)));
  fact("sendto", sendto(client, "hello", 5, 0, address(), length));
  struct sockaddr_un from;
  socklen_t from_length = sizeof from;
  fact("recvfrom", recvfrom(server, text, 64, 0, (struct sockaddr*)&from, &from_length));
  fact("from nobody named", from_length);
  fact("connect", error_of(connect(client, address(), length)));
  from_length = sizeof from;
  fact("getpeername", error_of(getpeername(client, (struct sockaddr*)&from, &from_length)));
  fact("its length", from_length);
  length = abstract("mortem abi client");
  fact("bind", error_of(bind(client, address(), length)));
  fact("send", send(client, "again", 5, 0));
  from_length = sizeof from;
  fact("recvfrom", recvfrom(server, text, 64, 0, (struct sockaddr*)&from, &from_length));
  fact("its length", from_length);
  fact("the same name", memcmp(&from, &g_address, length));
  fact("answer", sendto(server, "answer", 6, 0, (struct sockaddr*)&from, from_length));
  fact("short room for a name",
       (from_length = 4, recvfrom(client, text, 64, 0, (struct sockaddr*)&from, &from_length)));
  fact("whole length", from_length);

  // A queue of a stranger takes only some.
  fcntl(client, F_SETFL, O_NONBLOCK);
  sent = 0;
  while (send(client, "x", 1, 0) == 1) ++sent;
  fact("taken", sent);
  fact("would wait", errno);
  show_poll("full queue", client);
  recv(server, text, 1, 0);
  show_poll("one was read", client);
  const int third = socket(AF_UNIX, SOCK_DGRAM, 0);
  length = abstract("mortem abi client");
  fact("connected elsewhere", error_of(sendto(third, "x", 1, 0, address(), length)));
  fact("connect there", error_of(connect(third, address(), length)));
  struct sockaddr nobody = {.sa_family = AF_UNSPEC};
  fact("disconnect", error_of(connect(client, &nobody, sizeof nobody)));
  fact("no peer", error_of(send(client, "x", 1, 0)));
  fact("now it takes", sendto(third, "x", 1, 0, address(), length));
  fact("read", recv(client, text, 64, 0));
  fact("shutdown", error_of(shutdown(client, SHUT_RD)));
  fact("who does not read", error_of(sendto(third, "x", 1, MSG_NOSIGNAL, address(), length)));
  fact("no message", error_of(recv(client, text, 1, MSG_DONTWAIT)));
  static char room[100000];
  fcntl(client, F_SETFL, 0);
  fact("the end, into little", recv(client, text, 1, 0));
  fact("the end, into much", recv(client, room, sizeof room, 0));
  fact("the end, of all", recv(client, room, sizeof room, MSG_WAITALL));
  const int stream = socket(AF_UNIX, SOCK_STREAM, 0);
  const char* path = "/tmp/mortem-abi-dgram";
  unlink(path);
  memset(&g_address, 0, sizeof g_address);
  g_address.sun_family = AF_UNIX;
  strcpy(g_address.sun_path, path);
  const int on_path = socket(AF_UNIX, SOCK_RAW, 0);
  fact("bind", error_of(bind(on_path, address(), sizeof g_address)));
  from_length = sizeof from;
  getsockname(on_path, (struct sockaddr*)&from, &from_length);
  fact("length of its name", from_length);
  fact("another type", error_of(connect(stream, address(), sizeof g_address)));
  int type = 0;
  socklen_t type_length = sizeof type;
  getsockopt(on_path, SOL_SOCKET, SO_TYPE, &type, &type_length);
  fact("raw is datagrams", type);
  unlink(path);
  close(server);
  close(client);
  close(third);
  close(stream);
  close(on_path);
}

static void packets(void) {
  char text[64];
  int ends[2];
  fact("pair", error_of(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends)));
  fact("send", send(ends[0], "first", 5, 0));
  fact("send", send(ends[0], "second", 6, 0));
  fact("recv", recv(ends[1], text, 64, 0));
  fact("with an address", sendto(ends[0], "third", 5, 0, address(), 5));
  struct iovec part = {text, 3};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  fact("cut", recvmsg(ends[1], &message, 0));
  fact("flags", message.msg_flags);
  shutdown(ends[0], SHUT_WR);
  show_poll("half closed", ends[1]);
  fact("what is there", recv(ends[1], text, 64, 0));
  fact("then the end", recv(ends[1], text, 64, 0));
  fact("broken", error_of(send(ends[0], "x", 1, MSG_NOSIGNAL)));
  close(ends[0]);
  close(ends[1]);
  const int alone = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  show_poll("alone", alone);
  fact("send", error_of(send(alone, "x", 1, 0)));
  fact("recv", error_of(recv(alone, text, 1, 0)));
  close(alone);
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends);
  send(ends[0], "unread", 6, 0);
  close(ends[1]);
  show_poll("reset", ends[0]);
  fact("the reset", error_of(recv(ends[0], text, 64, 0)));
  fact("the end", recv(ends[0], text, 64, 0));
  close(ends[0]);
}

static long send_files(int to, const int* files, int count, const char* bytes, size_t length) {
  char control[CMSG_SPACE(300 * sizeof(int))];
  memset(control, 0, sizeof control);
  struct iovec part = {(void*)bytes, length};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
  memcpy(CMSG_DATA(header), files, (size_t)count * sizeof(int));
  return sendmsg(to, &message, 0);
}

static long receive_files(int from, int* files, size_t room, int flags) {
  char control[CMSG_SPACE(300 * sizeof(int))], text[64];
  struct iovec part = {text, sizeof text};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = room > 0 ? control : NULL, .msg_controllen = room};
  const long count = recvmsg(from, &message, flags);
  printf("received %ld (%d), flags %#x, control %u", count, error_of(count), message.msg_flags,
         (unsigned)message.msg_controllen);
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (count >= 0 && room > 0 && header != NULL) {
    printf(", level %d type %d length %zu", header->cmsg_level, header->cmsg_type, (size_t)header->cmsg_len);
    if (files != NULL) memcpy(files, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
  }
  putchar('\n');
  return count;
}

static int open_count(void) {
  int count = 0;
  for (int number = 0; number < 200; ++number) count += fcntl(number, F_GETFD) >= 0;
  return count;
}

static void passing(int type) {
  int ends[2], pipe_ends[2], got[8] = {0};
  char text[64] = {0};
  socketpair(AF_UNIX, type, 0, ends);
  pipe(pipe_ends);
  const int before = open_count();
  fact("send two", send_files(ends[0], pipe_ends, 2, "xy", 2));
  receive_files(ends[1], got, CMSG_SPACE(2 * sizeof(int)), 0);
  fact("two more", open_count() - before);
  fact("through it", write(got[1], "through", 7));
  fact("and back", read(pipe_ends[0], text, 64));
  close(got[0]);
  close(got[1]);
  fact("send", send_files(ends[0], pipe_ends, 1, "x", 1));
  close(pipe_ends[0]);
  receive_files(ends[1], got, CMSG_SPACE(sizeof(int)), MSG_CMSG_CLOEXEC);
  fact("close on exec", fcntl(got[0], F_GETFD));
  fact("it lived on its way", write(pipe_ends[1], "z", 1));
  fact("read", read(got[0], text, 1));
  pipe_ends[0] = got[0];

  // Room for one of three; for none; read without asking.
  const int three[3] = {pipe_ends[0], pipe_ends[1], pipe_ends[0]};
  const int now = open_count();
  send_files(ends[0], three, 3, "abc", 3);
  receive_files(ends[1], got, CMSG_LEN(sizeof(int)), 0);
  fact("one came", open_count() - now);
  close(got[0]);
  send_files(ends[0], three, 3, "abc", 3);
  receive_files(ends[1], NULL, CMSG_LEN(0), 0);
  send_files(ends[0], three, 3, "abc", 3);
  receive_files(ends[1], NULL, 0, 0);
  send_files(ends[0], three, 3, "abc", 3);
  fact("read", read(ends[1], text, 64));
  fact("none came", open_count() - now);

  // Looked at, and then taken.
  send_files(ends[0], three, 1, "peek", 4);
  receive_files(ends[1], got, CMSG_SPACE(sizeof(int)), MSG_PEEK);
  receive_files(ends[1], got + 1, CMSG_SPACE(sizeof(int)), 0);
  fact("two came", open_count() - now);
  close(got[0]);
  close(got[1]);

  // What cannot be sent.
  const int bad[1] = {199};
  fact("bad descriptor", error_of(send_files(ends[0], bad, 1, "x", 1)));
  int many[300];
  for (int index = 0; index < 300; ++index) many[index] = pipe_ends[0];
  fact("too many", error_of(send_files(ends[0], many, 254, "x", 1)));
  fact("as many as may be", send_files(ends[0], many, 253, "x", 1));
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  const struct rlimit lower = {(rlim_t)now + 5, limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &lower);
  receive_files(ends[1], NULL, CMSG_SPACE(253 * sizeof(int)), 0);
  setrlimit(RLIMIT_NOFILE, &limit);
  for (int number = 199; number > 2; --number)
    if (number != ends[0] && number != ends[1] && number != pipe_ends[0] && number != pipe_ends[1]) close(number);

  // The files of a message that nobody reads are closed with the socket.
  send_files(ends[0], pipe_ends + 1, 1, "x", 1);
  close(pipe_ends[1]);
  struct pollfd entry = {pipe_ends[0], POLLIN, 0};
  fact("the writer lives", poll(&entry, 1, 0));
  close(ends[0]);
  close(ends[1]);
  fact("and ends with the socket", poll(&entry, 1, 0));
  printf("%#x\n", entry.revents);
  close(pipe_ends[0]);
}

// Streams: files stand at their bytes.
static void files_in_a_stream(void) {
  int ends[2], pipe_ends[2], got[4];
  char text[64];
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  pipe(pipe_ends);
  write(ends[0], "before", 6);
  send_files(ends[0], pipe_ends, 1, "with", 4);
  write(ends[0], "after", 5);
  receive_files(ends[1], got, CMSG_SPACE(sizeof(int)), 0);
  close(got[0]);
  fact("the rest", read(ends[1], text, 64));
  send_files(ends[0], pipe_ends, 1, "1", 1);
  send_files(ends[0], pipe_ends, 1, "2", 1);
  receive_files(ends[1], got, CMSG_SPACE(2 * sizeof(int)), 0);
  receive_files(ends[1], got + 1, CMSG_SPACE(2 * sizeof(int)), 0);
  fact("no bytes, no message", send_files(ends[0], pipe_ends, 1, "", 0));
  fact("nothing", error_of(recv(ends[1], text, 1, MSG_DONTWAIT)));
  for (int index = 0; index < 2; ++index) close(ends[index]), close(pipe_ends[index]), close(got[index]);

  // A socket in its own queue, and chains of them.
  int last[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, last);
  for (int index = 0; index < 2000; ++index) {
    int next[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, next);
    if (send_files(next[0], last, 2, "x", 1) < 0) {
      close(next[0]);
      close(next[1]);
      break;
    }
    close(last[0]);
    close(last[1]);
    last[0] = next[0];
    last[1] = next[1];
  }
  close(last[0]);
  close(last[1]);
  fact("a long chain is gone", open_count());
}

static void credentials(void) {
  int ends[2];
  const int on = 1;
  socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
  setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  send(ends[0], "who", 3, 0);
  struct ucred who = {-1, 1, 1};
  char control[CMSG_SPACE(sizeof who)], text[64];
  struct iovec part = {text, sizeof text};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  fact("recvmsg", recvmsg(ends[1], &message, 0));
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  fact("type", header->cmsg_type);
  memcpy(&who, CMSG_DATA(header), sizeof who);
  fact("it is us", who.pid == getpid() && who.uid == getuid());
  fact("control length", (long)message.msg_controllen);

  // Sent by hand; what is not one's own is refused.
  struct msghdr sent = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  header = CMSG_FIRSTHDR(&sent);
  *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof who), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS};
  who.uid = 77;
  memcpy(CMSG_DATA(header), &who, sizeof who);
  fact("another user", sendmsg(ends[0], &sent, 0) > 0);
  message.msg_controllen = sizeof control;
  recvmsg(ends[1], &message, 0);
  memcpy(&who, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof who);
  fact("is seen", who.uid);
  header->cmsg_len = CMSG_LEN(4);
  fact("short", error_of(sendmsg(ends[0], &sent, 0)));
  header->cmsg_len = 4;
  fact("shorter than a header", error_of(sendmsg(ends[0], &sent, 0)));
  header->cmsg_len = 1000;
  fact("too long", error_of(sendmsg(ends[0], &sent, 0)));
  header->cmsg_len = CMSG_LEN(sizeof who);
  header->cmsg_type = 99;
  fact("unknown", error_of(sendmsg(ends[0], &sent, 0)));
  header->cmsg_level = 99;
  fact("another level", sendmsg(ends[0], &sent, 0) > 0);
  message.msg_controllen = CMSG_LEN(4);
  recvmsg(ends[1], &message, 0);
  printf("cut: flags %#x, control %zu\n", message.msg_flags, (size_t)message.msg_controllen);
  message.msg_controllen = 3;
  send(ends[0], "x", 1, 0);
  recvmsg(ends[1], &message, 0);
  printf("no room: flags %#x, control %zu\n", message.msg_flags, (size_t)message.msg_controllen);
  close(ends[0]);
  close(ends[1]);
}

static void headers(void) {
  int ends[2];
  char text[64];
  socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
  struct iovec part = {"x", 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  fact("good", sendmsg(ends[0], &message, 0));
  message.msg_iovlen = 1025;
  fact("too many parts", error_of(sendmsg(ends[0], &message, 0)));
  message.msg_iovlen = 0;
  fact("no parts", sendmsg(ends[0], &message, 0));
  message.msg_iovlen = 1;
  message.msg_iov = (void*)8;
  fact("bad parts", error_of(sendmsg(ends[0], &message, 0)));
  part.iov_len = (size_t)-1;
  message.msg_iov = &part;
  fact("negative part", error_of(sendmsg(ends[0], &message, 0)));
  part = (struct iovec){(void*)8, 1};
  fact("bad part", error_of(sendmsg(ends[0], &message, 0)));
  part = (struct iovec){"x", 1};
  message.msg_name = &g_address;
  message.msg_namelen = (socklen_t)-1;
  fact("negative name", error_of(sendmsg(ends[0], &message, 0)));
  fact("bad message", error_of(syscall(SYS_sendmsg, ends[0], 8, 0)));
  fact("bad message", error_of(syscall(SYS_recvmsg, ends[1], 8, 0)));
  fact("not a socket", error_of(syscall(SYS_recvmsg, 0, 8, 0)));
  fact("not open", error_of(syscall(SYS_recvmsg, 900, 8, 0)));
  fact("bad buffer", error_of(syscall(SYS_sendto, ends[0], 8, 1, 0, 0, 0)));
  fact("kernel's buffer", error_of(syscall(SYS_sendto, ends[0], 0xffff800000000000ul, 1, 0, 0, 0)));
  struct sockaddr_un name;
  message = (struct msghdr){
      .msg_iov = &(struct iovec){text, 64}, .msg_iovlen = 1, .msg_name = &name, .msg_namelen = sizeof name};
  fact("recvmsg", recvmsg(ends[1], &message, 0));
  fact("nameless", message.msg_namelen);

  // Several at once.
  struct mmsghdr many[4];
  struct iovec parts[4] = {{"a", 1}, {"bc", 2}, {(void*)8, 1}, {"d", 1}};
  memset(many, 0, sizeof many);
  for (int index = 0; index < 4; ++index)
    many[index].msg_hdr = (struct msghdr){.msg_iov = &parts[index], .msg_iovlen = 1};
  fact("sendmmsg", sendmmsg(ends[0], many, 4, 0));
  printf("%u %u\n", many[0].msg_len, many[1].msg_len);
  char texts[4][8];
  for (int index = 0; index < 4; ++index) parts[index] = (struct iovec){texts[index], 8};
  fact("the empty one first", recv(ends[1], text, 64, 0));
  fact("recvmmsg", recvmmsg(ends[1], many, 4, MSG_DONTWAIT, NULL));
  printf("%u %u\n", many[0].msg_len, many[1].msg_len);
  fact("nothing", error_of(recvmmsg(ends[1], many, 4, MSG_DONTWAIT, NULL)));
  send(ends[0], "only", 4, 0);
  fact("wait for one", recvmmsg(ends[1], many, 4, MSG_WAITFORONE, NULL));
  struct timespec time = {-1, 0};
  fact("no time", error_of(recvmmsg(ends[1], many, 4, 0, &time)));
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  signal(SIGPIPE, SIG_IGN);
  datagrams();
  packets();
  passing(SOCK_STREAM);
  passing(SOCK_DGRAM);
  passing(SOCK_SEQPACKET);
  files_in_a_stream();
  credentials();
  headers();
  return 0;
}
