// How long work (writing a core, pulling a dump) tells its caller how far it is, and is told to stop.
#pragma once

#include <cstdint>
#include <functional>

namespace mortem::snapshot {

enum class ProgressAnswer { GoOn, Cancel };

// Called every few hundred kilobytes from the thread that does the work; both figures in bytes. After Cancel the work
// cleans up and returns an error of kind System. May be empty.
using Progress = std::function<ProgressAnswer(uint64_t done, uint64_t total)>;

}  // namespace mortem::snapshot
