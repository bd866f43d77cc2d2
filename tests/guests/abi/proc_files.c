// Files of /proc and /sys that tell of memory, of what was read and written, of connections and interfaces: the same
// program finds the same in them on Linux and in a guest.
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi.h"

static char text[1 << 20];

// The whole file.
static size_t slurp(const char* path) {
  const int file = open(path, O_RDONLY);
  size_t size = 0;
  ssize_t count;
  while (file >= 0 && (count = read(file, text + size, sizeof text - 1 - size)) > 0) size += (size_t)count;
  text[size] = 0;
  close(file);
  return size;
}

static long field(const char* from, const char* name) {
  char label[64];
  snprintf(label, sizeof label, "\n%s:", name);
  const char* at = strstr(from, label);
  return at != NULL ? atol(at + strlen(label)) : -1;
}

// What smaps says of the mapping that begins there.
static void show_mapping(const char* what, const void* start) {
  static const char* const kFields[] = {"Size",         "Rss",           "Pss",           "Shared_Clean",
                                        "Shared_Dirty", "Private_Clean", "Private_Dirty", "Anonymous",
                                        "Swap",         "Locked",        "KernelPageSize"};
  slurp("/proc/self/smaps");
  char head[32];
  snprintf(head, sizeof head, "%lx-", (unsigned long)start);
  const char* at = strstr(text, head);
  printf("%s:", what);
  if (at == NULL) {
    printf(" not there\n");
    return;
  }
  printf(" %.4s", strchr(at, ' ') + 1);
  for (size_t index = 0; index < sizeof kFields / sizeof kFields[0]; ++index)
    printf(" %s %ld", kFields[index], field(at, kFields[index]));
  const char* flags = strstr(at, "VmFlags:");
  char line[128] = "";
  if (flags != NULL) sscanf(flags, "VmFlags:%127[^\n]", line);
  for (const char* const* flag = (const char* const[]){"rd", "wr", "ex", "sh", "mr", "mw", "me", "ms", NULL}; *flag;
       ++flag)
    if (strstr(line, *flag) != NULL) printf(" %s", *flag);
  printf("\n");
}

static void memory(void) {
  enum { PAGE = 4096 };
  char* const anonymous = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(anonymous + 6 * PAGE, 2 * PAGE, PROT_NONE);
  show_mapping("untouched", anonymous);
  for (int page = 0; page < 3; ++page) anonymous[page * PAGE] = 1;
  show_mapping("three pages written", anonymous);
  madvise(anonymous, PAGE, MADV_DONTNEED);
  show_mapping("one dropped", anonymous);
  show_mapping("no access", anonymous + 6 * PAGE);

  const int memory_file = (int)syscall(SYS_memfd_create, "memory", 0);
  ftruncate(memory_file, 4 * PAGE);
  char* const shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory_file, 0);
  shared[0] = shared[PAGE] = 1;
  show_mapping("two pages of a memfd", shared);
  char* const again = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, memory_file, 0);
  (void)*(volatile char*)again;
  (void)*(volatile char*)(again + PAGE);
  show_mapping("mapped twice", shared);
  munmap(again, 4 * PAGE);

  const int file = open("proc_files.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);
  static char bytes[2 * PAGE];
  memset(bytes, 'x', sizeof bytes);
  write(file, bytes, sizeof bytes);
  fsync(file);
  char* const private = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  (void)*(volatile char*)private;
  (void)*(volatile char*)(private + PAGE);
  show_mapping("two pages of a file, read", private);
  private[0] = 'y';
  show_mapping("one of them written", private);
  close(file);
  unlink("proc_files.tmp");

  long sum = 0;
  slurp("/proc/self/smaps");
  for (const char* at = text; (at = strstr(at, "\nRss:")) != NULL; ++at) sum += atol(at + 5);
  slurp("/proc/self/smaps_rollup");
  const long all = field(text, "Rss");
  printf("rollup: %.8s, the sum of Rss: %d, Pss parts: %d\n", strstr(text, "[rollup]"), labs(sum - all) < 64,
         labs(field(text, "Pss_Anon") + field(text, "Pss_File") + field(text, "Pss_Shmem") - field(text, "Pss")) < 4);
}

struct counts {
  unsigned long read, written, reads, writes, from_disk, to_disk;
  size_t length;  // of the text
};
static struct counts input_and_output(void) {
  struct counts counts = {0};
  const int file = open("/proc/self/io", O_RDONLY);
  counts.length = (size_t)read(file, text, sizeof text - 1);
  text[counts.length] = 0;
  close(file);
  const int found =
      sscanf(text, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\nread_bytes: %lu\nwrite_bytes: %lu\n", &counts.read,
             &counts.written, &counts.reads, &counts.writes, &counts.from_disk, &counts.to_disk);
  if (found != 6) printf("io: %d fields\n", found);
  return counts;
}

