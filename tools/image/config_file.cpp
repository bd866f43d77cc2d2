#include "tools/image/config_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "tools/files.h"
#include "tools/image/static_network.h"
#include "tools/output.h"
#include "tools/qemu/network.h"

namespace mortem::tools {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// Keys of ops that speak of its own kernel, clouds and packages, or of what Mortem does by itself: a configuration
// that has them works, and is told so.
constexpr std::string_view kKeysOfOps[] = {"Boot",
                                           "BuildDir",
                                           "CWD",
                                           "CloudConfig",
                                           "Debugflags",
                                           "Description",
                                           "DisableArgsCopy",
                                           "Force",
                                           "Home",
                                           "Kernel",
                                           "KlibDir",
                                           "Klibs",
                                           "Language",
                                           "LocalFilesParentDirectory",
                                           "ManifestPassthrough",
                                           "Mounts",
                                           "NanosVersion",
                                           "NightlyBuild",
                                           "NoTrace",
                                           "PackageBaseURL",
                                           "PackageManifestURL",
                                           "ProgramPath",
                                           "RebootOnExit",
                                           "Runtime",
                                           "TargetRoot",
                                           "RunConfig.Accel",
                                           "RunConfig.Background",
                                           "RunConfig.Bridged",
                                           "RunConfig.BridgeName",
                                           "RunConfig.BridgeIPAddress",
                                           "RunConfig.CPUs",
                                           "RunConfig.Debug",
                                           "RunConfig.DomainName",
                                           "RunConfig.GPUType",
                                           "RunConfig.GPUs",
                                           "RunConfig.GdbPort",
                                           "RunConfig.IPv6Address",
                                           "RunConfig.ImageName",
                                           "RunConfig.Imagename",
                                           "RunConfig.InstanceGroup",
                                           "RunConfig.InstanceName",
                                           "RunConfig.JSON",
                                           "RunConfig.Kernel",
                                           "RunConfig.Klibs",
                                           "RunConfig.Mgmt",
                                           "RunConfig.Mounts",
                                           "RunConfig.Nics",
                                           "RunConfig.OnPrem",
                                           "RunConfig.QMP",
                                           "RunConfig.SecurityGroup",
                                           "RunConfig.ShowDebug",
                                           "RunConfig.ShowErrors",
                                           "RunConfig.ShowWarnings",
                                           "RunConfig.Subnet",
                                           "RunConfig.TapName",
                                           "RunConfig.VPC",
                                           "RunConfig.Verbose",
                                           "RunConfig.Vga",
                                           "RunConfig.VolumeSizeInGb",
                                           "TFSv4",
                                           "Uefi",
                                           "UefiBoot",
                                           "Version",
                                           "VolumesDir"};

class ConfigReader {
 public:
  explicit ConfigReader(const fs::path& path) : path_(path), folder_(path.parent_path()) {}

  Result<ImageRequest> read(const json& document) {
    TRY_VOID(
        read_keys(document, "",
                  {{"Program", [this](const json& value) { return read_program(value); }},
                   {"Args", [this](const json& value) { return read_strings(value, "Args", request_.arguments); }},
                   {"Env", [this](const json& value) { return read_environment(value); }},
                   {"Files", [this](const json& value) { return read_mappings(value, "Files", request_.files); }},
                   {"Dirs", [this](const json& value) { return read_mappings(value, "Dirs", request_.folders); }},
                   {"MapDirs", [this](const json& value) { return read_mapped_folders(value); }},
                   {"BaseVolumeSz", [this](const json& value) { return read_volume_size(value); }},
                   {"DumpOnExit", [this](const json& value) { return read_dump_on_exit(value); }},
                   {"NewCode", [this](const json& value) { return read_new_code(value); }},
                   {"OnFault", [this](const json& value) { return read_on_fault(value); }},
                   {"OnExec", [this](const json& value) { return read_on_exec(value); }},
                   {"NameServer",  // of older versions
                    [this](const json& value) -> Result<void> {
                      network_.name_servers.push_back(TRY(text(value, "NameServer")));
                      return {};
                    }},
                   {"NameServers",
                    [this](const json& value) { return read_strings(value, "NameServers", network_.name_servers); }},
                   {"User", [this](const json& value) { return read_user(value); }},
                   {"RunConfig", [this](const json& value) { return read_run_config(value); }}}));
    request_.network = TRY(network_settings(network_, path_.string()));
    if (request_.program.empty()) return bad("Program is missing: the path of the program on the host");
    return std::move(request_);
  }

