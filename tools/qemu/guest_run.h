// One run of a guest, from the start of QEMU to its end: console, control port, crashes and their dumps, signals.
#pragma once

#include <poll.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/result.h"
#include "tools/qemu/control_channel.h"
#include "tools/qemu/dump_collector.h"
#include "tools/qemu/instance.h"
#include "tools/qemu/machine.h"
#include "tools/qemu/uart_messages.h"
#include "tools/replay/recorder.h"

namespace mortem::tools {

enum class OnCrash { Stop, Reboot, Gdb };
const char* on_crash_name(OnCrash what);  // as --on-crash and the kernel have it

// What makes a run the going on of a clone or of a dump.
struct CloneStart {
  std::filesystem::path state;     // of processor and devices; empty: a dump, whose kernel starts them anew
  format::ControlClone message{};  // what the guest is told before its first instruction
  bool is_unplugged = false;       // its network card's link is down
};

struct RunPlan {
  Machine machine;
  InstanceFacts facts;
  OnCrash on_crash = OnCrash::Stop;
  bool detached = false;       // nobody reads our stdout; QEMU may outlive us
  bool keep_in_slot = false;   // dumps stay in the image
  bool waits_for_gdb = false;  // the program is held at its entry
  int ready_pipe = -1;         // detached: gets "ready\n" once the program runs, or an error line
  std::optional<CloneStart> clone;
  std::unique_ptr<Recorder> recorder;  // of a run that is recorded
};

class GuestRun {
 public:
  GuestRun(RunPlan plan, Instance& instance);
  ~GuestRun();

  // Returns the exit status for `mortem run`. Says on stderr what is to be said.
  Result<int> run();
  bool image_holds_dump() const { return dump_left_in_image_; }  // one that could not be taken out

 private:
  Result<void> start();
  Result<void> start_qemu(Descriptor console_end, Descriptor control_end, Descriptor input_end);
  Result<void> begin_console_file();
  Result<void> begin_control_pipes();
  void tell_guest(const ControlMessage& message);
  Result<void> begin_clone();
  void tell_clone();
  Result<bool> has_qemu_ended(int wait_ms) const;
  void is_ready();
  Result<void> serve();
  void serve_console();
  void show_console(std::string_view bytes);
  void serve_console_file();
  void serve_recorder();
  void end_recording(const std::string& how) const;
  pollfd input_to_wait_for() const;
  void serve_input();
  void serve_guest();
  void serve_client(size_t index);
  void handle(const ControlMessage& message);
  void handle_signal();
  void terminate(int signal);
  void press_on();  // what follows when the guest does not end
  struct ToldCrash {
    std::string reason;
    uint32_t slot = 0;  // kNoSlot: without a dump
    uint64_t occurrence = 0;
    bool goes_on = false;  // the program does
  };
  // The dumps of the crashes that the guest has told of, and those it has not.
  void collect_dumps();
  void tell_of(const CollectedDump& dump, const std::string& reason, bool goes_on);
  void tell_of_crash_without_dump(const std::string& reason) const;
  Result<int> explain_end();

  RunPlan plan_;
  Instance& instance_;
  std::optional<DumpCollector> dumps_;
  Descriptor console_, control_, input_, listener_, signals_, qemu_, clock_;
  std::vector<std::pair<Descriptor, ControlDecoder>> clients_;
  ControlDecoder guest_decoder_;
  pid_t qemu_id_ = 0;
  int qemu_status_ = 0;
  bool qemu_ended_ = false, ready_ = false, stdout_closed_ = false, dump_left_in_image_ = false;
  int terminated_by_ = 0;  // signal
  int pressure_ = 0;       // 0: none, 1: asked the guest, 2: asked QEMU, 3: killed QEMU
  std::optional<int> exit_status_;
  size_t crashes_ = 0;
  std::vector<ToldCrash> told_;                                 // whose dumps have not been looked for
  std::vector<std::pair<uint32_t, uint64_t>> collected_early_;  // slot, occurrence: before the guest told of them
  std::string console_end_;                                     // the last few hundred bytes
  // Of a recorded guest, whose control port is two pipes.
  UartMessages uart_;
  Descriptor control_kept_open_;
  Descriptor console_file_;  // of a recorded guest; console_ tells when it grows
  bool input_ended_ = false;
  bool input_wanted_ = false;  // the program has looked at its standard input
  std::string input_pending_;  // read from ours, and not taken by QEMU yet
};

}  // namespace mortem::tools
