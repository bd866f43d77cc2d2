// A chain of 50 frames over C and C++, each with variables whose values are known: those that a comment
// `known: NAME = EXPRESSION` names, where d is the number of the frame, 0 the outermost. c_integers → cpp_object →
// c_floats → cpp_containers → c_structures → cpp_references → c_pointers → cpp_pairs → c_parameters → cpp_inlined →
// c_integers …; the last one dies with planted registers (die.c). test_truth.py reads these comments.
#pragma once

enum { TRUTH_FRAMES = 50 };

#ifdef __cplusplus
extern "C" {
#endif

struct truth_pair {
  long first;
  double second;
};
struct truth_small {
  int x, y;
};

long c_integers(int depth);
long c_floats(int depth);
long c_structures(int depth);
long c_pointers(int depth);
long c_parameters(int depth, long a, long b, double f, struct truth_pair pair, struct truth_small small, int g, int h,
                  long on_stack, float f2);
long cpp_object(int depth);
long cpp_containers(int depth);
long cpp_references(int depth);
long cpp_pairs(int depth);
long cpp_inlined(int depth);

// What is given here is alive until then. They do nothing, and the compiler does not know it.
void keep(long value);
void keep_float(double value);
void keep_memory(const void* value);

void truth_die(void);

#ifdef __cplusplus
}
#endif
