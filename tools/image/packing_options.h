// The options that `image create` and `run` share: what is packed with a program.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "tools/image/image_request.h"

namespace mortem::tools {

struct PackingOptions {
  std::vector<std::string> files, folders, environment;
  std::string on_exec;                 // refuse, crash; empty: as CONFIG says
  std::string on_fault;                // first-chance, last-chance; empty: as CONFIG says
  std::string dump_on_exit;            // nonzero, never; empty: as CONFIG says
  std::string user;                    // UID[:GID]; empty: as CONFIG says
  std::vector<std::string> arguments;  // after `--`
};

// For on-fault and its like: one of two words.
Result<void> check_word(const std::string& option, const std::string& value, const char* one, const char* other);

void add_packing_options(CLI::App* verb, PackingOptions& options);

// A name without a slash that is no file here is looked for in PATH, as a shell does.
std::filesystem::path find_source(const std::string& source);

// `source`: a program, or a CONFIG.json (by its name or its first character).
Result<ImageRequest> request_for(const std::filesystem::path& source, const PackingOptions& options);

}  // namespace mortem::tools
