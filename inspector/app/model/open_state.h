// The target as it was opened, or as it stood at one stop. Nothing in it changes any more: threads of all lanes and
// jobs read it, each holding it alive.
#pragma once

#include <memory>

#include "inspector/analysis/address_labels.h"
#include "inspector/app/model/facts.h"
#include "inspector/target/target.h"

namespace mortem::inspector::app {

struct OpenState {
  // Made ready for several threads: what a target finds out late, it finds out here.
  static Result<std::shared_ptr<OpenState>> from(std::unique_ptr<snapshot::CoreFile> core);

  std::shared_ptr<const snapshot::CoreFile> core;
  std::unique_ptr<Target> target;
  snapshot::DumpInfo info;
  std::string why_not_resumed;       // empty: it can go on as a guest of its own
  std::vector<ThreadFacts> threads;  // the crashed one first
  std::vector<AddressRange> ranges;
  std::unique_ptr<AddressLabels> labels;
};

// From the target, and where it holds less from nowhere.
MemoryPage read_memory_page(const OpenState& state, uint64_t address);

// `stack`: of the thread, for frames above the innermost one; null: only the innermost is known.
std::vector<RegisterSet> read_registers(const OpenState& state, uint32_t thread, const Stack* stack, size_t frame);

}  // namespace mortem::inspector::app
