#include <fmt/format.h>

#include <algorithm>

#include "inspector/target/core_regions.h"
#include "inspector/target/target.h"

namespace mortem::inspector {
namespace {

class CoreTarget final : public Target {
 public:
  CoreTarget(const snapshot::CoreFile& core, Scope scope) : core_(core), scope_(scope) {
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
      registers_.push_back(one.in_kernel && scope == Scope::Guest ? machine->registers.general : thread.registers);
      threads_.push_back(one);
      states_.push_back(&thread);
      first = false;
    }
    // The kernel itself crashed, outside of every thread.
    const bool kernel_is_listed =
        std::any_of(threads_.begin(), threads_.end(), [](const TargetThread& one) { return one.in_kernel; });
    const bool kernel_is_wanted = scope == Scope::Guest || threads_.empty();
    if (machine && machine->in_kernel != 0 && !kernel_is_listed && kernel_is_wanted) {
      for (TargetThread& one : threads_) one.crashed = false;
      threads_.insert(threads_.begin(), TargetThread{machine->thread, "kernel", true, true});
      registers_.insert(registers_.begin(), machine->registers.general);
      states_.insert(states_.begin(), nullptr);
      scope_ = Scope::Guest;
    }
    for (const CoreModule& module : core.modules())
      if (scope_ == Scope::Guest || module.kind != format::ModuleKind::Kernel) modules_.push_back(module);
  }

  const std::string& name() const override { return core_.name(); }
  const std::vector<TargetThread>& threads() const override { return threads_; }
  const std::vector<CoreModule>& modules() const override { return modules_; }
  const snapshot::CoreFile& core() const override { return core_; }

  Result<format::GeneralRegisters> registers(uint32_t thread) const override {
    if (const auto index = find(thread)) return registers_[*index];
    return failure(ErrorKind::NotFound, fmt::format("{}: has no thread {}", core_.name(), thread));
  }

  Result<size_t> read_memory(uint64_t address, std::span<uint8_t> to) const override {
    return core_.read_memory(address, to);
  }

  const std::vector<TargetRegion>& regions() const override {
    if (!regions_) regions_ = regions_of(core_, scope_);
    return *regions_;
  }

  std::span<const uint8_t> extended_state(uint32_t thread) const override {
    const snapshot::CoreThread* state = state_of(thread);
    if (!state) return {};
    return state->extended_state.empty() ? state->floating_point : state->extended_state;
  }

  std::span<const uint8_t> signal_information(uint32_t thread) const override {
    const snapshot::CoreThread* state = state_of(thread);
    return state ? std::span<const uint8_t>(state->siginfo) : std::span<const uint8_t>();
  }

  int stop_signal(uint32_t thread) const override {
    const snapshot::CoreThread* state = state_of(thread);
    return state ? state->signal : 0;
  }

 private:
  std::optional<size_t> find(uint32_t thread) const {
    for (size_t index = 0; index < threads_.size(); ++index)
      if (threads_[index].id == thread) return index;
    return std::nullopt;
  }
  const snapshot::CoreThread* state_of(uint32_t thread) const {
    const auto index = find(thread);
    return index ? states_[*index] : nullptr;
  }

  const snapshot::CoreFile& core_;
  Scope scope_;
  std::vector<TargetThread> threads_;
  std::vector<format::GeneralRegisters> registers_;  // beside threads_
  std::vector<const snapshot::CoreThread*> states_;  // beside threads_; null: the kernel's own
  std::vector<CoreModule> modules_;
  mutable std::optional<std::vector<TargetRegion>> regions_;  // made when asked for
};

}  // namespace

Result<std::unique_ptr<Target>> open_core_target(const snapshot::CoreFile& core, Scope scope) {
  if (core.threads().empty() && !core.machine_registers())
    return failure(ErrorKind::BadInput, fmt::format("{}: holds no thread's registers", core.name()));
  return std::make_unique<CoreTarget>(core, scope);
}

}  // namespace mortem::inspector
