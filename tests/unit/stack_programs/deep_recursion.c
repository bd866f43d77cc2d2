// Ten thousand frames of one function, under functions that were inlined.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((noinline)) int deep(int n, int* p) {
  if (n == 0) {
    *(volatile int*)p = 1;
    return 1;
  }
  volatile char b[32];
  b[n % 32] = n;
  return deep(n - 1, p) + b[n % 32];
}
static inline __attribute__((always_inline)) int inl2(int n, int* p) {
  return deep(n, p) + 3;
}
static inline __attribute__((always_inline)) int inl1(int n, int* p) {
  return inl2(n, p) + 2;
}
int main(int c, char** v) {
  int n = c > 1 ? atoi(v[1]) : 10000;
  return inl1(n, 0);
}
