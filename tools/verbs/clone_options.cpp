#include "tools/verbs/clone_options.h"

#include <fmt/format.h>

#include "tools/output.h"

namespace mortem::tools {

void add_clone_start_options(CLI::App* verb, CloneStartWords& words) {
  verb->add_option("--name", words.options.name, "Name of the copy as an instance (default: NAME-clone)");
  verb->add_option("--net", words.options.network,
                   "none, isolated (QEMU's own network without a way out), or user (with one)")
      ->capture_default_str();
  verb->add_option("-p,--port", words.options.ports, "HOST:GUEST as of mortem run, with --net isolated or user")
      ->allow_extra_args(false);
  verb->add_option("--clock", words.clock,
                   "Its wall clock: goes-on (from its moment; what a clone's does), or now (a dump's)");
  verb->add_flag("--run", words.runs, "Let the program run at once (default: it stands still for gdb)");
}

Result<CloneStartOptions> clone_start_options(const CloneStartWords& words) {
  CloneStartOptions options = words.options;
  options.holds_app = !words.runs;
  if (words.clock == "now")
    options.clock = CloneClock::Now;
  else if (words.clock == "goes-on")
    options.clock = CloneClock::GoesOn;
  else if (!words.clock.empty())
    return failure(ErrorKind::BadInput, fmt::format("--clock {}: goes-on or now", printable(words.clock)));
  return options;
}

}  // namespace mortem::tools
