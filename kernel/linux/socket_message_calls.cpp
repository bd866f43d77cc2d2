// send, recv and their kin.
#include "kernel/linux/calls.h"
#include "kernel/linux/socket_address.h"
#include "kernel/linux/socket_control.h"
#include "kernel/linux/socket_transfer.h"

namespace kernel::linux {
namespace {

constexpr int kControlTruncated = 8, kWaitForOne = 0x10000, kCloseOnExec = 0x40000000;  // MSG_*
constexpr uint64_t kMostMessages = 1024;                                                // of one call; UIO_MAXIOV
constexpr uint64_t kMostControl = 0x7fff'ffff;

struct UserMessage {  // struct msghdr
  uint64_t name;
  int32_t name_length;
  uint32_t padding;
  uint64_t vector, vector_count, control, control_length;
  int32_t flags;
  uint32_t padding_at_end;
};
static_assert(sizeof(UserMessage) == 56);
constexpr uint64_t kCountOffset = 56, kManySize = 64;  // struct mmsghdr: a msghdr and the length of the message

struct FileList {  // what is still in it is let go of
  SendRequest& request;
  ~FileList() { release_files(request.passed); }
};

Result<UserMessage> read_message(uint64_t address, UserVector& vector) {
  auto message = TRY(read_user<UserMessage>(address));
  if (message.name == 0) message.name_length = 0;
  if (message.name_length < 0) return Error::Invalid;
  constexpr int32_t kMostName = sizeof(SocketAddress::bytes);
  if (message.name_length > kMostName) message.name_length = kMostName;
  if (message.vector_count > kMaximumVectors) return Error::MessageTooLong;
  TRY(vector.read(message.vector, message.vector_count));
  return message;
}

Result<uint64_t> send_message(Socket& socket, uint64_t user_message, int flags) {
  UserVector vector;
  const UserMessage message = TRY(read_message(user_message, vector));
  SocketAddress to;
  if (message.name_length > 0) to = TRY(read_user_address(message.name, message.name_length));
  SendRequest request;
  request.flags = flags;
  request.to = message.name_length > 0 ? &to : nullptr;
  const FileList files{request};
  if (message.control_length > 0) TRY(read_control(message.control, message.control_length, socket, request));
  return send_vector(socket, vector, request);
}

Result<uint64_t> receive_message(Socket& socket, uint64_t user_message, int flags) {
  UserVector vector;
  const UserMessage message = TRY(read_message(user_message, vector));
  if (message.control_length > kMostControl) return Error::NoBuffers;
  ReceiveRequest request;
  request.flags = flags;
  const uint64_t count = TRY(receive_vector(socket, vector, request));
  bool truncated = false;
  const uint64_t used =
      TRY(write_control(message.control, message.control_length, (flags & kCloseOnExec) != 0, request, truncated));
  if (message.name != 0) TRY(write_user_address(request.from, message.name, user_message + 8));
  const int result_flags = request.result_flags | (truncated ? kControlTruncated : 0) | (flags & kCloseOnExec);
  TRY(write_user(user_message + offsetof(UserMessage, flags), result_flags));
  TRY(write_user(user_message + offsetof(UserMessage, control_length), used));
  return count;
}

// What came is the result; an error comes with the next call.
Result<uint64_t> counted(uint64_t done, Error error) {
  return done > 0 ? Result<uint64_t>(done) : Result<uint64_t>(error);
}

}  // namespace

MORTEM_CALL(sendto) {
  UserVector vector;
  TRY(vector.set(argument[1], argument[2]));
  Socket* socket = TRY(open_socket(argument.number(0)));
  SocketAddress to;
  if (argument[4] != 0) to = TRY(read_user_address(argument[4], argument.number(5)));
  SendRequest request;
  request.flags = argument.number(3);
  request.to = to.length > 0 ? &to : nullptr;
  const HeldFile held(*socket);
  return send_vector(*socket, vector, request);
}

MORTEM_CALL(recvfrom) {
  UserVector vector;
  TRY(vector.set(argument[1], argument[2]));
  Socket* socket = TRY(open_socket(argument.number(0)));
  ReceiveRequest request;
  request.flags = argument.number(3);
  const HeldFile held(*socket);
  const uint64_t count = TRY(receive_vector(*socket, vector, request));
  release_files(request.passed);
  if (argument[4] != 0) TRY(write_user_address(request.from, argument[4], argument[5]));
  return count;
}

MORTEM_CALL(sendmsg) {
  Socket* socket = TRY(open_socket(argument.number(0)));
  const HeldFile held(*socket);
  return send_message(*socket, argument[1], argument.number(2));
}

MORTEM_CALL(recvmsg) {
  Socket* socket = TRY(open_socket(argument.number(0)));
  const HeldFile held(*socket);
  return receive_message(*socket, argument[1], argument.number(2));
}

MORTEM_CALL(sendmmsg) {
  Socket* socket = TRY(open_socket(argument.number(0)));
  const HeldFile held(*socket);
  const uint64_t wanted = static_cast<uint32_t>(argument[2]);
  uint64_t done = 0;
  for (; done < wanted && done < kMostMessages; ++done) {
    const uint64_t user_message = argument[1] + done * kManySize;
    auto sent = send_message(*socket, user_message, argument.number(3));
    if (sent.is_error()) return counted(done, sent.error());
    if (auto written = write_user(user_message + kCountOffset, static_cast<uint32_t>(sent.value())); written.is_error())
      return counted(done, written.error());
  }
  return done;
}

MORTEM_CALL(recvmmsg) {
  uint64_t deadline = kNoDeadline;
  if (argument[4] != 0) deadline = add_saturated(monotonic_ns(), TRY(read_user_duration(argument[4])));
  Socket* socket = TRY(open_socket(argument.number(0)));
  const HeldFile held(*socket);
  const uint64_t wanted = static_cast<uint32_t>(argument[2]);
  int flags = argument.number(3) & ~kWaitForOne;
  uint64_t done = 0;
  // The time is looked at between messages only (recvmmsg(2), BUGS): a wait for one is not cut short by it.
  while (done < wanted && done < kMostMessages) {
    const uint64_t user_message = argument[1] + done * kManySize;
    auto received = receive_message(*socket, user_message, flags);
    if (received.is_error()) return counted(done, received.error());
    if (auto written = write_user(user_message + kCountOffset, static_cast<uint32_t>(received.value()));
        written.is_error())
      return counted(done, written.error());
    ++done;
    if ((argument.number(3) & kWaitForOne) != 0) flags |= kMessageDontWait;
    if (deadline != kNoDeadline && monotonic_ns() >= deadline) break;
  }
  if (argument[4] != 0) {
    const uint64_t now = monotonic_ns();
    TRY(write_user(argument[4], time_specification(deadline > now ? deadline - now : 0)));
  }
  return done;
}

}  // namespace kernel::linux
