#include "kernel/linux/inotify.h"

#include <string_view>

#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/memory/heap.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

using namespace file_event;

constexpr uint32_t kAllEvents = 0xFFF, kQueueOverflow = 0x4000, kIgnored = 0x8000, kOnlyDirectory = 0x01000000,
                   kDoNotFollow = 0x02000000, kOnlyLinked = 0x04000000, kMaskCreate = 0x10000000, kMaskAdd = 0x20000000,
                   kOneShot = 0x80000000;
constexpr size_t kMostQueued = 16384;  // /proc/sys/fs/inotify/max_queued_events
constexpr size_t kMostWatches = 8192;

struct EventHeader {  // struct inotify_event, without its name
  int32_t watch;
  uint32_t mask, cookie, name_size;
};
static_assert(sizeof(EventHeader) == 16);

struct Event {
  Event* next;
  EventHeader header;
  size_t name_length;
  char name[1];

  std::string_view text() const { return {name, name_length}; }
  size_t size() const { return sizeof header + header.name_size; }
};

class InotifyFile;
struct Watch {
  InotifyFile* file;
  Inode* inode;  // held as an open file holds it
  int32_t number;
  uint32_t mask;
  Watch* next = nullptr;
};
Watch* g_watches = nullptr;  // of all; the newest last
size_t g_watch_count = 0;
uint32_t g_cookie = 0;

class InotifyFile final : public OpenFile {
 public:
  explicit InotifyFile(int flags) : OpenFile(flags | kOpenReadOnly) {
    describe_as(mortem::format::FileKind::Inotify, "anon_inode:inotify");
  }
  ~InotifyFile() override {
    for (Watch** at = &g_watches; *at != nullptr;) {
      Watch* watch = *at;
      if (watch->file != this) {
        at = &watch->next;
        continue;
      }
      *at = watch->next;
      --g_watch_count;
      watch->inode->closed();
      destroy(watch);
    }
    while (first_ != nullptr) drop_first();
  }

  Result<size_t> read(std::span<uint8_t> to) override {
    for (;;) {
      size_t done = 0;
      while (first_ != nullptr && first_->size() <= to.size() - done) {
        __builtin_memset(to.data() + done, 0, first_->size());
        __builtin_memcpy(to.data() + done, &first_->header, sizeof first_->header);
        __builtin_memcpy(to.data() + done + sizeof first_->header, first_->name, first_->name_length);
        done += first_->size();
        drop_first();
      }
      if (done > 0) return done;
      if (first_ != nullptr) return Error::Invalid;  // no room for the first
      if (!is_blocking()) return Error::Again;
      if (wait_on(waiters_, [this] { return first_ != nullptr; }) == WaitResult::Signal) return Error::RestartSystem;
    }
  }

  void queue(const Watch* watch, uint32_t mask, uint32_t cookie, std::string_view name) {
    const EventHeader header{watch != nullptr ? watch->number : -1, mask, cookie,
                             name.empty() ? 0 : static_cast<uint32_t>((name.size() + 1 + 15) / 16 * 16)};
    if (last_ != nullptr && last_->header.watch == header.watch && last_->header.mask == mask &&
        last_->header.cookie == cookie && last_->text() == name)
      return;  // the same once more tells nothing
    if (count_ >= kMostQueued && mask != kQueueOverflow) {
      if (last_->header.mask != kQueueOverflow) queue(nullptr, kQueueOverflow, 0, {});
      return;
    }
    auto* event = static_cast<Event*>(heap_allocate(sizeof(Event) + name.size()));
    if (event == nullptr) return;
    event->header = header;
    event->name_length = name.size();
    __builtin_memcpy(event->name, name.data(), name.size());
    (last_ != nullptr ? last_->next : first_) = event;
    last_ = event;
    ++count_;
    bytes_ += event->size();
    waiters_.notify_all(kPollIn);
  }

  int32_t next_watch_number() { return ++last_number_; }

