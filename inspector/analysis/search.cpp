#include "inspector/analysis/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "gdbstub/arguments.h"

namespace mortem::inspector {
namespace {

constexpr size_t kPiece = 1 << 20;  // of memory that is read at once
constexpr size_t kContext = 64;     // bytes after what was found that are kept for the caller
constexpr uint64_t kKernelHalf = uint64_t{1} << 63;

// The longest run of bytes that are given: what is looked for first.
struct Anchor {
  size_t offset = 0, length = 0;
};
Anchor longest_run(const BytePattern& pattern) {
  Anchor best, now;
  for (size_t index = 0; index < pattern.bytes.size(); ++index) {
    if (pattern.any[index]) {
      now = {index + 1, 0};
      continue;
    }
    if (++now.length > best.length) best = now;
  }
  return best;
}

class Searcher {
 public:
  Searcher(const Search& search, const SearchFound& found)
      : search_(search), found_(found), anchor_(longest_run(search.pattern)) {}

  // Whether zeros can be what is looked for: where there is nothing else need not be looked.
  bool finds_zeros() const {
    if (search_.pattern.bytes.empty()) return search_.pointers.first == 0;
    const BytePattern& pattern = search_.pattern;
    for (size_t index = 0; index < pattern.bytes.size(); ++index)
      if (!pattern.any[index] && pattern.bytes[index] != 0) return false;
    return true;
  }

  // How many bytes from an address on must be there to tell whether something begins at it.
  size_t needed() const { return search_.pattern.bytes.empty() ? sizeof(uint64_t) : search_.pattern.bytes.size(); }

  // What begins in the first `starts` bytes.
  SearchAnswer look(uint64_t address, std::span<const uint8_t> bytes, size_t starts) const {
    return search_.pattern.bytes.empty() ? look_for_pointers(address, bytes, starts)
                                         : look_for_bytes(address, bytes, starts);
  }

 private:
  SearchAnswer tell(uint64_t address, std::span<const uint8_t> bytes, size_t at) const {
    return found_(address + at, bytes.subspan(at, std::min(bytes.size() - at, needed() + kContext)));
  }

  SearchAnswer look_for_bytes(uint64_t address, std::span<const uint8_t> bytes, size_t starts) const {
    const BytePattern& pattern = search_.pattern;
    const uint8_t* anchor = pattern.bytes.data() + anchor_.offset;
    for (size_t at = 0; at < starts;) {
      const size_t from = at + anchor_.offset;
      if (from >= bytes.size()) break;
      const auto* hit =
          static_cast<const uint8_t*>(memmem(bytes.data() + from, bytes.size() - from, anchor, anchor_.length));
      if (!hit) break;
      at = static_cast<size_t>(hit - bytes.data()) - anchor_.offset;
      if (at >= starts || at + pattern.bytes.size() > bytes.size()) break;
      if (matches(bytes.data() + at) && tell(address, bytes, at) == SearchAnswer::Enough) return SearchAnswer::Enough;
      ++at;
    }
    return SearchAnswer::GoOn;
  }

  bool matches(const uint8_t* bytes) const {
    for (size_t index = 0; index < search_.pattern.bytes.size(); ++index)
      if (!search_.pattern.any[index] && bytes[index] != search_.pattern.bytes[index]) return false;
    return true;
  }

  SearchAnswer look_for_pointers(uint64_t address, std::span<const uint8_t> bytes, size_t starts) const {
    const uint64_t first = search_.pointers.first, length = search_.pointers.last - first;
    const size_t step = search_.pointers.aligned_only ? sizeof(uint64_t) : 1;
    for (size_t at = (0 - address) & (step - 1); at < starts && at + sizeof(uint64_t) <= bytes.size(); at += step) {
      uint64_t word;
      std::memcpy(&word, bytes.data() + at, sizeof word);
      if (word - first <= length && tell(address, bytes, at) == SearchAnswer::Enough) return SearchAnswer::Enough;
    }
    return SearchAnswer::GoOn;
  }

  const Search& search_;
  const SearchFound& found_;
  const Anchor anchor_;
};

// Reads region after region into one buffer, in which the end of a piece stays before the next.
class Reader {
 public:
  Reader(const Target& target, std::span<const TargetRegion> more, const Searcher& searcher,
         const snapshot::Progress& progress)
      : target_(target), searcher_(searcher), progress_(progress), regions_(more.begin(), more.end()) {
    std::ranges::copy_if(target.regions(), std::back_inserter(regions_),
                         [&](const auto& one) { return is_wanted(one); });
    std::ranges::sort(regions_, {}, &TargetRegion::start);
    for (const TargetRegion& region : regions_) all_ += region.end - region.start;
  }

