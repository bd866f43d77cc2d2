#include "tools/qemu/qemu_option.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/output.h"

namespace mortem::tools {

using nlohmann::ordered_json;

std::string option_value(const std::string& value) {
  std::string text;
  for (char character : value) text += character == ',' ? std::string(",,") : std::string(1, character);
  return text;
}

Result<QemuOption> QemuOption::parse(const std::string& text, const std::string& implied) {
  QemuOption option;
  if (text.starts_with('{')) {
    option.is_json_ = true;
    option.values_ = ordered_json::parse(text, nullptr, false);
    if (!option.values_.is_object())
      return failure(ErrorKind::BadInput, fmt::format("an option of QEMU that is no JSON: {}", printable(text)));
    return option;
  }
  bool is_first = true;
  for (size_t at = 0; at < text.size();) {
    std::string part;
    for (; at < text.size(); ++at) {
      if (text[at] == ',' && (at + 1 == text.size() || text[at + 1] != ',')) break;
      if (text[at] == ',') ++at;  // of two, one is meant
      part += text[at];
    }
    ++at;
    const size_t equals = part.find('=');
    if (equals != std::string::npos)
      option.values_[part.substr(0, equals)] = part.substr(equals + 1);
    else if (is_first && !implied.empty())
      option.values_[implied] = part;
    else if (part.starts_with("no"))  // the old form of a flag
      option.values_[part.substr(2)] = "off";
    else if (!part.empty())
      option.values_[part] = "on";
    is_first = false;
  }
  return option;
}

std::optional<std::string> QemuOption::get(const std::string& key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (found->is_boolean()) return found->get<bool>() ? "on" : "off";
  if (found->is_number()) return found->dump();
  return std::nullopt;
}

void QemuOption::set(const std::string& key, const std::string& value) {
  values_[key] = value;
}

void QemuOption::set_flag(const std::string& key, bool value) {
  if (is_json_)
    values_[key] = value;
  else
    values_[key] = value ? "on" : "off";
}

void QemuOption::erase(const std::string& key) {
  values_.erase(key);
}

void QemuOption::keep_only(std::initializer_list<const char*> keys) {
  ordered_json kept = ordered_json::object();
  for (const auto& [key, value] : values_.items())
    if (std::ranges::find(keys, key) != keys.end()) kept[key] = value;
  values_ = std::move(kept);
}

std::string QemuOption::text() const {
  return is_json_ ? values_.dump(-1, ' ', false, ordered_json::error_handler_t::replace) : plain_text();
}

std::string QemuOption::plain_text() const {
  std::string text;
  for (const auto& item : values_.items())
    if (const auto value = get(item.key())) text += (text.empty() ? "" : ",") + item.key() + "=" + option_value(*value);
  return text;
}

}  // namespace mortem::tools
