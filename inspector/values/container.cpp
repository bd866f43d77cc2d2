// What the C++ libraries' containers have in common (describer.h).
#include <charconv>

#include "inspector/values/describer.h"

namespace mortem::inspector {

bool Container::wrapped(Path path) {
  const auto inner = describer_.get(value_, path);
  return inner && show(*inner);
}

bool Container::fill(uint64_t count, const std::function<std::optional<Value>(uint64_t)>& at) {
  if (count > kMaximumElements) return false;
  to_.elements = true;
  to_.count = count;
  const auto [first, end] = describer_.window(count, depth_);
  to_.first = first;
  for (uint64_t index = first; index < end; ++index) {
    const auto value = at(index);
    if (!value) return false;
    if (!describer_.add_element(to_, index, *value, depth_)) break;
  }
  return true;
}

bool Container::contiguous(const Type* element, uint64_t start, uint64_t count) {
  const uint64_t size = size_of(element);
  if (size == 0) return false;
  return fill(count, [&](uint64_t index) { return Value::in_memory(element, start + index * size); });
}

bool Container::elements_of(Path array) {
  const auto inner = describer_.get(value_, array);
  if (!inner || !inner->type || !inner->type->stripped().count) {
    // An array of no elements has a struct in its place.
    if (!inner) return false;
    to_.elements = true;
    to_.count = 0;
    return true;
  }
  return fill(*inner->type->stripped().count, [&](uint64_t index) -> std::optional<Value> {
    const auto one = describer_.reader().element(*inner, index);
    return one ? std::optional(*one) : std::nullopt;
  });
}

// The highest bit first, as its operator<< writes it.
bool Container::bits_of(Path path) {
  constexpr uint64_t kMostBits = 4096;
  const auto count = last_argument_number();
  const auto words = describer_.get(value_, path);
  if (!words || !count || *count == 0 || *count > kMostBits) return false;
  const auto bytes = describer_.reader().read(*words, 0, (*count + 63) / 64 * 8);
  if (!bytes) return false;
  for (uint64_t bit = *count; bit-- > 0;) to_.text += ((*bytes)[bit / 8] >> bit % 8 & 1) != 0 ? '1' : '0';
  return true;
}

bool Container::held(Path manager, std::string_view function, std::string_view small_owner, Path storage,
                     std::string_view large_owner, Path pointer) {
  const auto address = describer_.number(value_, manager);
  if (!address) return false;
  if (*address == 0) {
    to_.text = "(empty)";
    return true;
  }
  const std::string name = describer_.program().symbol_at(*address);
  const bool is_large = name.starts_with(large_owner);
  const size_t end = name.rfind(">" + std::string(function));
  if ((!is_large && !name.starts_with(small_owner)) || end == std::string::npos) return false;
  const size_t start = is_large ? large_owner.size() : small_owner.size();
  std::string held_type = name.substr(start, end - start);
  if (held_type.ends_with(' ')) held_type.pop_back();  // "> >"
  const Type* type = describer_.program().find_type(held_type, nullptr);
  if (!type) return false;
  if (is_large) {
    const auto place = describer_.number(value_, pointer);
    return place && show(Value::in_memory(type, *place), "a " + type_text(type));
  }
  const auto place = describer_.get(value_, storage);
  return place && show(describer_.reader().as(*place, type), "a " + type_text(type));
}

std::optional<uint64_t> Container::last_argument_number() const {
  const std::string& name = type_.name;
  size_t at = name.find_last_of("<,");
  if (at != std::string::npos) at = name.find_first_not_of(' ', at + 1);
  if (at == std::string::npos) return std::nullopt;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data() + at, name.data() + name.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

}  // namespace mortem::inspector
