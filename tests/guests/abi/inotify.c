// What watchers of files and folders are told.
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi.h"

static int watcher;

static const struct {
  unsigned bit;
  const char* name;
} kNames[] = {{IN_ACCESS, "access"},           {IN_MODIFY, "modify"},           {IN_ATTRIB, "attributes"},
              {IN_CLOSE_WRITE, "close-write"}, {IN_CLOSE_NOWRITE, "close"},     {IN_OPEN, "open"},
              {IN_MOVED_FROM, "moved-from"},   {IN_MOVED_TO, "moved-to"},       {IN_CREATE, "create"},
              {IN_DELETE, "delete"},           {IN_DELETE_SELF, "delete-self"}, {IN_MOVE_SELF, "move-self"},
              {IN_Q_OVERFLOW, "overflow"},     {IN_IGNORED, "ignored"},         {IN_ISDIR, "(folder)"}};

static int compare_lines(const void* one, const void* other) {
  return strcmp(one, other);
}

// `what` with a * in front: Linux has changed the order of these events between versions.
static void show(const char* what) {
  char lines[64][120];
  size_t count = 0;
  char events[8192] __attribute__((aligned(8)));
  static unsigned last_cookie;
  int queued = 0;
  ioctl(watcher, FIONREAD, &queued);
  printf("%s (%d bytes):\n", what, queued);
  for (long got; (got = read(watcher, events, sizeof events)) > 0;)
    for (long at = 0; at < got;) {
      const struct inotify_event* event = (const struct inotify_event*)(events + at);
      char* line = lines[count < 63 ? count++ : 63];
      int used = sprintf(line, "  %d", event->wd);
      for (unsigned index = 0; index < sizeof kNames / sizeof kNames[0]; ++index)
        if (event->mask & kNames[index].bit) used += sprintf(line + used, " %s", kNames[index].name);
      sprintf(line + used, " '%.40s' %u%s", event->len > 0 ? event->name : "", event->len,
              event->cookie == 0             ? ""
              : event->cookie == last_cookie ? ", the other half"
                                             : ", half");
      last_cookie = event->cookie;
      at += (long)sizeof *event + event->len;
    }
  if (what[0] == '*') qsort(lines, count, sizeof lines[0], compare_lines);
  for (size_t index = 0; index < count; ++index) puts(lines[index]);
}

static void show_folder(const char* folder) {
  chdir(folder);
  watcher = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  const unsigned all = IN_ALL_EVENTS & ~IN_ACCESS;
  mkdir("dir", 0755);
  printf("watches %d %d\n", inotify_add_watch(watcher, ".", all), inotify_add_watch(watcher, "dir", all));
  show("nothing yet");
  int file = open("one", O_CREAT | O_RDWR, 0644);
  show("made");
  write(file, "abc", 3);
  write(file, "abc", 3);
  pwrite(file, "x", 1, 0);
  show("written three times");
  ftruncate(file, 1);
  fchmod(file, 0600);
  close(file);
  show("cut, changed, closed");
  close(open("one", O_RDONLY));
  show("opened for reading");
  close(open("one", O_WRONLY | O_TRUNC));
  show("*truncated");
  chmod("one", 0644);
  truncate("one", 5);
  utimensat(AT_FDCWD, "one", NULL, 0);
  show("by its path");
  rename("one", "two");
  show("renamed");
  rename("two", "dir/a rather long name of a file");
  show("moved");
  printf("its own watch %d\n", inotify_add_watch(watcher, "dir/a rather long name of a file", all));
  link("dir/a rather long name of a file", "linked");
  show("linked");
  unlink("linked");
  show("one name gone");
  close(open("new", O_CREAT | O_WRONLY, 0644));
  rename("new", "dir/a rather long name of a file");
  show("*replaced");
  printf("again %d\n", inotify_add_watch(watcher, "dir/a rather long name of a file", all));
  unlink("dir/a rather long name of a file");
  show("*deleted");
  mkdir("dir/below", 0755);
  symlink("nowhere", "dir/link");
  show("a folder and a link");
  rename("dir/below", "below");
  rmdir("below");
  unlink("dir/link");
  show("*and gone");
  file = open("dir/held", O_CREAT | O_WRONLY, 0644);
  printf("held %d\n", inotify_add_watch(watcher, "dir/held", all));
  unlink("dir/held");
  show("deleted while open");
  write(file, "x", 1);
  close(file);
  show("*and closed");
  rename("dir", "other");
  show("a watched folder moved");
  rmdir("other");
  show("*and removed");

  close(open("f", O_CREAT | O_WRONLY, 0644));
  show("plain");
  const int once = inotify_add_watch(watcher, "f", IN_OPEN | IN_ONESHOT);
  const int same = inotify_add_watch(watcher, "f", IN_CLOSE_NOWRITE | IN_MASK_ADD | IN_ONESHOT);
  printf("once %d, same %d, new %d\n", once, once == same,
         error_of(inotify_add_watch(watcher, "f", IN_OPEN | IN_MASK_CREATE)));
  close(open("f", O_RDONLY));
  close(open("f", O_RDONLY));
  show("once");
  const int other = inotify_add_watch(watcher, "f", IN_MODIFY);
  fact("removed", error_of(inotify_rm_watch(watcher, other)));
  fact("again", error_of(inotify_rm_watch(watcher, other)));
  show("ignored");
  unlink("f");
  close(watcher);
}

static void show_calls(void) {
  char bytes[64];
  fact("flags", error_of(inotify_init1(1)));
  watcher = inotify_init1(IN_NONBLOCK);
  fact("no events", error_of(inotify_add_watch(watcher, ".", 0)));
  fact("nothing there", error_of(inotify_add_watch(watcher, "nothing", IN_OPEN)));
  fact("not a folder", error_of(inotify_add_watch(watcher, "/proc/self/exe", IN_OPEN | IN_ONLYDIR)));
  fact("not a watcher", error_of(inotify_add_watch(0, ".", IN_OPEN)));
  fact("bad descriptor", error_of(inotify_add_watch(99, ".", IN_OPEN)));
  fact("no such watch", error_of(inotify_rm_watch(watcher, 5)));
  fact("empty", error_of(read(watcher, bytes, sizeof bytes)));
  fact("write", error_of(write(watcher, bytes, 1)));
  inotify_add_watch(watcher, ".", IN_CREATE | IN_DELETE);
  const int queue = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  epoll_ctl(queue, EPOLL_CTL_ADD, watcher, &event);
  fact("epoll before", epoll_wait(queue, &event, 1, 0));
  close(open("x", O_CREAT | O_WRONLY, 0644));
  fact("epoll after", epoll_wait(queue, &event, 1, 1000));
  fact("too small", error_of(read(watcher, bytes, 20)));
  fact("one event", read(watcher, bytes, 32));
  unlink("x");
  struct pollfd wait = {watcher, POLLIN, 0};
  fact("poll", poll(&wait, 1, 1000));
  show("*deleted");
}

int main(void) {
  for (int place = 0; place < 2; ++place) {
    char folder[] = "/var/tmp/mortem-abi-XXXXXX", memory[] = "/dev/shm/mortem-abi-XXXXXX";
    char* made = mkdtemp(place == 0 ? folder : memory);
    printf("%s\n", place == 0 ? "on a disk" : "in memory");
    show_folder(made);
    show_calls();
    chdir("/");
    rmdir(made);
  }
  return 0;
}
