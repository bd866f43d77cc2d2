// Replaces, cuts, moves and removes files below /churn, each change synced before the next: churns_files FIRST SEED. It
// says what it begins and what is done, for the test that cuts the power (tests/e2e/test_power_cut.py): what is done
// stays done, what was begun is done or not. FIRST is the number of its first change, of which contents are made.
// Besides, files come and go that nothing is promised of.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES = 10, LONGEST = 70000 };
static int g_folder;
static unsigned long g_seed;

static void check(int ok, const char* what) {
  if (ok) return;
  perror(what);
  exit(1);
}

static unsigned below(unsigned limit) {
  g_seed = g_seed * 6364136223846793005ul + 1442695040888963407ul;
  return (unsigned)(g_seed >> 33) % limit;
}

// Of a file that change `number` made; the test computes the same.
static unsigned length_of(unsigned long number) {
  return (unsigned)(number * 3701 % 60000) + 1;
}
static void fill(char* to, unsigned long number) {
  const unsigned length = length_of(number);
  for (unsigned at = 0; at < length; ++at) to[at] = (char)((number * 7 + at + at / 256) % 251);
}

static void sync_folder(void) {
  check(fsync(g_folder) == 0, "fsync of the folder");
}

static void replace(unsigned name, unsigned long number) {
  static char content[LONGEST];
  char path[32];
  fill(content, number);
  snprintf(path, sizeof path, "/churn/%u", name);
  const int file = open("/churn/new", O_CREAT | O_TRUNC | O_WRONLY, 0600);
  check(file >= 0, "open");
  check(write(file, content, length_of(number)) == (ssize_t)length_of(number), "write");
  check(fsync(file) == 0, "fsync");
  close(file);
  check(rename("/churn/new", path) == 0, "rename");
  sync_folder();
}

static void noise(void) {
  static char content[30000];
  char path[48], other[48];
  snprintf(path, sizeof path, "/noise/%u", below(12));
  snprintf(other, sizeof other, "/noise/%u-folder", below(4));
  switch (below(5)) {
    case 0:
    case 1: {
      const int file = open(path, O_CREAT | O_RDWR, 0600);
      check(file >= 0, "open of another");
      check(pwrite(file, content, below(sizeof content) + 1, below(400000)) > 0, "write to another");
      if (below(2)) check(ftruncate(file, below(500000)) == 0, "ftruncate of another");
      close(file);
      break;
    }
    case 2:
      unlink(path);
      break;
    case 3:
      if (mkdir(other, 0700) != 0) rmdir(other);
      break;
    case 4:
      snprintf(other, sizeof other, "/noise/%u", below(12));
      rename(path, other);
      break;
  }
}

int main(int count, char** arguments) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  unsigned long number = count > 1 ? strtoul(arguments[1], NULL, 10) : 0;
  g_seed = count > 2 ? strtoul(arguments[2], NULL, 10) : 1;
  mkdir("/churn", 0700);
  mkdir("/noise", 0700);
  g_folder = open("/churn", O_RDONLY | O_DIRECTORY);
  check(g_folder >= 0, "open of the folder");
  sync_folder();
  printf("ready\n");
  for (;; ++number) {
    const unsigned name = below(NAMES), other = (name + 1 + below(NAMES - 1)) % NAMES;
    char path[32], target[32];
    snprintf(path, sizeof path, "/churn/%u", name);
    snprintf(target, sizeof target, "/churn/%u", other);
    struct stat status;
    const int is_there = stat(path, &status) == 0;
    switch (is_there ? below(6) : 0) {
      case 1: {
        const unsigned length = below((unsigned)status.st_size + 1);
        printf("begin cut %u %u\n", name, length);
        const int file = open(path, O_WRONLY);
        check(ftruncate(file, length) == 0, "ftruncate");
        check(fsync(file) == 0, "fsync");
        close(file);
        break;
      }
      case 2:
        printf("begin remove %u\n", name);
        check(unlink(path) == 0, "unlink");
        sync_folder();
        break;
      case 3:
        printf("begin move %u %u\n", name, other);
        check(rename(path, target) == 0, "rename");
        sync_folder();
        break;
      default:
        printf("begin replace %u %lu\n", name, number);
        replace(name, number);
    }
    printf("done\n");
    for (unsigned more = below(4); more > 0; --more) noise();
  }
}
