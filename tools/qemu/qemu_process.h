// A QEMU as a process of ours: a session of its own, its errors in qemu.log.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "snapshot/result.h"

namespace mortem::tools {

struct QemuLaunch {
  std::vector<std::string> line;  // the program and its options
  std::filesystem::path folder;   // it works there, and qemu.log is there
  std::vector<int> inherited;     // descriptors that it gets under their numbers; -1: none
  int output = -1;                // its standard output; -1: nowhere
  bool dies_with_us = true;
};

// It begins once `name` has put down who it is: we may be killed at any moment, and nobody else would know of it. If
// that fails it never begins. The process is the caller's to wait for.
Result<pid_t> launch_qemu(const QemuLaunch& launch, const std::function<Result<void>(pid_t)>& name = {});

}  // namespace mortem::tools
