// Open files (Linux: struct file): what descriptors point to, shared by those that were duplicated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/fs/inode.h"
#include "kernel/library/result.h"
#include "kernel/task/wait_queue.h"
#include "snapshot/format/open_files.h"

namespace kernel {
struct LogRing;
}

namespace kernel::linux {

// open(2) flags of x86-64.
inline constexpr int kOpenAccessMask = 3, kOpenReadOnly = 0, kOpenWriteOnly = 1, kOpenReadWrite = 2, kOpenCreate = 0100,
                     kOpenExclusive = 0200, kOpenTruncate = 01000, kOpenAppend = 02000, kOpenNonBlock = 04000,
                     kOpenDirect = 040000, kOpenDirectory = 0200000, kOpenNoFollow = 0400000,
                     kOpenCloseOnExec = 02000000, kOpenDataSync = 010000, kOpenSync = 04010000, kOpenPath = 010000000, kOpenTemporary = 020000000;

// poll(2)
inline constexpr uint16_t kPollIn = 1, kPollOut = 4, kPollError = 8, kPollHangUp = 16, kPollInvalid = 32,
                          kPollPeerHangUp = 0x2000;  // POLLRDHUP

class EpollInterest;

// Those that calls of their own work on.
enum class OpenFileKind : uint8_t { Other, Event, Timer, Epoll, Socket, Signal, Inotify };

class OpenFile {
 public:
  explicit OpenFile(int flags) : flags_(flags) {}
  virtual ~OpenFile() = default;

  // From and to the file's own position. They wait, unless the file is non-blocking (Again).
  virtual Result<size_t> read(std::span<uint8_t>) { return Error::Invalid; }
  virtual Result<size_t> write(std::span<const uint8_t>) { return Error::Invalid; }
  virtual Result<size_t> read_at(uint64_t, std::span<uint8_t>) { return Error::IllegalSeek; }
  virtual Result<size_t> write_at(uint64_t, std::span<const uint8_t>) { return Error::IllegalSeek; }
  virtual Result<uint64_t> seek(int64_t, int) { return Error::IllegalSeek; }
  virtual Result<InodeStatus> status() = 0;
  virtual uint16_t poll_events() { return kPollIn | kPollOut; }
  virtual bool can_be_polled() const { return true; }   // false: epoll refuses it (Linux: no f_op->poll)
  virtual bool needs_polling() const { return false; }  // its input makes no interrupt
  // Told when poll_events() may have changed; null: it never does, or only polling finds out.
  virtual WaitQueue* wait_queue() { return nullptr; }
  virtual OpenFileKind kind() const { return OpenFileKind::Other; }
  virtual Inode* inode() { return nullptr; }  // null: no file of a file system
  virtual const char* path() const = 0;       // absolute, or what Linux shows: "pipe:[7]"
  virtual Result<uint32_t> bytes_available() { return Error::NotTerminal; }  // FIONREAD
  virtual Result<uint32_t> bytes_unsent() { return Error::NotTerminal; }     // SIOCOUTQ

  int flags() const { return flags_; }
  void set_status_flags(int flags) {
    constexpr int kChangeable = kOpenAppend | kOpenNonBlock | kOpenDirect;
    flags_ = (flags_ & ~kChangeable) | (flags & kChangeable);
  }
  bool can_read() const { return (flags_ & kOpenPath) == 0 && (flags_ & kOpenAccessMask) != kOpenWriteOnly; }
  bool can_write() const { return (flags_ & kOpenPath) == 0 && (flags_ & kOpenAccessMask) != kOpenReadOnly; }
  bool is_blocking() const { return (flags_ & kOpenNonBlock) == 0; }

  // Before the last descriptor is closed; it may wait (SO_LINGER).
  virtual void linger() {}

  void retain() { ++references_; }
  bool is_last_reference() const { return references_ == 1; }
  void release();

  EpollInterest* interests = nullptr;  // of epolls in this file (epoll.h); they end with it

  // Not of the standard's layout, because of the virtual functions; what g++ makes of one base class is plain.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
  static constexpr size_t summary_offset() { return __builtin_offsetof(OpenFile, summary_); }
  static constexpr size_t flags_offset() { return __builtin_offsetof(OpenFile, flags_); }
#pragma GCC diagnostic pop

 protected:
  // For readers from outside (snapshot/format/open_files.h); both addresses live as long as this.
  void describe_as(mortem::format::FileKind kind, const char* path, const uint64_t* position = nullptr) {
    summary_ = {kind, 0, reinterpret_cast<uint64_t>(path), reinterpret_cast<uint64_t>(position), 0};
  }
  void describe_socket(const char* path, const mortem::format::SocketSummary& socket) {
    describe_as(mortem::format::FileKind::Socket, path);
    summary_.socket = reinterpret_cast<uint64_t>(&socket);
  }

 private:
  int flags_;
  int references_ = 1;
  mortem::format::OpenFileSummary summary_{};
};

// What fstat says of a file of no file system: eventfd, timerfd, epoll.
InodeStatus anonymous_status();

Result<OpenFile*> make_inode_file(Inode& inode, int flags, const char* path);
// `copy` keeps the last of what is written, for a dump; null: nothing is kept.
Result<OpenFile*> make_console_file(int flags, LogRing* copy);
// The host's standard input over a port of its own (snapshot/format/control.h). NoDevice: the machine has none.
Result<OpenFile*> make_input_file();
struct Pipe {
  OpenFile *read_end, *write_end;
};
Result<Pipe> make_pipe(int flags);

inline constexpr uint64_t kConsolePollNs = 5'000'000;  // how often console input is looked for while waiting for it

bool is_zero_device(Inode& inode);

}  // namespace kernel::linux