 private:
  using KeyReaders = std::map<std::string, std::function<Result<void>(const json&)>>;

  tl::unexpected<Error> bad(const std::string& what) const {
    return failure(ErrorKind::BadInput, path_.string() + ": " + what);
  }

  Result<void> read_keys(const json& object, const std::string& prefix, const KeyReaders& readers) {
    if (!object.is_object())
      return bad(prefix.empty() ? "must be a JSON object" : prefix.substr(0, prefix.size() - 1) + " must be an object");
    for (auto& [key, value] : object.items()) {
      auto reader = readers.find(key);
      if (reader == readers.end() && std::ranges::find(kKeysOfOps, prefix + key) != std::end(kKeysOfOps)) {
        request_.notes.push_back(fmt::format("{}: {}{} has no effect here", path_.string(), prefix, key));
        continue;
      }
      if (reader == readers.end()) {
        std::vector<std::string> known;
        for (auto& [name, ignored] : readers) known.push_back(prefix + name);
        return bad(fmt::format("unknown key {}{}; known: {}", prefix, printable(key), fmt::join(known, ", ")));
      }
      TRY_VOID(reader->second(value));
    }
    return {};
  }

  Result<std::string> text(const json& value, const std::string& key) const {
    if (!value.is_string()) return bad(fmt::format("{} must be a string, it is {}", key, value.type_name()));
    if (value.get_ref<const std::string&>().find('\0') != std::string::npos) return bad(key + " holds a NUL");
    return value.get<std::string>();
  }

  Result<void> read_text(const json& value, const std::string& key, std::string& to) const {
    to = TRY(text(value, key));
    return {};
  }

  // Paths below the config file's folder; "" when the file is in the current one.
  Result<void> read_program(const json& value) {
    const fs::path program = TRY(text(value, "Program"));
    if (program.empty() || !program.has_filename()) return bad("Program names no file");
    set_program(request_, program.is_absolute() || folder_.empty() ? program : folder_ / program);
    return {};
  }

  Result<void> read_strings(const json& value, const std::string& key, std::vector<std::string>& to) const {
    if (!value.is_array()) return bad(fmt::format("{} must be a list of strings, it is {}", key, value.type_name()));
    for (size_t index = 0; index < value.size(); ++index)
      to.push_back(TRY(text(value[index], fmt::format("{}[{}]", key, index))));
    return {};
  }

  Result<void> read_environment(const json& value) {
    if (!value.is_object()) return bad(fmt::format("Env must be an object of strings, it is {}", value.type_name()));
    for (auto& [name, content] : value.items()) {
      const std::string variable = name + "=" + TRY(text(content, "Env." + printable(name)));
      TRY_VOID(check_environment(variable, path_.string() + ": Env"));
      request_.environment.push_back(variable);
    }
    return {};
  }

  Result<void> read_mappings(const json& value, const std::string& key, std::vector<HostToGuest>& to) const {
    std::vector<std::string> entries;
    TRY_VOID(read_strings(value, key, entries));
    for (const std::string& entry : entries)
      to.push_back(TRY(parse_mapping(entry, path_.string() + ": " + key, folder_)));
    return {};
  }

  Result<void> read_mapped_folders(const json& value) {
    if (!value.is_object()) return bad(fmt::format("MapDirs must be an object, it is {}", value.type_name()));
    for (auto& [from, to] : value.items()) {
      std::string host = from;
      if (host.ends_with("/*")) host.resize(host.size() - 2);
      const std::string guest = TRY(text(to, "MapDirs." + printable(from)));
      request_.folders.push_back({fs::path(host).is_absolute() || folder_.empty() ? fs::path(host) : folder_ / host,
                                  TRY(guest_path(guest, path_.string() + ": MapDirs"))});
    }
    return {};
  }

  Result<void> read_volume_size(const json& value) {
    request_.root_size = TRY(parse_size(TRY(size_text(value, "BaseVolumeSz")), path_.string() + ": BaseVolumeSz"));
    return {};
  }

