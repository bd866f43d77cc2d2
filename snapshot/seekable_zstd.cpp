// A zstd file read in place: the frames that a read touches are expanded and kept for the next one.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <list>
#include <mutex>
#include <unordered_map>

#include "snapshot/little_endian.h"
#include "snapshot/zstd_frames.h"

namespace mortem::snapshot {
namespace {

constexpr uint64_t kCacheBytes = 64 << 20;

using Content = std::shared_ptr<const std::vector<uint8_t>>;

class SeekableZstd final : public ByteSource {
 public:
  SeekableZstd(std::unique_ptr<ByteSource> compressed, std::vector<ZstdFrame> frames)
      : compressed_(std::move(compressed)),
        frames_(std::move(frames)),
        size_(frames_.empty() ? 0 : frames_.back().offset + frames_.back().size) {}

  uint64_t size() const override { return size_; }
  const std::string& name() const override { return compressed_->name(); }

  Result<void> read(uint64_t offset, std::span<uint8_t> to) const override {
    TRY_VOID(check_range(offset, to.size()));
    if (to.empty()) return {};
    auto frame = std::upper_bound(frames_.begin(), frames_.end(), offset,
                                  [](uint64_t value, const ZstdFrame& one) { return value < one.offset; });
    for (size_t index = static_cast<size_t>(frame - frames_.begin()) - 1; !to.empty(); ++index) {
      const Content content = TRY(frame_content(index));
      const uint64_t inside = offset - frames_[index].offset;
      const size_t length = std::min<uint64_t>(to.size(), content->size() - inside);
      std::memcpy(to.data(), content->data() + inside, length);
      to = to.subspan(length);
      offset += length;
    }
    return {};
  }

 private:
  Result<Content> frame_content(size_t index) const {
    {
      std::lock_guard lock(mutex_);
      if (auto found = cached_.find(index); found != cached_.end()) {
        recent_.splice(recent_.begin(), recent_, found->second.position);
        return found->second.content;
      }
    }
    // Two threads may expand the same frame at once: harmless, and better than one waiting for another's frame.
    auto content = std::make_shared<const std::vector<uint8_t>>(TRY(expand_frame(*compressed_, frames_[index], index)));
    std::lock_guard lock(mutex_);
    if (auto found = cached_.find(index); found != cached_.end()) return found->second.content;
    recent_.push_front(index);
    cached_.emplace(index, Cached{content, recent_.begin()});
    cached_bytes_ += content->size();
    while (cached_bytes_ > kCacheBytes && recent_.size() > 1) {
      auto oldest = cached_.find(recent_.back());
      cached_bytes_ -= oldest->second.content->size();
      cached_.erase(oldest);
      recent_.pop_back();
    }
    return content;
  }

  struct Cached {
    Content content;
    std::list<size_t>::iterator position;  // in recent_
  };

  std::unique_ptr<ByteSource> compressed_;
  std::vector<ZstdFrame> frames_;
  uint64_t size_;
  mutable std::mutex mutex_;  // of all below
  mutable std::unordered_map<size_t, Cached> cached_;
  mutable std::list<size_t> recent_;  // frame numbers, the latest first
  mutable uint64_t cached_bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> open_seekable_zstd(std::unique_ptr<ByteSource> compressed) {
  if (auto frames = TRY(read_seek_table(*compressed)))
    return std::make_unique<SeekableZstd>(std::move(compressed), std::move(*frames));

  FrameWalk walk = TRY(walk_frames(*compressed));
  if (walk.cut_short)
    return failure(
        ErrorKind::BadInput,
        fmt::format("{}: truncated: its seek table is missing ({} bytes); the copy was cut, pull the dump again",
                    compressed->name(), compressed->size()));
  if (walk.unknown_size)
    return failure(
        ErrorKind::Unsupported,
        fmt::format("{}: the zstd frame at offset {:#x} does not tell the size of its content: unpack it with "
                    "`zstd -d` and use the result",
                    compressed->name(), walk.end));
  if (walk.not_zstd)
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: no zstd frame at offset {:#x} and no seek table at the end; the "
                               "file has something else behind the dump or is damaged",
                               compressed->name(), walk.end));
  return std::make_unique<SeekableZstd>(std::move(compressed), std::move(walk.frames));
}

Result<std::unique_ptr<ByteSource>> open_bytes(std::unique_ptr<ByteSource> source) {
  constexpr uint32_t kZstdMagic = 0xFD2FB528;
  if (source->size() >= 4) {
    uint32_t magic = 0;
    TRY_VOID(source->read(0, writable_bytes_of(magic)));
    if (magic == kZstdMagic || (magic & ~0xFu) == 0x184D2A50) return open_seekable_zstd(std::move(source));
  }
  return source;
}

Result<std::unique_ptr<ByteSource>> open_bytes(const std::filesystem::path& path) {
  return open_bytes(TRY(open_plain_file(path)));
}

}  // namespace mortem::snapshot
