#include "tools/replay/recorded_moment.h"

#include "snapshot/clone/clone_core.h"
#include "snapshot/clone/clone_description.h"

namespace mortem::tools {

namespace {

class BorrowedBytes final : public snapshot::ByteSource {
 public:
  explicit BorrowedBytes(const snapshot::ByteSource& from) : from_(from) {}
  uint64_t size() const override { return from_.size(); }
  Result<void> read(uint64_t offset, std::span<uint8_t> to) const override { return from_.read(offset, to); }
  const std::string& name() const override { return from_.name(); }

 private:
  const snapshot::ByteSource& from_;
};

}  // namespace

Result<std::unique_ptr<snapshot::CoreFile>> open_recorded_moment(const Recording& recording, const GuestRam& ram,
                                                                 const snapshot::CpuState& processor) {
  snapshot::CloneDescription description;
  description.name = recording.name;
  description.program = recording.program;
  description.memory_bytes = recording.machine.memory;
  description.memory_below_4g = snapshot::memory_below_4g(recording.machine.type, recording.machine.memory);
  return snapshot::CoreFile::from(
      TRY(snapshot::open_moment(description, recording.name, std::make_unique<BorrowedBytes>(ram), processor)));
}

}  // namespace mortem::tools
