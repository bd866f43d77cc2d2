#include "inspector/app/model/open_state.h"

#include <algorithm>

#include "snapshot/resume/dump_boot.h"

namespace mortem::inspector::app {

Result<std::shared_ptr<OpenState>> OpenState::from(std::unique_ptr<snapshot::CoreFile> core) {
  auto state = std::make_shared<OpenState>();
  state->core = std::move(core);
  state->target = TRY(open_core_target(*state->core));
  state->info = snapshot::gather_dump_info(*state->core);
  if (auto can = snapshot::check_resumable(*state->core); !can) state->why_not_resumed = can.error().message;
  const Target& target = *state->target;
  for (const TargetThread& thread : target.threads()) {
    ThreadFacts facts;
    facts.thread = thread;
    facts.state = thread_state_text(thread, system_call_of(thread, target));
    if (const auto registers = target.registers(thread.id)) {
      facts.instruction_pointer = registers->rip;
      facts.stack_pointer = registers->rsp;
    }
    state->threads.push_back(std::move(facts));
  }
  std::stable_partition(state->threads.begin(), state->threads.end(),
                        [](const ThreadFacts& one) { return one.thread.crashed; });
  state->ranges = address_ranges(target);
  state->labels = std::make_unique<AddressLabels>(target);
  return state;
}

MemoryPage read_memory_page(const OpenState& state, uint64_t address) {
  MemoryPage page;
  page.address = address & ~(kMemoryPage - 1);
  const auto got = state.target->read_memory(page.address, page.bytes);
  if (!got) {
    page.state = MemoryPage::State::Unreadable;
    return page;
  }
  page.known = *got;
  std::fill(page.bytes.begin() + static_cast<ptrdiff_t>(page.known), page.bytes.end(), uint8_t{0});
  if (page.known == page.bytes.size()) {
    page.state = MemoryPage::State::Held;
  } else if (page.known > 0) {
    page.state = MemoryPage::State::Partly;
  } else if (const AddressRange* range = range_at(state.ranges, page.address)) {
    page.state = range->content == RangeContent::None ? MemoryPage::State::Reserved : MemoryPage::State::NotHeld;
  }
  return page;
}

}  // namespace mortem::inspector::app
