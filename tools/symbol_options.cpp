#include "tools/symbol_options.h"

#include "tools/background_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "inspector/symbols/symbol_files.h"
#include "tools/local_store.h"
#include "tools/module_files.h"
#include "tools/output.h"

namespace mortem::tools {
namespace {

std::filesystem::path symbol_config() {
  if (const char* folder = std::getenv("XDG_CONFIG_HOME"); folder && *folder == '/')
    return std::filesystem::path(folder) / "mortem/symbols.json";
  const char* home = std::getenv("HOME");
  return home && *home ? std::filesystem::path(home) / ".config/mortem/symbols.json" : std::filesystem::path();
}

void read_symbol_config(const std::filesystem::path& path, inspector::SymbolOptions& to) {
  std::ifstream file(path);
  if (!file) return;
  const auto json = nlohmann::json::parse(file, nullptr, false);
  auto refuse = [&](const char* why) { note(fmt::format("{}: {}; it is not used", path.string(), why)); };
  if (!json.is_object()) return refuse("is no JSON object");
  for (const auto& [key, value] : json.items()) {
    if (key == "DebugFolders" && value.is_array()) {
      for (const auto& one : value)
        if (one.is_string()) to.debug_folders.emplace_back(one.get<std::string>());
    } else if (key == "Substitute" && value.is_object()) {
      for (const auto& [from, target] : value.items())
        if (target.is_string()) to.substitutions.emplace_back(from, target.get<std::string>());
    } else {
      refuse(fmt::format("\"{}\" is no key with a value of its kind (DebugFolders: a list, Substitute: an object)",
                         printable(key))
                 .c_str());
    }
  }
}

std::string check_substitution(const std::string& text) {
  const size_t equals = text.find('=');
  return equals == std::string::npos || equals == 0 ? text + " is not FROM=TO" : std::string();
}

}  // namespace

std::string check_symbol_file(const std::string& path) {
  const auto image = inspector::ElfImage::map_file(path);
  return image ? std::string() : image.error().message + "; give the program or library, or its debug file";
}

void add_symbol_flags(CLI::App* verb, SymbolFlags& flags) {
  verb->add_option("--symbols", flags.files, "An ELF file with symbols, used where its build id is a module's")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->check(check_symbol_file);
  verb->add_option("--debug-dir", flags.folders, "A folder of debug files as /usr/lib/debug is, or its .build-id")
      ->type_name("DIR")
      ->allow_extra_args(false)
      ->check(CLI::ExistingDirectory);
  verb->add_option("--substitute", flags.substitutions,
                   "Paths of sources and .dwo files that begin with FROM are in TO")
      ->type_name("FROM=TO")
      ->allow_extra_args(false)
      ->check(check_substitution);
}

inspector::SymbolOptions symbol_options(const SymbolFlags& flags) {
  inspector::SymbolOptions options;
  options.extra_files.assign(flags.files.begin(), flags.files.end());
  const auto system_folders = std::move(options.debug_folders);
  options.debug_folders.assign(flags.folders.begin(), flags.folders.end());
  for (const std::string& one : flags.substitutions)
    options.substitutions.emplace_back(one.substr(0, one.find('=')), one.substr(one.find('=') + 1));
  read_symbol_config(symbol_config(), options);
  options.debug_folders.insert(options.debug_folders.end(), system_folders.begin(), system_folders.end());
  options.store = local_store();
  options.make_index_anew = [flags](const std::string& executable, const std::string& debug) {
    return start_index(executable, debug, flags);
  };
  std::error_code ignored;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  if (!folder.empty()) options.kernel_files = {folder / "kernel/mortem-kernel.elf", folder / "mortem-kernel.elf"};
  return options;
}

inspector::SymbolOptions symbol_options(const SymbolFlags& flags, const std::string& target) {
  inspector::SymbolOptions options = symbol_options(flags);
  add_module_folder(target, options);
  return options;
}

inspector::SymbolOptions symbol_options(const SymbolFlags& flags, const std::string& target,
                                        const std::vector<snapshot::CoreModule>& modules) {
  for (const std::string& path : flags.files) {
    const auto image = inspector::ElfImage::map_file(path);
    const auto is_its = [&](const auto& module) { return inspector::is_file_of(**image, path, module); };
    if (image && std::none_of(modules.begin(), modules.end(), is_its))
      note(fmt::format("{}: is of no module of {} and not used; mortem info {} names them", path, target, target));
  }
  return symbol_options(flags, target);
}

}  // namespace mortem::tools
