#include "tools/qemu/original_command.h"

#include <fmt/format.h>

#include "tools/files.h"

namespace mortem::tools {

namespace fs = std::filesystem;

Result<OriginalCommand> original_command(Qmp& qmp) {
  const nlohmann::json processors = TRY(qmp.execute("query-cpus-fast"));
  const bool has_thread = processors.is_array() && !processors.empty() && processors[0].is_object() &&
                          processors[0].contains("thread-id") && processors[0]["thread-id"].is_number_integer();
  if (!has_thread) return failure(ErrorKind::NotFound, "QEMU does not tell its threads");
  const std::string process = fmt::format("/proc/{}", processors[0]["thread-id"].get<int64_t>());
  constexpr size_t kLongest = 1 << 20;
  const auto name = read_text_file(process + "/comm", 256), text = read_text_file(process + "/cmdline", kLongest);
  // Its number may be another's here.
  if (!name || !text || !(name->starts_with("qemu") || name->starts_with("CPU ")))
    return failure(ErrorKind::NotFound, "its QEMU's process is not to be seen from here");
  OriginalCommand command;
  for (size_t at = 0; at < text->size();) {
    const size_t end = std::min(text->find('\0', at), text->size());
    if (at > 0) command.options.push_back(text->substr(at, end - at));
    at = end + 1;
  }
  std::error_code error;
  command.folder = fs::read_symlink(process + "/cwd", error);
  command.root = process + "/root";
  if (!fs::exists(command.root / "proc", error)) command.root = "/";
  return command;
}

}  // namespace mortem::tools
