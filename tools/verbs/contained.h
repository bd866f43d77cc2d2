// Verbs that read debug information run in a child process: a library that a broken file crashes takes the child down,
// and the work is done again without what crashed it.
#pragma once

#include <functional>

namespace mortem::tools {

// Runs `action` in a child and passes its output on when it is done; returns its status. After a crash a note names the
// file, and the next child does without it. To be called before any thread is started.
int contained(const std::function<int()>& action);

}  // namespace mortem::tools
