// What open, mkdir, rename, link, chown, fcntl, … say to what is unusual: slashes at the end, files where folders
// should be, unknown flags, ends of symbolic links, the rights that a file lends.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// The numbers of descriptors are not the question.
#define OPENS(call) printf("%s: %s\n", #call, (errno = 0, (call) < 0) ? strerrorname_np(errno) : "opens")
#define SAYS(call)                                       \
  do {                                                   \
    errno = 0;                                           \
    const long said = (call);                            \
    if (said == -1 && errno != 0)                        \
      printf("%s: %s\n", #call, strerrorname_np(errno)); \
    else                                                 \
      printf("%s: %ld\n", #call, said);                  \
  } while (0)

static char bytes[8192];
static struct stat status;

static void names(void) {
  OPENS(open("file", O_CREAT | O_RDWR, 0644));
  OPENS(open("new/", O_CREAT | O_RDWR, 0644));
  OPENS(open("file/", O_RDONLY));
  OPENS(open("file", O_RDONLY | O_DIRECTORY));
  SAYS(mkdir("file/below", 0755));
  SAYS(mkdir("folder/", 0755));
  SAYS(mkdir("folder/", 0755));
  OPENS(open("file/below", O_CREAT | O_RDWR, 0644));
  OPENS(open("folder", O_CREAT, 0644));
  OPENS(open("folder", O_WRONLY));
  OPENS(open("folder", O_TMPFILE | O_RDONLY, 0600));
  SAYS(rmdir("file"));
  SAYS(rmdir("folder/."));
  SAYS(rmdir("folder/.."));
  SAYS(unlink("folder"));
  SAYS(rename("folder", "folder/below"));
  SAYS(rename("file", "folder"));
  SAYS(rename("folder", "file"));
  SAYS(rename("folder", "folder"));
  SAYS(rename("file/", "other"));
  SAYS(rename("folder/", "moved/"));
  SAYS(link("moved", "linked"));
  SAYS(link("nothing", "linked"));
  SAYS(link("file", "file/below"));
  SAYS(symlink("", "empty"));
  SAYS(symlink("file", "file/below"));
  SAYS(symlink("file", "link"));
  SAYS(symlink("second", "first"));
  SAYS(symlink("first", "second"));
  OPENS(open("first", O_RDONLY));
  OPENS(open("link", O_RDONLY | O_NOFOLLOW));
  OPENS(open("link", O_PATH | O_NOFOLLOW));
  OPENS(open("link", O_CREAT | O_EXCL, 0600));
  SAYS(readlink("link", bytes, 0));
  SAYS(readlink("link", bytes, 1));
  SAYS(readlink("file", bytes, 10));
  SAYS(mknod("file/below", S_IFIFO | 0600, 0));
  SAYS(mknod("fifo", S_IFIFO | 0600, 0));
  SAYS(mknod("file2", S_IFREG | 0600, 0));
  SAYS(mknod("folder2", S_IFDIR, 0));
  OPENS(open("fifo", O_WRONLY | O_NONBLOCK));
  char name[300];
  memset(name, 'a', sizeof name);
  name[299] = 0;
  OPENS(open(name, O_CREAT, 0600));
  name[255] = 0;
  OPENS(open(name, O_CREAT, 0600));
  for (int at = 0; at < 4094; at += 2) memcpy(bytes + at, "./", 2);
  strcpy(bytes + 4094, "f");
  OPENS(open(bytes, O_CREAT, 0600));
  strcpy(bytes + 4094, "ff");
  OPENS(open(bytes, O_CREAT, 0600));
}

static void rights(int file) {
  const mode_t modes[] = {07777, 06745, 06755, 02770};
  for (size_t index = 0; index < sizeof modes / sizeof *modes; ++index) {
    chmod("file", modes[index]);
    SAYS(chown("file", 0, 0));
    stat("file", &status);
    SAYS(status.st_mode & 07777);
  }
  chmod("moved", 07777);
  SAYS(chown("moved", 0, 0));
  stat("moved", &status);
  SAYS(status.st_mode & 07777);
  SAYS(fchownat(AT_FDCWD, "file", 0, 0, 0x4));
  SAYS(fchownat(file, "", 0, 0, AT_EMPTY_PATH));
  SAYS(fchownat(file, "", 0, 0, 0));
  SAYS(chmod("file", 0));
  SAYS(access("file", X_OK));
  SAYS(syscall(SYS_faccessat2, AT_FDCWD, "file", 9, 0));
  SAYS(fchdir(file));
  SAYS(chdir("file"));
  SAYS(chdir("nothing"));
}

static void positions(int file) {
  struct iovec part = {bytes, 3};
  memcpy(bytes, "abc", 3);
  ftruncate(file, 0);
  SAYS(pwrite(file, "hello world", 11, 0));
  SAYS(lseek(file, 2, SEEK_SET));
  SAYS(pwritev2(file, &part, 1, 0, RWF_APPEND));
  SAYS(lseek(file, 0, SEEK_CUR));
  SAYS(pwritev2(file, &part, 1, -1, RWF_APPEND));
  SAYS(lseek(file, 0, SEEK_CUR));
  SAYS(pread(file, bytes, 100, 0));
  printf("%.17s\n", bytes);
  SAYS(pwritev2(file, &part, 1, -5, 0));
  SAYS(pwritev2(file, &part, 1, 0, 0x1000));
  SAYS(preadv2(file, &part, 1, -1, 0));
  SAYS(lseek(file, 0, SEEK_HOLE));
  SAYS(lseek(file, 100, SEEK_DATA));
  SAYS(lseek(file, 5, 99));
  SAYS(ftruncate(file, -1));
  SAYS(truncate(".", 1));
  SAYS(fallocate(file, 0, -1, 4));
  SAYS(fallocate(file, 0, 0, 0));
  SAYS(copy_file_range(file, NULL, file, NULL, 4, 1));
  SAYS(copy_file_range(file, &(off_t){0}, file, &(off_t){2}, 4, 0));
  SAYS(copy_file_range(file, &(off_t){0}, file, &(off_t){12}, 4, 0));
}

static void advice(int file) {
  int pipes[2];
  pipe(pipes);
  SAYS(syscall(SYS_fadvise64, file, 0, 0, POSIX_FADV_WILLNEED));
  SAYS(syscall(SYS_fadvise64, file, 0, 0, 30));
  SAYS(syscall(SYS_fadvise64, file, 0, -1, 0));
  SAYS(syscall(SYS_fadvise64, pipes[0], 0, 0, POSIX_FADV_WILLNEED));
  SAYS(syscall(SYS_fadvise64, pipes[0], 0, 0, 30));
  SAYS(readahead(file, 0, 10));
  SAYS(readahead(pipes[0], 0, 10));
  SAYS(readahead(pipes[1], 0, 10));
  SAYS(readahead(open(".", O_RDONLY), 0, 10));
  SAYS(fcntl(file, F_GETOWN));
  SAYS(fcntl(file, F_DUPFD, -1));
  SAYS(fcntl(file, 9999));
  SAYS(fcntl(999, F_GETFD));
  SAYS(fcntl(file, F_GETPIPE_SZ));
  SAYS(fsync(pipes[0]));
  SAYS(ioctl(file, 0x1234, bytes));
  SAYS(dup3(file, file, 0));
  SAYS(dup2(file, -1));
  SAYS(dup2(999, 5));
  SAYS(syscall(SYS_close_range, 500, 400, 0));
  SAYS(syscall(SYS_close_range, 500, 600, 8));
  SAYS(syscall(SYS_getdents64, file, bytes, 100));
  SAYS(read(open(".", O_RDONLY), bytes, 5));
}

int main(void) {
  char folder[] = "/tmp/rulesXXXXXX";
  if (mkdtemp(folder) == NULL || chdir(folder) != 0) return 1;
  umask(022);
  names();
  const int file = open("file", O_RDWR);
  rights(file);
  positions(file);
  advice(file);
  return 0;
}
