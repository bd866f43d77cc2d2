// Stepped through line by line, beside gdb: calls, loops, a switch, an inlined function, recursion, a tail call, a call
// into a library without lines.
#include <stdio.h>
#include <string.h>

volatile int sink;
static int table[4] = {3, 1, 4, 1};

static inline __attribute__((always_inline)) int scale(int value) {
  int doubled = value * 2;
  sink = doubled;
  return doubled + 1;
}

__attribute__((noinline)) int factorial(int number) {
  if (number < 2)
    return 1;
  return number * factorial(number - 1);
}

__attribute__((noinline)) int choose(int kind) {
  switch (kind) {
    case 1:
      sink = 10;
      break;
    case 3:
      sink = 30;
      break;
    default:
      sink = 0;
  }
  return sink;
}

__attribute__((noinline)) int last(int value) {
  sink = value;
  return choose(value);
}

__attribute__((noinline)) int sum(const int* values, int count) {
  int total = 0;
  for (int i = 0; i < count; i++) {
    if (values[i] == 1) continue;
    total += scale(values[i]);
  }
  return total;
}

int main(void) {
  char text[32];
  int total = sum(table, 4);
  strcpy(text, "a library's");
  total += factorial(3);
  total += (int)strlen(text);
  while (total > 40)
    total -= 7;
  total += last(3);
  sink = total;
  puts(text);
  return sink > 0 ? 0 : 1;
}
