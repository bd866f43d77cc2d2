// How often and how long TCP tries, as Linux does (Documentation/networking/ip-sysctl: tcp_syn_retries,
// tcp_synack_retries, tcp_retries2, tcp_orphan_retries).
#include <gtest/gtest.h>

#include "kernel/net/lwip/hooks.h"
#include "lwip/priv/tcp_priv.h"

extern "C" {
u32_t tcp_ticks = 1000;
err_t tcp_keepalive(tcp_pcb*) {
  return ERR_OK;
}
}

namespace {

void somebody(void*, err_t) {}

struct Outcome {
  unsigned tries;
  double seconds;  // from the first transmission to the end
};

// As tcp_slowtmr does it for a peer that never answers.
Outcome try_in_vain(tcp_pcb& pcb, double first_interval) {
  const u32_t begin = tcp_ticks;
  auto interval = static_cast<u32_t>(first_interval * 1000) / TCP_SLOW_INTERVAL;
  for (Outcome outcome{};; interval = LWIP_MIN(interval * 2, u32_t{TCP_RTO_MAX_TICKS})) {
    tcp_ticks += interval;
    outcome.seconds = (tcp_ticks - begin) * TCP_SLOW_INTERVAL / 1000.0;
    if (lwip_port_tcp_gives_up(&pcb) != 0 || outcome.tries == 100) return outcome;
    ++outcome.tries;
    if (pcb.persist_backoff > 0)
      ++pcb.persist_probe;
    else
      ++pcb.nrtx;
  }
}

tcp_pcb connection(tcp_state state) {
  tcp_pcb pcb{};
  pcb.state = state;
  pcb.errf = somebody;
  return pcb;
}

void expect(const Outcome& outcome, unsigned tries, double seconds) {
  EXPECT_EQ(outcome.tries, tries);
  EXPECT_NEAR(outcome.seconds, seconds, 0.5);
}

TEST(TcpTimeouts, SynsAndTheirAnswers) {
  tcp_pcb pcb = connection(SYN_SENT);
  expect(try_in_vain(pcb, 1.0), 6, 127.0);
  pcb = connection(SYN_SENT);
  pcb.syn_count = 2;
  expect(try_in_vain(pcb, 1.0), 2, 7.0);
  pcb = connection(SYN_RCVD);  // its listener is closed
  expect(try_in_vain(pcb, 1.0), 5, 63.0);
  tcp_pcb_listen listener{};
  listener.syn_count = 1;
  pcb = connection(SYN_RCVD);
  pcb.listener = &listener;
  expect(try_in_vain(pcb, 1.0), 1, 3.0);
}

TEST(TcpTimeouts, DataAtTheFirstTryBehindItsTime) {
  tcp_pcb pcb = connection(ESTABLISHED);
  expect(try_in_vain(pcb, 0.2), 16, 1044.6);  // 924.6 s since the first try, which the 15th lacks by 0.2
  pcb = connection(ESTABLISHED);
  expect(try_in_vain(pcb, 3.0), 12, 1029.0);
}

TEST(TcpTimeouts, NobodyWaitsLess) {
  tcp_pcb pcb = connection(FIN_WAIT_1);
  pcb.errf = nullptr;
  expect(try_in_vain(pcb, 0.2), 9, 204.6);
}

TEST(TcpTimeouts, WhatWasAcknowledgedBeginsAnew) {
  tcp_pcb pcb = connection(ESTABLISHED);
  pcb.nrtx = 3;
  pcb.lastack = 16;
  EXPECT_EQ(lwip_port_tcp_gives_up(&pcb), 0);
  tcp_ticks += 2'000'000 / TCP_SLOW_INTERVAL;
  pcb.lastack = 17;
  EXPECT_EQ(lwip_port_tcp_gives_up(&pcb), 0);
  EXPECT_EQ(lwip_port_tcp_gives_up(&pcb), 0);
  tcp_ticks += 925'000 / TCP_SLOW_INTERVAL;
  EXPECT_EQ(lwip_port_tcp_gives_up(&pcb), 1);
}

TEST(TcpTimeouts, ProbesOfAClosedWindow) {
  tcp_pcb pcb = connection(ESTABLISHED);
  pcb.persist_backoff = 1;
  EXPECT_EQ(try_in_vain(pcb, 0.2).tries, 15u);
  pcb.errf = nullptr;
  pcb.persist_probe = 0;
  EXPECT_EQ(try_in_vain(pcb, 0.2).tries, 8u);
}

}  // namespace
