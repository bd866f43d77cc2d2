// Two functions that call each other: a recursion of period 2, ended by abort().
#include <stdlib.h>
int odd(int n);
__attribute__((noinline)) int even(int n) {
  if (n == 0) abort();
  volatile int k = n;
  return odd(n - 1) + k;
}
__attribute__((noinline)) int odd(int n) {
  if (n == 0) abort();
  volatile int k = n;
  return even(n - 1) + k;
}
int main(void) {
  return even(2000);
}
