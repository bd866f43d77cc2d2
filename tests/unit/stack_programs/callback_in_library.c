// A read of null in a callback of qsort.
#include <stdlib.h>
#include <string.h>
static int cmp(const void* a, const void* b) {
  return *(volatile int*)0 + (a < b);
}
int main(int c, char** v) {
  int a[4] = {3, 1, 2, c};
  (void)v;
  qsort(a, 4, sizeof(int), cmp);
  return a[0];
}
