#include "snapshot/clone/device_states.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "snapshot/clone/migration_format.h"

namespace mortem::snapshot {
namespace {

using nlohmann::json;
using namespace migration;

constexpr int kDeepest = 16;

const DeviceField* find_field(const std::vector<DeviceField>& fields, std::string_view name) {
  for (const DeviceField& field : fields)
    if (field.name == name) return &field;
  return nullptr;
}

// One step through the bytes of a state, every length checked.
class Cursor {
 public:
  Cursor(std::span<const uint8_t> bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  size_t at() const { return at_; }
  // Names in it are the file's: they may be anything, and the error is one line.
  tl::unexpected<Error> broken(std::string what) const {
    std::ranges::replace_if(
        what, [](char one) { return uint8_t(one) < ' ' || one == 0x7F; }, '?');
    return failure(ErrorKind::BadInput, fmt::format("{}: at offset {:#x}: {}", where_, at_, what));
  }
  Result<std::span<const uint8_t>> take(uint64_t count) {
    if (count > bytes_.size() - at_) return broken("it ends early: cut short, or not a clone's state");
    const auto taken = bytes_.subspan(at_, count);
    at_ += count;
    return taken;
  }
  Result<uint64_t> number(size_t size) { return big_endian(TRY(take(size))); }
  Result<std::string> name() {
    const auto text = TRY(take(TRY(number(1))));
    return std::string(text.begin(), text.end());
  }

 private:
  std::span<const uint8_t> bytes_;
  const std::string& where_;
  size_t at_ = 0;
};

// What stands before the devices: header, machine type, memory without the main one.
Result<void> skip_memory(Cursor& cursor) {
  if (TRY(cursor.number(4)) != kMagic || TRY(cursor.number(4)) != kVersion)
    return cursor.broken("not a migration stream of version 3");
  uint64_t id = 0;
  for (bool last = false; !last;) {
    const auto kind = static_cast<Section>(TRY(cursor.number(1)));
    if (kind == Section::Configuration) {
      TRY(cursor.take(TRY(cursor.number(4))));
      continue;
    }
    if (kind != Section::Start && kind != Section::LastPart)
      return cursor.broken(fmt::format("section type {:#x} before the devices", unsigned(kind)));
    id = TRY(cursor.number(4));
    if (kind == Section::Start) {
      TRY(cursor.name());
      TRY(cursor.take(8));
    }
    while (true) {
      const uint64_t word = TRY(cursor.number(8)), flags = word & (kPage - 1);
      if (flags == kEndOfPart) break;
      if (flags == kMemorySize) {
        for (uint64_t left = word & ~(kPage - 1); left > 0;) {
          TRY(cursor.name());
          const uint64_t size = TRY(cursor.number(8));
          if (size == 0 || size > left) return cursor.broken("a memory block of no size");
          left -= size;
        }
        continue;
      }
      TRY(cursor.name());
      TRY(cursor.take(flags == kZeroPage ? 1 : kPage));
    }
    if (TRY(cursor.number(1)) != uint64_t(Section::Footer) || TRY(cursor.number(4)) != id)
      return cursor.broken("no footer behind the memory");
    last = kind == Section::LastPart;
  }
  return {};
}

// Where the description begins: it is the last thing, and begins with its length.
Result<json> find_description(std::span<const uint8_t> bytes, const std::string& where) {
  for (size_t at = bytes.size(); at-- > 0;) {
    if (bytes[at] != uint8_t(Section::Description) || bytes.size() - at < 5) continue;
    if (big_endian(bytes.subspan(at + 1, 4)) != bytes.size() - at - 5) continue;
    json description = json::parse(bytes.begin() + long(at) + 5, bytes.end(), nullptr, false);
    if (description.is_object() && description.contains("devices")) return description;
  }
  return failure(ErrorKind::BadInput,
                 where + ": no description of its devices at its end: cut short, or not a clone's state");
}

class Layout {
 public:
  explicit Layout(const Cursor& cursor) : cursor_(cursor) {}

