#include "kernel/linux/restartable_sequence.h"

#include "kernel/linux/app.h"
#include "kernel/linux/calls.h"

namespace kernel::linux {
namespace {

struct Area {  // struct rseq (linux/rseq.h), the fields of its first version
  uint32_t cpu_id_start, cpu_id;
  uint64_t sequence;
  uint32_t flags, padding[3];
};
static_assert(sizeof(Area) == 32);

struct Sequence {  // struct rseq_cs
  uint32_t version, flags;
  uint64_t start, length, abort;
};

constexpr uint64_t kUnregister = 1;

}  // namespace

MORTEM_CALL(rseq) {
  AppThread& thread = current();
  const uint64_t address = argument[0];
  const auto length = static_cast<uint32_t>(argument[1]), signature = static_cast<uint32_t>(argument[3]);
  if ((argument[2] & ~kUnregister) != 0) return Error::Invalid;
  if (argument[2] == kUnregister) {
    if (thread.rseq != address || address == 0 || thread.rseq_length != length) return Error::Invalid;
    if (thread.rseq_signature != signature) return Error::NotPermitted;
    thread.rseq = 0;
    return 0;
  }
  if (thread.rseq != 0) {
    if (thread.rseq != address || thread.rseq_length != length) return Error::Invalid;
    return thread.rseq_signature != signature ? Error::NotPermitted : Error::Busy;
  }
  if (address % 32 != 0 || length != sizeof(Area)) return Error::Invalid;
  TRY(write_user(address, Area{}));  // CPU 0, no sequence
  thread.rseq = address;
  thread.rseq_length = length;
  thread.rseq_signature = signature;
  return 0;
}

void abort_restartable_sequence(TrapFrame& frame) {
  if (current().rseq == 0) return;
  auto area = read_user<Area>(current().rseq);
  if (area.is_error() || area.value().sequence == 0) return;
  auto sequence = read_user<Sequence>(area.value().sequence);
  if (sequence.is_error()) return;
  (void)write_user(current().rseq + offsetof(Area, sequence), uint64_t{0}).is_error();
  if (frame.rip - sequence.value().start < sequence.value().length) frame.rip = sequence.value().abort;
}

}  // namespace kernel::linux
