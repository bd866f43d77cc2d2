#include "kernel/fs/device_files.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/drivers/console.h"

namespace kernel {
namespace {

constexpr uint64_t kDeviceNumber = 5;  // st_dev of Linux's devtmpfs

Result<size_t> read_nothing(uint64_t, std::span<uint8_t>, void*) {
  return size_t{0};
}

Result<size_t> read_zeros(uint64_t, std::span<uint8_t> to, void*) {
  __builtin_memset(to.data(), 0, to.size());
  return to.size();
}

Result<size_t> read_random(uint64_t, std::span<uint8_t> to, void*) {
  random_bytes(to.data(), to.size());
  return to.size();
}

Result<size_t> take_all(uint64_t, std::span<const uint8_t> from, void*) {
  return from.size();
}

Result<size_t> no_space(uint64_t, std::span<const uint8_t>, void*) {
  return Error::NoSpace;
}

// Does not wait: Again when nothing has been typed (the system call waits).
Result<size_t> read_console(uint64_t, std::span<uint8_t> to, void*) {
  if (to.empty()) return size_t{0};
  const size_t count = console_read({reinterpret_cast<char*>(to.data()), to.size()});
  if (count == 0) return Error::Again;
  return count;
}

Result<size_t> write_console(uint64_t, std::span<const uint8_t> from, void*) {
  console_write({reinterpret_cast<const char*>(from.data()), from.size()});
  return from.size();
}

struct DeviceFile {
  const char* name;
  uint16_t permissions;
  uint32_t major, minor;  // Linux: Documentation/admin-guide/devices.txt
  TreeOperations operations;
};
constexpr DeviceFile kDeviceFiles[] = {
    {"null", 0666, 1, 3, {.read = read_nothing, .write = take_all}},
    {"zero", 0666, 1, 5, {.read = read_zeros, .write = take_all}},
    {"full", 0666, 1, 7, {.read = read_zeros, .write = no_space}},
    {"random", 0666, 1, 8, {.read = read_random, .write = take_all}},
    {"urandom", 0666, 1, 9, {.read = read_random, .write = take_all}},
    {"tty", 0666, 5, 0, {.read = read_console, .write = write_console}},
    {"console", 0600, 5, 1, {.read = read_console, .write = write_console}},
};

struct Link {
  const char *name, *target;
};
constexpr Link kLinks[] = {
    {"fd", "/proc/self/fd"},
    {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},
};

}  // namespace

Result<TreeDirectory*> make_device_files() {
  TreeDirectory* devices = TRY(make_tree(kDeviceNumber));
  for (const DeviceFile& file : kDeviceFiles)
    TRY(devices->add_device(file.name, file.permissions, file.major, file.minor, file.operations));
  for (const Link& link : kLinks) TRY(devices->add_symlink(link.name, link.target));
  return devices;
}

}  // namespace kernel
