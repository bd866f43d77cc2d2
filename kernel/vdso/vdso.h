/* The page that the kernel keeps for the vDSO (its only input), one page below the vDSO's first byte. */
#pragma once

#define MORTEM_VVAR_SIZE 4096

struct vvar {
  unsigned long base_tsc;
  unsigned long multiplier; /* nanoseconds a TSC tick, times 2^32; 0: use the system call */
  long wall_offset_ns;
};
