#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "truth.h"

namespace shapes {

enum class Kind : unsigned char { Round = 3, Square = 9 };
int shape_count = 12;  // global: shapes::shape_count = 12

struct Base {
  virtual ~Base() = default;
  int base_value = 0;
};
struct Other {
  long other_value = 0;
};
struct Virtual {
  int virtual_value = 0;
};
class Shape : public Base, public Other, public virtual Virtual {
 public:
  static int made;
  [[gnu::noinline]] long run(int depth);
  Kind kind = Kind::Square;
  int own_value = 0;
  mutable int bits : 4;
};
int Shape::made = 8;  // global: shapes::Shape::made = 8

long Shape::run(int depth) {
  // known: this->own_value = 1000 + d - 1
  // known: base_value = 2000 + d - 1
  // known: other_value = 3000 + d - 1
  // known: virtual_value = 4000 + d - 1
  // known: kind = "Round"
  // known: bits = 5
  int Shape::*member = &Shape::own_value;  // known: made = 8
  keep_memory(&member);
  const long result = c_floats(depth);
  keep_memory(this), keep_memory(&member);
  return result + own_value + this->*member;
}

}  // namespace shapes

namespace {
int hidden_value = 99;  // global: hidden_value = 99
}

extern "C" [[gnu::noinline]] long cpp_object(int depth) {
  shapes::Shape shape;
  shape.kind = shapes::Kind::Round;
  shape.own_value = 1000 + depth;      // known: shape.own_value = 1000 + d
  shape.base_value = 2000 + depth;     // known: shape.base_value = 2000 + d
  shape.other_value = 3000 + depth;    // known: shape.other_value = 3000 + d
  shape.virtual_value = 4000 + depth;  // known: shape.virtual_value = 4000 + d
  shape.bits = 5;                      // known: shape.bits = 5
  keep_memory(&shape);
  const long result = shape.run(depth + 1);
  keep_memory(&shape);
  return result + hidden_value;
}

extern "C" [[gnu::noinline]] long cpp_containers(int depth) {
  std::string text = "text " + std::to_string(depth);  // known: text = "text %d" % d
  std::string long_text(60, 'x');                      // known: long_text = "x" * 60
  std::string_view view = "a view";                    // known: view = "a view"
  std::vector<int> numbers = {depth, depth + 1, depth + 2};  // known: numbers = [d, d + 1, d + 2]
  std::vector<bool> truths = {true, false, depth % 2 == 0};  // known: truths = [True, False, d % 2 == 0]
  std::vector<std::string> words = {"one", "two"};           // known: words = ["one", "two"]
  std::map<std::string, int> ages = {{"ann", 30}, {"bob", depth}, {"eve", 5}};  // known: ages = {'"ann"': 30, '"bob"': d, '"eve"': 5}
  std::set<long> members = {3, 1, 2};               // known: members = [1, 2, 3]
  std::unordered_map<int, double> rates = {{7, 0.5}};  // known: rates = {'7': 0.5}
  std::unordered_set<int> single = {depth};         // known: single = [d]
  std::list<short> listed = {5, 6, 7};              // known: listed = [5, 6, 7]
  std::forward_list<int> forward = {8, 9};          // known: forward = [8, 9]
  std::deque<int> queue(300, depth);                // known: queue = [-1] + [d] * 299
  queue.push_front(-1), queue.pop_back();
  std::unique_ptr<int> owned = std::make_unique<int>(depth * 2);  // known: *owned = 2 * d
  std::shared_ptr<std::string> shared = std::make_shared<std::string>("shared");  // known: *shared = "shared"
  std::optional<int> some = depth, none;            // known: some = d
  std::variant<int, std::string, double> choice = std::string("chosen");  // known: choice = "chosen"
  std::tuple<int, char, std::string> triple = {depth, 'c', "third"};  // known: triple = [d, 99, "third"]
  std::pair<int, std::string> pair = {4, "four"};   // known: pair.first = 4
  std::vector<std::vector<int>> nested = {{1}, {2, 3}};  // known: nested = [[1], [2, 3]]
  std::vector<int> empty;                           // known: empty = []
  for (const void* one : {(const void*)&text, (const void*)&long_text, (const void*)&view, (const void*)&numbers,
                          (const void*)&truths, (const void*)&words, (const void*)&ages, (const void*)&members,
                          (const void*)&rates, (const void*)&single, (const void*)&listed, (const void*)&forward,
                          (const void*)&queue, (const void*)&owned, (const void*)&shared, (const void*)&some,
                          (const void*)&none, (const void*)&choice, (const void*)&triple, (const void*)&pair,
                          (const void*)&nested, (const void*)&empty})
    keep_memory(one);
  const long result = c_structures(depth + 1);
  keep_memory(&text);
  return result + numbers[0];
}

template <typename T>
[[gnu::noinline]] long with_type(const T& value, T&& moved, int depth) {
  // known: value = d * 1.0
  // known: moved = d + 0.5
  const long result = c_pointers(depth);
  keep_memory(&value), keep_memory(&moved);
  return result;
}

extern "C" [[gnu::noinline]] long cpp_references(int depth) {
  int number = depth * 13;          // known: number = 13 * d
  int& reference = number;          // known: reference = 13 * d
  double floating = depth + 1;      // known: floating = d + 1.0
  auto lambda = [&number, depth](int more) { return number + depth + more; };
  keep_memory(&reference), keep_memory(&floating), keep_memory(&lambda);
  const long result = with_type<double>(floating, depth + 1.5, depth + 1);
  keep_memory(&reference);
  return result + lambda(1);
}

extern "C" [[gnu::noinline]] long cpp_pairs(int depth) {
  const truth_pair pair = {30 + depth + 1, (depth + 1) * 1.5};
  // known: outer_only = 17 + d
  int outer_only = 17 + depth;
  keep(outer_only);
  long result = 0;
  for (int once = 0; once < 1; ++once) {
    const int shadowing = depth + 2;  // known: shadowing = d + 2
    keep(shadowing);
    result += c_parameters(depth + 1, 11 + depth, -21 - depth, depth + 1.125, pair, {41 + depth, -41 - depth},
                           51 + depth, 61 + depth, 71 + depth, static_cast<float>(depth) + 1.75f);
    keep(shadowing), keep(outer_only);
  }
  return result;
}

[[gnu::always_inline]] static inline long inlined_into(int doubled, const char* label) {
  // known: doubled = 2 * d
  // known: label = "inlined"
  const int local = doubled + 1;  // known: local = 2 * d + 1
  const long result = c_integers(doubled / 2 + 1);
  keep(local), keep_memory(label);
  return result;
}

extern "C" [[gnu::noinline]] long cpp_inlined(int depth) {
  const int before = depth + 600;  // known: before = d + 600
  const long result = inlined_into(depth * 2, "inlined");
  keep(before);
  return result;
}
