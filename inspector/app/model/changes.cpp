#include "inspector/app/model/changes.h"

#include <algorithm>

namespace mortem::inspector::app {
namespace {

constexpr size_t kMostPages = 4096;  // that are kept: 32 MiB

const RegisterFacts* register_named(const std::vector<RegisterSet>& sets, const std::string& set,
                                    const std::string& name) {
  for (const RegisterSet& one : sets) {
    if (one.name != set) continue;
    for (const RegisterFacts& facts : one.registers)
      if (facts.name == name) return &facts;
  }
  return nullptr;
}

}  // namespace

void Changes::leave_stop(std::shared_ptr<const OpenState> left) {
  const std::lock_guard lock(mutex_);
  before_ = std::move(left);
  // What nobody looked at in the last two stops is of no use any more.
  if (pages_.size() > kMostPages / 2)
    std::erase_if(pages_, [&](const auto& one) { return one.second.now->stop + 1 < stop_; });
  ++stop_;
}

void Changes::mark(std::vector<RegisterSet>& sets, uint32_t thread) const {
  std::shared_ptr<const OpenState> before;
  {
    const std::lock_guard lock(mutex_);
    before = before_;
  }
  if (!before) return;
  const std::vector<RegisterSet> old = read_registers(*before, thread, nullptr, 0);
  for (RegisterSet& set : sets)
    for (RegisterFacts& one : set.registers) {
      const RegisterFacts* was = register_named(old, set.name, one.name);
      one.changed = was && !was->bytes.empty() && !one.bytes.empty() && was->bytes != one.bytes;
    }
}

void Changes::mark(MemoryPage& page) {
  const std::lock_guard lock(mutex_);
  if (pages_.size() >= kMostPages && !pages_.contains(page.address)) return;
  Seen& seen = pages_[page.address];
  if (!seen.now) {
    seen.now = std::make_unique<Bytes>();
  } else if (seen.now->stop != stop_) {
    seen.before = seen.now->stop + 1 == stop_ ? std::move(seen.now) : nullptr;
    seen.now = std::make_unique<Bytes>();
  }
  seen.now->stop = stop_;
  seen.now->known = page.known;
  seen.now->bytes = page.bytes;
  if (!seen.before) return;
  const size_t known = std::min(page.known, seen.before->known);
  if (std::equal(page.bytes.begin(), page.bytes.begin() + static_cast<ptrdiff_t>(known), seen.before->bytes.begin()))
    return;
  page.changed.resize(known);
  for (size_t index = 0; index < known; ++index) page.changed[index] = page.bytes[index] != seen.before->bytes[index];
}

}  // namespace mortem::inspector::app
