// A library between the program and deep: its constructor runs after deep's.
#include "deep.h"

int parts_saw_starts = -1;

namespace {
struct Start {
  Start() { parts_saw_starts = deep_starts; }
};
Start g_start;
}  // namespace

// An exception that passes through this library's frames.
int parts_call(int (*callback)(int), int argument) {
  try {
    return callback(argument);
  } catch (const std::logic_error&) {
    return -1;
  }
}