  // The fields of a structure from `offset` on; `offset` becomes the end of it.
  Result<std::vector<DeviceField>> fields(const json& description, uint64_t& offset, int depth = 0) const {
    if (depth > kDeepest) return cursor_.broken("a description deeper than any that QEMU writes");
    std::vector<DeviceField> list;
    for (const json& one : description.at("fields")) {
      DeviceField field;
      field.name = one.at("name");
      field.size = one.at("size");
      if (const auto count = one.find("array_len"); count != one.end()) field.count = *count;
      constexpr uint64_t kLargest = 1 << 30;
      if (field.size > kLargest || field.count > kLargest || field.size * field.count > kLargest)
        return cursor_.broken(fmt::format("field {} of {} x {} bytes", field.name, field.count, field.size));
      field.offset = offset;
      if (const auto part = one.find("struct"); part != one.end() && part->contains("fields")) {
        uint64_t inner = 0;
        field.fields = TRY(fields(*part, inner, depth + 1));
        if (inner > field.size) return cursor_.broken(fmt::format("field {} is smaller than its parts", field.name));
      }
      offset += field.size * field.count;
      list.push_back(std::move(field));
    }
    if (const auto more = description.find("subsections"); more != description.end())
      for (const json& one : *more) {
        const std::string name = one.at("vmsd_name");
        offset += 1 + 1 + name.size() + 4;  // type, name, version
        for (DeviceField& field : TRY(fields(one, offset, depth + 1))) {
          field.name = name + ":" + field.name;
          list.push_back(std::move(field));
        }
      }
    return list;
  }

 private:
  const Cursor& cursor_;
};

}  // namespace

std::span<const uint8_t> DeviceState::element(std::string_view name, size_t index) const {
  const DeviceField* field = find_field(fields, name);
  if (field == nullptr || index >= field->count) return {};
  return bytes.subspan(field->offset + index * field->size, field->size);
}

std::optional<uint64_t> DeviceState::number(std::string_view name, size_t index, std::string_view part) const {
  auto value = element(name, index);
  if (value.empty()) return std::nullopt;
  if (!part.empty()) {
    const DeviceField* inner = find_field(find_field(fields, name)->fields, part);
    if (inner == nullptr || inner->offset + inner->size > value.size()) return std::nullopt;
    value = value.subspan(inner->offset, inner->size);
  }
  if (value.size() > 8) return std::nullopt;
  return big_endian(value);
}

Result<DeviceStates> DeviceStates::parse(std::vector<uint8_t> content, const std::string& where) {
  DeviceStates states;
  states.bytes_ = std::make_shared<const std::vector<uint8_t>>(std::move(content));
  const std::span<const uint8_t> bytes(*states.bytes_);
  Cursor cursor(bytes, where);
  TRY_VOID(skip_memory(cursor));
  const json description = TRY(find_description(bytes, where));
  try {
    for (const json& device : description.at("devices")) {
      const std::string name = device.at("name");
      if (TRY(cursor.number(1)) != uint64_t(Section::Full))
        return cursor.broken(fmt::format("no section where {} should begin", name));
      const uint64_t id = TRY(cursor.number(4));
      DeviceState state;
      state.name = TRY(cursor.name());
      state.instance = uint32_t(TRY(cursor.number(4)));
      if (state.name != name || state.instance != device.at("instance_id"))
        return cursor.broken(fmt::format("section {} where {} should stand", state.name, name));
      TRY(cursor.number(4));  // the version: the description is that version's
      uint64_t size = 0;
      state.fields = TRY(Layout(cursor).fields(device, size));
      state.bytes = TRY(cursor.take(size));
      if (TRY(cursor.number(1)) != uint64_t(Section::Footer) || TRY(cursor.number(4)) != id)
        return cursor.broken(fmt::format("section {} does not end where its description says", name));
      states.devices_.push_back(std::move(state));
    }
  } catch (const json::exception& error) {
    return failure(ErrorKind::BadInput, fmt::format("{}: the description of its devices: {}", where, error.what()));
  }
  if (TRY(cursor.number(1)) != uint64_t(Section::End)) return cursor.broken("a device that is not described");
  return states;
}

const DeviceState* DeviceStates::find(std::string_view name, uint32_t instance) const {
  for (const DeviceState& device : devices_)
    if (device.name == name && device.instance == instance) return &device;
  return nullptr;
}

}  // namespace mortem::snapshot
