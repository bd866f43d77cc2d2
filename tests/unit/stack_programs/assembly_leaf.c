// A bad source address in memcpy: hand-written assembly, a leaf without a frame pointer.
#include <string.h>
__attribute__((noinline)) int copy(char* d, const char* s, unsigned long n) {
  memcpy(d, s, n);
  return d[0];
}
int main(int c, char** v) {
  return copy(v[0], (char*)(long)(c * 16), 100000) + 1;
}
