// A pointer is overwritten through another, some time before it is used: a recording tells by whom.
#include <stdio.h>
#include <string.h>

static struct {
  char name[16];
  const char* greeting;
} record = {"", "hello"};

__attribute__((noipa)) static void set_name(const char* name) {
  strcpy(record.name, name);  // frame: copies
}

__attribute__((noipa)) static unsigned long compute(void) {
  volatile unsigned long sum = 0;
  for (unsigned long count = 0; count < 300000; ++count) sum += count;
  return sum;
}

int main(void) {
  puts(record.greeting);               // frame: first_puts
  set_name("a name of twenty bytes");  // frame: sets
  compute();
  puts(record.greeting);  // frame: second_puts
  return 0;
}
