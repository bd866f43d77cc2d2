#include "kernel/memory/guest_description.h"

#include <cstddef>

#include "kernel/arch/x86_64/boot_info.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/library/log.h"
#include "kernel/task/process.h"

namespace kernel {

using mortem::format::GuestDescription;

GuestDescription& guest_description() {
  return *direct_map<GuestDescription>(mortem::format::kGuestDescriptionAddress);
}

std::span<const uint8_t> kernel_build_id() {
  constexpr size_t kHeader = 16;  // Elf64_Nhdr and "GNU\0"
  size_t length = size_t(build_id_note_end - build_id_note_start);
  if (length <= kHeader) return {};
  return {reinterpret_cast<const uint8_t*>(build_id_note_start) + kHeader, length - kHeader};
}

void guest_description_initialize() {
  GuestDescription& block = guest_description();
  block = GuestDescription{};
  block.version = mortem::format::kGuestDescriptionVersion;
  block.size = sizeof(GuestDescription);
  block.page_table_root = g_boot_info.root;
  block.direct_map_base = g_direct_map_base;
  block.kernel_virtual_base = g_boot_info.load_bias;
  block.kernel_physical_base = kKernelPhysicalBase;
  block.kernel_image_size = reinterpret_cast<uint64_t>(image_end) - g_boot_info.load_bias;
  std::span<const uint8_t> id = kernel_build_id();
  size_t id_length = id.size() < sizeof block.kernel_build_id ? id.size() : sizeof block.kernel_build_id;
  block.kernel_build_id_length = uint32_t(id_length);
  __builtin_memcpy(block.kernel_build_id, id.data(), id_length);
  random_bytes(block.boot_id, sizeof block.boot_id);
  block.memory_pages = g_boot_info.page_count;
  block.page_owner_table = reinterpret_cast<uint64_t>(g_boot_info.page_owners);
  block.kernel_log = reinterpret_cast<uint64_t>(g_log_ring.bytes);
  block.kernel_log_size = g_log_ring.size;
  block.kernel_log_written = reinterpret_cast<uint64_t>(&g_log_ring.written);
  block.thread_list = reinterpret_cast<uint64_t>(&g_threads);
  block.thread_next_offset = offsetof(Thread, next);
  block.thread_id_offset = offsetof(Thread, id);
  block.thread_name_offset = offsetof(Thread, name);
  block.thread_frame_offset = offsetof(Thread, frame);
  block.thread_fs_base_offset = offsetof(Thread, fs_base);
  block.thread_xsave_offset = offsetof(Thread, extended_state);
  // The signature goes in last: whoever finds it finds the block whole.
  __builtin_memcpy(block.magic, mortem::format::kGuestDescriptionMagic, sizeof block.magic);
}

}  // namespace kernel
