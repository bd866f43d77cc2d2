// Writes until the disk is full, goes on, makes room and writes again; says what it got and what it read back.
// test_full_disk.py looks at what is on the disk afterwards.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { kPiece = 65536 };
static unsigned char piece[kPiece], back[kPiece];

static void make_piece(unsigned number) {
  for (unsigned index = 0; index < kPiece; ++index)
    piece[index] = (unsigned char)(number * 31 + index * 7 + index / 251);
}

// Bytes that were taken before the error, which is in *error.
static unsigned long fill(int file, int* error) {
  unsigned long total = 0;
  for (unsigned number = 0;; ++number) {
    make_piece(number);
    const ssize_t got = write(file, piece, kPiece);
    if (got < 0) {
      *error = errno;
      return total;
    }
    total += (unsigned long)got;
    if (got < kPiece) continue;  // the next call says why
  }
}

static const char* check(const char* path, unsigned long size) {
  const int file = open(path, O_RDONLY);
  struct stat facts;
  if (file < 0 || fstat(file, &facts) != 0) return "not there";
  if ((unsigned long)facts.st_size != size) return "another size";
  for (unsigned number = 0; size > 0; ++number) {
    make_piece(number);
    const unsigned long wanted = size < kPiece ? size : kPiece;
    if (read(file, back, kPiece) != (ssize_t)wanted || memcmp(piece, back, wanted) != 0) return "other bytes";
    size -= wanted;
  }
  close(file);
  return "as written";
}

static void try_names(const char* when) {
  const int made = open("/var/lib/small", O_CREAT | O_WRONLY, 0644);
  const int make_error = made < 0 ? errno : 0;
  const int folder_error = mkdir("/var/lib/folder", 0755) != 0 ? errno : 0;
  const ssize_t wrote = made < 0 ? -1 : write(made, "small", 5);
  const int write_error = wrote < 0 ? errno : 0;
  printf("%s: file %s, folder %s, write %s\n", when, strerror(make_error), strerror(folder_error),
         strerror(write_error));
  if (made >= 0) close(made);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  int error = 0;
  const int kept = open("/var/lib/kept", O_CREAT | O_RDWR, 0644);
  const int big = open("/var/lib/big", O_CREAT | O_RDWR, 0644);
  make_piece(0);
  write(kept, piece, kPiece);
  fsync(kept);
  const unsigned long size = fill(big, &error);
  struct statvfs facts;
  statvfs("/", &facts);
  printf("full after more than 16 MiB: %d, error %s, %lu blocks free\n", size > 16 << 20, strerror(error),
         (unsigned long)facts.f_bavail);
  printf("fsync: %d\n", fsync(big));
  printf("big: %s, kept: %s\n", check("/var/lib/big", size), check("/var/lib/kept", kPiece));
  try_names("full");
  // What is there can be written over; a hole of a mapping cannot be filled.
  make_piece(0);
  printf("over: %d\n", pwrite(kept, piece, kPiece, 0) == kPiece);
  const int behind = (int)pwrite(kept, piece, kPiece, kPiece);
  printf("behind: %d %s\n", behind, strerror(errno));
  unlink("/var/lib/small");
  rmdir("/var/lib/folder");
  ftruncate(big, size / 2);
  fsync(big);
  printf("half: %s\n", check("/var/lib/big", size / 2));
  const int more = open("/var/lib/more", O_CREAT | O_RDWR, 0644);
  const unsigned long again = fill(more, &error);
  printf("again at least a quarter: %d, error %s\n", again > size / 4, strerror(error));
  printf("more: %s\n", check("/var/lib/more", again));
  close(more);
  unlink("/var/lib/more");
  sync();
  try_names("with room");
  printf("kept: %s, big: %s\n", check("/var/lib/kept", kPiece), check("/var/lib/big", size / 2));
  return 0;
}
