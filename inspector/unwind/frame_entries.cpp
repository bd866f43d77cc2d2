#include "inspector/unwind/frame_entries.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace mortem::inspector {
namespace {

constexpr size_t kLengthSize = 4, kIdSize = 4;
constexpr uint32_t kLongForm = 0xFFFFFFF0;            // 64-bit DWARF, and what is reserved
constexpr uint32_t kCommonOfDebugFrame = ~0u;         // its id; in .eh_frame it is 0
constexpr uint8_t kPcRelative = 0x10, kAbsolute = 0;  // of DW_EH_PE_…: what a value is relative to
constexpr uint8_t kIndirect = 0x80, kHowRelative = 0x70, kFormat = 0x0F;

struct Common {
  uint32_t size = 0;
  uint8_t encoding = 0;  // of addresses: DW_EH_PE_…
};

class EntryReader {
 public:
  explicit EntryReader(const FrameSection& section)
      : section_(section), bytes_(section.bytes), is_eh_(section.name == ".eh_frame") {}

  bool read_all() {
    if (bytes_.size() >= kLongForm) return false;
    while (at_ < bytes_.size()) {
      uint32_t length = 0;
      end_ = bytes_.size();
      if (!take(length)) return false;
      if (length == 0) return is_eh_ && at_ == bytes_.size();  // the terminator
      if (length >= kLongForm || length > bytes_.size() - at_ || length < kIdSize) return false;
      const uint32_t start = static_cast<uint32_t>(at_ - kLengthSize);
      end_ = at_ + length;
      uint32_t id = 0;
      take(id);
      const bool is_common = id == (is_eh_ ? 0 : kCommonOfDebugFrame);
      if (is_common ? !read_common(start) : !read_entry(start, id)) return false;
      at_ = end_;
    }
    return true;
  }

  std::vector<FrameEntry> entries;

 private:
  template <typename T>
  bool take(T& value) {
    if (end_ - at_ < sizeof(T)) return false;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }

  bool skip_leb128() {
    for (uint8_t byte = 0x80; byte & 0x80;)
      if (!take(byte)) return false;
    return true;
  }

  bool read_common(uint32_t start) {
    uint8_t version = 0;
    if (!take(version) || (version != 1 && version != 3 && version != 4)) return false;
    const void* const zero = std::memchr(bytes_.data() + at_, 0, end_ - at_);
    if (zero == nullptr) return false;
    const std::string_view augmentation(reinterpret_cast<const char*>(bytes_.data() + at_));
    at_ += augmentation.size() + 1;
    if (version == 4) {
      uint8_t address_size = 0, segment_size = 0;
      if (!take(address_size) || !take(segment_size) || address_size != 8 || segment_size != 0) return false;
    }
    if (!skip_leb128() || !skip_leb128() || !skip_leb128()) return false;  // the factors, the return address' register
    Common common{static_cast<uint32_t>(end_ - start), kAbsolute};
    if (!augmentation.empty()) {
      if (augmentation[0] != 'z' || !is_eh_ || !skip_leb128()) return false;
      for (const char letter : augmentation.substr(1)) {
        uint8_t encoding = 0;
        if (letter == 'S') continue;
        if ((letter != 'R' && letter != 'L' && letter != 'P') || !take(encoding)) return false;
        if (letter == 'R') common.encoding = encoding;
        if (letter == 'R' && (encoding & kIndirect) != 0) return false;
        uint64_t personality = 0;
        if (letter == 'P' && !take_value(encoding, personality)) return false;
      }
    }
    commons_.emplace(start, common);
    return true;
  }

  bool read_entry(uint32_t start, uint32_t id) {
    if (is_eh_ && id > start + kLengthSize) return false;
    const uint32_t common_start = is_eh_ ? static_cast<uint32_t>(start + kLengthSize - id) : id;
    const auto common = commons_.find(common_start);
    if (common == commons_.end()) return false;  // it stands behind, or nowhere
    FrameEntry entry{0, 0, start, static_cast<uint32_t>(end_ - start), common_start, common->second.size};
    uint64_t length = 0;
    if (!take_value(common->second.encoding, entry.low) || !take_value(common->second.encoding & kFormat, length))
      return false;
    if (length == 0) return true;
    entry.high = entry.low + length;
    if (entry.high < entry.low) return false;
    entries.push_back(entry);
    return true;
  }

  // As DW_EH_PE_… says it is encoded.
  bool take_value(uint8_t encoding, uint64_t& value) {
    const uint64_t here = section_.address + at_;
    switch (encoding & kFormat) {
      case 0x00:  // absptr
      case 0x04:  // udata8
      case 0x0C:  // sdata8
        if (!take(value)) return false;
        break;
      case 0x03: {  // udata4
        uint32_t four = 0;
        if (!take(four)) return false;
        value = four;
        break;
      }
      case 0x0B: {  // sdata4
        int32_t four = 0;
        if (!take(four)) return false;
        value = static_cast<uint64_t>(int64_t{four});
        break;
      }
      default:
        return false;
    }
    const uint8_t how = encoding & kHowRelative;
    if (how == kPcRelative) value += here;
    return how == kPcRelative || how == kAbsolute;
  }

  const FrameSection& section_;
  const std::span<const uint8_t> bytes_;
  const bool is_eh_;
  size_t at_ = 0, end_ = 0;  // end_: of the entry that is read
  std::unordered_map<uint32_t, Common> commons_;
};

}  // namespace

std::optional<std::vector<FrameEntry>> frame_entries(const FrameSection& section) {
  EntryReader reader(section);
  if (!reader.read_all()) return std::nullopt;
  std::sort(reader.entries.begin(), reader.entries.end(),
            [](const FrameEntry& one, const FrameEntry& other) { return one.low < other.low; });
  for (size_t index = 1; index < reader.entries.size(); ++index)
    if (reader.entries[index].low < reader.entries[index - 1].high) return std::nullopt;
  return std::move(reader.entries);
}

FrameSection slice(const FrameSection& section, const FrameEntry& entry) {
  const auto put = [](std::vector<uint8_t>& bytes, std::span<const uint8_t> more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
  };
  std::vector<uint8_t> bytes;
  put(bytes, section.bytes.subspan(entry.common, entry.common_size));
  put(bytes, section.bytes.subspan(entry.offset, entry.size));
  const bool is_eh = section.name == ".eh_frame";
  // Its way to the common information: back from this field, or from the section's start on.
  const uint32_t id = is_eh ? static_cast<uint32_t>(entry.common_size + kLengthSize) : 0;
  std::memcpy(bytes.data() + entry.common_size + kLengthSize, &id, sizeof(id));
  if (is_eh) bytes.resize(bytes.size() + kLengthSize);  // the terminator
  // What is relative to its own place is so still.
  const uint64_t address = section.address + entry.offset - entry.common_size;
  return FrameSection::from(section.name, address, std::move(bytes), section.file);
}

}  // namespace mortem::inspector
