// Bytes at offsets, wherever they come from: a plain file, a seekable zstd file, a part of a disk image.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "snapshot/result.h"

namespace mortem::snapshot {

// All sources may be read from several threads at once.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual uint64_t size() const = 0;
  virtual Result<void> read(uint64_t offset, std::span<uint8_t> to) const = 0;  // all of it, or an error
  virtual const std::string& name() const = 0;                                  // for error sentences

 protected:
  // The error for a range that is not wholly inside; its arithmetic cannot overflow.
  Result<void> check_range(uint64_t offset, uint64_t length) const;
};

// A regular file or a block device. A file that shrinks later gives errors, not faults.
Result<std::unique_ptr<ByteSource>> open_plain_file(const std::filesystem::path& path);

// A disk image in a format of QEMU's (`driver`: "qcow2", "vmdk", "vpc", "vhdx"): the disk that is in it. Needs the
// program qemu-nbd, which ends with the source.
Result<std::unique_ptr<ByteSource>> open_nbd_image(const std::filesystem::path& path, const std::string& driver);

// Decompresses frame by frame through a small cache; checks the frames' checksums. Without a seek table the frame
// headers are walked, which works if each of them tells its content's size.
Result<std::unique_ptr<ByteSource>> open_seekable_zstd(std::unique_ptr<ByteSource> compressed);

// `length` bytes of `whole` from `offset` on, under a name of their own.
Result<std::unique_ptr<ByteSource>> open_subrange(std::shared_ptr<const ByteSource> whole, uint64_t offset,
                                                  uint64_t length, std::string name);

// Chooses by the file's magic.
Result<std::unique_ptr<ByteSource>> open_bytes(const std::filesystem::path& path);
// The same for a source that is open already.
Result<std::unique_ptr<ByteSource>> open_bytes(std::unique_ptr<ByteSource> source);

}  // namespace mortem::snapshot
