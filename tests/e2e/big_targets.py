"""Targets as big as real ones get: a guest of 4 GiB with a hundred threads, and Ceph's storage daemon."""
import pathlib
import shutil
import signal
import subprocess
import time

# A word on every page of three and a half GiB, a hundred threads that wait, and a null pointer.
FILLER = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
static pthread_barrier_t all;
static void* wait_for_ever(void* number) {
  char name[16];
  snprintf(name, sizeof name, "waiter %d", (int)(intptr_t)number);
  pthread_setname_np(pthread_self(), name);
  pthread_barrier_wait(&all);
  pthread_barrier_wait(&all);
  return number;
}
int main(int count, char** arguments) {
  const size_t size = (size_t)atoi(arguments[1]) << 20;
  char* memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 2;
  for (size_t at = 0; at < size; at += 4096) *(uint64_t*)(memory + at) = (uintptr_t)(memory + at);
  pthread_barrier_init(&all, 0, 101);
  pthread_t thread;
  for (int i = 0; i < 100; ++i) pthread_create(&thread, 0, wait_for_ever, (void*)(intptr_t)i);
  pthread_barrier_wait(&all);
  printf("%p\n", (void*)memory);
  fflush(stdout);
  *(volatile int*)0 = count;
}
"""
CEPH = """[global]
fsid = 11111111-2222-3333-4444-555555555555
mon host = 127.0.0.1:16789
auth cluster required = none
auth service required = none
auth client required = none
osd objectstore = memstore
memstore device bytes = 67108864
run dir = {0}
log file = {0}/log
admin socket = {0}/asok
osd data = {0}/osd
pid file = {0}/pid
keyring = {0}/keyring
"""


def filler(folder):
    program = folder / "filler"
    (folder / "filler.c").write_text(FILLER)
    subprocess.run(["gcc", "-g", "-O2", "-static", "-pthread", folder / "filler.c", "-o", program], check=True)
    return program


def settled_core(command, folder, at_least):
    """Starts `command`, waits until it has its threads (that many, and no more coming), and returns a core of it and
    their number."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet)
    try:
        tasks = pathlib.Path(f"/proc/{process.pid}/task")
        deadline, last, same = time.monotonic() + 120, 0, 0
        while same < 8:
            if time.monotonic() > deadline or process.poll() is not None:
                raise AssertionError(f"{command[0]} did not start its threads")
            count = len(list(tasks.iterdir()))
            same = same + 1 if count == last and count >= at_least else 0
            last = count
            time.sleep(0.25)  # between two looks at whether more threads come
        subprocess.run(["gcore", "-o", folder / "core", str(process.pid)], check=True, **quiet)
        return folder / f"core.{process.pid}", last
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def ceph_core(folder):
    """A core of ceph-osd, and the number of its threads. Needs the packages of `tools/setup bench`, and gdb's gcore."""
    (folder / "ceph.conf").write_text(CEPH.format(folder))
    (folder / "osd").mkdir()
    command = ["ceph-osd", "-c", str(folder / "ceph.conf"), "-i", "0", "--no-mon-config"]
    subprocess.run([*command, "--mkfs", "--osd-uuid", "22222222-2222-3333-4444-555555555555"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return settled_core([*command, "-f"], folder, 40)


def has_ceph():
    return bool(shutil.which("ceph-osd") and shutil.which("gcore"))
