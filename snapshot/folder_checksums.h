// Checksums of the files in a clone's or recording's folder, block by block, in a file of their own beside them: what
// was cut or changed is found where it is read, and no large file has to be read for it before.
//
// The file: kChecksumsMagic, then of each file the length of its name (uint32_t), the name, its bytes (uint64_t) and
// the XXH64 of each block of it (uint64_t); all little-endian.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "snapshot/byte_source.h"
#include "snapshot/result.h"

namespace mortem::snapshot {

inline constexpr const char* kChecksumsFile = "checksums";
inline constexpr char kChecksumsMagic[9] = "MTMSUMS1";
inline constexpr uint64_t kChecksumBlock = 64 << 10;  // bytes
// Files up to this size are compared whenever the folder is used: some milliseconds.
inline constexpr uint64_t kLargestCheckedAtOnce = 16 << 20;

struct FileChecksums {
  std::string file;  // a name in the folder
  uint64_t bytes = 0;
  std::vector<uint64_t> blocks;  // XXH64; the last one may be short
};

class FolderChecksums {
 public:
  // Of the regular files in the folder but those. Holes in them cost nothing.
  static Result<FolderChecksums> of(const std::filesystem::path& folder, const std::vector<std::string>& without);
  // Of a file's bytes. `where`: for errors.
  static Result<FolderChecksums> parse(std::span<const uint8_t> bytes, const std::string& where);
  // The folder's own; `checksum`: XXH64 of the file, as the folder's description has it.
  static Result<FolderChecksums> read(const std::filesystem::path& folder, uint64_t checksum);
  std::vector<uint8_t> bytes() const;

  const std::vector<FileChecksums>& files() const { return files_; }
  const FileChecksums* find(const std::string& file) const;  // null: it has none

  // Each is there, with its size; an error names the first that is not.
  Result<void> check_sizes(const std::filesystem::path& folder) const;
  // Reads those that are not larger than that, and compares. An error names the file, and where it was changed.
  // `go_on` is asked between the blocks with the bytes that were compared since; what it returns ends it.
  Result<void> check_content(const std::filesystem::path& folder, uint64_t largest,
                             const std::function<Result<void>(uint64_t)>& go_on = {}) const;

 private:
  std::vector<FileChecksums> files_;
};

// A file whose blocks are compared when they are first read. A read from a block that was changed is an error.
class CheckedFile final : public ByteSource {
 public:
  // `checksums`: of that file, of its size.
  CheckedFile(std::unique_ptr<ByteSource> file, FileChecksums checksums);
  uint64_t size() const override { return file_->size(); }
  const std::string& name() const override { return file_->name(); }
  Result<void> read(uint64_t offset, std::span<uint8_t> to) const override;
  // The first that was read; empty: none. It may be asked when the file is closed.
  std::function<std::string()> damage_of() const;
  void tell_from_now_on();  // of damage, that of before, too: tell_damage()

 private:
  struct State;
  Result<void> check_block(uint64_t number, std::span<const uint8_t> bytes) const;
  const std::unique_ptr<ByteSource> file_;
  const FileChecksums checksums_;
  const std::shared_ptr<State> state_;
};

// Who shows what is read of a folder is told of damage in it, a sentence for each file, from the thread that reads. To
// be set before anything is opened.
void on_damage(std::function<void(const std::string& sentence)> tell);
void tell_damage(const std::string& sentence);

}  // namespace mortem::snapshot
