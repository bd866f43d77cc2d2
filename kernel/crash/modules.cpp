#include "kernel/crash/modules.h"

#include "kernel/crash/checked_memory.h"
#include "kernel/task/process.h"
#include "snapshot/format/guest_description.h"

namespace kernel {

using namespace mortem::format;

namespace {
constexpr size_t kLongestTable = 1 << 20;  // bytes
}

ModuleReader::ModuleReader() {
  const std::span<const uint8_t> table = module_table();
  if (table.size() > kLongestTable) return;
  at_ = table.data();
  left_ = table.size();
}

bool ModuleReader::next() {
  while (left_ >= sizeof(ModuleEntry)) {
    if (!read_kernel(&entry_, at_, sizeof entry_)) break;
    const size_t content = sizeof entry_ + entry_.id_length + entry_.path_length;
    if (entry_.entry_length < content || entry_.entry_length > left_) break;
    const uint8_t* id = at_ + sizeof entry_;
    const uint8_t* path = id + entry_.id_length;
    at_ += entry_.entry_length;
    left_ -= entry_.entry_length;

    size_t path_length = entry_.path_length;
    if (path_length >= sizeof path_) path_length = sizeof path_ - 1;
    if (entry_.id_length > sizeof id_) {
      entry_.id_length = 0;
      entry_.id_kind = ModuleIdKind::None;
    }
    if (!read_kernel(id_, id, entry_.id_length) || !read_kernel(path_, path, path_length)) break;
    path_[path_length] = 0;
    kernel_seen_ = kernel_seen_ || entry_.kind == ModuleKind::Kernel;
    return true;
  }
  left_ = 0;
  return !kernel_seen_ && !kernel_given_ && kernel_entry();
}

bool ModuleReader::kernel_entry() {
  kernel_given_ = true;
  GuestDescription guest;
  if (!read_physical(&guest, kGuestDescriptionAddress, sizeof guest)) return false;
  for (size_t i = 0; i < sizeof guest.magic; ++i)
    if (guest.magic[i] != kGuestDescriptionMagic[i]) return false;
  if (guest.kernel_build_id_length > sizeof guest.kernel_build_id) guest.kernel_build_id_length = 0;
  const char path[] = "mortem-kernel.elf";
  entry_ = {};
  entry_.kind = ModuleKind::Kernel;
  entry_.load_bias = guest.kernel_virtual_base;
  entry_.start = guest.kernel_virtual_base;
  entry_.end = guest.kernel_virtual_base + guest.kernel_image_size;
  entry_.id_length = static_cast<uint16_t>(guest.kernel_build_id_length);
  entry_.id_kind = entry_.id_length != 0 ? ModuleIdKind::GnuBuildId : ModuleIdKind::None;
  entry_.path_length = sizeof path - 1;
  entry_.entry_length = static_cast<uint32_t>((sizeof entry_ + entry_.id_length + entry_.path_length + 7) & ~size_t{7});
  for (size_t i = 0; i < entry_.id_length; ++i) id_[i] = guest.kernel_build_id[i];
  for (size_t i = 0; i < sizeof path; ++i) path_[i] = path[i];
  return true;
}

bool find_module(uint64_t address, ModuleReader& module) {
  module = ModuleReader();
  while (module.next())
    if (module.entry().start <= address && address < module.entry().end) return true;
  return false;
}

}  // namespace kernel
