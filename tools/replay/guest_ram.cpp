#include "tools/replay/guest_ram.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "snapshot/xxhash64.h"

namespace mortem::tools {

Result<std::unique_ptr<GuestRam>> GuestRam::create(uint64_t size) {
  Descriptor file(memfd_create("mortem-guest", MFD_CLOEXEC));
  if (!file || ftruncate(file.get(), off_t(size)) != 0) return system_failure("cannot make", "the guest's memory");
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (base == MAP_FAILED) return system_failure("cannot map", "the guest's memory");
  return std::unique_ptr<GuestRam>(new GuestRam(std::move(file), static_cast<uint8_t*>(base), size));
}

GuestRam::~GuestRam() {
  munmap(base_, size_);
}

Result<void> GuestRam::clear() {
  if (fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, off_t(size_)) != 0)
    return system_failure("cannot clear", "the guest's memory");
  return {};
}

Result<void> GuestRam::load(const std::filesystem::path& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts;
  if (!file || fstat(file.get(), &facts) != 0) return system_failure("cannot read", path);
  if (uint64_t(facts.st_size) != size_)
    return failure(ErrorKind::BadInput, fmt::format("{}: has {} bytes, the guest's memory {}: cut short or changed",
                                                    path.string(), facts.st_size, size_));
  for (off_t at = 0; (at = lseek(file.get(), at, SEEK_DATA)) >= 0;) {
    const off_t end = lseek(file.get(), at, SEEK_HOLE);
    if (end < 0) return system_failure("cannot read", path);
    while (at < end) {
      const ssize_t got = pread(file.get(), base_ + at, size_t(end - at), at);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return system_failure("cannot read", path);
      at += got;
    }
  }
  return {};
}

Result<void> GuestRam::read(uint64_t offset, std::span<uint8_t> to) const {
  TRY_VOID(check_range(offset, to.size()));
  std::memcpy(to.data(), base_ + offset, to.size());
  return {};
}

void GuestRam::each_page(const std::function<void(uint64_t, std::span<uint8_t, kPage>)>& visit) {
  off_t at = 0;
  while ((at = lseek(file_.get(), at, SEEK_DATA)) >= 0) {
    const off_t end = lseek(file_.get(), at, SEEK_HOLE);
    if (end < 0) return;
    for (; at < end; at += kPage) visit(uint64_t(at) / kPage, std::span<uint8_t, kPage>(base_ + at, kPage));
  }
}

bool is_zero(std::span<const uint8_t> bytes) {
  return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

uint64_t GuestRam::checksum() {
  std::vector<uint64_t> words;
  each_page([&](uint64_t number, std::span<uint8_t, kPage> page) {
    constexpr uint64_t kFirmwarePages = 256;  // below 1 MiB, which the kernel never uses: not the same in each start
    if (number < kFirmwarePages || is_zero(page)) return;
    words.push_back(number);
    words.push_back(snapshot::xxhash64(page));
  });
  return snapshot::xxhash64({reinterpret_cast<const uint8_t*>(words.data()), words.size() * sizeof(uint64_t)});
}

}  // namespace mortem::tools
