#include "kernel/linux/thread_files.h"

#include <string_view>

#include "kernel/library/log.h"
#include "kernel/linux/app.h"
#include "kernel/linux/files.h"
#include "kernel/linux/identity.h"
#include "kernel/linux/initial_stack.h"
#include "kernel/linux/memory_sizes.h"
#include "kernel/linux/signals.h"
#include "kernel/memory/heap.h"
#include "kernel/task/scheduler.h"

namespace kernel::linux {
namespace {

enum class Scope : uint8_t { Process, Thread };
enum class Content : uint8_t { Name, Numbers, Status };
struct Entry {
  const char* name;
  Content content;
  uint16_t permissions;
};
constexpr Entry kEntries[] = {
    {"comm", Content::Name, 0644}, {"stat", Content::Numbers, 0444}, {"status", Content::Status, 0444}};
constexpr size_t kEntryCount = sizeof kEntries / sizeof kEntries[0];

bool is_waiting(const AppThread& thread) {
  return thread.run_state == RunState::Blocked;
}

void append_numbers(TreeText& text, const AppThread& thread, Scope scope) {
  constexpr uint64_t kTick = 10'000'000;
  const MemorySizes sizes = memory_sizes();
  const uint64_t used = (scope == Scope::Process ? process_cpu_ns() : thread_cpu_ns(thread)) / kTick;
  const uint32_t id = scope == Scope::Process ? kProcessId : thread.id;
  text.append("%u (%s) %c 1 %u %u 0 -1 4194304 0 0 0 0 %lu 0 0 0 %d %d %u 0 0 ", id, thread.name,
              is_waiting(thread) ? 'S' : 'R', kProcessId, kProcessId, used, 20 + thread.nice, thread.nice,
              thread_count());
  text.append("%lu %lu 18446744073709551615 ", sizes.virtual_bytes, sizes.resident_pages);
  text.append("0 0 %lu 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 ", g_stack_places.start);
  text.append("%lu %lu %lu %lu 0\n", g_stack_places.arguments_start, g_stack_places.arguments_end,
              g_stack_places.environment_start, g_stack_places.environment_end);
}

void append_status(TreeText& text, const AppThread& thread, Scope scope) {
  const MemorySizes sizes = memory_sizes();
  uint64_t ignored = 0, caught = 0;
  for (int signal = 1; signal <= kSignalCount; ++signal) {
    const uint64_t handler = signal_action(signal).handler;
    if (handler == kHandlerIgnore) ignored |= signal_bit(signal);
    if (handler != kHandlerIgnore && handler != kHandlerDefault) caught |= signal_bit(signal);
  }
  text.append("Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%u\nNgid:\t0\nPid:\t%u\nPPid:\t1\nTracerPid:\t0\n",
              thread.name, file_creation_mask(), is_waiting(thread) ? "S (sleeping)" : "R (running)", kProcessId,
              scope == Scope::Process ? kProcessId : thread.id);
  const Identifiers &user = g_identity.user, &group = g_identity.group;
  text.append("Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%d\nGroups:\t", user.real, user.effective,
              user.saved, user.file_system, group.real, group.effective, group.saved, group.file_system,
              descriptor_table_size());
  for (size_t index = 0; index < g_identity.group_count; ++index) text.append("%u ", g_identity.groups[index]);
  text.append("\n");
  text.append("VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n", sizes.virtual_bytes / 1024,
              sizes.virtual_bytes / 1024, sizes.resident_pages * 4, sizes.resident_pages * 4);
  text.append("VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\n", sizes.data_bytes / 1024, sizes.stack_bytes / 1024,
              sizes.text_bytes / 1024);
  text.append("Threads:\t%u\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
              thread_count(), thread.pending_signals, pending_process_signals(), thread.blocked_signals, ignored,
              caught);
  const Capabilities& capabilities = g_identity.capabilities;
  text.append("CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n",
              capabilities.inheritable, capabilities.permitted, capabilities.effective, g_identity.bounding,
              uint64_t{0});
  text.append("Cpus_allowed:\t1\nCpus_allowed_list:\t0\n");
}

class Task;

class TaskFile final : public Inode {
 public:
  TaskFile(const Entry& entry, Task* task) : entry_(entry), task_(task) {}
  Result<InodeStatus> status() override;
  Result<size_t> read(uint64_t offset, std::span<uint8_t> to) override {
    const AppThread* thread = TRY(find());
    TreeText text(offset, to);
    switch (entry_.content) {
      case Content::Name:
        text.append("%s\n", thread->name);
        break;
      case Content::Numbers:
        append_numbers(text, *thread, scope());
        break;
      case Content::Status:
        append_status(text, *thread, scope());
        break;
    }
    return text.filled();
  }
  Result<size_t> write(uint64_t, std::span<const uint8_t> from) override {
    if (entry_.content != Content::Name) return Error::AccessDenied;
    AppThread* thread = TRY(find());
    char name[sizeof thread->name] = {};
    const size_t length = from.size() < sizeof name - 1 ? from.size() : sizeof name - 1;
    __builtin_memcpy(name, from.data(), length);
    __builtin_memcpy(thread->name, name, sizeof name);
    return from.size();
  }
  void opened() override;
  void closed() override;

