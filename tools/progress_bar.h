// A progress bar on stderr for work of more than a second, on a terminal only; Ctrl-C cancels the work.
#pragma once

#include <string>

#include "snapshot/progress.h"

namespace mortem::tools {

// `what` is a word or two in front. Call catch_interrupts() before.
snapshot::Progress progress_bar(std::string what);

}  // namespace mortem::tools
