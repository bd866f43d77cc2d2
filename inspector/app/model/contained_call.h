// Runs a piece of analysis so that a crash of a library in it (LLVM, libdwarf: they read files of anyone) ends the
// piece and not the program. As LLVM's own CrashRecoveryContext: the signal's handler jumps out. What the piece was
// working on is in an unknown state then: its owner must leave it where it is, undestroyed, and make a new one.
#pragma once

#include <pthread.h>

#include <functional>
#include <optional>

#include "inspector/symbols/suspect.h"

namespace mortem::inspector::app {

struct Crash {
  int signal = 0;
  std::optional<Suspect> suspect;  // the file that was being read
};

// Of this thread; nothing: it came to its end.
std::optional<Crash> contained_call(const std::function<void()>& action);

// Ends the contained call of another thread as if it had crashed with SIGXCPU; without one nothing happens.
void break_contained_call(pthread_t thread);

// "its debug information crashed the reader and is not used: …"
const char* what_is_lost(Reader reader);

}  // namespace mortem::inspector::app
