// Every failure in the kernel travels in a Result; errors are Linux errno values, so that a syscall can return them.
#pragma once

#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace kernel {

// A Linux errno, positive. Values are fixed by the ABI (asm-generic/errno.h); 512 and up never reach the app.
enum class Error : int {
  NotPermitted = 1, NoEntry = 2, NoProcess = 3, Interrupted = 4, Io = 5, NoDevice = 6, ArgumentsTooLong = 7,
  NotExecutable = 8, BadDescriptor = 9, NoChild = 10, Again = 11, NoMemory = 12, AccessDenied = 13, Fault = 14,
  NotBlockDevice = 15, Busy = 16, Exists = 17, CrossDevice = 18, NoSuchDevice = 19, NotDirectory = 20,
  IsDirectory = 21, Invalid = 22, FileTableFull = 23, TooManyFiles = 24, NotTerminal = 25, TextBusy = 26, FileTooLarge = 27,
  NoSpace = 28, IllegalSeek = 29, ReadOnly = 30, TooManyLinks = 31, BrokenPipe = 32, Domain = 33, Range = 34,
  Deadlock = 35,
  NameTooLong = 36, NoSyscall = 38, NotEmpty = 39, Loop = 40, NoData = 61, Protocol = 71, Overflow = 75,
  NotSocket = 88, DestinationRequired = 89, MessageTooLong = 90, WrongProtocolType = 91, NoProtocolOption = 92,
  ProtocolNotSupported = 93, SocketTypeNotSupported = 94, NotSupported = 95, FamilyNotSupported = 97, AddressInUse = 98,
  AddressNotAvailable = 99, NetworkDown = 100, NetworkUnreachable = 101, ConnectionAborted = 103,
  ConnectionReset = 104, NoBuffers = 105, IsConnected = 106, NotConnected = 107, ShutDown = 108, TooManyReferences = 109, TimedOut = 110,
  ConnectionRefused = 111, HostDown = 112, HostUnreachable = 113, Already = 114, InProgress = 115,
  // Linux's own restart codes: the call is made again after a signal, as signal(7) says.
  RestartSystem = 512, RestartNoInterrupt = 513, RestartNoHandler = 514, RestartBlock = 516,
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(Error error) : error_(error), has_value_(false) {}
  template <typename U = T>
    requires(!std::is_same_v<std::remove_cvref_t<U>, Result> && !std::is_same_v<std::remove_cvref_t<U>, Error>)
  Result(U&& value) : has_value_(true) {
    new (&value_) T(std::forward<U>(value));
  }
  Result(Result&& other) : has_value_(other.has_value_) {
    if (has_value_)
      new (&value_) T(std::move(other.value_));
    else
      error_ = other.error_;
  }
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  ~Result() {
    if (has_value_) value_.~T();
  }

  bool is_error() const { return !has_value_; }
  explicit operator bool() const { return has_value_; }
  Error error() const { return error_; }
  T& value() { return value_; }
  T release_value() { return std::move(value_); }

 private:
  union {
    T value_;
    Error error_;
  };
  bool has_value_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() : error_(0) {}
  Result(Error error) : error_(static_cast<int>(error)) {}
  bool is_error() const { return error_ != 0; }
  explicit operator bool() const { return error_ == 0; }
  Error error() const { return static_cast<Error>(error_); }
  void release_value() {}

 private:
  int error_;
};

// TRY(expression): its value, or a return of its error from the enclosing function.
#define TRY(expression)                                  \
  ({                                                     \
    auto&& try_result = (expression);                    \
    if (try_result.is_error()) return try_result.error(); \
    try_result.release_value();                          \
  })

}  // namespace kernel
