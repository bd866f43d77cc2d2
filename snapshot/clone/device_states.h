// The processor and the devices out of a saved state. The stream itself says nothing of its layout; QEMU's description
// of it (JSON, at its end) does, for the very version that wrote it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "snapshot/result.h"

namespace mortem::snapshot {

struct DeviceField {
  std::string name;
  uint64_t offset = 0, size = 0, count = 1;  // in the bytes of what it is a field of; of one element
  std::vector<DeviceField> fields;           // of a structure, each element's
};

struct DeviceState {
  std::string name;
  uint32_t instance = 0;
  std::span<const uint8_t> bytes;
  std::vector<DeviceField> fields;

  // Field `name`, element `index` as a number of at most 8 bytes; `part`: of a structure. Nothing: not there.
  std::optional<uint64_t> number(std::string_view name, size_t index = 0, std::string_view part = {}) const;
  // The bytes of one element, as QEMU wrote them (numbers are big-endian).
  std::span<const uint8_t> element(std::string_view name, size_t index = 0) const;
};

class DeviceStates {
 public:
  // All of a clone's state file. An error names `where` and the section that does not agree with its description.
  static Result<DeviceStates> parse(std::vector<uint8_t> bytes, const std::string& where);
  const DeviceState* find(std::string_view name, uint32_t instance = 0) const;
  const std::vector<DeviceState>& all() const { return devices_; }

 private:
  std::shared_ptr<const std::vector<uint8_t>> bytes_;
  std::vector<DeviceState> devices_;
};

}  // namespace mortem::snapshot
