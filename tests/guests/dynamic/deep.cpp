#include "deep.h"

int deep_starts = 0;
thread_local int deep_count = 40;

namespace {
int with_feature() {
  return 64;
}
int without_feature() {
  return 32;
}
}  // namespace

using Chosen = int();
extern "C" Chosen* choose_deep() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse2") ? with_feature : without_feature;
}
int deep_chosen() __attribute__((ifunc("choose_deep")));

void deep_throw(const char* text) {
  throw DeepError(text);
}

namespace {
struct Start {
  Start() { ++deep_starts; }
};
Start g_start;
}  // namespace
