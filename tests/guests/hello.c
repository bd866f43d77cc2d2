// Prints to both streams, with bytes that a console must not change, and ends well.
#include <stdio.h>
#include <unistd.h>

int main(void) {
  printf("hello, world\n");
  printf("tab\tpercent%% utf-8 \xC3\xA4\xE2\x82\xAC no newline at the end");
  fflush(stdout);
  return 0;
}