 private:
  Scope scope() const { return task_ == nullptr ? Scope::Process : Scope::Thread; }
  Result<AppThread*> find() const;
  const Entry& entry_;
  Task* task_;  // null: of the process, by its first thread
};

// The folder of one thread. Inodes are never freed: the folder of a thread that ended serves another one when nobody
// holds it open.
class Task final : public Inode {
 public:
  Task(uint32_t thread, Inode& parent)
      : id(thread), parent_(parent), files_{{kEntries[0], this}, {kEntries[1], this}, {kEntries[2], this}} {}
  static_assert(kEntryCount == 3);

  uint64_t inode_number() const { return 0x2000'0000 + uint64_t{id} * (kEntryCount + 1); }
  Result<InodeStatus> status() override {
    InodeStatus out{};
    out.device = kProcDevice;
    out.inode = inode_number();
    out.type = FileType::Directory;
    out.permissions = 0555;
    out.links = 2;
    return out;
  }
  Result<size_t> read(uint64_t, std::span<uint8_t>) override { return Error::IsDirectory; }
  Result<Inode*> lookup(std::span<const char> name) override {
    const std::string_view text(name.data(), name.size());
    if (text == ".") return static_cast<Inode*>(this);
    if (text == "..") return &parent_;
    if (find_thread(id) == nullptr) return Error::NoEntry;
    for (size_t index = 0; index < kEntryCount; ++index)
      if (text == kEntries[index].name) return static_cast<Inode*>(&files_[index]);
    if (text == kMaps) return process_maps();
    return Error::NoEntry;
  }
  Result<void> list(uint64_t cursor, DirectoryVisitor visit, void* context) override {
    if (cursor < 1 && !visit({".", 1, inode_number(), FileType::Directory, 1}, context)) return {};
    if (cursor < 2 && !visit({"..", 2, TRY(parent_.status()).inode, FileType::Directory, 2}, context)) return {};
    for (uint64_t index = cursor < 2 ? 0 : cursor - 2; index < kEntryCount; ++index) {
      const std::string_view name = kEntries[index].name;
      if (!visit({name.data(), name.size(), inode_number() + index + 1, FileType::Regular, index + 3}, context))
        return {};
    }
    if (cursor <= kEntryCount + 2)
      visit({kMaps, sizeof kMaps - 1, TRY(TRY(process_maps())->status()).inode, FileType::Regular, kEntryCount + 3},
            context);
    return {};
  }
  void opened() override { ++open_count; }
  void closed() override { --open_count; }

  uint32_t id;
  int open_count = 0;  // of the folder and its files
  Task* next = nullptr;

 private:
  static constexpr char kMaps[] = "maps";
  Result<Inode*> process_maps() {  // the threads have one address space
    constexpr char kUp[] = "..";
    return TRY(parent_.lookup({kUp, 2}))->lookup({kMaps, sizeof kMaps - 1});
  }

  Inode& parent_;
  TaskFile files_[kEntryCount];
};

Result<InodeStatus> TaskFile::status() {
  InodeStatus out{};
  out.device = kProcDevice;
  out.inode = (task_ != nullptr ? task_->inode_number() : 0x1FFF'FF00) + static_cast<uint64_t>(&entry_ - kEntries) + 1;
  out.type = FileType::Regular;
  out.permissions = entry_.permissions;
  out.links = 1;
  return out;
}

Result<AppThread*> TaskFile::find() const {
  AppThread* thread = find_thread(task_ != nullptr ? task_->id : kProcessId);
  // The first thread may have ended; the process is shown by the oldest that is left.
  if (thread == nullptr && task_ == nullptr) thread = first_thread();
  if (thread == nullptr) return Error::NoProcess;
  return thread;
}

void TaskFile::opened() {
  if (task_ != nullptr) task_->opened();
}
void TaskFile::closed() {
  if (task_ != nullptr) task_->closed();
}

class TaskFolder final : public Inode {
 public:
  explicit TaskFolder(Inode& parent) : parent_(parent) {}
  Result<InodeStatus> status() override {
    InodeStatus out{};
    out.device = kProcDevice;
    out.inode = kInode;
    out.type = FileType::Directory;
    out.permissions = 0555;
    out.links = 2 + thread_count();
    return out;
  }
  Result<size_t> read(uint64_t, std::span<uint8_t>) override { return Error::IsDirectory; }

  Result<Inode*> lookup(std::span<const char> name) override {
    const std::string_view text(name.data(), name.size());
    if (text == ".") return static_cast<Inode*>(this);
    if (text == "..") return &parent_;
    uint32_t id = 0;
    if (text.empty() || text.size() > 7 || text[0] == '0') return Error::NoEntry;
    for (const char digit : text) {
      if (digit < '0' || digit > '9') return Error::NoEntry;
      id = id * 10 + static_cast<uint32_t>(digit - '0');
    }
    if (find_thread(id) == nullptr) return Error::NoEntry;
    return static_cast<Inode*>(TRY(task_of(id)));
  }

  // The cursor is a thread's id: they are listed in their order, whoever comes and goes meanwhile.
  Result<void> list(uint64_t cursor, DirectoryVisitor visit, void* context) override {
    if (cursor < 1 && !visit({".", 1, kInode, FileType::Directory, 1}, context)) return {};
    if (cursor < 2 && !visit({"..", 2, TRY(parent_.status()).inode, FileType::Directory, 2}, context)) return {};
    for (const AppThread* thread = lowest_from(cursor); thread != nullptr; thread = lowest_from(thread->id + 1ul)) {
      char name[16];
      const size_t length = format_text(name, sizeof name, "%u", thread->id);
      if (!visit({name, length, 0x2000'0000 + uint64_t{thread->id} * (kEntryCount + 1), FileType::Directory,
                  thread->id + 1ul},
                 context))
        return {};
    }
    return {};
  }

 private:
  static constexpr uint64_t kInode = 0x1FFF'FFFF;

  static const AppThread* lowest_from(uint64_t id) {
    const AppThread* lowest = nullptr;
    for (const AppThread* each = first_thread(); each != nullptr; each = next_thread(*each))
      if (each->id >= id && (lowest == nullptr || each->id < lowest->id)) lowest = each;
    return lowest;
  }

  Result<Task*> task_of(uint32_t id) {
    Task* unused = nullptr;
    for (Task* each = first_; each != nullptr; each = each->next) {
      if (each->id == id) return each;
      if (each->open_count == 0 && find_thread(each->id) == nullptr) unused = each;
    }
    if (unused != nullptr) {
      unused->id = id;
      return unused;
    }
    Task* task = TRY(make<Task>(id, *this));
    task->next = first_;
    first_ = task;
    return task;
  }

  Inode& parent_;
  Task* first_ = nullptr;
};

Result<size_t> own_folder(std::span<char> to, void*) {
  char target[32];
  const size_t length = format_text(target, sizeof target, "%u/task/%u", kProcessId, current().id);
  const size_t count = length < to.size() ? length : to.size();
  __builtin_memcpy(to.data(), target, count);
  return count;
}

}  // namespace

Result<void> add_thread_files(TreeDirectory& proc, TreeDirectory& self) {
  for (const Entry& entry : kEntries) TRY(self.add_inode(entry.name, TRY(make<TaskFile>(entry, nullptr))));
  TRY(self.add_inode("task", TRY(make<TaskFolder>(self))));
  TRY(proc.add_link("thread-self", {.read_link = own_folder}));
  return {};
}

}  // namespace kernel::linux
