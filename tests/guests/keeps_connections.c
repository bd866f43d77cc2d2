// Keeps a connection from outside and one to itself, and says what becomes of them: keeps_connections PORT. Later ones
// get "served" and their end.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void say(const char* what, const char* how) {
  printf("%s: %s\n", what, how);
  fflush(stdout);
}

int main(int count, char** words) {
  if (count != 2) return 2;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(words[1]))};
  const int listener = socket(AF_INET, SOCK_STREAM, 0), own = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (const struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 8) != 0) return 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(own, (const struct sockaddr*)&address, sizeof address) != 0) return 1;
  const int own_end = accept(listener, NULL, NULL);
  say("own", "connected");
  const int outside = accept(listener, NULL, NULL);
  say("outside", "connected");
  char bytes[16];
  ssize_t got;
  while ((got = read(outside, bytes, sizeof bytes)) > 0) say("outside", "read");
  say("outside", got == 0 ? "end" : strerror(errno));
  const char* const answer = "once more";
  if (write(own, answer, strlen(answer)) < 0 || read(own_end, bytes, sizeof bytes) != (ssize_t)strlen(answer))
    say("own", strerror(errno));
  else
    say("own", "still there");
  for (;;) {
    const int next = accept(listener, NULL, NULL);
    if (next < 0 || write(next, "served\n", 7) != 7) return 1;
    close(next);
  }
}
