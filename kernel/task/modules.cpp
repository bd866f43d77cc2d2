// The module table: bytes of ModuleEntry (snapshot/format/notes.h), found by readers of bare RAM too, so it never moves
// while it is read: it is grown by copying and then switching.
#include "kernel/library/log.h"
#include "kernel/memory/heap.h"
#include "kernel/task/process.h"

namespace kernel {
namespace {

uint8_t* g_table = nullptr;
size_t g_length = 0;
size_t g_capacity = 0;

}  // namespace

std::span<const uint8_t> module_table() {
  return {g_table, g_length};
}

uint8_t* const* module_table_place() {
  return &g_table;
}

const size_t* module_table_length_place() {
  return &g_length;
}

Result<void> add_module(mortem::format::ModuleKind kind, const char* path, uint64_t load_bias, uint64_t start,
                        uint64_t end, std::span<const uint8_t> build_id) {
  using mortem::format::ModuleEntry;
  using mortem::format::ModuleIdKind;
  const size_t path_length = __builtin_strlen(path);
  if (path_length > 4096 || build_id.size() > 64) return Error::Invalid;
  const size_t length = (sizeof(ModuleEntry) + build_id.size() + path_length + 7) & ~size_t{7};
  if (g_length + length > g_capacity) {
    const size_t capacity = (g_length + length) * 2 > 4096 ? (g_length + length) * 2 : 4096;
    auto* table = static_cast<uint8_t*>(heap_allocate(capacity));
    if (table == nullptr) return Error::NoMemory;
    if (g_length > 0) __builtin_memcpy(table, g_table, g_length);
    uint8_t* old = g_table;
    g_table = table;
    g_capacity = capacity;
    heap_free(old);
  }
  const ModuleEntry entry{.entry_length = static_cast<uint32_t>(length),
                          .kind = kind,
                          .load_bias = load_bias,
                          .start = start,
                          .end = end,
                          .id_kind = build_id.empty() ? ModuleIdKind::None : ModuleIdKind::GnuBuildId,
                          .id_length = static_cast<uint16_t>(build_id.size()),
                          .path_length = static_cast<uint16_t>(path_length)};
  uint8_t* to = g_table + g_length;
  __builtin_memset(to, 0, length);
  __builtin_memcpy(to, &entry, sizeof entry);
  if (!build_id.empty()) __builtin_memcpy(to + sizeof entry, build_id.data(), build_id.size());
  __builtin_memcpy(to + sizeof entry + build_id.size(), path, path_length);
  g_length += length;
  return {};
}

void remove_modules(uint64_t start, uint64_t end) {
  using mortem::format::ModuleEntry;
  const auto goes = [&](const ModuleEntry& entry) {
    return entry.kind == mortem::format::ModuleKind::Library && entry.start >= start && entry.end <= end;
  };
  size_t kept = 0;
  for (size_t at = 0; at < g_length;) {
    ModuleEntry entry;
    __builtin_memcpy(&entry, g_table + at, sizeof entry);
    if (!goes(entry)) kept += entry.entry_length;
    at += entry.entry_length;
  }
  if (kept == g_length) return;
  // Without memory for the new table a library stays in it that is gone: better than none.
  auto* table = static_cast<uint8_t*>(heap_allocate(g_capacity));
  if (table == nullptr) return;
  size_t filled = 0;
  for (size_t at = 0; at < g_length;) {
    ModuleEntry entry;
    __builtin_memcpy(&entry, g_table + at, sizeof entry);
    if (!goes(entry)) {
      __builtin_memcpy(table + filled, g_table + at, entry.entry_length);
      filled += entry.entry_length;
    }
    at += entry.entry_length;
  }
  uint8_t* old = g_table;
  g_table = table;
  g_length = filled;
  heap_free(old);
}

}  // namespace kernel
