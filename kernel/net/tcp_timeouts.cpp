// When a connection whose peer does not answer is given up, as Linux does with its usual settings (ip-sysctl,
// TCP_USER_TIMEOUT, TCP_SYNCNT and keepalive in tcp(7)): lwIP's timer asks about each connection that has something to
// be timed.
#include "kernel/net/lwip/hooks.h"
#include "lwip/priv/tcp_priv.h"

namespace {

bool is_over(u32_t since, u32_t milliseconds) {
  return (tcp_ticks - since) >= (milliseconds + TCP_SLOW_INTERVAL - 1) / TCP_SLOW_INTERVAL;
}

bool has_output(const tcp_pcb& pcb) {
  return pcb.unacked != nullptr || pcb.unsent != nullptr;
}

// Nothing of what was written was acknowledged for that long, though it was sent again, or the window is closed. As on
// Linux it counts for a connection that begins, and for one that the program has closed, too.
bool user_timeout_is_over(tcp_pcb& pcb) {
  if (!has_output(pcb)) {
    pcb.is_waiting = 0;
    return false;
  }
  if (pcb.is_waiting == 0 || pcb.waits_at != pcb.lastack) {
    pcb.is_waiting = 1;
    pcb.waits_at = pcb.lastack;
    pcb.waits_since = tcp_ticks;
  }
  return pcb.user_timeout != 0 && (pcb.nrtx > 0 || pcb.persist_backoff > 0) &&
         is_over(pcb.waits_since, pcb.user_timeout);
}

// Whether it is to be given up. Linux: what was written and is not acknowledged stands for probes, and with
// TCP_USER_TIMEOUT that time counts instead of TCP_KEEPCNT.
bool keepalive_is_over(tcp_pcb& pcb) {
  if (!ip_get_option(&pcb, SOF_KEEPALIVE) || has_output(pcb)) return false;
  if (pcb.state != ESTABLISHED && pcb.state != CLOSE_WAIT &&
      (pcb.state != FIN_WAIT_2 || (pcb.flags & TF_RXCLOSED) != 0))
    return false;
  const bool is_first = pcb.keep_cnt_sent == 0;
  const bool heard_later = static_cast<s32_t>(pcb.tmr - pcb.keep_since) > 0;
  if (!is_over(is_first && heard_later ? pcb.tmr : pcb.keep_since, is_first ? pcb.keep_idle : pcb.keep_intvl))
    return false;
  if (pcb.user_timeout != 0 ? !is_first && is_over(pcb.tmr, pcb.user_timeout) : pcb.keep_cnt_sent >= pcb.keep_cnt)
    return true;
  if (tcp_keepalive(&pcb) == ERR_OK) {
    if (pcb.keep_cnt_sent < 0xFF) ++pcb.keep_cnt_sent;
    pcb.keep_since = tcp_ticks;
  }
  return false;
}

constexpr u32_t kSynTries = 6, kSynAnswers = 5, kProbes = 15, kProbesForNobody = 8;  // tcp_syn_retries …
// tcp_retries2 = 15 and, where no program waits, 8 stand for the time that so many tries take from a first interval of
// 200 ms on, which doubles to 120 s.
constexpr u32_t kPatience = 924'600, kPatienceForNobody = 102'200;

u32_t tries(u8_t wanted, u32_t usual) {
  return wanted != 0 ? wanted : usual;
}

// The program has closed it.
bool is_nobodys(const tcp_pcb& pcb) {
  return pcb.errf == nullptr;
}

}  // namespace

extern "C" int lwip_port_tcp_gives_up(tcp_pcb* pcb) {
  if (pcb->state == SYN_SENT) return pcb->nrtx >= tries(pcb->syn_count, kSynTries);
  if (pcb->state == SYN_RCVD)
    return pcb->nrtx >= tries(pcb->listener != nullptr ? pcb->listener->syn_count : u8_t{0}, kSynAnswers);
  if (pcb->persist_backoff > 0) return pcb->persist_probe >= (is_nobodys(*pcb) ? kProbesForNobody : kProbes);
  if (pcb->nrtx == 0 || pcb->again_at != pcb->lastack) {  // the first time for what stands first
    pcb->again_at = pcb->lastack;
    pcb->again_since = tcp_ticks;
    return 0;
  }
  return is_over(pcb->again_since, is_nobodys(*pcb) ? kPatienceForNobody : kPatience);
}

extern "C" int lwip_port_tcp_timeouts(tcp_pcb* pcb) {
  if (user_timeout_is_over(*pcb)) return 1;
  return keepalive_is_over(*pcb) ? 2 : 0;
}