  uint16_t poll_events() override { return first_ != nullptr ? kPollIn : 0; }
  WaitQueue* wait_queue() override { return &waiters_; }
  OpenFileKind kind() const override { return OpenFileKind::Inotify; }
  Result<uint32_t> bytes_available() override { return static_cast<uint32_t>(bytes_); }
  Result<InodeStatus> status() override { return anonymous_status(); }
  const char* path() const override { return "anon_inode:inotify"; }

 private:
  void drop_first() {
    Event* event = first_;
    first_ = event->next;
    if (first_ == nullptr) last_ = nullptr;
    --count_;
    bytes_ -= event->size();
    heap_free(event);
  }

  Event *first_ = nullptr, *last_ = nullptr;
  size_t count_ = 0, bytes_ = 0;
  int32_t last_number_ = 0;
  WaitQueue waiters_;
};

bool is_directory(Inode& inode) {
  auto status = inode.status();
  return status && status.value().type == FileType::Directory;
}

void end_watch(Watch* watch) {
  watch->file->queue(watch, kIgnored, 0, {});
  for (Watch** at = &g_watches; *at != nullptr; at = &(*at)->next)
    if (*at == watch) {
      *at = watch->next;
      break;
    }
  --g_watch_count;
  watch->inode->closed();
  destroy(watch);
}

void tell(Inode& inode, uint32_t event, std::string_view name, uint32_t cookie) {
  for (Watch* watch = g_watches; watch != nullptr;) {
    Watch* next = watch->next;
    if (watch->inode == &inode && (watch->mask & event & kAllEvents) != 0) {
      watch->file->queue(watch, event, cookie, name);
      if ((watch->mask & kOneShot) != 0) end_watch(watch);
    }
    watch = next;
  }
}

bool is_watched(const Inode& inode) {
  for (const Watch* watch = g_watches; watch != nullptr; watch = watch->next)
    if (watch->inode == &inode) return true;
  return false;
}

bool is_open(const Inode& inode) {
  for (int descriptor = 0; descriptor < descriptor_table_size(); ++descriptor)
    if (const Descriptor* found = descriptor_at(descriptor); found != nullptr && found->file->inode() == &inode)
      return true;
  return false;
}

Result<InotifyFile*> inotify_file(int descriptor) {
  OpenFile* file = TRY(open_file(descriptor));
  if (file->kind() != OpenFileKind::Inotify) return Error::Invalid;
  return static_cast<InotifyFile*>(file);
}

Result<uint64_t> make_inotify(int flags) {
  if ((flags & ~(kOpenCloseOnExec | kOpenNonBlock)) != 0) return Error::Invalid;
  auto* file = TRY(make<InotifyFile>(flags & kOpenNonBlock));
  return install(file, (flags & kOpenCloseOnExec) != 0);
}

}  // namespace

bool somebody_watches() {
  return g_watches != nullptr;
}

uint32_t next_rename_cookie() {
  return ++g_cookie;
}

void tell_of_inode(Inode& inode, uint32_t event) {
  if (!is_watched(inode)) return;
  tell(inode, event | (event != kMoveSelf && is_directory(inode) ? kIsDirectory : 0), {}, 0);
}

void tell_of_name(Inode& folder, std::span<const char> name, uint32_t event, NamedThing thing, uint32_t cookie) {
  if (somebody_watches())
    tell(folder, event | (thing == NamedThing::Directory ? kIsDirectory : 0), {name.data(), name.size()}, cookie);
}

void tell_of_file(Inode& inode, const char* path, uint32_t event) {
  if (!somebody_watches()) return;
  const uint32_t full = event | (is_directory(inode) ? kIsDirectory : 0);
  const std::string_view text(path);
  const size_t slash = text.rfind('/');
  if (slash != text.npos && slash + 1 < text.size()) {
    const std::string_view folder = slash == 0 ? "/" : text.substr(0, slash), name = text.substr(slash + 1);
    auto parent = find_inode(root_inode(), {folder.data(), folder.size()}, FollowLast::Yes);
    if (parent && is_watched(*parent.value())) {
      const InodeHold hold(parent.value());
      auto there = parent.value()->lookup({name.data(), name.size()});
      // A file whose last name went while it was open keeps the name it had.
      auto status = inode.status();
      const bool is_nameless = there.is_error() && status && status.value().links == 0;
      if (is_nameless || (there && there.value() == &inode)) tell(*parent.value(), full, name, 0);
    }
  }
  tell(inode, full, {}, 0);
}

