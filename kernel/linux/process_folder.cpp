#include "kernel/linux/process_folder.h"

#include <string_view>

#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/drivers/block_device.h"
#include "kernel/library/log.h"
#include "kernel/linux/app.h"
#include "kernel/linux/files.h"
#include "kernel/linux/initial_stack.h"
#include "kernel/linux/io_counts.h"
#include "kernel/linux/limits.h"
#include "kernel/linux/memory_maps.h"
#include "kernel/linux/memory_sizes.h"
#include "kernel/linux/thread_files.h"
#include "kernel/memory/heap.h"
#include "kernel/task/address_space.h"

namespace kernel::linux {

const char* area_name(const MemoryArea& area) {
  switch (area.kind) {
    case AreaKind::Heap:
      return "[heap]";
    case AreaKind::Stack:
      return "[stack]";
    case AreaKind::Vdso:
      return "[vdso]";
    case AreaKind::Vvar:
      return "[vvar]";
    case AreaKind::File:
      return area.path != nullptr ? area.path : "";
    default:
      return "";
  }
}

namespace {

Result<void> statm(TreeText& text, void*) {
  const MemorySizes sizes = memory_sizes();
  text.append("%lu %lu 0 %lu 0 %lu 0\n", sizes.virtual_bytes / kPageSize, sizes.resident_pages,
              sizes.text_bytes / kPageSize, sizes.data_bytes / kPageSize);
  return {};
}

Result<void> input_and_output(TreeText& text, void*) {
  text.append("rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\n", g_io_counts.bytes_read, g_io_counts.bytes_written,
              g_io_counts.reads, g_io_counts.writes);
  text.append("read_bytes: %lu\nwrite_bytes: %lu\ncancelled_write_bytes: 0\n", g_disk_counts.bytes_read,
              g_disk_counts.bytes_written);
  return {};
}

Result<void> append_user(TreeText& text, uint64_t start, uint64_t end) {
  char part[256];
  while (start < end) {
    const size_t size = end - start < sizeof part ? end - start : sizeof part;
    TRY(copy_from_user(part, start, size));
    text.append({part, size});
    start += size;
  }
  return {};
}

Result<void> command(TreeText& text, void*) {
  return append_user(text, g_stack_places.arguments_start, g_stack_places.arguments_end);
}
Result<void> environment(TreeText& text, void*) {
  return append_user(text, g_stack_places.environment_start, g_stack_places.environment_end);
}
Result<void> auxiliary(TreeText& text, void*) {
  const auto words = auxiliary_vector();
  text.append({reinterpret_cast<const char*>(words.data()), words.size_bytes()});
  return {};
}
Result<void> limits(TreeText& text, void*) {
  struct Row {
    const char *name, *unit;
  };
  constexpr Row kRows[kLimitCount] = {
      {"Max cpu time", "seconds"},    {"Max file size", "bytes"},      {"Max data size", "bytes"},
      {"Max stack size", "bytes"},    {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
      {"Max processes", "processes"}, {"Max open files", "files"},     {"Max locked memory", "bytes"},
      {"Max address space", "bytes"}, {"Max file locks", "locks"},     {"Max pending signals", "signals"},
      {"Max msgqueue size", "bytes"}, {"Max nice priority", ""},       {"Max realtime priority", ""},
      {"Max realtime timeout", "us"}};
  text.append("Limit                     Soft Limit           Hard Limit           Units     \n");
  for (int index = 0; index < kLimitCount; ++index) {
    char values[2][24];
    const uint64_t numbers[2] = {g_limits[index].soft, g_limits[index].hard};
    for (int side = 0; side < 2; ++side) {
      if (numbers[side] == kUnlimited)
        format_text(values[side], sizeof values[side], "unlimited");
      else
        format_text(values[side], sizeof values[side], "%lu", numbers[side]);
    }
    text.append("%s", kRows[index].name);
    for (size_t column = __builtin_strlen(kRows[index].name); column < 26; ++column) text.append(" ");
    for (const auto& value : values) {
      text.append("%s", value);
      for (size_t column = __builtin_strlen(value); column < 21; ++column) text.append(" ");
    }
    text.append("%s\n", kRows[index].unit);
  }
  return {};
}

Result<size_t> put(std::span<char> to, const char* text) {
  const size_t length = __builtin_strlen(text), count = length < to.size() ? length : to.size();
  __builtin_memcpy(to.data(), text, count);
  return count;
}

Result<size_t> program_link(std::span<char> to, void* path) {
  return put(to, static_cast<const char*>(path));
}
Result<size_t> directory_link(std::span<char> to, void*) {
  return put(to, working_directory().path);
}
Result<size_t> descriptor_link(std::span<char> to, void* number) {
  OpenFile* file = TRY(open_file(static_cast<int>(reinterpret_cast<intptr_t>(number))));
  return put(to, file->path());
}

// /proc/self/fd/N: a link to what the open file is.
// How willingly Linux would kill the program when memory runs out: kept for programs that set it; there is no other.
int g_out_of_memory_score = 0;

Result<void> out_of_memory_score(TreeText& text, void*) {
  text.append("%d\n", g_out_of_memory_score);
  return {};
}

Result<size_t> set_out_of_memory_score(uint64_t, std::span<const uint8_t> from, void*) {
  constexpr int kMost = 1000;
  size_t at = 0;
  const bool is_negative = !from.empty() && from[0] == '-';
  if (is_negative) ++at;
  int value = 0;
  const size_t first_digit = at;
  for (; at < from.size() && from[at] >= '0' && from[at] <= '9' && value <= kMost; ++at)
    value = value * 10 + (from[at] - '0');
  const bool ends_well = at == from.size() || from[at] == '\n' || from[at] == 0;
  if (at == first_digit || !ends_well || value > kMost) return Error::Invalid;
  g_out_of_memory_score = is_negative ? -value : value;
  return from.size();
}

class DescriptorLink final : public Inode {
 public:
  explicit DescriptorLink(int number) : number_(number) {}
  Result<InodeStatus> status() override {
    InodeStatus out{};
    out.device = kProcDevice;
    out.inode = 0x1000'0000 + static_cast<uint64_t>(number_);
    out.type = FileType::Symlink;
    out.permissions = 0700;
    out.links = 1;
    out.size = 64;
    return out;
  }
  Result<size_t> read(uint64_t, std::span<uint8_t>) override { return Error::Invalid; }
  Result<size_t> read_link(std::span<char> to) override {
    return descriptor_link(to, reinterpret_cast<void*>(static_cast<intptr_t>(number_)));
  }

 private:
  int number_;
};

class DescriptorFolder final : public Inode {
 public:
  explicit DescriptorFolder(Inode& parent) : parent_(parent) {}
  Result<InodeStatus> status() override {
    InodeStatus out{};
    out.device = kProcDevice;
    out.inode = 0x0FFF'FFFF;
    out.type = FileType::Directory;
    out.permissions = 0500;
    out.links = 2;
    return out;
  }
  Result<size_t> read(uint64_t, std::span<uint8_t>) override { return Error::IsDirectory; }

  Result<Inode*> lookup(std::span<const char> name) override {
    const std::string_view text(name.data(), name.size());
    if (text == ".") return static_cast<Inode*>(this);
    if (text == "..") return &parent_;
    int number = 0;
    if (text.empty() || text.size() > 4) return Error::NoEntry;
    for (const char digit : text) {
      if (digit < '0' || digit > '9') return Error::NoEntry;
      number = number * 10 + (digit - '0');
    }
    if (descriptor_at(number) == nullptr) return Error::NoEntry;
    if (links_[number] == nullptr) links_[number] = TRY(make<DescriptorLink>(number));
    return links_[number];
  }

  Result<void> list(uint64_t cursor, DirectoryVisitor visit, void* context) override {
    if (cursor < 1 && !visit({".", 1, 0x0FFF'FFFF, FileType::Directory, 1}, context)) return {};
    if (cursor < 2 && !visit({"..", 2, TRY(parent_.status()).inode, FileType::Directory, 2}, context)) return {};
    constexpr int kShown = 9999;
    for (int number = cursor < 2 ? 0 : static_cast<int>(cursor) - 2;
         number < descriptor_table_size() && number <= kShown; ++number) {
      if (descriptor_at(number) == nullptr) continue;
      char name[16];
      const size_t length = format_text(name, sizeof name, "%d", number);
      if (!visit({name, length, 0x1000'0000 + static_cast<uint64_t>(number), FileType::Symlink,
                  static_cast<uint64_t>(number) + 3},
                 context))
        return {};
    }
    return {};
  }

 private:
  Inode& parent_;
  Inode* links_[10000] = {};  // by number; inodes are never freed
};

}  // namespace

Result<void> add_process_folder(TreeDirectory& proc, const char* program_path) {
  TreeDirectory* self = TRY(proc.add_directory("self"));
  TRY(proc.add_symlink("2", "self"));
  static_assert(kProcessId == 2);
  char resolved[kMaximumPath];
  if (resolve_path(kAtWorkingDirectory, program_path, FollowLast::Yes, resolved))
    if (const char* kept = kept_path(resolved)) program_path = kept;
  TRY(self->add_link("exe", {.read_link = program_link}, const_cast<char*>(program_path)));
  TRY(self->add_link("cwd", {.read_link = directory_link}));
  TRY(self->add_symlink("root", "/"));
  TRY(add_memory_maps(*self));
  TRY(self->add_file("io", 0400, {.generate = input_and_output}));
  TRY(self->add_file("statm", 0444, {.generate = statm}));
  TRY(self->add_file("auxv", 0400, {.generate = auxiliary}));
  TRY(self->add_file("cmdline", 0444, {.generate = command}));
  TRY(self->add_file("environ", 0400, {.generate = environment}));
  TRY(self->add_file("limits", 0444, {.generate = limits}));
  TRY(self->add_symlink("mounts", "/proc/mounts"));
  TRY(self->add_text("mountinfo",
                     "20 1 0:1 / / rw - ext3 /dev/root rw\n21 20 0:21 / /proc rw - proc proc rw\n"
                     "22 20 0:22 / /sys rw - sysfs sysfs rw\n24 20 0:24 / /tmp rw - tmpfs tmpfs rw\n"));
  TRY(self->add_text("cgroup", "0::/\n"));
  TRY(self->add_text("oom_score", "0\n"));
  TRY(self->add_file("oom_score_adj", 0644, {.generate = out_of_memory_score, .write = set_out_of_memory_score}));
  TRY(add_thread_files(proc, *self));
  return self->add_inode("fd", TRY(make<DescriptorFolder>(*self)));
}

}  // namespace kernel::linux
