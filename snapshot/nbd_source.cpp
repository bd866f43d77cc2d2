// Disk images in other formats than raw, by QEMU's own reader: qemu-nbd, read-only, over a socket that libnbd makes.
// libnbd is loaded when the first of them is opened: with it come TLS, XML and Unicode, a third of the time in which a
// program of ours starts.
#include <dlfcn.h>
#include <fmt/format.h>
#include <libnbd.h>

#include <algorithm>
#include <cstring>
#include <list>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "snapshot/byte_source.h"

namespace mortem::snapshot {
namespace {

constexpr uint64_t kBlock = 256 * 1024;
constexpr size_t kMostBlocks = 64;

struct NbdLibrary {
  decltype(&nbd_create) create;
  decltype(&nbd_connect_systemd_socket_activation) connect_systemd_socket_activation;
  decltype(&nbd_get_size) get_size;
  decltype(&nbd_pread) pread;
  decltype(&nbd_get_error) get_error;
  decltype(&nbd_shutdown) shutdown;
  decltype(&nbd_close) close;
  bool is_there = false;
};

const NbdLibrary& nbd() {
  static const NbdLibrary library = [] {
    NbdLibrary loaded{};
    void* const handle = dlopen("libnbd.so.0", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return loaded;
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
      return function != nullptr;
    };
    loaded.is_there = find(loaded.create, "nbd_create") &&
                      find(loaded.connect_systemd_socket_activation, "nbd_connect_systemd_socket_activation") &&
                      find(loaded.get_size, "nbd_get_size") && find(loaded.pread, "nbd_pread") &&
                      find(loaded.get_error, "nbd_get_error") && find(loaded.shutdown, "nbd_shutdown") &&
                      find(loaded.close, "nbd_close");
    return loaded;
  }();
  return library;
}

struct CloseNbd {
  void operator()(nbd_handle* handle) const {
    (void)nbd().shutdown(handle, 0);
    nbd().close(handle);  // ends qemu-nbd, too
  }
};
using Handle = std::unique_ptr<nbd_handle, CloseNbd>;

std::string one_line(const char* text) {
  std::string line = text ? text : "unknown error";
  for (char& character : line)
    if (character == '\n' || character == '\r') character = ' ';
  return line;
}

// Blocks are kept: what is read of a dump is read in small pieces, and comes back to the same places.
class NbdSource final : public ByteSource {
 public:
  NbdSource(Handle handle, uint64_t size, std::string name)
      : handle_(std::move(handle)), size_(size), name_(std::move(name)) {}
  uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }

  Result<void> read(uint64_t offset, std::span<uint8_t> to) const override {
    TRY_VOID(check_range(offset, to.size()));
    const std::lock_guard lock(mutex_);
    while (!to.empty()) {
      const uint64_t number = offset / kBlock, inside = offset % kBlock;
      const std::vector<uint8_t>* block = TRY(block_at(number));
      const size_t count = std::min<uint64_t>(to.size(), block->size() - inside);
      std::memcpy(to.data(), block->data() + inside, count);
      to = to.subspan(count);
      offset += count;
    }
    return {};
  }

 private:
  struct Kept {
    std::vector<uint8_t> bytes;
    std::list<uint64_t>::iterator used;
  };

  Result<const std::vector<uint8_t>*> block_at(uint64_t number) const {
    if (const auto known = blocks_.find(number); known != blocks_.end()) {
      used_.splice(used_.begin(), used_, known->second.used);
      return &known->second.bytes;
    }
    std::vector<uint8_t> bytes(std::min(kBlock, size_ - number * kBlock));
    if (nbd().pread(handle_.get(), bytes.data(), bytes.size(), number * kBlock, 0) != 0)
      return failure(ErrorKind::System, fmt::format("{}: reading at offset {:#x}: {}", name_, number * kBlock,
                                                    one_line(nbd().get_error())));
    if (blocks_.size() >= kMostBlocks) {
      blocks_.erase(used_.back());
      used_.pop_back();
    }
    used_.push_front(number);
    return &blocks_.emplace(number, Kept{std::move(bytes), used_.begin()}).first->second.bytes;
  }

  const Handle handle_;
  const uint64_t size_;
  const std::string name_;
  mutable std::mutex mutex_;
  mutable std::unordered_map<uint64_t, Kept> blocks_;
  mutable std::list<uint64_t> used_;  // the last one first
};

}  // namespace

Result<std::unique_ptr<ByteSource>> open_nbd_image(const std::filesystem::path& path, const std::string& driver) {
  if (!nbd().is_there)
    return failure(ErrorKind::Unsupported,
                   fmt::format("{}: a {} image, for which the library libnbd is missing: apt-get install libnbd0",
                               path.string(), driver));
  Handle handle(nbd().create());
  if (!handle) return failure(ErrorKind::System, fmt::format("{}: no memory for its reader", path.string()));
  // A path is a path, whatever is in it: no URL, no option.
  std::error_code error;
  const std::string full = std::filesystem::absolute(path, error).string();
  const std::string format = "--format=" + driver;
  // What qemu-nbd says goes nowhere: an error is one line here.
  const char* const command[] = {"/bin/sh",    "-c",          "exec qemu-nbd \"$@\" 2>/dev/null",
                                 "qemu-nbd",   "--read-only", format.c_str(),
                                 full.c_str(), nullptr};
  if (nbd().connect_systemd_socket_activation(handle.get(), const_cast<char**>(command)) != 0)
    return failure(
        ErrorKind::Unsupported,
        fmt::format("{}: a {} image, which qemu-nbd could not open (is the package qemu-utils installed, and "
                    "the image whole?): {}",
                    path.string(), driver, one_line(nbd().get_error())));
  const int64_t size = nbd().get_size(handle.get());
  if (size < 0)
    return failure(ErrorKind::System,
                   fmt::format("{}: its size is not known: {}", path.string(), one_line(nbd().get_error())));
  return std::make_unique<NbdSource>(std::move(handle), static_cast<uint64_t>(size), path.string());
}

}  // namespace mortem::snapshot
