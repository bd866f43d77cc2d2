#include "kernel/crash/reboot_record.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/arch/x86_64/restart.h"
#include "kernel/library/log.h"
#include "kernel/memory/physical.h"

namespace kernel {

namespace {

struct RebootRecord {
  char magic[8];
  uint32_t boots;          // since memory was cleared, this one too
  uint32_t without_start;  // in a row, up to and with this one, that have not reached the program
  uint64_t sum;
};
constexpr char kMagic[8] = {'M', 'O', 'R', 'T', 'B', 'O', 'O', 'T'};
constexpr uint32_t kPatience = 3;  // boots without a start before each further one waits

uint64_t sum_of(const RebootRecord& record) {
  return restart_sum(reinterpret_cast<const uint64_t*>(&record), sizeof record / 8 - 1);
}

RebootRecord& record() {
  return *direct_map<RebootRecord>(kRebootRecordAddress);
}

}  // namespace

void reboot_record_begin() {
  RebootRecord& now = record();
  if (__builtin_memcmp(now.magic, kMagic, sizeof kMagic) != 0 || now.sum != sum_of(now)) {
    now = {};
    __builtin_memcpy(now.magic, kMagic, sizeof kMagic);
  }
  const uint32_t failed = now.without_start;
  ++now.boots;
  ++now.without_start;
  now.sum = sum_of(now);
  if (now.boots > 1) log(LogLevel::Info, "boot %u", now.boots);
  if (failed == 0) return;
  const bool waits = failed >= kPatience;
  log(LogLevel::Warning, "boot %u: the last %u ended before the program's first instruction%s", now.boots, failed,
      waits ? "; this one waits for a second" : "");
  constexpr uint64_t kSecond = 1'000'000'000;
  for (const uint64_t start = monotonic_ns(); waits && monotonic_ns() - start < kSecond;) {
    arm_timer(start + kSecond);
    wait_for_interrupt();
  }
}

void reboot_record_program_starts() {
  RebootRecord& now = record();
  now.without_start = 0;
  now.sum = sum_of(now);
}

}  // namespace kernel
