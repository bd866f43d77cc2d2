// What a debugger steps through; the test knows the lines.
int counter;

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
  return counter + (first > second ? 0 : 1) * 0;
}
