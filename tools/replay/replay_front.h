// The gdb port of a replay: clients come one after another, and the machine is moved as they ask.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "gdbstub/server.h"
#include "inspector/symbols/symbolizer.h"
#include "snapshot/result.h"
#include "tools/files.h"
#include "tools/qemu/control_channel.h"
#include "tools/replay/history.h"
#include "tools/replay/replay_target.h"

namespace mortem::tools {

class ReplayFront {
 public:
  // Clients connect at `gdb`, those that want it to end say so at `control`.
  ReplayFront(ReplayMachine& machine, History& history, inspector::Symbolizer& symbolizer, Descriptor gdb,
              Descriptor control);
  // Until it is told to end, or the replay fails: then the error says why.
  Result<void> serve();
  // While the machine runs without a client: true once it is to end.
  bool is_told_to_end();
  void set_stop(const HistoryEvent& event) { stop_ = target_.stop_of(event); }

 private:
  void wait(int timeout_ms);
  void take_client();
  void take_control();
  bool receive();
  bool is_client_impatient() const;
  bool drain();
  void tell(const std::string& text);
  void tell_progress();
  Result<void> run();

  ReplayMachine& machine_;
  ReplayTarget target_;
  std::unique_ptr<gdbstub::Server> server_;
  gdbstub::Stop stop_;
  Descriptor gdb_, control_, client_;
  std::vector<std::pair<Descriptor, ControlDecoder>> controllers_;
  std::chrono::steady_clock::time_point next_progress_;
  bool ends_ = false, lost_ = false;
  bool is_asked_ = false;  // a packet is being answered, which may take as long as the machine takes
};

}  // namespace mortem::tools
