// A server at work, to be copied meanwhile: clone_load PORT MIB [FILE]. It writes all of MIB of memory again and again, and
// answers each line "N" with "N ok ROUNDS" once record N of a file is written, synced and read again, and so is one of
// those before it; "bad" if it was not what it should be. "0" is answered at once.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kMostClients = 16, kRecord = 4096, kRecords = 2048 };

volatile unsigned long rounds;
static unsigned long g_newest[kRecords];
static int g_file;

static void fill(char* record, unsigned long number) {
  memset(record, (int)(number * 31 % 251), kRecord);
  snprintf(record, 32, "record %lu", number);
}

static int check(unsigned long number) {
  char wanted[kRecord], found[kRecord];
  fill(wanted, number);
  return pread(g_file, found, kRecord, (off_t)(number % kRecords) * kRecord) == kRecord &&
         memcmp(wanted, found, kRecord) == 0;
}

static int keep(unsigned long number) {
  char record[kRecord];
  fill(record, number);
  if (pwrite(g_file, record, kRecord, (off_t)(number % kRecords) * kRecord) != kRecord || fdatasync(g_file) != 0)
    return 0;
  g_newest[number % kRecords] = number;
  const unsigned long before = g_newest[number * 7919 % kRecords];
  return check(number) && (before == 0 || check(before));
}

// 0: the connection is over.
static int serve(int client) {
  char line[64] = {0}, answer[96];
  if (recv(client, line, sizeof line - 1, 0) <= 0) return 0;
  const unsigned long number = strtoul(line, NULL, 10);
  const int length =
      snprintf(answer, sizeof answer, "%lu %s %lu\n", number, number == 0 || keep(number) ? "ok" : "bad", rounds);
  return send(client, answer, (size_t)length, MSG_NOSIGNAL) == length;
}

int main(int count, char** words) {
  if (count < 3) return 2;
  const size_t size = strtoul(words[2], NULL, 10) << 20, piece = 64 * 512;
  volatile unsigned long* memory = malloc(size);
  g_file = open(count > 3 ? words[3] : "/records", O_RDWR | O_CREAT, 0600);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(words[1]))};
  if (g_file < 0 || bind(listener, (const struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 8) != 0)
    return 1;
  struct pollfd waits[1 + kMostClients] = {{listener, POLLIN, 0}};
  nfds_t used = 1;
  printf("serving\n");
  fflush(stdout);
  for (size_t at = 0;; at += piece) {
    if (at >= size / sizeof *memory) at = 0, ++rounds;
    for (size_t word = 0; word < piece; word += 512) memory[at + word] = rounds + word;
    if (poll(waits, used, 0) <= 0) continue;
    for (nfds_t index = used; index-- > 1;)
      if (waits[index].revents != 0 && !serve(waits[index].fd)) {
        close(waits[index].fd);
        waits[index] = waits[--used];
      }
    if (waits[0].revents == 0) continue;
    const int client = accept(listener, NULL, NULL);
    if (client >= 0 && used <= kMostClients)
      waits[used++] = (struct pollfd){client, POLLIN, 0};
    else if (client >= 0)
      close(client);
  }
}
