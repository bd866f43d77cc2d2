// Writes numbered records into /records and says on the console which are synced; besides, files come, are renamed and
// go. For the test that cuts the power (tests/e2e/test_power_cut.py): after any cut, all that was said is there.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD 64

static void check(int ok, const char* what) {
  if (ok) return;
  perror(what);
  exit(1);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const int records = open("/records", O_CREAT | O_RDWR, 0644);
  check(records >= 0, "open");
  struct stat status;
  check(fstat(records, &status) == 0, "fstat");
  long next = status.st_size / RECORD;
  // What an earlier run left has to be whole.
  char record[RECORD], expected[RECORD];
  for (long number = 0; number < next; ++number) {
    check(pread(records, record, RECORD, number * RECORD) == RECORD, "pread");
    memset(expected, '.', RECORD);
    snprintf(expected, RECORD, "record %ld", number);
    if (memcmp(record, expected, RECORD) == 0) continue;
    // Only what was never synced may be missing behind the end.
    next = number;
    break;
  }
  printf("found %ld\n", next);
  check(ftruncate(records, next * RECORD) == 0, "ftruncate");
  for (unsigned round = 0;; ++round) {
    for (int count = 1 + round % 70; count > 0; --count, ++next) {
      memset(record, '.', RECORD);
      snprintf(record, RECORD, "record %ld", next);
      check(pwrite(records, record, RECORD, next * RECORD) == RECORD, "pwrite");
    }
    check((round % 2 != 0 ? fsync : fdatasync)(records) == 0, "fsync");
    printf("synced %ld\n", next);
    char name[64], content[9000];
    snprintf(name, sizeof name, "/other-%u", round % 20);
    const int other = open("/new", O_CREAT | O_TRUNC | O_WRONLY, 0600);
    check(other >= 0, "open of another");
    memset(content, 'o', sizeof content);
    for (unsigned part = 0; part < round % 30; ++part) check(write(other, content, sizeof content) > 0, "write");
    close(other);
    check(rename("/new", name) == 0, "rename");
    if (round % 7 == 0) unlink(name);
    if (round % 50 == 0) mkdir("/folder", 0755), rename(name, "/folder/moved");
    if (round % 50 == 25) unlink("/folder/moved"), rmdir("/folder");
  }
}
