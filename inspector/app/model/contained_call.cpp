#include "inspector/app/model/contained_call.h"

#include <csetjmp>
#include <csignal>
#include <memory>
#include <mutex>

namespace mortem::inspector::app {
namespace {

constexpr int kCrashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGXCPU};
constexpr size_t kSignalStack = 64 * 1024;

thread_local sigjmp_buf* way_out = nullptr;  // null: this thread is in no contained call

void handle(int signal) {
  if (sigjmp_buf* to = way_out) {
    way_out = nullptr;
    siglongjmp(*to, signal);
  }
  if (signal == SIGXCPU) return;  // the call ended before it was broken off
  // Not ours: the same happens again, without us.
  std::signal(signal, SIG_DFL);
}

void install_handlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_handler = handle;
    for (const int signal : kCrashes) {
      // Many that break off must not pile up on the signal stack.
      action.sa_flags = signal == SIGXCPU ? SA_ONSTACK : SA_ONSTACK | SA_NODEFER;
      sigaction(signal, &action, nullptr);
    }
  });
}

// Without it the overflow of a thread's stack could not be handled.
class SignalStack {
 public:
  SignalStack() : memory_(new char[kSignalStack]) {
    const stack_t stack{memory_.get(), 0, kSignalStack};
    sigaltstack(&stack, nullptr);
  }
  ~SignalStack() {
    const stack_t none{nullptr, SS_DISABLE, 0};
    sigaltstack(&none, nullptr);
  }

 private:
  std::unique_ptr<char[]> memory_;
};

}  // namespace

std::optional<Crash> contained_call(const std::function<void()>& action) {
  thread_local SignalStack stack;
  install_handlers();
  share_suspect();
  sigjmp_buf place;
  if (const int signal = sigsetjmp(place, 1); signal != 0) return Crash{signal, suspect()};
  way_out = &place;
  action();
  way_out = nullptr;
  return std::nullopt;
}

void break_contained_call(pthread_t thread) {
  install_handlers();  // its first call may not have come to that yet: the signal would end us
  pthread_kill(thread, SIGXCPU);
}

const char* what_is_lost(Reader reader) {
  switch (reader) {
    case Reader::CallFrames:
      return "its call frame information crashed the reader and is not used: frames of it are found by frame pointers "
             "or guessed";
    case Reader::Llvm:
      return "its debug information crashed LLVM's reader and is not used for variables and split units";
    default:
      return "its debug information crashed the reader and is not used: functions are from the symbol table";
  }
}

}  // namespace mortem::inspector::app