  SearchTotals run() {
    for (const TargetRegion& region : regions_) {
      if (region.start != address_ + buffer_.size() && !finish()) return stopped();
      for (uint64_t at = region.start; at < region.end;) {
        const size_t count = read(at, std::min<uint64_t>(kPiece, region.end - at));
        at += count;
        if (progress_ && progress_(totals_.bytes + totals_.unreadable, all_) == snapshot::ProgressAnswer::Cancel)
          return stopped();
        if (!go_on_) return stopped();
      }
    }
    if (!finish()) return stopped();
    return totals_;
  }

 private:
  bool is_wanted(const TargetRegion& region) const {
    if (region.is_another_view && region.start >= kKernelHalf) return false;
    return searcher_.finds_zeros() || !is_untouched(region);
  }

  // Mapped and never used, as programs have it by the gigabyte.
  bool is_untouched(const TargetRegion& region) const {
    const auto& map = target_.core().page_map();
    const auto after =
        std::upper_bound(map.begin(), map.end(), region.start,
                         [](uint64_t value, const format::PageMapEntry& entry) { return value < entry.virtual_start; });
    if (after == map.begin()) return false;
    const format::PageMapEntry& entry = *std::prev(after);
    return entry.kind == format::PageMapKind::Untouched && region.end - 1 <= entry.virtual_start + (entry.length - 1);
  }

  SearchTotals stopped() {
    totals_.complete = false;
    return totals_;
  }

  // Returns how far it came: all of it, or up to a place that cannot be read and past that.
  size_t read(uint64_t at, size_t length) {
    if (buffer_.empty()) address_ = at;
    const size_t before = buffer_.size();
    buffer_.resize(before + length);
    const size_t count = target_.read_memory(at, std::span(buffer_).subspan(before)).value_or(0);
    buffer_.resize(before + count);
    totals_.bytes += count;
    if (count == 0) {
      constexpr uint64_t kPage = 4096;
      const size_t skipped = std::min<uint64_t>(length, kPage - at % kPage);
      totals_.unreadable += skipped;
      go_on_ = finish();
      return skipped;
    }
    look_at_whole_starts();
    return count;
  }

  void look_at_whole_starts() {
    const size_t kept = searcher_.needed() - 1 + kContext;
    if (buffer_.size() <= kept) return;
    const size_t starts = buffer_.size() - kept;
    go_on_ = searcher_.look(address_, buffer_, starts) == SearchAnswer::GoOn;
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(starts));
    address_ += starts;
  }

  // Nothing follows what is in the buffer.
  bool finish() {
    const bool go_on = searcher_.look(address_, buffer_, buffer_.size()) == SearchAnswer::GoOn;
    buffer_.clear();
    return go_on;
  }

  const Target& target_;
  const Searcher& searcher_;
  const snapshot::Progress& progress_;
  std::vector<TargetRegion> regions_;  // to search, by address
  uint64_t all_ = 0, address_ = 0;
  std::vector<uint8_t> buffer_;
  bool go_on_ = true;
  SearchTotals totals_;
};

}  // namespace

Result<BytePattern> parse_byte_pattern(std::string_view text) {
  BytePattern pattern;
  const auto broken = [&] {
    return failure(ErrorKind::BadInput,
                   fmt::format("\"{}\": no bytes: two hexadecimal digits each, ?? for any, as in de ad ?? ef", text));
  };
  for (size_t at = 0; at < text.size();) {
    if (text[at] == ' ') {
      ++at;
      continue;
    }
    if (at + 1 >= text.size()) return broken();
    const bool any = text[at] == '?' && text[at + 1] == '?';
    const int high = gdbstub::hex_digit(text[at]), low = gdbstub::hex_digit(text[at + 1]);
    if (!any && (high < 0 || low < 0)) return broken();
    pattern.bytes.push_back(any ? uint8_t{0} : static_cast<uint8_t>(high << 4 | low));
    pattern.any.push_back(any);
    at += 2;
  }
  if (std::find(pattern.any.begin(), pattern.any.end(), false) == pattern.any.end()) return broken();
  return pattern;
}

BytePattern text_pattern(std::string_view text) {
  return {{text.begin(), text.end()}, std::vector<bool>(text.size(), false)};
}

SearchTotals search_memory(const Target& target, std::span<const TargetRegion> more, const Search& search,
                           const SearchFound& found, const snapshot::Progress& progress) {
  const Searcher searcher(search, found);
  return Reader(target, more, searcher, progress).run();
}

}  // namespace mortem::inspector
