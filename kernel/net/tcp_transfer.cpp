// Bytes of TCP connections, in and out.
#include "kernel/net/lwip_memory.h"
#include "kernel/net/network.h"
#include "kernel/net/path_mtu.h"
#include "kernel/net/tcp_socket.h"
#include "kernel/task/wait.h"
#include "lwip/tcp.h"

namespace kernel::net {

using namespace kernel::linux;

ReceiveQueue::~ReceiveQueue() {
  while (first_ != nullptr) drop_front();
}

void ReceiveQueue::append(pbuf* chain) {
  (last_ != nullptr ? last_->next : first_) = chain;
  for (last_ = chain; last_->next != nullptr; last_ = last_->next) size_ += last_->len;
  size_ += last_->len;
}

void ReceiveQueue::drop_front() {
  pbuf* gone = first_;
  first_ = gone->next;
  if (first_ == nullptr) last_ = nullptr;
  taken_ = 0;
  gone->next = nullptr;
  gone->tot_len = gone->len;
  pbuf_free(gone);
}

size_t ReceiveQueue::copy(std::span<uint8_t> to, Take take) {
  size_t done = 0, skip = taken_;
  for (pbuf* part = first_; part != nullptr && done < to.size();) {
    size_t count = part->len - skip;
    if (count > to.size() - done) count = to.size() - done;
    __builtin_memcpy(to.data() + done, static_cast<uint8_t*>(part->payload) + skip, count);
    done += count;
    skip += count;
    const bool is_used_up = skip == part->len;
    part = part->next;
    if (take == Take::Yes) {
      taken_ = skip;
      if (is_used_up) drop_front();
    }
    if (is_used_up) skip = 0;
  }
  if (take == Take::Yes) size_ -= done;
  return done;
}

Result<size_t> TcpSocket::receive(std::span<uint8_t> to, ReceiveRequest& request) {
  const bool looks = (request.flags & kMessagePeek) != 0, wants_all = (request.flags & kMessageWaitAll) != 0;
  if ((request.flags & kMessageOutOfBand) != 0) return Error::Invalid;  // there is no urgent data
  if (state_ == State::Listening || (state_ == State::Idle && !has_error() && !read_shut_)) return Error::NotConnected;
  const uint64_t deadline = receive_deadline();
  size_t done = 0;
  while (true) {
    if (received_.size() > 0) {
      const size_t count = received_.copy({to.data() + done, to.size() - done},
                                          looks ? ReceiveQueue::Take::Look : ReceiveQueue::Take::Yes);
      done += count;
      if (!looks && pcb_ != nullptr) {
        const NetworkScope scope(NetworkScope::Output::MayWait);  // the window opens
        for (size_t left = count; left > 0;) {
          const size_t part = left < 0xFFFF ? left : 0xFFFF;
          tcp_recved(pcb_, static_cast<u16_t>(part));
          left -= part;
        }
      }
    }
    if ((done == to.size() && (done > 0 || received_.size() > 0)) || (done > 0 && (!wants_all || looks))) return done;
    if (peer_closed_ && !looks) end_is_told_ = true;
    // Linux: the end of the stream comes before an error, an error before the other ends.
    if (peer_closed_ || (done > 0 && has_error())) return done;
    if (has_error()) return take_error();
    if (read_shut_ || state_ == State::Ended) return done;
    if (!waits(request.flags)) return done > 0 ? Result<size_t>(done) : Error::Again;
    const size_t before = looks ? done : 0;
    auto waited = wait_in_call(
        waiters_, [this, before] { return received_.size() > before || peer_closed_ || read_shut_ || has_error(); },
        deadline);
    if (waited.is_error()) return done > 0 ? Result<size_t>(done) : waited.error();
  }
}

// When all connections together have much that is not acknowledged, each may add to little only (Linux: tcp_mem).
size_t TcpSocket::most_to_send() const {
  constexpr size_t kLittle = 16384;
  const size_t most = static_cast<size_t>(options_.send_buffer);
  return most > kLittle && lwip_memory_used() > lwip_memory_limit() / 2 ? kLittle : most;
}

// What the program may still put into lwIP's buffer: lwIP's own bound, SO_SNDBUF's, and that of all together.
size_t TcpSocket::room() const {
  if (pcb_ == nullptr || pcb_->snd_queuelen >= TCP_SND_QUEUELEN - 8) return 0;
  const size_t used = TCP_SND_BUF - pcb_->snd_buf, most = most_to_send();
  const size_t by_option = used < most ? most - used : 0;
  return by_option < pcb_->snd_buf ? by_option : pcb_->snd_buf;
}

bool TcpSocket::is_writable() const {
  return room() * 3 >= most_to_send();  // Linux: a third is free
}

Result<void> TcpSocket::wait_for_room(int flags, uint64_t deadline) {
  wants_room_ = true;
  if (!waits(flags)) return Error::Again;
  return wait_in_call(
      waiters_, [this] { return is_writable() || write_shut_ || has_error(); }, deadline);
}

Result<size_t> TcpSocket::send(std::span<const uint8_t> bytes, const SendRequest& request) {
  const uint64_t deadline = send_deadline();
  if (state_ == State::Connecting) {
    if (!waits(request.flags)) return Error::Again;
    TRY(wait_in_call(
        waiters_, [this] { return state_ != State::Connecting; }, deadline));
  }
  size_t done = 0;
  while (true) {
    if (has_error()) return done > 0 ? Result<size_t>(done) : take_error();
    if (state_ != State::Connected || write_shut_ || pcb_ == nullptr)
      return done > 0 ? Result<size_t>(done) : Error::BrokenPipe;
    bool no_memory = false;
    {
      const NetworkScope scope(NetworkScope::Output::MayWait);
      if (g_events_in_hand > 0) --g_events_in_hand;
      try_larger_segments(*pcb_);
      const bool is_part = corked_ || (request.flags & kMessageMore) != 0;
      while (done < bytes.size()) {
        size_t count = room();
        if (count > bytes.size() - done) count = bytes.size() - done;
        if (count > 0xFFFF) count = 0xFFFF;
        if (count == 0) break;
        const bool more = is_part || done + count < bytes.size();
        const u8_t flags = static_cast<u8_t>(TCP_WRITE_FLAG_COPY | (more ? TCP_WRITE_FLAG_MORE : 0));
        if (tcp_write(pcb_, bytes.data() + done, static_cast<u16_t>(count), flags) != ERR_OK) {
          no_memory = true;
          break;
        }
        done += count;
      }
      if (!is_part || done < bytes.size()) tcp_output(pcb_);
    }
    if (done == bytes.size()) return done;
    // With nothing on its way nobody would tell of room.
    if (no_memory && pcb_ != nullptr && pcb_->unacked == nullptr && pcb_->unsent == nullptr)
      return done > 0 ? Result<size_t>(done) : Error::NoBuffers;
    if (auto waited = wait_for_room(request.flags, deadline); waited.is_error())
      return done > 0 ? Result<size_t>(done) : waited.error();
  }
}

}  // namespace kernel::net
