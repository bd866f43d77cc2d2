#include "tools/interrupt.h"

#include <csignal>

namespace mortem::tools {

namespace {
volatile std::sig_atomic_t g_signal = 0;
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int signal) { g_signal = signal; };  // no SA_RESTART: waits are to end
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

int interrupted_by() {
  return g_signal;
}

Result<void> not_interrupted() {
  if (g_signal != 0) return failure(ErrorKind::System, "interrupted, nothing was written");
  return {};
}

}  // namespace mortem::tools
