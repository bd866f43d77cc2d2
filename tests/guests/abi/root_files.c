// Files that change on the root: names, links, renames, times, holes, mappings, files without a name.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "abi.h"

static struct stat status_of(const char* path) {
  struct stat status;
  memset(&status, 0, sizeof status);
  if (lstat(path, &status) != 0) status.st_size = -errno;
  return status;
}

static int make(const char* path, const char* text) {
  int file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
  long written = write(file, text, strlen(text));
  close(file);
  return file < 0 || written < 0 ? -1 : 0;
}

static void names(void) {
  fact("create", make("a", "first"));
  fact("link", link("a", "b"));
  fact("links", (long)status_of("a").st_nlink);
  fact("same", status_of("a").st_ino == status_of("b").st_ino);
  fact("link to a name that is there", error_of(link("a", "b")));
  fact("link of nothing", error_of(link("none", "c")));
  fact("link of a folder", error_of(mkdir("d", 0755)) + error_of(link("d", "e")));
  fact("symlink", symlink("a", "s"));
  fact("symlink again", error_of(symlink("a", "s")));
  fact("empty target", error_of(symlink("", "t")));
  fact("link follows", error_of(linkat(AT_FDCWD, "s", AT_FDCWD, "f", AT_SYMLINK_FOLLOW)));
  fact("links", (long)status_of("a").st_nlink);
  fact("not followed", error_of(link("s", "g")));
  fact("g is a link", S_ISLNK(status_of("g").st_mode));
  char name[300];
  memset(name, 'n', sizeof name);
  name[256] = 0;
  fact("256 bytes", error_of(make(name, "x")));
  name[255] = 0;
  fact("255 bytes", error_of(make(name, "x")));
  fact("unlink", error_of(unlink(name)));
  fact("unlink of a folder", error_of(unlink("d")));
  fact("rmdir of a file", error_of(rmdir("a")));
  fact("rmdir .", error_of(rmdir("d/.")));
  fact("file with a slash", error_of(unlink("a/")));
  fact("mkfifo", error_of(mkfifo("p", 0600)));
  fact("is a fifo", S_ISFIFO(status_of("p").st_mode));
  fact("below a file", error_of(mkdir("a/x", 0755)));
}

static void renames(void) {
  make("r1", "one"), make("r2", "two");
  fact("rename over", error_of(rename("r1", "r2")));
  fact("gone", status_of("r1").st_size);
  fact("size", status_of("r2").st_size);
  fact("rename of nothing", error_of(rename("r1", "r3")));
  fact("onto itself", error_of(rename("r2", "r2")));
  fact("two names of one file", error_of(link("r2", "r4")) + error_of(rename("r2", "r4")));
  fact("both stay", status_of("r2").st_size + status_of("r4").st_size);
  mkdir("x", 0755), mkdir("y", 0755), mkdir("x/in", 0755);
  fact("folder over a full one", error_of(rename("y", "x")));
  fact("folder over a file", error_of(rename("y", "r2")));
  fact("file over a folder", error_of(rename("r2", "y")));
  fact("into itself", error_of(rename("x", "x/in/deep")));
  fact("over its parent", error_of(rename("x/in", "x")));
  fact("folder over an empty one", error_of(rename("x", "y")));
  fact("links of y", (long)status_of("y").st_nlink);
  fact("no replace", error_of(renameat2(AT_FDCWD, "r2", AT_FDCWD, "r4", RENAME_NOREPLACE)));
  make("r5", "longer");
  fact("exchange", error_of(renameat2(AT_FDCWD, "r5", AT_FDCWD, "y/in", RENAME_EXCHANGE)));
  fact("r5 is a folder", S_ISDIR(status_of("r5").st_mode));
  fact("y/in", status_of("y/in").st_size);
  fact("links of y", (long)status_of("y").st_nlink);
  fact("unknown flags", error_of(renameat2(AT_FDCWD, "r2", AT_FDCWD, "r6", 64)));
  fact("dot", error_of(rename("y/.", "z")));
}