static void io(void) {
  static char bytes[100000];
  fflush(stdout);
  const struct counts before = input_and_output();
  const int zero = open("/dev/zero", O_RDONLY), file = open("proc_files.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);
  read(zero, bytes, 1000);
  read(zero, bytes, 0);
  write(file, bytes, 700);
  for (int index = 0; index < 10; ++index) write(file, bytes, sizeof bytes);
  pwrite(file, bytes, 5, 3);
  read(-1, bytes, 5);
  fsync(file);
  const struct counts after = input_and_output();
  close(zero), close(file);
  unlink("proc_files.tmp");
  printf("read %lu bytes beside its own, written %lu, in %lu and %lu calls; a MiB went to the disk: %d\n",
         after.read - before.read - before.length, after.written - before.written, after.reads - before.reads,
         after.writes - before.writes, after.to_disk - before.to_disk >= 1000000);
}

static unsigned short port_of(int socket) {
  struct sockaddr_in6 name;
  socklen_t size = sizeof name;
  getsockname(socket, (struct sockaddr*)&name, &size);
  return ntohs(name.sin6_port);
}

static int by_text(const void* left, const void* right) { return strcmp(left, right); }

// The rows of a file whose own port or the peer's is this one, sorted: Linux has connections in a hash table's order.
static void show_rows(const char* what, const char* path, unsigned short port, const int* sockets, int count) {
  static char shown[8][256];
  size_t rows = 0;
  printf("%s in %s:\n", what, path);
  slurp(path);
  char* rest = strchr(text, '\n');
  for (char* line = strtok(rest, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    char own[64], peer[64];
    unsigned own_port, peer_port, state, timer, user;
    unsigned long sent, received, when, again, inode;
    int probes;
    const int found =
        sscanf(line, " %*d: %63[0-9A-F]:%x %63[0-9A-F]:%x %x %lx:%lx %x:%lx %lx %u %d %lu", own, &own_port, peer,
               &peer_port, &state, &sent, &received, &timer, &when, &again, &user, &probes, &inode);
    if (found != 13 || (own_port != port && peer_port != port) || rows == 8) continue;
    const char* whose = inode == 0 ? "nobody's" : "another's";
    static const char* const kNames[] = {"listener", "client", "server"};
    for (int index = 0; index < count; ++index) {
      struct stat status;
      if (fstat(sockets[index], &status) == 0 && status.st_ino == inode) whose = kNames[index];
    }
    snprintf(shown[rows++], sizeof shown[0], "%s %s -> %s %s state %u, %lu unsent, %lu unread, timer %u, %s", own,
             own_port == port ? "port" : "other", peer,
             peer_port == port ? "port"
             : peer_port != 0  ? "other"
                               : "0",
             state, sent, received, timer, whose);
  }
  qsort(shown, rows, sizeof shown[0], by_text);
  for (size_t row = 0; row < rows; ++row) printf("  %s\n", shown[row]);
}

static void connections(int family) {
  const char* const path = family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6";
  const int listener = socket(family, SOCK_STREAM, 0);
  const struct sockaddr_in6 any6 = {.sin6_family = AF_INET6};
  const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  bind(listener, family == AF_INET ? (const void*)&any : (const void*)&any6,
       family == AF_INET ? sizeof any : sizeof any6);
  listen(listener, 5);
  const unsigned short port = port_of(listener);
  show_rows("listening", path, port, &listener, 1);
  // By IPv4 always: an IPv6 listener has it as ::ffff:127.0.0.1.
  const struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  connect(client, (const struct sockaddr*)&to, sizeof to);
  write(client, "12345", 5);
  sleep_ms(50);
  show_rows("not accepted", path, port, (const int[]){listener, client}, 2);
  const int server = accept(listener, NULL, NULL);
  const int sockets[] = {listener, client, server};
  show_rows("accepted", path, port, sockets, 3);
  if (family == AF_INET6) show_rows("the client of it", "/proc/net/tcp", port, sockets, 3);
  shutdown(client, SHUT_WR);
  sleep_ms(50);
  show_rows("half closed", path, port, sockets, 3);
  char bytes[8];
  read(server, bytes, sizeof bytes);
  close(server);
  sleep_ms(50);
  close(client);
  show_rows("over", "/proc/net/tcp", port, sockets, 1);
  close(listener);
}

struct device {
  unsigned long received, received_packets, sent, sent_packets;
};
static int device_counts(const char* name, struct device* counts) {
  slurp("/proc/net/dev");
  char label[32];
  snprintf(label, sizeof label, "%s:", name);
  const char* at = strstr(text, label);
  return at != NULL && sscanf(at + strlen(label), "%lu %lu %*u %*u %*u %*u %*u %*u %lu %lu", &counts->received,
                              &counts->received_packets, &counts->sent, &counts->sent_packets) == 4;
}

static void interfaces(void) {
  struct device before = {0}, after = {0};
  int found = device_counts("lo", &before);
  const int receiver = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  bind(receiver, (const struct sockaddr*)&to, sizeof to);
  to.sin_port = htons(port_of(receiver));
  static char bytes[1000];
  for (int index = 0; index < 10; ++index)
    sendto(sender, bytes, sizeof bytes, 0, (const struct sockaddr*)&to, sizeof to);
  for (int index = 0; index < 10; ++index) recv(receiver, bytes, sizeof bytes, 0);
  found += device_counts("lo", &after);
  slurp("/proc/net/dev");
  printf("dev: found %d, columns %d, 10 datagrams more of 1028 bytes or longer: %d %d %d %d\n", found,
         strstr(text, "bytes    packets errs drop fifo frame compressed multicast|bytes") != NULL,
         after.received - before.received >= 10280, after.received_packets - before.received_packets >= 10,
         after.sent - before.sent >= 10280, after.sent_packets - before.sent_packets >= 10);

  // Each interface's files say what ioctl says.
  DIR* folder = opendir("/sys/class/net");
  int count = 0, wrong = 0;
  for (const struct dirent* entry; (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    ++count;
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%.15s", entry->d_name);
    char path[300], expected[64];
    static const char* const kFiles[] = {"address", "mtu", "ifindex", "flags"};
    static const unsigned long kRequests[] = {SIOCGIFHWADDR, SIOCGIFMTU, SIOCGIFINDEX, SIOCGIFFLAGS};
    for (int index = 0; index < 4; ++index) {
      if (ioctl(sender, kRequests[index], &request) != 0) ++wrong;
      const unsigned char* hardware = (const unsigned char*)request.ifr_hwaddr.sa_data;
      if (index == 0)
        snprintf(expected, sizeof expected, "%02x:%02x:%02x:%02x:%02x:%02x\n", hardware[0], hardware[1], hardware[2],
                 hardware[3], hardware[4], hardware[5]);
      if (index == 1) snprintf(expected, sizeof expected, "%d\n", request.ifr_mtu);
      if (index == 2) snprintf(expected, sizeof expected, "%d\n", request.ifr_ifindex);
      if (index == 3) snprintf(expected, sizeof expected, "0x%x\n", request.ifr_flags & 0xffff & ~IFF_RUNNING);
      snprintf(path, sizeof path, "/sys/class/net/%s/%s", entry->d_name, kFiles[index]);
      slurp(path);
      if (strcmp(text, expected) != 0) ++wrong;
    }
  }
  closedir(folder);
  printf("interfaces in /sys: some %d, wrong %d\n", count > 0, wrong);
  for (const char* const* name = (const char* const[]){"address", "broadcast", "addr_len", "mtu", "flags", "ifindex",
                                                       "iflink", "operstate", "carrier", "type", "dormant", NULL};
       *name; ++name) {
    char path[64];
    snprintf(path, sizeof path, "/sys/class/net/lo/%s", *name);
    slurp(path);
    printf("lo %s: %s", *name, text);
  }
  slurp("/sys/class/net/lo/statistics/rx_packets");
  const unsigned long packets = strtoul(text, NULL, 10);
  slurp("/sys/class/net/lo/statistics/rx_errors");
  printf("lo statistics: %d, errors %s", packets >= after.received_packets, text);
  folder = opendir("/sys/class/net/lo/statistics");
  count = 0;
  while (readdir(folder) != NULL) ++count;
  closedir(folder);
  printf("lo has %d statistics\n", count);
}

static void identifier(void) {
  char first[64], form[64] = "";
  slurp("/proc/sys/kernel/random/boot_id");
  snprintf(first, sizeof first, "%.60s", text);
  for (size_t index = 0; first[index] != 0 && index < sizeof form - 1; ++index)
    form[index] = isxdigit(first[index]) ? 'x' : first[index];
  slurp("/proc/sys/kernel/random/boot_id");
  const int stays = strcmp(text, first) == 0;
  slurp("/proc/sys/kernel/random/uuid");
  printf("boot id: %.36s, stays %d, is no other: %d, version %c\n", form, stays, strcmp(text, first) != 0, first[14]);
}

int main(void) {
  memory();
  io();
  connections(AF_INET);
  connections(AF_INET6);
  interfaces();
  identifier();
  return 0;
}
