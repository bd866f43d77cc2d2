// Call frame information as the index of a module keeps it.
#pragma once

#include "inspector/symbols/index/index_file.h"
#include "inspector/unwind/call_frame_information.h"

namespace mortem::inspector {

class IndexedFrames final : public CallFrameInformation {
 public:
  explicit IndexedFrames(std::shared_ptr<index::IndexFile> file) : file_(std::move(file)) {}
  // Null also where the index is found to be broken, which broken() says then.
  const UnwindRow* find(uint64_t address) override;
  bool broken() const { return file_->broken(); }
  bool is_empty() const { return file_->count<index::IndexRow>(index::IndexSection::Rows) == 0; }

 private:
  std::optional<UnwindRow> read(uint32_t number);
  std::optional<UnwindRule> read_rule(const index::IndexRule& stored);

  std::shared_ptr<index::IndexFile> file_;
  std::unordered_map<uint32_t, std::optional<UnwindRow>> rows_;  // by number: nodes do not move
};

}  // namespace mortem::inspector
