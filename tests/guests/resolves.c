// What the C library's resolver makes of names: resolves NAME…, a line each: its addresses in their order, or the
// error.
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int count, char** names) {
  for (int index = 1; index < count; ++index) {
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo* found = NULL;
    const int error = getaddrinfo(names[index], "80", &wanted, &found);
    printf("%s:", names[index]);
    if (error != 0) printf(" %s", gai_strerror(error));
    for (const struct addrinfo* one = found; one != NULL; one = one->ai_next) {
      char text[64], port[8];
      getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
      printf(" %s", text);
    }
    printf("\n");
    fflush(stdout);
    if (found != NULL) freeaddrinfo(found);
  }
  return 0;
}
