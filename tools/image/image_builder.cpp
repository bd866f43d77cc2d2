#include "tools/image/image_builder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "snapshot/format/slot.h"
#include "snapshot/slots.h"
#include "tools/elf_file.h"
#include "tools/files.h"
#include "tools/image/libraries.h"
#include "tools/image/partition_table.h"
#include "tools/image/root_file_system.h"
#include "tools/local_store.h"
#include "tools/output.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

uint64_t align(uint64_t value) {
  return (value + kPartitionAlignment - 1) / kPartitionAlignment * kPartitionAlignment;
}

// A file that is deleted unless it was renamed to its final name.
class UnfinishedFile {
 public:
  static Result<UnfinishedFile> create(const fs::path& final_name) {
    std::string name = final_name.string() + ".XXXXXX";
    Descriptor file(mkostemp(name.data(), O_CLOEXEC));
    if (!file) return system_failure("cannot write", final_name);
    return UnfinishedFile(std::move(file), name);
  }
  UnfinishedFile(UnfinishedFile&& other) noexcept = default;
  ~UnfinishedFile() {
    if (file_) unlink(name_.c_str());
  }
  int descriptor() const { return file_.get(); }
  const fs::path& name() const { return name_; }
  Result<void> finish(const fs::path& final_name) {
    if (rename(name_.c_str(), final_name.c_str()) != 0) return system_failure("cannot write", final_name);
    file_.reset();
    return {};
  }

 private:
  UnfinishedFile(Descriptor file, fs::path name) : file_(std::move(file)), name_(std::move(name)) {}
  Descriptor file_;
  fs::path name_;
};

Guid guid_of(const uint8_t (&bytes)[16]) {
  Guid guid;
  std::copy(std::begin(bytes), std::end(bytes), guid.begin());
  return guid;
}

Result<ImageFacts> fill_image(const ImageRequest& request, const RootFileSystem& root, const UnfinishedFile& file) {
  ImageFacts facts;
  facts.root_size = root.size();
  facts.slots = request.slots;
  facts.slot_size = slot_size_for(request.memory);
  Partition partitions[2];
  partitions[0] = {guid_of(format::kRootPartitionType), random_guid(), kPartitionAlignment, root.size(), "mortem-root"};
  partitions[1] = {guid_of(format::kDumpPartitionType), random_guid(), align(kPartitionAlignment + root.size()),
                   align(format::kBlockSize + facts.slots * facts.slot_size), "mortem-dump"};
  facts.size = disk_size_for(partitions[1]);
  // The lengths first: what is not written stays a hole.
  if (ftruncate(file.descriptor(), off_t(facts.size)) != 0) return system_failure("cannot write", file.name());
  TRY_VOID(root.write(file.name(), partitions[0].start));
  const auto dumps =
      TRY(snapshot::write_dump_partition(file.name(), partitions[1].start, partitions[1].length, facts.slots));
  facts.slot_size = dumps.slot_size;
  TRY_VOID(write_partition_table(file.descriptor(), file.name().string(), facts.size, random_guid(), partitions));
  return facts;
}

// The image is good without the store; only symbols would have to be pointed at by hand.
void keep_modules(const Libraries& libraries, ImageFacts& facts) {
  std::string why;
  for (const PackedModule& module : libraries.modules) {
    auto id = module_id(module.host);
    if (!id) continue;
    if (facts.program_id.empty()) facts.program_id = *id;  // the program is the first
    if (auto kept = keep_in_store(module.host); !kept && why.empty()) why = kept.error().message;
    facts.modules.push_back({module.guest, *id, record_debug_file(*id)});
  }
  if (!why.empty()) note("the program and its libraries are not kept for later: " + why);
}

}  // namespace

uint64_t slot_size_for(uint64_t memory) {
  // Program headers and page map take at most 88 bytes a page, zstd's frame and block headers 1/4096 of the content;
  // 1/32 covers both. Headers, notes and the seek table are far below 2 MiB.
  return align(memory + memory / 32 + (2 << 20) + 2 * format::kBlockSize);
}

Result<ImageFacts> build_image(const ImageRequest& request, const fs::path& path) {
  const Libraries libraries = TRY(find_libraries(request));
  for (const std::string& line : libraries.notes) note(line);
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    return failure(ErrorKind::BadInput, path.string() + ": is a folder; -o names the image's file");
  // The place to write is tried first, before files are copied for nothing.
  UnfinishedFile file = TRY(UnfinishedFile::create(path));
  const RootFileSystem root = TRY(RootFileSystem::stage(request, libraries));
  ImageFacts facts = TRY(fill_image(request, root, file));
  TRY_VOID(file.finish(path));
  facts.path = path;
  struct stat status;
  if (stat(path.c_str(), &status) == 0) facts.allocated = uint64_t(status.st_blocks) * 512;
  keep_modules(libraries, facts);
  return facts;
}

}  // namespace mortem::tools
