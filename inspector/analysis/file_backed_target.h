// A target whose memory is completed by its modules' files: Linux leaves unchanged pages of files out of its cores.
#pragma once

#include <algorithm>

#include "inspector/analysis/stack.h"
#include "inspector/target/target.h"
#include "inspector/unwind/module_files.h"

namespace mortem::inspector {

class FileBackedTarget final : public Target {
 public:
  FileBackedTarget(const Target& target, StackReader& reader, BackingFiles files = BackingFiles::All)
      : target_(target), reader_(reader), files_(files) {}

  const std::string& name() const override { return target_.name(); }
  const std::vector<TargetThread>& threads() const override { return target_.threads(); }
  Result<format::GeneralRegisters> registers(uint32_t thread) const override { return target_.registers(thread); }
  const std::vector<CoreModule>& modules() const override { return target_.modules(); }
  const std::vector<TargetRegion>& regions() const override { return target_.regions(); }
  std::span<const uint8_t> extended_state(uint32_t thread) const override { return target_.extended_state(thread); }
  std::span<const uint8_t> signal_information(uint32_t thread) const override {
    return target_.signal_information(thread);
  }
  int stop_signal(uint32_t thread) const override { return target_.stop_signal(thread); }
  const snapshot::CoreFile& core() const override { return target_.core(); }

  Result<size_t> read_memory(uint64_t address, std::span<uint8_t> to) const override {
    const size_t got = TRY(target_.read_memory(address, to));
    if (got == to.size()) return got;
    const CoreModule* module = reader_.module_at(address + got);
    if (module && files_ == BackingFiles::WithId && module->id_kind == format::ModuleIdKind::None) return got;
    return module ? got + reader_.files().read(address + got, to.subspan(got)) : got;
  }

 private:
  const Target& target_;
  StackReader& reader_;
  const BackingFiles files_;
};

}  // namespace mortem::inspector
