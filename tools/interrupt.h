// Ctrl-C and SIGTERM while a verb works on files: it stops at the next step, cleans up and says so.
#pragma once

#include "snapshot/result.h"

namespace mortem::tools {

void catch_interrupts();         // from now on SIGINT, SIGTERM and SIGHUP only leave a mark
int interrupted_by();            // the signal's number, 0: none so far
Result<void> not_interrupted();  // an error once there was one

}  // namespace mortem::tools
