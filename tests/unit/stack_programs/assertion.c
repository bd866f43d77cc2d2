// A failed assert().
#include <assert.h>
__attribute__((noinline)) int check(int x) {
  assert(x == 3);
  return x;
}
int main(int c, char** v) {
  (void)v;
  return check(c + 1) + 1;
}
