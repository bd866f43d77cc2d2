// A described value as JSON: tests/schemas/value.json.
#pragma once

#include <nlohmann/json.hpp>

#include "inspector/values/describe.h"

namespace mortem::tools {

nlohmann::ordered_json value_facts(const inspector::ValueNode& node);

}  // namespace mortem::tools
