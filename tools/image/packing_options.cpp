#include "tools/image/packing_options.h"

#include <fmt/format.h>

#include <fstream>

#include "tools/child_program.h"
#include "tools/image/config_file.h"
#include "tools/output.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

bool is_config(const fs::path& source) {
  std::error_code ignored;
  if (!fs::is_regular_file(source, ignored)) return false;
  if (source.extension() == ".json") return true;
  std::ifstream file(source);
  char first = 0;
  file >> first;  // skips white space
  return first == '{';
}

}  // namespace

fs::path find_source(const std::string& source) {
  std::error_code ignored;
  if (source.empty() || source.find('/') != std::string::npos || fs::is_regular_file(source, ignored)) return source;
  return find_program(source).value_or(source);
}

Result<void> check_word(const std::string& option, const std::string& value, const char* one, const char* other) {
  if (value == one || value == other) return {};
  return failure(ErrorKind::BadInput, fmt::format("{} {}: {} or {}", option, printable(value), one, other));
}

void add_packing_options(CLI::App* verb, PackingOptions& options) {
  // One value an option: `--file a --file b`, so that what follows is never taken for a second value.
  auto repeated = [&](const char* name, std::vector<std::string>& to, const char* help, const char* type) {
    verb->add_option(name, to, help)->allow_extra_args(false)->type_name(type);
  };
  repeated("--file", options.files, "A file to pack too; may be repeated", "HOST[:/GUEST]");
  repeated("--dir", options.folders, "A folder to pack with all below it; may be repeated", "HOST[:/GUEST]");
  repeated("--env", options.environment, "A variable of the program's environment; may be repeated", "KEY=VALUE");
  verb->add_option(
      "--on-exec", options.on_exec,
      "What execve and fork do, which a VM of one program has not: refuse (default) or crash, with a dump");
  verb->add_option("--on-fault", options.on_fault,
                   "first-chance: a fault that the program has a handler for leaves a dump, too, and it goes on; "
                   "last-chance (default): only one that ends it");
  verb->add_option("--user", options.user,
                   "UID[:GID] that the program runs as (default: root); what --file and --dir pack is theirs");
  verb->add_option("--dump-on-exit", options.dump_on_exit,
                   "Whether an exit status other than 0 leaves a dump: nonzero (default) or never");
}

Result<ImageRequest> request_for(const fs::path& source, const PackingOptions& options) {
  ImageRequest request;
  if (is_config(source))
    request = TRY(read_config_file(source));
  else
    set_program(request, source);
  for (const std::string& file : options.files) request.files.push_back(TRY(parse_mapping(file, "--file")));
  for (const std::string& folder : options.folders) request.folders.push_back(TRY(parse_mapping(folder, "--dir")));
  for (const std::string& variable : options.environment) {
    TRY_VOID(check_environment(variable, "--env"));
    request.environment.push_back(variable);
  }
  if (!options.on_exec.empty()) {
    if (options.on_exec != "refuse" && options.on_exec != "crash")
      return failure(ErrorKind::BadInput, fmt::format("--on-exec {}: refuse or crash", printable(options.on_exec)));
    request.crash_on_exec = options.on_exec == "crash";
  }
  if (!options.on_fault.empty()) {
    TRY_VOID(check_word("--on-fault", options.on_fault, "first-chance", "last-chance"));
    request.dump_at_first_chance = options.on_fault == "first-chance";
  }
  if (!options.dump_on_exit.empty()) {
    if (options.dump_on_exit != "nonzero" && options.dump_on_exit != "never")
      return failure(ErrorKind::BadInput,
                     fmt::format("--dump-on-exit {}: nonzero or never", printable(options.dump_on_exit)));
    request.dump_on_exit = options.dump_on_exit == "never" ? DumpOnExit::Never : DumpOnExit::NonZero;
  }
  if (!options.user.empty()) request.user = TRY(parse_user(options.user, "--user"));
  if (!options.arguments.empty()) request.arguments = options.arguments;
  return request;
}

}  // namespace mortem::tools
