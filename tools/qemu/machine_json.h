// A guest's machine as text: beside the instance while it runs, and in a clone's folder for its start.
#pragma once

#include <nlohmann/json.hpp>

#include "snapshot/result.h"
#include "tools/qemu/machine.h"

namespace mortem::tools {

// Without what belongs to one run of it: programs, descriptors, image, ports.
nlohmann::ordered_json machine_to_json(const Machine& machine);
Result<Machine> machine_from_json(const std::string& text, const std::string& where);

}  // namespace mortem::tools
