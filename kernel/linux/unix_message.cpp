#include "kernel/linux/unix_message.h"

#include "kernel/linux/limits.h"
#include "kernel/linux/unix_socket_class.h"
#include "kernel/memory/heap.h"

namespace kernel::linux {
namespace {

constexpr size_t kLeastSize = 256;  // with room for more bytes of a stream
size_t g_files_on_their_way = 0;

// Letting go of a file may close a socket, whose messages hold files, and so on: a program can make that chain as long
// as it likes. So messages are taken apart one after the other, never one within another.
UnixMessage* g_doomed = nullptr;
bool g_taking_apart = false;

void take_apart(UnixMessage& message) {
  message.next = g_doomed;
  g_doomed = &message;
  if (g_taking_apart) return;
  g_taking_apart = true;
  while (g_doomed != nullptr) {
    UnixMessage* doomed = g_doomed;
    g_doomed = doomed->next;
    g_files_on_their_way -= doomed->passed.count;
    release_files(doomed->passed);
    heap_free(doomed);
  }
  g_taking_apart = false;
}

}  // namespace

void release_sender(UnixSender& sender) {
  if (--sender.references == 0) destroy(&sender);
}

Result<UnixMessage*> make_message(UnixSender& sender, std::span<const uint8_t> bytes, const SendRequest& request) {
  if (request.passed.count > 0 && g_files_on_their_way + request.passed.count > g_limits[kLimitFiles].soft)
    return Error::TooManyReferences;
  size_t size = sizeof(UnixMessage) + bytes.size();
  if (size < kLeastSize) size = kLeastSize;
  void* memory = heap_allocate(size);
  if (memory == nullptr) return Error::NoBuffers;
  auto* message = new (memory) UnixMessage;
  message->sender = &sender;
  message->capacity = static_cast<uint32_t>(size - sizeof(UnixMessage));
  message->end = static_cast<uint32_t>(bytes.size());
  message->credentials = request.credentials;
  message->passed = request.passed;
  __builtin_memcpy(message->bytes(), bytes.data(), bytes.size());
  g_files_on_their_way += message->passed.count;
  ++sender.references;
  sender.used += size;
  return message;
}

void destroy_message(UnixMessage& message) {
  UnixSender& sender = *message.sender;
  sender.used -= sizeof(UnixMessage) + message.capacity;
  if (sender.owner != nullptr) sender.owner->got_room();
  release_sender(sender);
  take_apart(message);
}

void forget_passed(UnixMessage& message) {
  g_files_on_their_way -= message.passed.count;
  message.passed = {};
}

UnixQueue::~UnixQueue() {
  while (first_ != nullptr) remove_first();
}

size_t UnixQueue::byte_count() const {
  size_t bytes = 0;
  for (const UnixMessage* message = first_; message != nullptr; message = message->next) bytes += message->length();
  return bytes;
}

void UnixQueue::append(UnixMessage& message) {
  (last_ != nullptr ? last_->next : first_) = &message;
  last_ = &message;
  ++count_;
}

void UnixQueue::remove_first() {
  UnixMessage* message = first_;
  first_ = message->next;
  if (first_ == nullptr) last_ = nullptr;
  --count_;
  destroy_message(*message);
}

}  // namespace kernel::linux