void tell_of_user_path(int directory, uint64_t user_path, FollowLast follow, Inode& inode, uint32_t event) {
  if (!somebody_watches()) return;
  UserPath path;
  char resolved[kMaximumPath];
  if (path.read(user_path).is_error() || resolve_path(directory, path.text(), follow, resolved).is_error())
    tell_of_inode(inode, event);
  else
    tell_of_file(inode, resolved, event);
}

void tell_if_gone(Inode& inode) {
  if (!is_watched(inode)) return;
  auto status = inode.status();
  // A folder that was removed has no links, or its own "." alone.
  if (status.is_error() || status.value().links > (status.value().type == FileType::Directory ? 1 : 0)) return;
  if (is_open(inode)) return;
  for (Watch* watch = g_watches; watch != nullptr;) {
    Watch* next = watch->next;
    if (watch->inode == &inode) {
      if ((watch->mask & kDeleteSelf) != 0) watch->file->queue(watch, kDeleteSelf, 0, {});
      end_watch(watch);
    }
    watch = next;
  }
}

MORTEM_CALL(inotify_init) {
  return make_inotify(0);
}
MORTEM_CALL(inotify_init1) {
  return make_inotify(argument.number(0));
}

MORTEM_CALL(inotify_add_watch) {
  const auto mask = static_cast<uint32_t>(argument[2]);
  constexpr uint32_t kKnown = kAllEvents | kQueueOverflow | kIgnored | 0x2000 | kOnlyDirectory | kDoNotFollow |
                              kOnlyLinked | kMaskCreate | kMaskAdd | kIsDirectory | kOneShot;
  if ((mask & kKnown) == 0 || (mask & (kMaskAdd | kMaskCreate)) == (kMaskAdd | kMaskCreate)) return Error::Invalid;
  InotifyFile* file = TRY(inotify_file(argument.number(0)));
  UserPath path;
  TRY(path.read(argument[1]));
  if (path.empty()) return Error::NoEntry;
  const FollowLast follow = (mask & kDoNotFollow) != 0 ? FollowLast::No : FollowLast::Yes;
  Inode* inode = TRY(find_user_inode(kAtWorkingDirectory, path, follow));
  if ((mask & kOnlyDirectory) != 0 && !is_directory(*inode)) return Error::NotDirectory;
  // Another thread may have closed the descriptor while this one waited for the disk.
  file = TRY(inotify_file(argument.number(0)));
  constexpr uint32_t kKept = kAllEvents | kOneShot | kOnlyLinked;
  Watch** at = &g_watches;
  for (; *at != nullptr; at = &(*at)->next) {
    Watch& watch = **at;
    if (watch.file != file || watch.inode != inode) continue;
    if ((mask & kMaskCreate) != 0) return Error::Exists;
    watch.mask = (mask & kKept) | ((mask & kMaskAdd) != 0 ? watch.mask : 0);
    return static_cast<uint64_t>(watch.number);
  }
  if (g_watch_count >= kMostWatches) return Error::NoSpace;
  *at = TRY(make<Watch>(file, inode, file->next_watch_number(), mask & kKept));
  ++g_watch_count;
  inode->opened();
  return static_cast<uint64_t>((*at)->number);
}

MORTEM_CALL(inotify_rm_watch) {
  InotifyFile* file = TRY(inotify_file(argument.number(0)));
  for (Watch* watch = g_watches; watch != nullptr; watch = watch->next)
    if (watch->file == file && watch->number == argument.number(1)) {
      end_watch(watch);
      return 0;
    }
  return Error::Invalid;
}

}  // namespace kernel::linux
