// System V shared memory.
// Built with musl too.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "abi.h"

#define PAGE 4096ul

static sigjmp_buf after;
static void on_fault(int signal) {
  (void)signal;
  siglongjmp(after, 1);
}
static int faults(volatile char* at) {
  if (sigsetjmp(after, 1) != 0) return 1;
  *at = 1;
  return 0;
}
static int map_error(void* result) { return result == (void*)-1 ? errno : 0; }

static void show(const char* what, int id) {
  struct shmid_ds status;
  if (shmctl(id, IPC_STAT, &status) < 0) {
    printf("%s: error %d\n", what, errno);
    return;
  }
  printf("%s: size %ld, attached %ld, mode %o, by me %d, last by me %d, attach time %d, detach time %d\n", what,
         (long)status.shm_segsz, (long)status.shm_nattch, status.shm_perm.mode, status.shm_cpid == getpid(),
         status.shm_lpid == getpid(), status.shm_atime != 0, status.shm_dtime != 0);
}

int main(void) {
  signal(SIGSEGV, on_fault);
  int id = shmget(IPC_PRIVATE, 3 * PAGE + 5, IPC_CREAT | 0600);
  fact("created", id >= 0);
  show("new", id);
  char* one = shmat(id, 0, 0);
  fact("attached", map_error(one));
  fact("zeros", one[3 * PAGE]);
  strcpy(one + PAGE, "in both");
  char* two = shmat(id, 0, SHM_RDONLY);
  printf("second: %s\n", two + PAGE);
  fact("read-only", faults(two));
  fact("made writable", error_of(mprotect(two, PAGE, PROT_READ | PROT_WRITE)));
  show("two", id);
  fact("a page more than asked for", faults(one + 3 * PAGE + 100));
  char* place = mmap(0, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fact("over a mapping", map_error(shmat(id, place, 0)));
  fact("replacing it", map_error(shmat(id, place, SHM_REMAP)));
  printf("third: %s\n", place + PAGE);
  fact("unaligned", map_error(shmat(id, place + 5, 0)));
  munmap(place + 8 * PAGE, 8 * PAGE);
  char* rounded = shmat(id, place + 8 * PAGE + 5, SHM_RND);
  fact("rounded", rounded == place + 8 * PAGE);
  fact("remap of anywhere", map_error(shmat(id, 0, SHM_REMAP)));
  show("four", id);
  fact("detach", error_of(shmdt(rounded)));
  fact("detach again", error_of(shmdt(rounded)));
  fact("detach of a middle", error_of(shmdt(one + PAGE)));
  fact("detach of nothing", error_of(shmdt(place + 100 * PAGE)));
  fact("protect splits", error_of(mprotect(one + PAGE, PAGE, PROT_READ)));
  fact("detach of all parts", error_of(shmdt(one)));
  fact("gone", faults(one));
  show("two again", id);

  int keyed = shmget(0x4d4f5254, 2 * PAGE, IPC_CREAT | IPC_EXCL | 0640);
  fact("keyed", keyed >= 0);
  fact("found", shmget(0x4d4f5254, 0, 0) == keyed);
  fact("exclusive", error_of(shmget(0x4d4f5254, PAGE, IPC_CREAT | IPC_EXCL | 0640)));
  fact("larger than it is", error_of(shmget(0x4d4f5254, 3 * PAGE, 0)));
  fact("unknown key", error_of(shmget(0x12345, PAGE, 0)));
  fact("of no size", error_of(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600)));
  fact("remove", error_of(shmctl(keyed, IPC_RMID, 0)));
  fact("removed", error_of(shmat(keyed, 0, 0) == (void*)-1 ? -1 : 0));
  fact("key is free", error_of(shmget(0x4d4f5254, 0, 0)));

  fact("remove with attachments", error_of(shmctl(id, IPC_RMID, 0)));
  show("removed, attached", id);
  printf("still there: %s\n", two + PAGE);
  char* more = shmat(id, 0, 0);
  fact("attached once more", map_error(more));
  shmdt(more);
  shmdt(two);
  show("one left", id);
  munmap(place, 16 * PAGE);
  show("none left", id);
  struct shmid_ds status = {.shm_perm = {.mode = 0444}};
  int set = shmget(IPC_PRIVATE, PAGE, 0600);
  fact("set", error_of(shmctl(set, IPC_SET, &status)));
  show("set", set);
  fact("remove", error_of(shmctl(set, IPC_RMID, 0)));
  fact("bad id", error_of(shmctl(-1, IPC_STAT, &status)));
  fact("bad command", error_of(shmctl(0, 999, &status)));

  // As much as there is, again and again: what is removed comes back.
  int failures = 0;
  for (int round = 0; round < 200; ++round) {
    int segment = shmget(IPC_PRIVATE, 512 * PAGE, IPC_CREAT | 0600);
    char* memory = shmat(segment, 0, 0);
    if (memory == (void*)-1) {
      ++failures;
      continue;
    }
    for (int page = 0; page < 512; ++page) memory[page * PAGE] = 1;
    shmctl(segment, IPC_RMID, 0);
    if (round % 2 != 0)
      shmdt(memory);
    else
      munmap(memory, 512 * PAGE);
  }
  fact("failures", failures);
  return 0;
}
