// One bug a name: test_why.py builds this twice, crashes both, and compares what the reports say. SHIFTED is the same
// program after an unrelated edit: other lines, other addresses, other functions around.
#ifdef SHIFTED
#include "unrelated.h"
#endif

#include <sys/mman.h>

#include <array>
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define KEPT __attribute__((noinline, noipa))

struct address {
  int port;
  long host;
};
struct connection {
  int id;
  char name[12];
  struct connection* next;
  struct address peer;
  int counts[4];
  int (*handler)(int);
};

static struct connection first;
static int numbers[8];
volatile int sink;

KEPT int connection_id(struct connection* conn) {
  return conn->id;
}
KEPT long connection_host(struct connection* conn) {
  return conn->peer.host;
}
KEPT void set_next(struct connection* conn, struct connection* to) {
  conn->next = to;
}
KEPT int follow_two(struct connection* conn) {
  return conn->next->next->counts[2];
}
KEPT int either_member(struct connection* conn, int which) {
  if (which == 1) return conn->peer.port;
  sink = 1;
  return conn->counts[0];
}
KEPT int table_get(int* table, long index) {
  return table[index];
}
KEPT int divide(int dividend, int divisor) {
  return dividend / divisor;
}
KEPT int call_handler(struct connection* conn) {
  return conn->handler(3) + 1;
}
KEPT int shared_helper(struct connection* conn) {
  return conn->counts[1];
}
KEPT int first_user(struct connection* conn) {
  return shared_helper(conn) + 1;
}
KEPT int second_user(struct connection* conn) {
  return shared_helper(conn) + 2;
}
KEPT struct connection* find_connection(int id) {
  return id == first.id ? &first : nullptr;
}
KEPT int id_of_found(int id) {
  return find_connection(id)->counts[3];
}
KEPT int copy_name(char* to, struct connection* from) {
  memcpy(to, from->name, (size_t)sink + 12);
  return sink;
}
KEPT size_t length_of(const char* text) {
  return strlen(text) + 1;
}
KEPT void write_constant(char* text) {
  text[1] = 'x';
}
KEPT int descend(int depth) {
  return depth == -1 ? 0 : descend(depth + 1) + sink;
}
KEPT int ping(int depth);
KEPT int pong(int depth) {
  return ping(depth + 1) + sink;
}
KEPT int ping(int depth) {
  return depth == -1 ? 0 : pong(depth + 1) + sink;
}
KEPT void check_value(int value) {
  assert(value != 3 && "the first");
  assert(value != 4 && "the second");
}
KEPT void check_other(int value) {
  assert(value != 3 && "the first");
}
KEPT int free_inside(char* block) {
  free(block + 16);
  return sink;
}
KEPT int free_twice(char* block) {
  free(block);
  free(block);
  return sink;
}
KEPT int page_get(int* page, long index) {
  return page[index];
}
KEPT void overrun(int size) {
  char buffer[16];
  memset(buffer, 'A', (size_t)size);
  asm volatile("" ::"r"(buffer) : "memory");
}
KEPT void throw_runtime(int value) {
  throw std::runtime_error("value " + std::to_string(value));
}
KEPT void throw_logic(int value) {
  throw std::logic_error("value " + std::to_string(value));
}
struct own_error : std::exception {
  const char* what() const noexcept override { return "of my own"; }
};
KEPT void throw_own() {
  throw own_error();
}
KEPT void throw_number(int value) {
  throw value;
}
KEPT void quiet() noexcept {
  throw_runtime(7);
}
KEPT int at_of_vector(std::vector<int>& values) {
  return values.at(12);
}
KEPT void join_forgotten() {
  std::thread([] {});
}

struct shape {
  virtual ~shape() = default;
  virtual int area() { return 1; }
  long id = 0;
};
struct square : shape {
  int area() override { return side * side; }
  int side = 2;
};
KEPT int area_of(shape* one) {
  return one->area();
}
KEPT int side_of(square* one) {
  return one->side;
}
template <typename T>
KEPT T get_value(T* from) {
  return from[1];
}
KEPT int sum_of_lambda(int* values) {
  auto add = [&](int at) __attribute__((noinline)) {
    return values[at];
  };
  return add(sink + 2) + 1;
}
KEPT void unreachable_place() {
  __builtin_trap();
}
KEPT int compare_connections(const void* a, const void* b) {
  return (*(struct connection* const*)a)->id - (*(struct connection* const*)b)->id;
}
KEPT void sort_connections(struct connection** all, size_t count) {
  qsort(all, count, sizeof *all, compare_connections);
}
KEPT void run_thread(struct connection* conn) {
  sink = connection_id(conn);
}
KEPT int value_in_map(std::map<int, struct connection*>& all) {
  return all[7]->id;
}
KEPT int name_length(std::shared_ptr<std::string> name) {
  return (int)name->size();
}
KEPT void fill(struct connection* conn) {
  memset(conn, 'B', sizeof *conn);
}
KEPT int follow_freed(struct connection* conn) {
  return conn->next->id;
}
KEPT void give_up() {
  abort();
}

