// Variables and functions of many kinds, for compare_symbolize_filter.py.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

int counter = 3;
static int hidden[4] = {1, 2, 3, 4};
const char* const names[2][3] = {{"a", "b", "c"}, {"d", "e", "f"}};
extern "C" {
struct pair {
  int first;
  long second;
} a_pair = {1, 2};
}

namespace here {
const char* text = "text";
struct Shape {
  static int count;
  virtual ~Shape() = default;
  virtual double area() const { return 0; }
  int sides = 3;
};
int Shape::count = 7;
Shape shape;
std::vector<int> numbers = {1, 2, 3};
template <typename T>
T of_template = T(5);
}  // namespace here

union Either {
  int number;
  char bytes[24];
};
static Either either;
int (*function_pointer)(int);
int here::Shape::*member_pointer = &here::Shape::sides;
double (here::Shape::*method_pointer)() const = &here::Shape::area;
volatile unsigned long long wide = 1;

static inline __attribute__((always_inline)) int doubled(int number) {
  int twice = number * 2;
  static int calls;
  ++calls;
  return twice + calls;
}

__attribute__((noinline)) int work(int number, char* name, std::string& words) {
  int local = doubled(number);
  char buffer[32];
  snprintf(buffer, sizeof buffer, "%s%d", name, local);
  for (int index = 0; index < number; ++index) {
    long inner = local + index;
    words += std::to_string(inner);
  }
  {
    here::Shape& shape = here::shape;
    here::Shape copy[3];
    local += shape.sides + copy[number & 1].sides;
  }
  auto lambda = [&](int more) { return local + more + static_cast<int>(words.size()); };
  return lambda(hidden[number & 3]) + buffer[0] + here::of_template<int>;
}

extern "C" __attribute__((noinline)) int recurse(int depth) {
  volatile int here_now = depth;
  return depth == 0 ? doubled(here_now) : recurse(depth - 1) + here_now;
}

static __attribute__((noinline)) int unused_parameters(int, double, ...) {
  return either.number + static_cast<int>(wide);
}

int main(int count, char** arguments) {
  std::string words;
  function_pointer = recurse;
  int result = work(count, arguments[0], words) + counter + function_pointer(count) + unused_parameters(1, 2, 3);
  result += a_pair.first + here::text[0] + here::Shape::count + names[1][count & 1][0] + here::numbers[0];
  printf("%d\n", result + static_cast<int>((here::shape.*method_pointer)()) + here::shape.*member_pointer);
}