static void content(void) {
  int file = open("c", O_CREAT | O_EXCL | O_RDWR, 0600);
  fact("far", pwrite(file, "far", 3, 3L << 30));
  fact("size", status_of("c").st_size);
  fact("few blocks", status_of("c").st_blocks < 100);
  char bytes[8] = "xxxxxxx";
  fact("hole", pread(file, bytes, 8, 1L << 30) + bytes[0] + bytes[7]);
  fact("cut", error_of(ftruncate(file, 5000)));
  fact("grown", error_of(ftruncate(file, 9000)));
  fact("read", pread(file, bytes, 8, 8996));
  fact("negative", error_of(ftruncate(file, -1)));
  char* map = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  fact("map", map != MAP_FAILED);
  strcpy(map + 4000, "through the mapping");
  fact("read", pread(file, bytes, 7, 4000));
  printf("%.7s\n", bytes);
  pwrite(file, "X", 1, 4000);
  fact("seen", map[4000]);
  fact("msync", error_of(msync(map, 12288, MS_SYNC)));
  munmap(map, 12288);
  fact("fsync", error_of(fsync(file)));
  fact("fdatasync", error_of(fdatasync(file)));
  fact("sync_file_range", error_of(sync_file_range(file, 0, 100, SYNC_FILE_RANGE_WRITE)));
  fact("unlink", error_of(unlink("c")));
  struct stat status;
  fstat(file, &status);
  fact("links", (long)status.st_nlink);
  fact("still there", pread(file, bytes, 7, 4000));
  close(file);
  file = open("o", O_CREAT | O_WRONLY | O_APPEND | O_DSYNC, 0600);
  fact("append", write(file, "one", 3) + pwrite(file, "two", 3, 0));
  fact("size", status_of("o").st_size);
  close(file);
  file = open(".", O_TMPFILE | O_RDWR, 0600);
  fact("unnamed", file >= 0);
  fact("write", write(file, "unnamed", 7));
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  fact("named", error_of(linkat(AT_FDCWD, path, AT_FDCWD, "u", AT_SYMLINK_FOLLOW)));
  fact("size", status_of("u").st_size);
  close(file);
}

static void attributes(void) {
  make("t", "x");
  const struct timespec times[2] = {{1000, 5}, {2000, 123456789}};
  fact("utimensat", error_of(utimensat(AT_FDCWD, "t", times, 0)));
  const struct stat status = status_of("t");
  fact("access", status.st_atim.tv_sec * 10 + status.st_atim.tv_nsec);
  fact("modify", status.st_mtim.tv_sec + status.st_mtim.tv_nsec);
  const struct timespec omit[2] = {{0, UTIME_OMIT}, {7, 8}};
  fact("one of them", error_of(utimensat(AT_FDCWD, "t", omit, 0)));
  fact("access", status_of("t").st_atim.tv_sec);
  fact("modify", status_of("t").st_mtim.tv_sec);
  const struct timespec wrong[2] = {{0, 1000000000}, {0, 0}};
  fact("wrong", error_of(utimensat(AT_FDCWD, "t", wrong, 0)));
  fact("chmod", error_of(chmod("t", 0741)));
  fact("mode", status_of("t").st_mode & 07777);
  struct statvfs facts;
  fact("statvfs", error_of(statvfs(".", &facts)));
  fact("name length", (long)facts.f_namemax);
  fact("has space", facts.f_bavail > 0 && facts.f_blocks >= facts.f_bfree);
}

int main(void) {
  char folder[] = "abi-XXXXXX";  // where it was started: a file system of a disk on both sides, unlike /tmp
  fact("folder", mkdtemp(folder) != NULL && chdir(folder) == 0);
  umask(022);
  names();
  renames();
  content();
  attributes();
  // Everything goes again, in one directory after the other.
  const char* left[] = {"a", "b", "s", "f", "g", "p", "r2", "r4", "y/in", "o", "u", "t"};
  for (unsigned index = 0; index < sizeof left / sizeof *left; ++index) unlink(left[index]);
  fact("r5", error_of(rmdir("r5")));
  fact("y", error_of(rmdir("y")));
  fact("d", error_of(rmdir("d")));
  fact("back", error_of(chdir("..")));
  fact("its folder", error_of(rmdir(folder)));
  return 0;
}
