// An exception that nobody catches, out of a template and a method.
#include <stdexcept>
#include <string>
#include <vector>
namespace app {
struct Tree {
  std::vector<int> v;
  __attribute__((noinline)) int at(size_t i) const { return v.at(i); }
};
template <typename T>
__attribute__((noinline)) T walk(const Tree& t, T n) {
  if (n == 0) return t.at(100);
  return walk<T>(t, n - 1) + 1;
}
}  // namespace app
int main() {
  app::Tree t;
  t.v = {1, 2, 3};
  return app::walk<int>(t, 5);
}