int main(int argc, char** argv) {
  const std::string bug = argc > 1 ? argv[1] : "";
  struct connection second = {};
  char* mapped = (char*)mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(mapped + 4096, 4096);
  std::map<std::string, std::function<void()>> bugs = {
      {"null_first", [&] { sink = connection_id(nullptr); }},
      {"null_member", [&] { sink = (int)connection_host(nullptr); }},
      {"null_write", [&] { set_next(nullptr, &first); }},
      {"null_chain",
       [&] {
         second.next = &first;
         sink = follow_two(&second);
       }},
      {"member_port", [&] { sink = either_member(nullptr, 1); }},
      {"member_counts", [&] { sink = either_member(nullptr, 2); }},
      {"wild_text",
       [&] {
         memset(&second.next, 'A', 8);
         sink = follow_two(&second);
       }},
      {"index", [&] { sink = table_get(numbers, 1000000000); }},
      {"past_end", [&] { sink = page_get((int*)mapped, 1024); }},
      {"divide", [&] { sink = divide(7, sink); }},
      {"null_call", [&] { sink = call_handler(&second); }},
      {"helper_first", [&] { sink = first_user(nullptr); }},
      {"helper_second", [&] { sink = second_user(nullptr); }},
      {"null_result", [&] { sink = id_of_found(12); }},
      {"memcpy", [&] { copy_name(nullptr, &second); }},
      {"strlen", [&] { sink = (int)length_of((const char*)8); }},
      {"read_only", [&] { write_constant((char*)"constant"); }},
      {"overflow_one", [&] { sink = descend(1); }},
      {"overflow_two", [&] { sink = ping(1); }},
      {"assert_first", [&] { check_value(3); }},
      {"assert_second", [&] { check_value(4); }},
      {"assert_other", [&] { check_other(3); }},
      {"free_inside", [&] { free_inside((char*)calloc(1, 64)); }},
      {"free_twice", [&] { free_twice((char*)malloc(40)); }},
      {"smashed", [&] { overrun(200); }},
      {"throw_runtime", [&] { throw_runtime((int)(size_t)&second); }},
      {"throw_logic", [&] { throw_logic(1); }},
      {"throw_own", [&] { throw_own(); }},
      {"throw_number", [&] { throw_number(42); }},
      {"noexcept", [&] { quiet(); }},
      {"vector_at",
       [&] {
         std::vector<int> few(3);
         sink = at_of_vector(few);
       }},
      {"thread_left", [&] { join_forgotten(); }},
      {"virtual_null", [&] { sink = area_of(nullptr); }},
      {"derived_null", [&] { sink = side_of(nullptr); }},
      {"template_int", [&] { sink = get_value<int>(nullptr); }},
      {"lambda", [&] { sink = sum_of_lambda(nullptr); }},
      {"trap", [&] { unreachable_place(); }},
      {"qsort",
       [&] {
         struct connection* all[] = {&first, nullptr, &second};
         sort_connections(all, 3);
       }},
      {"thread", [&] { std::thread(run_thread, nullptr).join(); }},
      {"map",
       [&] {
         std::map<int, struct connection*> all;
         sink = value_in_map(all);
       }},
      {"shared", [&] { sink = name_length(nullptr); }},
      {"freed",
       [&] {
         auto* conn = (struct connection*)malloc(sizeof(struct connection));
         fill(conn);
         free(conn);
         sink = follow_freed(conn);
       }},
      {"abort", [&] { give_up(); }},
  };
  if (bug == "list") {
    for (const auto& [name, crash] : bugs) puts(name.c_str());
    return 0;
  }
  const auto found = bugs.find(bug);
  if (found == bugs.end()) return 2;
  found->second();
  return 0;
}