  Result<void> read_dump_on_exit(const json& value) {
    const std::string when = TRY(text(value, "DumpOnExit"));
    if (when != "nonzero" && when != "never") return bad("DumpOnExit must be \"nonzero\" or \"never\"");
    request_.dump_on_exit = when == "never" ? DumpOnExit::Never : DumpOnExit::NonZero;
    return {};
  }

  Result<void> read_new_code(const json& value) {
    const std::string policy = TRY(text(value, "NewCode"));
    if (policy != "allow" && policy != "refuse" && policy != "crash")
      return bad("NewCode must be \"allow\", \"refuse\" or \"crash\"");
    request_.new_code = policy == "refuse" ? NewCode::Refuse : policy == "crash" ? NewCode::Crash : NewCode::Allow;
    return {};
  }

  Result<void> read_on_exec(const json& value) {
    const std::string what = TRY(text(value, "OnExec"));
    if (what != "refuse" && what != "crash") return bad("OnExec must be \"refuse\" or \"crash\"");
    request_.crash_on_exec = what == "crash";
    return {};
  }

  Result<void> read_on_fault(const json& value) {
    const std::string when = TRY(text(value, "OnFault"));
    if (when != "first-chance" && when != "last-chance")
      return bad("OnFault must be \"first-chance\" or \"last-chance\"");
    request_.dump_at_first_chance = when == "first-chance";
    return {};
  }

  Result<void> read_user(const json& value) {
    request_.user = TRY(parse_user(TRY(size_text(value, "User")), path_.string() + ": User"));
    return {};
  }

  Result<void> read_run_config(const json& value) {
    return read_keys(
        value, "RunConfig.",
        {{"Memory",
          [this](const json& memory) -> Result<void> {
            request_.memory =
                TRY(parse_memory(TRY(size_text(memory, "RunConfig.Memory")), path_.string() + ": RunConfig.Memory"));
            return {};
          }},
         {"IPAddress", [this](const json& value) { return read_text(value, "RunConfig.IPAddress", network_.address); }},
         {"IPv6Address",
          [this](const json& value) { return read_text(value, "RunConfig.IPv6Address", network_.address6); }},
         {"NetMask", [this](const json& value) { return read_text(value, "RunConfig.NetMask", network_.mask); }},
         {"Gateway", [this](const json& value) { return read_text(value, "RunConfig.Gateway", network_.gateway); }},
         {"MTU",
          [this](const json& value) -> Result<void> {
            if (!value.is_number_unsigned()) return bad("RunConfig.MTU must be a number of bytes");
            network_.mtu = value.get<uint64_t>();
            if (network_.mtu == 0) return bad("RunConfig.MTU 0 is none");
            return {};
          }},
         {"Ports", [this](const json& ports) { return read_ports(ports, "RunConfig.Ports", ""); }},
         {"UDPPorts", [this](const json& ports) { return read_ports(ports, "RunConfig.UDPPorts", "/udp"); }}});
  }

  Result<void> read_ports(const json& ports, const std::string& key, const std::string& protocol) {
    std::vector<std::string> forwards;
    TRY_VOID(read_strings(ports, key, forwards));
    for (const std::string& forward : forwards)
      request_.ports.push_back(TRY(parse_port_forward(forward + protocol, path_.string() + ": " + key)).text());
    return {};
  }

  Result<std::string> size_text(const json& value, const std::string& key) const {
    if (value.is_number_unsigned()) return std::to_string(value.get<uint64_t>());
    return text(value, key);
  }

  fs::path path_, folder_;
  ImageRequest request_;
  StaticNetwork network_;
};

}  // namespace

Result<ImageRequest> parse_config(const std::string& text, const fs::path& path) {
  json document;
  try {
    document = json::parse(text);
  } catch (const json::parse_error& error) {
    const size_t at = std::min(error.byte, text.size());
    const auto line = 1 + std::count(text.begin(), text.begin() + ptrdiff_t(at > 0 ? at - 1 : 0), '\n');
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: not valid JSON at line {} (byte {})", path.string(), line, at));
  }
  return ConfigReader(path).read(document);
}

Result<ImageRequest> read_config_file(const fs::path& path) {
  return parse_config(TRY(read_text_file(path, 1 << 20)), path);
}

}  // namespace mortem::tools
