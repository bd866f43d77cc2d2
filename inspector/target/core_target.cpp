#include <fmt/format.h>

#include <algorithm>

#include "inspector/target/target.h"

namespace mortem::inspector {
namespace {

class CoreTarget final : public Target {
 public:
  explicit CoreTarget(const snapshot::CoreFile& core) : core_(core) {
    const auto reason = core.reason();
    const auto machine = core.machine_registers();
    bool first = true;
    for (const snapshot::CoreThread& thread : core.threads()) {
      TargetThread one;
      one.id = thread.id;
      one.name = thread.name;
      // Linux and gdb write the crashed thread first; our dumps name it, or name none. On demand nothing crashed.
      one.crashed = reason && reason->thread != 0 ? thread.id == reason->thread : first;
      if (reason && reason->kind == format::ReasonKind::OnDemand) one.crashed = false;
      one.in_kernel = machine && machine->in_kernel != 0 && machine->thread == thread.id;
      registers_.push_back(one.in_kernel ? machine->registers.general : thread.registers);
      threads_.push_back(one);
      first = false;
    }
    // The kernel itself crashed, outside of every thread.
    const bool kernel_is_listed =
        std::any_of(threads_.begin(), threads_.end(), [](const TargetThread& one) { return one.in_kernel; });
    if (machine && machine->in_kernel != 0 && !kernel_is_listed) {
      for (TargetThread& one : threads_) one.crashed = false;
      threads_.insert(threads_.begin(), TargetThread{machine->thread, "kernel", true, true});
      registers_.insert(registers_.begin(), machine->registers.general);
    }
  }

  const std::string& name() const override { return core_.name(); }
  const std::vector<TargetThread>& threads() const override { return threads_; }
  const std::vector<CoreModule>& modules() const override { return core_.modules(); }

  Result<format::GeneralRegisters> registers(uint32_t thread) const override {
    for (size_t index = 0; index < threads_.size(); ++index)
      if (threads_[index].id == thread) return registers_[index];
    return failure(ErrorKind::NotFound, fmt::format("{}: has no thread {}", core_.name(), thread));
  }

  std::vector<uint8_t> floating_point(uint32_t thread) const override {
    for (const TargetThread& one : threads_)
      if (one.id == thread && one.in_kernel) return {};  // the registers are the kernel's, these are not
    for (const snapshot::CoreThread& one : core_.threads())
      if (one.id == thread) return one.floating_point;
    return {};
  }

  Result<size_t> read_memory(uint64_t address, std::span<uint8_t> to) const override {
    return core_.read_memory(address, to);
  }

 private:
  const snapshot::CoreFile& core_;
  std::vector<TargetThread> threads_;
  std::vector<format::GeneralRegisters> registers_;  // beside threads_
};

}  // namespace

Result<std::unique_ptr<Target>> open_core_target(const snapshot::CoreFile& core) {
  if (core.threads().empty() && !core.machine_registers())
    return failure(ErrorKind::BadInput, fmt::format("{}: holds no thread's registers", core.name()));
  return std::make_unique<CoreTarget>(core);
}

}  // namespace mortem::inspector
