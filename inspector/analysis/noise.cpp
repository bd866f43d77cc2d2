#include "inspector/analysis/noise.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "inspector/analysis/function_names.h"

namespace mortem::inspector {
namespace {

using Names = std::string_view;

constexpr Names kWhole[] = {
    // ending: glibc, musl
    "abort", "raise", "gsignal", "kill", "tgkill", "pthread_kill", "__pthread_kill", "__pthread_kill_implementation",
    "__pthread_kill_internal", "exit", "_exit", "_Exit", "__run_exit_handlers", "quick_exit", "exit_group", "syscall",
    "__libc_message", "__libc_message_impl", "__libc_fatal", "__fortify_fail", "__fortify_fail_abort", "__chk_fail",
    "__stack_chk_fail", "__stack_chk_fail_local", "__assert", "__assert_fail", "__assert_fail_base",
    "__assert_perror_fail", "__restore_rt", "__kernel_rt_sigreturn", "__restore", "__block_all_sigs",
    // allocators
    "malloc", "free", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign", "cfree", "_int_malloc",
    "_int_free", "_int_realloc", "_int_memalign", "_int_free_merge_chunk", "_int_free_create_chunk", "_mid_memalign",
    "sysmalloc", "systrim", "unlink_chunk", "malloc_consolidate", "malloc_printerr", "tcache_get", "tcache_put",
    "tcache_thread_shutdown", "__libc_malloc", "__libc_free", "__libc_calloc", "__libc_realloc", "__libc_memalign",
    "operator new", "operator new[]", "operator delete", "operator delete[]",
    // C++
    "__cxa_throw", "__cxa_rethrow", "__cxa_call_terminate", "__clang_call_terminate", "__cxa_pure_virtual",
    "__cxa_deleted_virtual", "__cxa_bad_cast", "__cxa_bad_typeid", "__cxa_throw_bad_array_new_length",
    "__gxx_personality_v0", "demangling_terminate_handler", "operator()",
    // Rust
    "rust_begin_unwind", "rust_panic", "__rust_start_panic", "__rust_abort",
    // Go
    "panic", "os.Exit", "syscall.Exit", "os.runtime_beforeExit", "log.Fatal", "log.Fatalf", "log.Fatalln"};

// The standard libraries: who called them tells more, whatever of them was inlined in this build.
constexpr Names kNoisePrefixes[] = {
    "std::",    "__gnu_cxx::",  "core::",        "alloc::",        "<core::",   "<alloc::", "<std::",
    "_Unwind_", "__cxxabiv1::", "panic_abort::", "panic_unwind::", "__rustc::", "runtime.", "__invoke"};

// mem* and str* of a C library, in all their versions: __memmove_avx_unaligned_erms, __strlen_sse2.
bool is_block_function(Names name) {
  while (name.starts_with('_')) name.remove_prefix(1);
  static constexpr std::array<Names, 34> kNoiseNames = {
      "memcpy", "memmove", "memset",  "memcmp",  "memchr",     "memrchr",     "mempcpy", "memmem",  "memccpy",
      "bcopy",  "bzero",   "bcmp",    "strlen",  "strnlen",    "strcpy",      "strncpy", "stpcpy",  "stpncpy",
      "strcat", "strncat", "strcmp",  "strncmp", "strcasecmp", "strncasecmp", "strchr",  "strrchr", "strchrnul",
      "strstr", "strdup",  "strndup", "wcslen",  "wmemset",    "rawmemchr",   "strspn"};
  return std::any_of(kNoiseNames.begin(), kNoiseNames.end(), [&](Names one) {
    return name.starts_with(one) && (name.size() == one.size() || name[one.size()] == '_');
  });
}

}  // namespace

bool is_noise_function(const std::string& name) {
  return std::find(std::begin(kWhole), std::end(kWhole), name) != std::end(kWhole) ||
         std::any_of(std::begin(kNoisePrefixes), std::end(kNoisePrefixes),
                     [&](Names one) { return name.starts_with(one); }) ||
         is_block_function(name);
}

size_t first_telling_frame(const Stack& stack) {
  constexpr size_t kMostFrames = 64;
  for (size_t index = 0; index < stack.frames.size() && index < kMostFrames; ++index) {
    const Frame& frame = stack.frames[index];
    if (!frame.function.empty() && !frame.signal_frame && !is_noise_function(stable_function_name(frame.function)))
      return index;
  }
  return stack.frames.size();
}

}  // namespace mortem::inspector
