// The app's standard input: the host's, over a console port of its own. To the app it is the reading end of a pipe
// whose writer goes when the host's input ends. The host is asked for it when the app first looks: a program that never
// reads leaves the host's input alone, as on Linux.
#include "kernel/drivers/console_port.h"
#include "kernel/drivers/control_port.h"
#include "kernel/linux/open_file.h"
#include "kernel/memory/heap.h"
#include "kernel/task/wait.h"
#include "snapshot/format/control.h"

namespace kernel::linux {
namespace {

// Bytes arrive as long as the guest runs, whoever has the file open.
constinit WaitQueue g_waiters;

// From the device's interrupt, which may be about another port.
void arrived(void* context) {
  auto& port = *static_cast<ConsolePort*>(context);
  if (!port.host_is_listening())
    g_waiters.notify_all();
  else if (port.available() > 0)
    g_waiters.notify_all(kPollIn);
}

class InputFile final : public OpenFile {
 public:
  explicit InputFile(ConsolePort& port) : OpenFile(kOpenReadOnly), port_(port) {
    describe_as(mortem::format::FileKind::Input, "pipe:[2]");
  }

  Result<size_t> read(std::span<uint8_t> to) override {
    if (to.empty()) return size_t{0};
    ask_host();
    for (;;) {
      const bool at_end = !port_.host_is_listening();  // it comes behind the last bytes: looked at before them
      if (const size_t count = port_.read(to); count > 0 || at_end) return count;
      if (!is_blocking()) return Error::Again;
      const auto has_news = [this] { return !port_.host_is_listening() || port_.available() > 0; };
      if (wait_on(g_waiters, has_news) == WaitResult::Signal) return Error::RestartSystem;
    }
  }

  uint16_t poll_events() override {
    ask_host();
    const bool at_end = !port_.host_is_listening();
    return static_cast<uint16_t>((port_.available() > 0 ? kPollIn : 0) | (at_end ? kPollHangUp : 0));
  }

  Result<InodeStatus> status() override {
    InodeStatus status{};
    status.device = 13;  // as Linux's pipefs
    status.inode = 2;
    status.type = FileType::Fifo;
    status.permissions = 0600;
    status.links = 1;
    return status;
  }
  WaitQueue* wait_queue() override { return &g_waiters; }
  Result<uint32_t> bytes_available() override { return static_cast<uint32_t>(port_.available()); }
  const char* path() const override { return "pipe:[2]"; }

 private:
  void ask_host() {
    if (asked_) return;
    asked_ = true;
    control_send(mortem::format::ControlType::WantsInput, {});
  }

  ConsolePort& port_;
  bool asked_ = false;
};

}  // namespace

Result<OpenFile*> make_input_file() {
  ConsolePort* port = console_port(mortem::format::kInputPortName);
  if (port == nullptr) return Error::NoDevice;
  auto* file = TRY(make<InputFile>(*port));
  port->set_arrival_handler(arrived, port);
  return static_cast<OpenFile*>(file);
}

}  // namespace kernel::linux
