// Calls that leave no frame: by one way (enter), by two of which one end is common (middle, not either and what it calls),
// and through a pointer (nothing can be inferred).
#include <stdlib.h>

#define KEEP __attribute__((noinline, noclone))

volatile int depth, choice;
int *volatile nowhere;

int descend(int value);
KEEP int crash(int value) { return *nowhere + value; }
KEEP int last(int value) { return depth-- > 0 ? descend(value + 1) + 1 : crash(value) + 1; }
KEEP int left(int value) { choice = 1; return last(value * 3); }
KEEP int right(int value) { choice = 2; return last(value * 5); }
KEEP int either(int value) { return choice > 0 ? left(value) : right(value); }
KEEP int middle(int value) { return either(value + 2); }
int (*volatile pointer)(int) = middle;
KEEP int through_pointer(int value) { return pointer(value); }
KEEP int descend(int value) { return value % 2 ? middle(value) + 3 : through_pointer(value) + 4; }

KEEP int enter(int value) { return descend(value + 1); }

int main(void) {
  depth = 40;
  return enter(0) + 5;
}
