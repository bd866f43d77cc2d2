// A running guest in the form of a core: its program is stopped when this is opened and goes on when it is closed.
// Notes that only a dump has (reason, kernel log, …) are not there.
#pragma once

#include <memory>

#include "snapshot/core_file.h"

namespace mortem::inspector {

// Takes `socket` over, which is connected to the guest's debug stub.
Result<std::unique_ptr<snapshot::CoreFile>> open_live_core(int socket, const std::string& name);

class StubClient;
// The same over a client that stays when it is closed: as the program stands at this stop.
Result<std::unique_ptr<snapshot::CoreFile>> open_live_core(std::shared_ptr<StubClient> stub, const std::string& name);

}  // namespace mortem::inspector
