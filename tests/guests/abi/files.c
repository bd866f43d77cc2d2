// Opening, reading, listing, descriptors and paths.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const char* error_of(long result) { return result < 0 ? strerrorname_np(errno) : "fine"; }

int main(int argc, char** argv) {
  (void)argc;
  char bytes[64] = "";
  void* volatile nowhere = (void*)8;
  struct stat status;
  int file = open(argv[0], O_RDONLY);
  printf("open: %d\n", file);
  printf("read: %zd %.3s\n", read(file, bytes, 16), bytes + 1);
  printf("lseek: %ld\n", lseek(file, 1, SEEK_SET));
  printf("read: %zd %.3s\n", read(file, bytes, 3), bytes);
  printf("pread: %zd %.2s\n", pread(file, bytes, 2, 2), bytes);
  printf("position: %ld\n", lseek(file, 0, SEEK_CUR));
  printf("before the start: %s\n", error_of(lseek(file, -1, SEEK_SET)));
  char one, three[3];
  struct iovec vector[2] = {{&one, 1}, {three, 3}};
  lseek(file, 0, SEEK_SET);
  printf("readv: %zd %d%.3s\n", readv(file, vector, 2), one, three);
  fstat(file, &status);
  printf("regular: %d, size as found: %d\n", S_ISREG(status.st_mode), status.st_size == lseek(file, 0, SEEK_END));
  printf("at the end: %zd\n", read(file, bytes, 10));
  printf("write to a reader: %s\n", error_of(write(file, "x", 1)));
  printf("bad buffer: %s\n", (lseek(file, 0, SEEK_SET), error_of(read(file, nowhere, 10))));
  printf("nothing there: %s\n", error_of(open("/no/such/file", O_RDONLY)));
  char below[4200];
  snprintf(below, sizeof below, "%s/x", argv[0]);
  printf("below a file: %s\n", error_of(open(below, O_RDONLY)));
  printf("empty: %s\n", error_of(open("", O_RDONLY)));
  printf("directory for writing: %s\n", error_of(open("/", O_RDWR)));
  printf("O_DIRECTORY of a file: %s\n", error_of(open(argv[0], O_DIRECTORY)));
  printf("the program for writing: %s %s %s\n", error_of(open(argv[0], O_WRONLY)), error_of(open(argv[0], O_RDWR)),
         error_of(open(argv[0], O_RDONLY | O_TRUNC)));
  printf("by its link: %s %s\n", error_of(open("/proc/self/exe", O_RDWR)), error_of(truncate("/proc/self/exe", 100)));
  char again[40];
  snprintf(again, sizeof again, "/proc/self/fd/%d", file);
  printf("by its descriptor: %s\n", error_of(open(again, O_WRONLY)));
  memset(below, 'a', 4199), below[0] = '/', below[4199] = 0;
  printf("too long: %s\n", error_of(open(below, O_RDONLY)));
  printf("bad descriptor: %s %s\n", error_of(close(77)), error_of(read(-1, bytes, 1)));

  printf("dup: %d, dup2: %d, same: %d\n", dup(file), dup2(file, 20), dup2(20, 20));
  printf("dup3 same: %s\n", error_of(dup3(20, 20, 0)));
  const int copy = fcntl(file, F_DUPFD, 30);
  printf("F_DUPFD: %d, cloexec: %d", copy, fcntl(copy, F_GETFD));
  printf(" %d", fcntl(copy, F_SETFD, FD_CLOEXEC));
  printf(" %d, flags: %d\n", fcntl(copy, F_GETFD), fcntl(file, F_GETFL) & O_ACCMODE);
  lseek(20, 5, SEEK_SET);
  printf("shared position: %ld\n", lseek(file, 0, SEEK_CUR));

  char folder[] = "/tmp/abi-XXXXXX", path[128], other[128];
  printf("mkdtemp: %d\n", mkdtemp(folder) != 0);
  snprintf(path, sizeof path, "%s/one", folder);
  int made = open(path, O_CREAT | O_EXCL | O_RDWR, 0640);
  printf("create: %s, again: %s\n", error_of(made), error_of(open(path, O_CREAT | O_EXCL | O_RDWR, 0640)));
  printf("write: %zd %zd\n", write(made, "hello", 5), pwrite(made, "J", 1, 0));
  lseek(made, 10000, SEEK_SET);
  printf("sparse: %zd\n", write(made, "end", 3));
  memset(bytes, 1, sizeof bytes);
  printf("hole: %zd %d\n", pread(made, bytes, 4, 5000), bytes[0] + bytes[3]);
  fstat(made, &status);
  printf("size %ld, mode %o, links %ld\n", (long)status.st_size, status.st_mode & 07777, (long)status.st_nlink);
  printf("ftruncate: %s %s\n", error_of(ftruncate(made, 3)), error_of(ftruncate(made, 8)));
  memset(bytes, 1, sizeof bytes);
  printf("after: %zd %.3s %d\n", pread(made, bytes, 64, 0), bytes, bytes[3] + bytes[7]);
  snprintf(other, sizeof other, "%s/two", folder);
  printf("rename: %s, gone: %s\n", error_of(rename(path, other)), error_of(access(path, F_OK)));
  printf("symlink: %s\n", error_of(symlink("two", path)));
  printf("readlink: %zd %.3s\n", readlink(path, bytes, sizeof bytes), bytes);
  lstat(path, &status);
  printf("is a link: %d, size %ld\n", S_ISLNK(status.st_mode), (long)status.st_size);
  stat(path, &status);
  printf("to a file: %d, size %ld\n", S_ISREG(status.st_mode), (long)status.st_size);
  printf("O_NOFOLLOW: %s\n", error_of(open(path, O_RDONLY | O_NOFOLLOW)));
  snprintf(other, sizeof other, "%s/folder", folder);
  printf("mkdir: %s %s\n", error_of(mkdir(other, 0755)), error_of(mkdir(other, 0755)));
  printf("unlink of it: %s\n", error_of(unlink(other)));
  printf("rmdir of the full one: %s\n", error_of(rmdir(folder)));

  printf("chdir: %s\n", error_of(chdir(other)));
  printf("getcwd: %d\n", strcmp(getcwd(bytes, sizeof bytes), other));
  printf("up: %s, %s\n", error_of(access("../two", R_OK)), error_of(access("../three", R_OK)));
  printf("getcwd too small: %s\n", getcwd(bytes, 3) ? "?" : strerrorname_np(errno));
  int directory = open("..", O_RDONLY | O_DIRECTORY);
  DIR* list = fdopendir(directory);
  int names = 0, folders = 0, links = 0, dots = 0;
  for (struct dirent* entry; (entry = readdir(list));) {
    names++;
    folders += entry->d_type == DT_DIR;
    links += entry->d_type == DT_LNK;
    dots += entry->d_name[0] == '.';
  }
  printf("listed: %d, folders %d, links %d, dots %d\n", names, folders, links, dots);
  printf("unlinkat: %s\n", error_of(unlinkat(directory, "one", 0)));
  printf("openat: %s\n", error_of(openat(directory, "two", O_RDONLY)));
  chdir("/");
  rmdir(other);
  snprintf(other, sizeof other, "%s/two", folder);
  unlink(other);
  printf("rmdir: %s\n", error_of(rmdir(folder)));
  printf("null: %zd %zd\n", write(open("/dev/null", O_RDWR), "x", 1), read(open("/dev/null", O_RDWR), bytes, 5));
  printf("zero: %zd\n", read(open("/dev/zero", O_RDONLY), bytes, 5));
  printf("full: %s\n", error_of(write(open("/dev/full", O_WRONLY), "x", 1)));
  return 0;
}
