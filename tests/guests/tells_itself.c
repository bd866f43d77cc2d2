// Tells over and over what a clone has of its own: the card's address, fresh random bytes, the wall clock; and, given a
// port, whether the host can be reached there.
#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *reaches(int port) {
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in host = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  inet_pton(AF_INET, "10.0.2.2", &host.sin_addr);
  const char *answer = "nobody";
  connect(connection, (struct sockaddr *)&host, sizeof host);
  struct pollfd wait = {connection, POLLOUT, 0};
  int error = 0;
  socklen_t size = sizeof error;
  if (poll(&wait, 1, 1000) == 1 && getsockopt(connection, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
    answer = "host";
  close(connection);
  return answer;
}

int main(int count, char **arguments) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const int any = socket(AF_INET, SOCK_DGRAM, 0);
  for (unsigned long round = 0;; ++round) {
    struct ifreq card;
    memset(&card, 0, sizeof card);
    strcpy(card.ifr_name, "eth0");
    const unsigned char *address = (const unsigned char *)card.ifr_hwaddr.sa_data;
    if (ioctl(any, SIOCGIFHWADDR, &card) != 0) memset(card.ifr_hwaddr.sa_data, 0, 6);
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != sizeof random) abort();
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    printf("round %lu mac %02x:%02x:%02x:%02x:%02x:%02x random ", round, address[0], address[1], address[2], address[3],
           address[4], address[5]);
    for (size_t index = 0; index < sizeof random; ++index) printf("%02x", random[index]);
    printf(" clock %lld.%09ld reaches %s\n", (long long)now.tv_sec, now.tv_nsec,
           count > 1 ? reaches(atoi(arguments[1])) : "unasked");
    usleep(100000);
  }
}
