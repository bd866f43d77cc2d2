#include "inspector/symbols/debug_file.h"

#include <fmt/format.h>
#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/MemoryBuffer.h>

#include "inspector/symbols/debug_sections.h"
#include "inspector/symbols/suspect.h"

namespace mortem::inspector {
namespace {

// What LLVM finds odd about a file is no reason to write to the user's terminal.
void ignore_error(llvm::Error error) {
  llvm::consumeError(std::move(error));
}

class LlvmDebugFile final : public DebugFile {
 public:
  LlvmDebugFile(std::shared_ptr<const ElfImage> image, std::unique_ptr<llvm::object::ObjectFile> object,
                std::string package, std::shared_ptr<const ElfImage> alternate)
      : image_(std::move(image)),
        object_(std::move(object)),
        package_(std::move(package)),
        alternate_(std::move(alternate)) {}

  llvm::DWARFContext& context() override { return make(context_, LocationLists::Read); }
  llvm::DWARFContext& places() override { return make(places_, LocationLists::LeaveOut); }
  const ElfImage& image() const override { return *image_; }
  const llvm::object::ObjectFile& object() const override { return *object_; }

 private:
  llvm::DWARFContext& make(std::unique_ptr<llvm::DWARFContext>& kept, LocationLists lists) {
    now_reading(Reader::Llvm, image_->name());
    if (alternate_) {
      merged_ = merge_alternate(image_, alternate_);
      alternate_.reset();
    }
    if (!kept)
      kept = std::make_unique<llvm::DWARFContext>(
          std::make_unique<DebugSections>(*image_, *object_, lists, merged_ ? &*merged_ : nullptr), package_,
          ignore_error, ignore_error);
    return *kept;
  }

  std::shared_ptr<const ElfImage> image_;
  std::unique_ptr<llvm::object::ObjectFile> object_;
  std::string package_;
  std::shared_ptr<const ElfImage> alternate_;  // null: there is none, or it was merged
  std::optional<MergedSections> merged_;
  std::unique_ptr<llvm::DWARFContext> context_, places_;
};

}  // namespace

Result<std::unique_ptr<DebugFile>> DebugFile::open(std::shared_ptr<const ElfImage> image, std::string package,
                                                   std::shared_ptr<const ElfImage> alternate) {
  if (distrusted(Reader::Llvm, image->name()))
    return failure(ErrorKind::BadInput, fmt::format("{}: its debug information is broken", image->name()));
  now_reading(Reader::Llvm, image->name());
  const llvm::StringRef bytes(reinterpret_cast<const char*>(image->bytes().data()), image->bytes().size());
  auto object = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(bytes, image->name()));
  if (!object)
    return failure(ErrorKind::BadInput,
                   fmt::format("{}: cannot be read: {}", image->name(), llvm::toString(object.takeError())));
  return std::make_unique<LlvmDebugFile>(std::move(image), std::move(*object), std::move(package),
                                         std::move(alternate));
}

}  // namespace mortem::inspector
