// What real programs do with sockets beside sending and receiving: wait with signals about, duplicate, close while
// another thread waits, preadv2 and its kin on files and sockets.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "abi.h"

static int g_signals;
static void on_signal(int signal) {
  (void)signal;
  ++g_signals;
}
static int g_ends[2];
static void* signal_and_write(void* thread) {
  sleep_ms(50);
  pthread_kill(*(pthread_t*)thread, SIGUSR1);
  sleep_ms(50);
  write(g_ends[0], "late", 4);
  return NULL;
}
static void* close_late(void* unused) {
  (void)unused;
  sleep_ms(50);
  close(g_ends[1]);
  sleep_ms(50);
  write(g_ends[0], "still", 5);
  return NULL;
}
static void* shut_late(void* how) {
  sleep_ms(50);
  shutdown(g_ends[1], (int)(long)how);
  return NULL;
}

int main(void) {
  static char text[70000];
  pthread_t self = pthread_self(), thread;
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  for (int round = 0; round < 2; ++round) {
    const size_t size = round == 0 ? 16 : sizeof text;
    socketpair(AF_UNIX, SOCK_STREAM, 0, g_ends);
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&thread, NULL, signal_and_write, &self);
    fact("restarted", recv(g_ends[1], text, size, 0));
    pthread_join(thread, NULL);
    fact("signals", g_signals);
    action.sa_flags = 0;
    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&thread, NULL, signal_and_write, &self);
    fact("interrupted", error_of(recv(g_ends[1], text, size, 0)));
    pthread_join(thread, NULL);
    fact("signals", g_signals);
    fact("then", recv(g_ends[1], text, size, 0));

    // The descriptor is closed, the call goes on with the socket it has.
    pthread_create(&thread, NULL, close_late, NULL);
    fact("closed meanwhile", recv(g_ends[1], text, size, 0));
    pthread_join(thread, NULL);
    fact("it is closed", error_of(recv(g_ends[1], text, size, 0)));
    close(g_ends[0]);
    for (int how = 0; how < 3; ++how) {
      for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type += SOCK_SEQPACKET - SOCK_STREAM) {
        socketpair(AF_UNIX, type, 0, g_ends);
        pthread_create(&thread, NULL, shut_late, (void*)(long)how);
        const int reader = how == SHUT_WR ? g_ends[0] : g_ends[1];
        fact("shut meanwhile", recv(reader, text, size, 0));
        pthread_join(thread, NULL);
        close(g_ends[0]);
        close(g_ends[1]);
      }
    }
  }

  socketpair(AF_UNIX, SOCK_STREAM, 0, g_ends);
  const int copy = dup(g_ends[1]);
  close(g_ends[1]);
  fact("through a copy", write(g_ends[0], "copy", 4));
  fact("read", read(copy, text, 16));
  fcntl(copy, F_SETFL, O_NONBLOCK);
  fact("nothing", error_of(read(copy, text, 16)));
  struct iovec part = {"abc", 3}, into = {text, 16};
  fact("pwritev2 at the position", pwritev2(g_ends[0], &part, 1, -1, 0));
  fact("preadv2 at the position", preadv2(copy, &into, 1, -1, 0));
  fact("preadv2 somewhere", error_of(preadv2(copy, &into, 1, 0, 0)));
  fact("preadv", error_of(preadv(copy, &into, 1, 0)));
  fact("preadv before the start", error_of(preadv(copy, &into, 1, -1)));
  fact("sync_file_range", error_of(sync_file_range(copy, 0, 0, 0)));
  fact("fsync", error_of(fsync(copy)));
  fact("ftruncate", error_of(ftruncate(copy, 0)));
  fact("fallocate", error_of(fallocate(copy, 0, 0, 1)));
  fact("getdents", error_of(syscall(SYS_getdents64, copy, text, 100)));
  fact("fchdir", error_of(fchdir(copy)));
  fact("splice", error_of(syscall(SYS_splice, copy, 0, g_ends[0], 0, 10, 0)));

  const int file = open("/tmp/mortem-abi-vectors", O_RDWR | O_CREAT | O_TRUNC, 0600);
  fact("pwritev2", pwritev2(file, &part, 1, 5, 0));
  fact("where it is", lseek(file, 0, SEEK_CUR));
  fact("at the position", pwritev2(file, &part, 1, -1, 0));
  fact("where it is", lseek(file, 0, SEEK_CUR));
  fact("preadv2", preadv2(file, &into, 1, 0, 0));
  fact("unknown flags", error_of(preadv2(file, &into, 1, 0, 0x4000)));
  fact("negative", error_of(preadv2(file, &into, 1, -2, 0)));
  fact("sync_file_range", error_of(sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)));
  fact("flags", error_of(sync_file_range(file, 0, 0, 8)));
  fact("before the start", error_of(sync_file_range(file, -1, 0, 0)));
  unlink("/tmp/mortem-abi-vectors");
  return 0;
}
