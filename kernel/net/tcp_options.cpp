// Options of IPPROTO_TCP (tcp(7)).
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/net/network.h"
#include "kernel/net/network_files.h"
#include "kernel/net/tcp_socket.h"
#include "lwip/priv/tcp_priv.h"

namespace kernel::net {

using namespace kernel::linux;

namespace {

constexpr int kLevelTcp = 6;
constexpr int kNoDelay = 1, kMaximumSegment = 2, kCork = 3, kKeepIdle = 4, kKeepInterval = 5, kKeepCount = 6,
              kSynCount = 7, kLinger2 = 8, kDeferAccept = 9, kWindowClamp = 10, kInformation = 11, kQuickAck = 12,
              kCongestion = 13, kUserTimeout = 18, kFastOpen = 23, kNotSentLowWater = 25;
constexpr int kLinger2Default = 60, kLinger2Most = 120;  // seconds: tcp_fin_timeout, TCP_FIN_TIMEOUT_MAX
constexpr char kCongestionControl[] = "reno";            // what lwIP does

// The beginning of struct tcp_info: what is known here; the rest of it stays 0.
struct Information {
  uint8_t state, congestion_state, retransmits, probes, backoff, options, scales, flags;
  uint32_t retransmission_timeout, ack_timeout, send_segment, receive_segment;  // microseconds, bytes
  uint32_t unacknowledged, sacked, lost, retransmitted, forward;
  uint32_t last_data_sent, last_ack_sent, last_data_received, last_ack_received;
  uint32_t path_mtu, receive_threshold, round_trip, round_trip_variance, send_threshold, congestion_window;
};
static_assert(sizeof(Information) == 84);

}  // namespace

Result<void> TcpSocket::set_option(int level, int name, std::span<const uint8_t> value) {
  if (level != kLevelTcp) return InetSocket::set_option(level, name, value);
  if (name == kCongestion) {
    const std::span<const char> wanted{kCongestionControl, sizeof kCongestionControl - 1};
    if (value.size() < wanted.size() || __builtin_memcmp(value.data(), wanted.data(), wanted.size()) != 0)
      return Error::NoEntry;
    return {};
  }
  const int number = TRY(option_number(value));
  switch (name) {
    case kNoDelay:
      no_delay_ = number != 0;
      break;
    case kCork:
      corked_ = number != 0;
      break;
    case kKeepIdle:
      if (number < 1 || number > 32767) return Error::Invalid;
      keep_idle_ = number;
      // Linux: it counts from what came last, whenever keepalive was switched on.
      if (pcb_ != nullptr && state_ != State::Listening) pcb_->keep_since = pcb_->tmr;
      break;
    case kKeepInterval:
      if (number < 1 || number > 32767) return Error::Invalid;
      keep_interval_ = number;
      break;
    case kKeepCount:
      if (number < 1 || number > 127) return Error::Invalid;
      keep_count_ = number;
      break;
    case kUserTimeout:
      if (number < 0) return Error::Invalid;
      user_timeout_ = number;
      break;
    case kSynCount:
      if (number < 1 || number > 127) return Error::Invalid;
      syn_count_ = static_cast<uint8_t>(number);
      break;
    case kDeferAccept:
      defer_accept_ = number < 0 ? 0 : number;
      return {};
    case kMaximumSegment:
      if (number != 0 && (number < 88 || number > 32767)) return Error::Invalid;
      wanted_segment_ = number;
      return {};
    case kLinger2:
      linger2_ = number < 0 ? -1 : number == 0 ? kLinger2Default : number < kLinger2Most ? number : kLinger2Most;
      return {};
    case kNotSentLowWater:
      not_sent_low_water_ = number;
      return {};
    case kWindowClamp:
    case kQuickAck:
      return {};
    case kFastOpen:
      return Error::NotSupported;
    default:
      return Error::NoProtocolOption;
  }
  const NetworkScope scope;
  apply_options();
  // What waited for more goes out.
  if ((name == kNoDelay || name == kCork) && pcb_ != nullptr && state_ == State::Connected && !corked_)
    tcp_output(pcb_);
  return {};
}

Result<size_t> TcpSocket::get_option(int level, int name, std::span<uint8_t> value) {
  if (level == kLevelSocket && name == kOptionAcceptsConnections) return give_number(value, state_ == State::Listening);
  if (level != kLevelTcp) return InetSocket::get_option(level, name, value);
  const bool has_connection = pcb_ != nullptr && state_ != State::Listening;
  switch (name) {
    case kNoDelay:
      return give_number(value, no_delay_);
    case kCork:
      return give_number(value, corked_);
    case kKeepIdle:
      return give_number(value, keep_idle_);
    case kKeepInterval:
      return give_number(value, keep_interval_);
    case kKeepCount:
      return give_number(value, keep_count_);
    case kUserTimeout:
      return give_number(value, user_timeout_);
    case kSynCount:
      return give_number(value, syn_count_ != 0 ? syn_count_ : 6);  // tcp_syn_retries
    case kDeferAccept:
      return give_number(value, defer_accept_);
    case kMaximumSegment:
      return give_number(value, has_connection ? pcb_->mss : wanted_segment_ != 0 ? wanted_segment_ : 536);
    case kLinger2:
      return give_number(value, linger2_);
    case kNotSentLowWater:
      return give_number(value, not_sent_low_water_);
    case kQuickAck:
      return give_number(value, 1);
    case kCongestion:
      return give_option(value, kCongestionControl, sizeof kCongestionControl);
    case kInformation: {
      Information information{};
      information.state =
          state_ == State::Listening ? 10 : linux_tcp_state(has_connection ? unsigned{pcb_->state} : 0u);
      if (has_connection) {
        information.retransmits = pcb_->nrtx;
        information.retransmission_timeout = static_cast<uint32_t>(pcb_->rto) * TCP_SLOW_INTERVAL * 1000;
        information.send_segment = information.receive_segment = pcb_->mss;
        information.round_trip = static_cast<uint32_t>(pcb_->sa >> 3) * TCP_SLOW_INTERVAL * 1000;
        information.congestion_window = pcb_->mss != 0 ? pcb_->cwnd / pcb_->mss : 0;
        information.send_threshold = pcb_->mss != 0 ? pcb_->ssthresh / pcb_->mss : 0;
      }
      return give_option(value, &information, sizeof information);
    }
    default:
      return Error::NoProtocolOption;
  }
}

}  // namespace kernel::net
