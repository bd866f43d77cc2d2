#include "kernel/linux/socket_control.h"

#include "kernel/arch/x86_64/user_access.h"
#include "kernel/linux/files.h"
#include "kernel/memory/heap.h"

namespace kernel::linux {
namespace {

struct ControlHeader {  // struct cmsghdr
  uint64_t length;      // itself included
  int32_t level, type;
};
constexpr uint64_t kMostOptionMemory = 20480;  // Linux: net.core.optmem_max

constexpr uint64_t aligned(uint64_t length) {
  return (length + 7) & ~uint64_t{7};
}

Result<void> add_rights(uint64_t user_numbers, uint64_t length, PassedFiles& passed) {
  const size_t count = length / sizeof(int32_t);
  if (count == 0) return {};
  if (count > kMaximumPassedFiles - passed.count) return Error::Invalid;
  if (passed.files == nullptr) {
    passed.files = static_cast<OpenFile**>(heap_allocate(kMaximumPassedFiles * sizeof(OpenFile*)));
    if (passed.files == nullptr) return Error::NoMemory;
  }
  for (size_t index = 0; index < count; ++index) {
    OpenFile* file = TRY(open_file(TRY(read_user<int32_t>(user_numbers + index * sizeof(int32_t)))));
    if ((file->flags() & kOpenPath) != 0) return Error::BadDescriptor;
    file->retain();
    passed.files[passed.count++] = file;
  }
  return {};
}

Result<void> take_credentials(uint64_t user_credentials, uint64_t length, SendRequest& request) {
  if (length != sizeof(Credentials)) return Error::Invalid;
  const auto claimed = TRY(read_user<Credentials>(user_credentials));
  if (claimed.process != static_cast<int32_t>(kProcessId)) return Error::NoProcess;
  if (claimed.user == ~0u || claimed.group == ~0u) return Error::Invalid;
  request.credentials = claimed;
  return {};
}

// Where a datagram is to come from. Which interface it leaves by the way to its address says.
Result<void> take_source(const ControlHeader& header, uint64_t data, SendRequest& request) {
  uint8_t source[16] = {};
  if (header.level == kLevelIp) {
    if (header.length != sizeof header + sizeof(PacketInformation)) return Error::Invalid;
    const auto wanted = TRY(read_user<PacketInformation>(data));
    source[10] = source[11] = 0xFF;
    __builtin_memcpy(source + 12, wanted.own, sizeof wanted.own);
  } else {
    if (header.length < sizeof header + sizeof(PacketInformation6)) return Error::Invalid;
    __builtin_memcpy(source, TRY(read_user<PacketInformation6>(data)).to, sizeof source);
  }
  __builtin_memcpy(request.source, source, sizeof source);
  request.has_source = true;
  return {};
}

}  // namespace

Result<void> read_control(uint64_t control, uint64_t length, const Socket& socket, SendRequest& request) {
  if (length > kMostOptionMemory) return Error::NoBuffers;
  uint64_t offset = 0;
  while (length >= sizeof(ControlHeader) && offset <= length - sizeof(ControlHeader)) {
    const auto header = TRY(read_user<ControlHeader>(control + offset));
    if (header.length < sizeof header || header.length > length - offset) return Error::Invalid;
    const uint64_t data = control + offset + sizeof header, data_length = header.length - sizeof header;
    if (header.level == kLevelSocket && socket.family() == kFamilyUnix) {
      if (header.type == kControlRights)
        TRY(add_rights(data, data_length, request.passed));
      else if (header.type == kControlCredentials)
        TRY(take_credentials(data, data_length, request));
      else
        return Error::Invalid;
    }
    if (socket.type() == kSocketDatagram &&
        ((header.level == kLevelIp && header.type == kPacketInformation && socket.family() != kFamilyUnix) ||
         (header.level == kLevelIpv6 && header.type == kPacketInformation6 && socket.family() == kFamilyInet6)))
      TRY(take_source(header, data, request));
    offset += aligned(header.length);
  }
  return {};
}

namespace {

class ControlWriter {
 public:
  ControlWriter(uint64_t control, uint64_t room) : start_(control), room_(control != 0 ? room : 0) {}

  // Cut to the room there is (Linux: put_cmsg).
  Result<void> put(const ControlMessage& message) {
    if (room_ - used_ < sizeof(ControlHeader)) {
      truncated = true;
      return {};
    }
    ControlHeader header{sizeof header + message.length, message.level, message.type};
    if (header.length > room_ - used_) {
      header.length = room_ - used_;
      truncated = true;
    }
    TRY(write_user(start_ + used_, header));
    TRY(copy_to_user(start_ + used_ + sizeof header, message.bytes, header.length - sizeof header));
    advance(message.length);
    return {};
  }

  // As many files as find room and a descriptor (Linux: scm_detach_fds).
  Result<void> put_files(PassedFiles& passed, bool close_on_exec) {
    const uint64_t left = room_ - used_;
    const size_t room = left <= sizeof(ControlHeader) ? 0 : (left - sizeof(ControlHeader)) / sizeof(int32_t);
    const uint64_t data = start_ + used_ + sizeof(ControlHeader);
    size_t count = 0;
    while (count < passed.count && count < room) {
      OpenFile* file = passed.files[count];
      file->retain();
      auto number = install(file, close_on_exec);
      if (number.is_error()) break;
      if (write_user(data + count * sizeof(int32_t), static_cast<int32_t>(number.value())).is_error()) {
        TRY(close_descriptor(static_cast<int>(number.value())));
        break;
      }
      ++count;
    }
    truncated |= count < passed.count;
    release_files(passed);
    if (count == 0) return {};
    TRY(write_user(start_ + used_,
                   ControlHeader{sizeof(ControlHeader) + count * sizeof(int32_t), kLevelSocket, kControlRights}));
    advance(count * sizeof(int32_t));
    return {};
  }

  uint64_t used() const { return used_; }
  bool truncated = false;

 private:
  void advance(uint64_t data_length) {
    const uint64_t space = sizeof(ControlHeader) + aligned(data_length);
    used_ += space < room_ - used_ ? space : room_ - used_;
  }
  uint64_t start_, room_, used_ = 0;
};

}  // namespace

Result<uint64_t> write_control(uint64_t control, uint64_t room, bool close_on_exec, ReceiveRequest& request,
                               bool& truncated) {
  ControlWriter writer(control, room);
  Result<void> result;
  for (size_t index = 0; index < request.control_count && !result.is_error(); ++index)
    result = writer.put(request.control[index]);
  if (request.passed.count > 0 && !result.is_error()) result = writer.put_files(request.passed, close_on_exec);
  release_files(request.passed);
  truncated = writer.truncated;
  if (result.is_error()) return result.error();
  return writer.used();
}

}  // namespace kernel::linux
