#include "tools/qemu/machine_json.h"

#include <fmt/format.h>

namespace mortem::tools {

using nlohmann::ordered_json;

namespace {

constexpr const char* kNetworkKinds[] = {"user", "tap", "none", "unplugged", "isolated"};
constexpr const char *kQboot = "qboot", *kSeaBios = "seabios";

}  // namespace

ordered_json machine_to_json(const Machine& machine) {
  return {{"type", machine.type},
          {"accelerator", machine.accelerator},
          {"processor", machine.processor},
          {"firmware", machine.small_firmware ? kQboot : kSeaBios},
          {"memory_bytes", machine.memory},
          {"kernel_arguments", machine.kernel_arguments},
          {"has_disk", machine.image.has_value()},
          {"has_input", machine.input >= 0 || machine.has_input},
          {"exit_on_reset", machine.exit_on_reset},
          {"network", kNetworkKinds[size_t(machine.network.kind)]},
          {"mtu", machine.network.mtu},
          {"user_network", machine.network.user_options}};
}

Result<Machine> machine_from_json(const std::string& text, const std::string& where) {
  try {
    const ordered_json document = ordered_json::parse(text);
    Machine machine;
    machine.type = document.at("type");
    machine.accelerator = document.at("accelerator");
    machine.processor = document.at("processor");
    const std::string firmware = document.value("firmware", kSeaBios);
    machine.small_firmware = firmware == kQboot;
    machine.memory = document.at("memory_bytes");
    machine.kernel_arguments = document.at("kernel_arguments");
    if (document.at("has_disk").get<bool>()) machine.image.emplace();
    machine.has_input = document.at("has_input");
    machine.exit_on_reset = document.at("exit_on_reset");
    const std::string network = document.at("network");
    machine.network.mtu = document.value("mtu", 0u);
    machine.network.user_options = document.value("user_network", "");
    for (size_t kind = 0; kind < std::size(kNetworkKinds); ++kind)
      if (network == kNetworkKinds[kind]) machine.network.kind = NetworkKind(kind);
    if ((firmware != kQboot && firmware != kSeaBios) || (machine.type != "q35" && machine.type != "pc") ||
        (machine.processor != "max" && machine.processor != "qemu64") ||
        (machine.accelerator != "tcg" && machine.accelerator != "kvm"))
      return failure(ErrorKind::BadInput, where + ": a machine that mortem does not know");
    return machine;
  } catch (const ordered_json::exception& error) {
    return failure(ErrorKind::BadInput, fmt::format("{}: its machine: {}", where, error.what()));
  }
}

}  // namespace mortem::tools
