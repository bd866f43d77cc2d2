// One option's text of a QEMU command line: KEY=VALUE,… with doubled commas (QEMU's util/keyval.c and qemu-option.c),
// or a JSON object.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "snapshot/result.h"

namespace mortem::tools {

// A value with its commas doubled, as it stands in an option.
std::string option_value(const std::string& value);

class QemuOption {
 public:
  // `implied` is the key of a first part that has none: `type` of -netdev. BadInput: JSON that is none.
  static Result<QemuOption> parse(const std::string& text, const std::string& implied);

  // Of a value that is text, a number or on and off; nested objects of JSON have none.
  std::optional<std::string> get(const std::string& key) const;
  void set(const std::string& key, const std::string& value);
  void set_flag(const std::string& key, bool value);
  void erase(const std::string& key);
  // Leaves only these keys.
  void keep_only(std::initializer_list<const char*> keys);
  std::string text() const;
  // As KEY=VALUE,…, of JSON, too; without nested objects.
  std::string plain_text() const;

 private:
  nlohmann::ordered_json values_ = nlohmann::ordered_json::object();
  bool is_json_ = false;
};

}  // namespace mortem::tools
