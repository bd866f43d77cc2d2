// What a debugger steps through; the test knows the lines.
int counter, frameless(int);

__attribute__((noinline)) int add(int a,
                                  int b) {
  int sum = a + b;
  return sum;
}

__attribute__((noinline)) int twice(int a) { return add(a, a); }

int main(void) {
  int first = add(1, 2);
  int second = twice(15);
  counter++;
  for (int i = 0; i < 9; i++)
    counter++;
  return frameless(counter) + (first > second ? 0 : 1) * 0;
}

volatile int seen;
struct pair {
  int left;
  double right;
  struct pair* other;
} pairs[2] = {{1, 1.5, &pairs[1]}, {2, 2.5, 0}};

// Makes no frame: its second line is behind what its first one does.
__attribute__((noinline, optimize("O2", "omit-frame-pointer"))) int frameless(int value) {
  seen = value;
  return seen;
}
