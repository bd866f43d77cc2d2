// A call through a null pointer.
typedef void (*fn)(void);
__attribute__((noinline)) int call_it(fn f) {
  f();
  return 1;
}
int main(int c, char** v) {
  (void)v;
  return call_it((fn)(long)(c - 1)) + 1;
}
