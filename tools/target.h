// What the verbs that look into a target are given: a dump, an ELF core, or the name of a running guest.
#pragma once

#include <memory>
#include <string>

#include "inspector/target/target.h"
#include "snapshot/result.h"

namespace mortem::tools {

struct OpenedTarget {
  std::unique_ptr<snapshot::CoreFile> core;  // what is known besides threads and memory
  std::unique_ptr<inspector::Target> target;
};

// The error says what was looked for. A core without threads is no target.
Result<OpenedTarget> open_target(const std::string& text, inspector::Scope scope = inspector::Scope::Guest);

// The same without a look at its threads.
Result<std::unique_ptr<snapshot::CoreFile>> open_target_core(const std::string& text);

// A folder has to be a clone's: the error says what it is instead. All else is fine here.
Result<void> check_folder(const std::string& path);

inline constexpr const char* kTargetHelp =
    "A dump, any x86-64 ELF core, a clone's folder, a disk image with dumps (#N: of slot N), or the name of a running "
    "guest";

}  // namespace mortem::tools
