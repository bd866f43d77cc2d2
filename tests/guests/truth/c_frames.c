#include <stdbool.h>
#include <stddef.h>

#include "truth.h"

enum colour { RED, GREEN = 5, BLUE };
enum flags { FLAG_A = 1, FLAG_B = 2, FLAG_C = 4 };

// Of one unit each, and one of all.
static long file_counter = 4711;               // global: file_counter = 4711
int truth_global = -77;                        // global: truth_global = -77
const char* truth_name = "a global name";      // global: truth_name = "a global name"
_Thread_local int truth_thread_local = 31337;  // global: truth_thread_local = 31337
int truth_matrix[2][3] = {{1, 2, 3}, {4, 5, 6}};  // global: truth_matrix = [[1, 2, 3], [4, 5, 6]]

__attribute__((noinline)) long c_integers(int depth) {
  if (depth == TRUTH_FRAMES) {
    truth_die();
    keep(depth);
    return 0;
  }
  const signed char signed_char = (signed char)(-100 + depth);         // known: signed_char = -100 + d
  const unsigned char unsigned_char = (unsigned char)(200 + depth);    // known: unsigned_char = 200 + d
  const char letter = (char)('A' + depth % 26);                        // known: letter = 65 + d % 26
  const short small = (short)(-30000 + depth);                         // known: small = -30000 + d
  const unsigned short unsigned_small = (unsigned short)(60000 + depth);  // known: unsigned_small = 60000 + d
  const int number = -2000000000 + depth;                              // known: number = -2000000000 + d
  const unsigned unsigned_number = 4000000000u + (unsigned)depth;      // known: unsigned_number = 4000000000 + d
  const long large = -9000000000000000000 + depth;                     // known: large = -9000000000000000000 + d
  const unsigned long unsigned_large = 18000000000000000000u + (unsigned)depth;  // known: unsigned_large = 18000000000000000000 + d
  const bool odd = depth % 2 == 1;                                     // known: odd = d % 2 == 1
  const enum colour colour = depth % 2 == 0 ? GREEN : BLUE;            // known: colour = "GREEN" if d % 2 == 0 else "BLUE"
  const enum flags flags = (enum flags)(FLAG_A | FLAG_C);              // known: flags = "FLAG_A | FLAG_C"
  const int only_before = depth * 3;                                   // known: only_before = d * 3
  keep(only_before);
  long result = cpp_object(depth + 1) + file_counter;
  {
    const long later = result;  // not there yet when the program dies
    keep(later);
  }
  keep(signed_char), keep(unsigned_char), keep(letter), keep(small), keep(unsigned_small), keep(number);
  keep(unsigned_number), keep(large), keep((long)unsigned_large), keep(odd), keep(colour), keep(flags);
  return result + depth;
}

__attribute__((noinline)) long c_floats(int depth) {
  const float single = 0.5f + (float)depth;                 // known: single = 0.5 + d
  const double twice = -1e100 * (depth + 1);                // known: twice = -1e100 * (d + 1)
  long double extended = 1.25L * (long double)(depth + 1);  // known: extended = 1.25 * (d + 1)
  double array[4] = {depth, depth + 0.25, depth + 0.5, depth + 0.75};  // known: array = [d, d + 0.25, d + 0.5, d + 0.75]
  float _Complex complex = (float)depth + 2.0f * __extension__ 1.0fi;
  keep_memory(array), keep_memory(&extended), keep_memory(&complex);
  const long result = cpp_containers(depth + 1);
  keep_float(single), keep_float(twice), keep_float((double)extended), keep_memory(array), keep_memory(&complex);
  return result + depth;
}

struct inner {
  char tag;
  short values[3];
};
struct outer {
  unsigned low : 3;
  int middle : 7;
  unsigned long high : 40;
  struct inner inner;
  union {
    int as_int;
    unsigned char as_bytes[4];
  };
  struct outer* next;
  char text[12];
};

__attribute__((noinline)) long c_structures(int depth) {
  // known: whole.low = d % 8
  // known: whole.middle = -d
  // known: whole.high = 0x123456789 + d
  // known: whole.inner.tag = 66
  // known: whole.inner.values = [d, -d, 2 * d]
  // known: whole.as_int = 0x01020304
  // known: whole.text = "text"
  struct outer whole = {.low = (unsigned)depth % 8,
                        .middle = -depth,
                        .high = 0x123456789ul + (unsigned)depth,
                        .inner = {'B', {(short)depth, (short)-depth, (short)(2 * depth)}},
                        .as_int = 0x01020304,
                        .next = &whole,
                        .text = "text"};
  int grid[2][3] = {{depth, 1, 2}, {3, 4, depth}};  // known: grid = [[d, 1, 2], [3, 4, d]]
  const int length = 2 + depth % 4;                 // known: length = 2 + d % 4
  long variable[length];                            // known: variable = [7 * i + d for i in range(2 + d % 4)]
  for (int index = 0; index < length; ++index) variable[index] = 7 * index + depth;
  const struct truth_small in_registers = {depth, -depth};  // known: in_registers.x = d
  // known: in_registers.y = -d
  keep_memory(&whole), keep_memory(grid), keep_memory(variable);
  const long result = cpp_references(depth + 1);
  keep(in_registers.x), keep(in_registers.y), keep_memory(&whole), keep_memory(grid), keep_memory(variable);
  return result + depth;
}

__attribute__((noinline)) long c_pointers(int depth) {
  static int calls = 500;              // known: calls = 505
  if (depth < TRUTH_FRAMES) calls += 1;  // five frames of this kind before the end
  int target = depth * 11;             // known: target = 11 * d
  int* pointer = &target;              // known: *pointer = 11 * d
  int** twice = &pointer;              // known: **twice = 11 * d
  const char* text = "the text";       // known: text = "the text"
  long (*function)(int) = c_floats;    // known: function = "<c_floats>"
  void* nothing = NULL;                // known: nothing = 0
  int (*row)[3] = truth_matrix;        // known: (*row)[2] = 3
  keep_memory(&target), keep_memory(&pointer), keep_memory(twice), keep_memory(&text), keep_memory(&function);
  const long result = cpp_pairs(depth + 1);
  keep_memory(pointer), keep_memory(twice), keep_memory(text), keep_memory((const void*)function), keep_memory(nothing);
  keep_memory(row);
  return result + depth + calls;
}

__attribute__((noinline)) long c_parameters(int depth, long a, long b, double f, struct truth_pair pair,
                                            struct truth_small small, int g, int h, long on_stack, float f2) {
  // known: depth = d
  // known: a = 10 + d
  // known: b = -20 - d
  // known: f = d + 0.125
  // known: pair.first = 30 + d
  // known: pair.second = d * 1.5
  // known: small.x = 40 + d
  // known: small.y = -40 - d
  // known: g = 50 + d
  // known: h = 60 + d
  // known: on_stack = 70 + d
  // known: f2 = d + 0.75
  keep(a), keep_float(f2), keep(g), keep(pair.first), keep_float(pair.second);
  const long result = cpp_inlined(depth + 1);
  keep(b), keep_float(f), keep(small.x), keep(h), keep(on_stack);
  return result + small.y;
}
