// Files that live in memory: memfd_create with its seals, and the room that files of tmpfs take.
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "abi.h"

#define PAGE 4096ul
#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int map_error(void* result) { return result == MAP_FAILED ? errno : 0; }

static void show(const char* what, int file) {
  struct stat status;
  fstat(file, &status);
  printf("%s: size %ld, blocks %ld, links %ld, mode %o\n", what, (long)status.st_size, (long)status.st_blocks,
         (long)status.st_nlink, status.st_mode);
}

static void memory_descriptor(void) {
  int file = memfd_create("name", MFD_CLOEXEC);
  show("new", file);
  char link[64] = {0}, path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  readlink(path, link, sizeof link - 1);
  printf("link: %s\n", link);
  fact("close-on-exec", fcntl(file, F_GETFD));
  fact("write", write(file, "hello", 5));
  fact("write far", pwrite(file, "far", 3, 100 * PAGE));
  show("with a hole", file);
  fact("data", lseek(file, PAGE, SEEK_DATA));
  fact("hole", lseek(file, 0, SEEK_HOLE));
  fact("hole at the end", lseek(file, 100 * PAGE, SEEK_HOLE));
  fact("data behind the end", error_of(lseek(file, 200 * PAGE, SEEK_DATA)));
  int again = open(path, O_RDONLY);
  char text[8] = {0};
  fact("opened again", read(again, text, 5));
  printf("read: %s\n", text);
  fact("seals of one that takes none", fcntl(file, F_GET_SEALS));
  fact("seal it", error_of(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE)));
  fact("bad flags", error_of(memfd_create("x", 0x80000000u)));
  char name[300];
  memset(name, 'n', sizeof name);
  name[249] = 0;
  fact("longest name", error_of(memfd_create(name, 0)) == 0);
  name[249] = 'n';
  name[250] = 0;
  fact("too long a name", error_of(memfd_create(name, 0)));
  fact("bad name", error_of(memfd_create((char*)1, 0)));
}

static void seals(void) {
  int file = memfd_create("sealed", MFD_ALLOW_SEALING);
  ftruncate(file, 2 * PAGE);
  fact("none yet", fcntl(file, F_GET_SEALS));
  char* view = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  fact("write seal with a writable view", error_of(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE)));
  munmap(view, PAGE);
  fact("shrink", error_of(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK)));
  fact("cut", error_of(ftruncate(file, PAGE)));
  fact("grow", error_of(ftruncate(file, 3 * PAGE)));
  fact("grow seal", error_of(fcntl(file, F_ADD_SEALS, F_SEAL_GROW)));
  fact("grow more", error_of(ftruncate(file, 4 * PAGE)));
  fact("write inside", pwrite(file, "x", 1, 0));
  fact("write behind", error_of(pwrite(file, "x", 1, 3 * PAGE)));
  fact("allocate behind", error_of(fallocate(file, 0, 3 * PAGE, PAGE)));
  fact("write seal", error_of(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE)));
  fact("write", error_of(pwrite(file, "x", 1, 0)));
  fact("punch", error_of(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE)));
  fact("writable view", map_error(mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)));
  view = mmap(0, PAGE, PROT_READ, MAP_PRIVATE, file, 0);
  fact("private view", map_error(view));
  fact("private, writable", error_of(mprotect(view, PAGE, PROT_READ | PROT_WRITE)));
  fact("all", fcntl(file, F_GET_SEALS));
  fact("no more", error_of(fcntl(file, F_ADD_SEALS, F_SEAL_SEAL)));
  fact("after that", error_of(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE)));
  fact("unknown", error_of(fcntl(file, F_ADD_SEALS, 0x1000)));
  int ends[2];
  pipe(ends);
  fact("of a pipe", error_of(fcntl(ends[0], F_GET_SEALS)));
}

static void space(int folder) {
  int file = openat(folder, "space", O_RDWR | O_CREAT, 0600);
  fact("allocate", error_of(fallocate(file, 0, 0, 10 * PAGE)));
  show("allocated", file);
  fact("keep size", error_of(fallocate(file, FALLOC_FL_KEEP_SIZE, 10 * PAGE, 2 * PAGE)));
  show("more than its size", file);
  char bytes[3 * PAGE];
  memset(bytes, 'b', sizeof bytes);
  pwrite(file, bytes, sizeof bytes, 0);
  fact("punch", error_of(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 2 * PAGE)));
  show("punched", file);
  pread(file, bytes, sizeof bytes, 0);
  printf("around the hole: %d %d %d %d\n", bytes[99], bytes[100], bytes[2 * PAGE + 99], bytes[2 * PAGE + 100]);
  fact("punch without keep", error_of(fallocate(file, FALLOC_FL_PUNCH_HOLE, 0, PAGE)));
  fact("nothing", error_of(fallocate(file, 0, 0, 0)));
  fact("negative", error_of(fallocate(file, 0, -1, 5)));
  fact("too much", error_of(fallocate(file, 0, 0, 1l << 50)));
  fact("of a reader", error_of(fallocate(openat(folder, "space", O_RDONLY), 0, 0, PAGE)));
  fact("too large", error_of(ftruncate(file, -1)));
  unlinkat(folder, "space", 0);
  show("unlinked", file);
  fact("still writable", write(file, "abc", 3));
}

static void limits(int folder) {
  struct statfs before, after, end;
  fstatfs(folder, &before);
  printf("type %lx, block size %ld, name length %ld\n", (long)before.f_type, (long)before.f_bsize,
         (long)before.f_namelen);
  // Others use the file system too, on Linux: until nobody came between.
  for (int attempt = 0; attempt < 1000; ++attempt) {
    fstatfs(folder, &before);
    const int file = openat(folder, "big", O_RDWR | O_CREAT, 0600);
    fallocate(file, 0, 0, 256 * PAGE);
    fstatfs(folder, &after);
    unlinkat(folder, "big", 0);
    close(file);
    fstatfs(folder, &end);
    if (before.f_bfree - after.f_bfree == 256 && before.f_bfree == end.f_bfree) break;
  }
  fact("blocks taken", (long)(before.f_bfree - after.f_bfree));
  fact("and given back", (long)(before.f_bfree - end.f_bfree));
}

int main(void) {
  memory_descriptor();
  seals();
  char place[] = "/dev/shm/mortem-abi-XXXXXX";
  if (mkdtemp(place) == 0) return 1;
  int folder = open(place, O_RDONLY | O_DIRECTORY);
  space(folder);
  limits(folder);
  int shared = shm_open("/mortem-abi-shm", O_RDWR | O_CREAT | O_TRUNC, 0600);
  fact("shm_open", error_of(shared) == 0);
  fact("shm_unlink", error_of(shm_unlink("/mortem-abi-shm")));
  fact("rmdir", error_of(rmdir(place)));
  return 0;
}
