#include "tools/replay/page_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>

#include "snapshot/xxhash64.h"

namespace mortem::tools {

Result<PageStore> PageStore::create(const std::filesystem::path& path) {
  Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return system_failure("cannot make", path);
  return PageStore(std::move(file), path);
}

Result<uint32_t> PageStore::write(std::span<const uint8_t> page) {
  const uint32_t slot = free_.empty() ? uint32_t(users_.size()) : free_.back();
  if (pwrite(file_.get(), page.data(), page.size(), off_t(slot) * off_t(GuestRam::kPage)) != ssize_t(page.size()))
    return system_failure("cannot write", path_);
  if (free_.empty())
    users_.push_back(0);
  else
    free_.pop_back();
  return slot;
}

Result<KeptPages> PageStore::keep(GuestRam& ram, const KeptPages& before) {
  KeptPages pages;
  auto old = before.begin();
  Result<void> written;
  ram.each_page([&](uint64_t number, std::span<uint8_t, GuestRam::kPage> page) {
    if (!written || is_zero(page)) return;
    KeptPage kept{uint32_t(number), 0, snapshot::xxhash64(page)};
    while (old != before.end() && old->number < number) ++old;
    if (old != before.end() && old->number == number && old->hash == kept.hash) {
      kept.slot = old->slot;
    } else {
      const auto slot = write(page);
      if (!slot) {
        written = tl::unexpected(slot.error());
        return;
      }
      kept.slot = *slot;
    }
    ++users_[kept.slot];
    pages.push_back(kept);
  });
  if (!written) drop(pages);
  TRY_VOID(written);
  return pages;
}

Result<void> PageStore::restore(GuestRam& ram, const KeptPages& pages) const {
  auto next = pages.begin();
  Result<void> done;
  const auto bring = [&](const KeptPage& kept) {
    const auto page = ram.page(kept.number);
    if (!done || snapshot::xxhash64(page) == kept.hash) return;
    if (pread(file_.get(), page.data(), page.size(), off_t(kept.slot) * off_t(GuestRam::kPage)) !=
            ssize_t(page.size()) ||
        snapshot::xxhash64(page) != kept.hash)
      done = failure(ErrorKind::BadInput, fmt::format("{}: damaged", path_.string()));
  };
  ram.each_page([&](uint64_t number, std::span<uint8_t, GuestRam::kPage> page) {
    for (; next != pages.end() && next->number < number; ++next) bring(*next);
    if (next != pages.end() && next->number == number)
      bring(*next++);
    else if (!is_zero(page))
      std::memset(page.data(), 0, page.size());
  });
  for (; next != pages.end(); ++next) bring(*next);
  return done;
}

void PageStore::drop(const KeptPages& pages) {
  for (const KeptPage& page : pages)
    if (--users_[page.slot] == 0) free_.push_back(page.slot);
}

}  // namespace mortem::tools
