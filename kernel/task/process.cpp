// What there is one of: the list of threads, the auxiliary vector, the command line.
#include "kernel/task/process.h"

#include "kernel/task/process_state.h"

namespace kernel {

Thread* g_threads = nullptr;
Thread* g_current_thread = nullptr;
alignas(16) uint8_t g_fatal_siginfo[128];

namespace {

uint64_t g_auxiliary_vector[64];
size_t g_auxiliary_count = 0;
char g_command_line[80];
size_t g_command_line_length = 0;

}  // namespace

std::span<const uint64_t> auxiliary_vector() {
  return {g_auxiliary_vector, g_auxiliary_count};
}

std::span<const uint64_t> auxiliary_vector_place() {
  return g_auxiliary_vector;
}

void add_auxiliary(uint64_t type, uint64_t value) {
  if (g_auxiliary_count + 2 > 64) return;
  g_auxiliary_vector[g_auxiliary_count++] = type;
  g_auxiliary_vector[g_auxiliary_count++] = value;
}

const char* command_line() {
  return g_command_line;
}

void add_command_line_word(const char* word) {
  constexpr size_t kLast = sizeof g_command_line - 1;
  if (g_command_line_length > 0 && g_command_line_length < kLast) g_command_line[g_command_line_length++] = ' ';
  while (*word != 0 && g_command_line_length < kLast) g_command_line[g_command_line_length++] = *word++;
}

}  // namespace kernel
