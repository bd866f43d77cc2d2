// Running another program to its end (mke2fs, debugfs, QEMU's --version) and keeping what it said.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/result.h"

namespace mortem::tools {

struct ProgramRun {
  std::vector<std::string> arguments;    // [0]: name or path
  std::vector<std::string> environment;  // KEY=VALUE, added to ours
  std::string input;                     // for its stdin
  int timeout_ms = 0;                    // 0: none; after it the program is killed
  // Asked about ten times a second; false: it is interrupted (SIGINT), and killed if that does not end it in ten
  // seconds.
  std::function<bool()> go_on = {};
};

struct ProgramOutcome {
  int exit_status = 0;  // 128 + signal when it was killed
  bool timed_out = false;
  std::string output;  // stdout
  std::string errors;  // stderr
};

// In $PATH and then in the folders of system programs, which an ordinary user's $PATH leaves out (mke2fs is there).
std::optional<std::filesystem::path> find_program(const std::string& name);

Result<ProgramOutcome> run_program(const ProgramRun& run);

// The line of a program's complaint that tells most: the last one that is not empty.
std::string last_line(const std::string& text);

}  // namespace mortem::tools
