// Dumps, clones and resuming for the inspector's buttons: by the instances of this machine, and by the command `mortem`
// beside this program, which already does it.
#pragma once

#include "inspector/app/workspace.h"

namespace mortem::tools {

inspector::app::TargetActions target_actions();

}  // namespace mortem::tools
