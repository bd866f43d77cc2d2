// TCP/IP: lwIP, which deferred work (scheduler.h) feeds with frames and time, and the interfaces below it. lwIP runs in
// one context at a time by the kernel's own rule (scheduler.h: threads change only where one waits). So: whoever calls
// it holds a NetworkScope, waits for nothing meanwhile, and is no interrupt handler.
#pragma once

#include <cstdint>

#include "snapshot/format/open_files.h"

namespace kernel::net {

// At boot, when the drivers are there: loopback, and the network card if there is one, whose configuration begins.
void initialize();
// In a guest that was resumed from a dump: false if its network card is not there.
bool resume();
// In a copy of a guest (a clone, a resumed dump) whose program stands still: no frame is taken or sent and no time
// passes for connections, which stay as they were, until go_on_alone(). Both from anywhere.
void stand_still();
bool stands_still();
// Before the program's next instruction its connections to others are reset, without a word to them: they are the
// original's.
void go_on_alone();
// Where lwIP keeps what; the addresses and offsets do not change.
void describe_records(mortem::format::OpenFileTables& tables);
// When threads can run: waits (a bounded time) for the address that was asked for.
void wait_for_address();

// Around every use of lwIP. At the end of the outermost one, what loops back is delivered, frames go out to the
// device, and the alarm is set to lwIP's next deadline.
class NetworkScope {
 public:
  // MayWait: for the bytes of connections. The device is told of frames later while the program has more events in
  // hand.
  enum class Output : bool { Now, MayWait };
  explicit NetworkScope(Output output = Output::Now);
  ~NetworkScope();
  NetworkScope(const NetworkScope&) = delete;
  NetworkScope& operator=(const NetworkScope&) = delete;

 private:
  Output output_;
};

}  // namespace kernel::net
