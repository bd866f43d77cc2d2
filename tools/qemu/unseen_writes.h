// What QEMU before 9.0 does not see a guest under TCG write while it copies it, and how a guest of ours mends that.
//
// QEMU looks for the pages that were written since its last look by groups of 64, and leaves their entries in the
// guest's TLB as they are: what is written through those afterwards is missed (cpu_physical_memory_sync_dirty_bitmap,
// include/exec/ram_addr.h). It looks between two parts of the memory's stream (ram_save_pending, migration/ram.c), how
// long behind the first one's end nobody says. So with the first page of each part the guest is asked to throw its TLB
// away; the pages that QEMU may have read between its look and that are suspects, which the guest is asked to write to,
// so that they are sent once more. A copy is right when the guest stops without a suspect. For that the pipe is narrow
// after the first round: QEMU cannot come to its next look, and stop the guest, before we have read what it sends, and
// we do not read on before the guest has answered.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "snapshot/clone/migration_stream.h"
#include "snapshot/result.h"
#include "tools/files.h"
#include "tools/qemu/control_channel.h"

namespace mortem::tools {

class UnseenWrites {
 public:
  // Of a guest with that much memory, at its control port. QEMU does not look while more than `near_bytes` of it are
  // left to be sent. An error: it does not answer.
  static Result<std::unique_ptr<UnseenWrites>> watch(Descriptor control, uint64_t memory_bytes, uint64_t near_bytes);

  // In the thread that reads QEMU's stream out of `pipe` (ReceptionListener has the words). Errors end the reception.
  Result<void> page(const snapshot::ReceptionListener::Page& page, int pipe);
  Result<void> part_ended(uint64_t read, int pipe);
  void nothing_comes(int pipe);
  int wakes() const { return wakes_.get(); }

  // In another: an error was that the guest answers no more. Its copy cannot be made right, another way may do.
  bool has_lost_guest() const { return has_lost_guest_; }
  // Likewise: the guest has stopped, and QEMU sends nothing until it is told to. False: there are suspects.
  bool has_stopped_well();

 private:
  UnseenWrites(Descriptor control, Descriptor wakes, uint64_t far_pages)
      : control_(std::move(control)), wakes_(std::move(wakes)), far_pages_(far_pages) {}
  bool may_be_suspect(uint64_t at, bool is_zero) const;
  Result<void> clear_suspects();
  Result<void> throw_away(uint64_t read, int pipe);
  Result<void> ask();
  Result<bool> wait_for_answer();  // false: the guest has stopped
  tl::unexpected<Error> lost_guest(const char* why);
  void decide(bool is_well);
  void set_width(int pipe, int bytes);

  const Descriptor control_, wakes_;
  const uint64_t far_pages_;  // so many are sent before QEMU looks
  uint64_t pages_ = 0;        // that came
  ControlDecoder decoder_;
  bool looks_ = false;              // a part has ended: QEMU may look before the next page
  uint32_t asked_ = 0;              // number of the last message
  std::vector<uint32_t> suspects_;  // page frames
  uint64_t captured_ = 0;           // offset in the stream up to which QEMU had written when the guest answered
  uint64_t whole_ = 0;              // pages behind that which came whole
  int width_ = 0;                   // of the pipe, bytes; 0: as it was
  bool is_decided_ = false;         // the reading thread's
  std::atomic<bool> has_stopped_ = false, has_lost_guest_ = false;
  std::mutex mutex_;
  std::condition_variable decided_;
  enum class Verdict : uint8_t { None, Well, Suspects } verdict_ = Verdict::None;
};

}  // namespace mortem::tools
