/* What the debugger sessions of gdbstub_clients_test.py are about: two workers, each asleep at a known place, and a main
   thread that does one thing after the other. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef WITH_LIBRARY
extern __thread int in_library;
int library_value(void);
#endif

static __thread int per_thread = 7;
int watched, guarded = 5;
volatile int handled, flag;
char text[] = "find this {needle} here";
static pthread_barrier_t both, end;
static volatile pid_t worker_ids[2];

double scale(double value, int factor) { return value * factor; }
int add(int left, int right) { return left + right; }
int factorial(int number) { return number <= 1 ? 1 : number * factorial(number - 1); }

void on_signal(int number) { handled = number; }

static void* worker(void* argument) {
  const int index = (int)(long)argument;
  per_thread = 100 + index;
  worker_ids[index] = gettid();
  pthread_barrier_wait(&both);
  pthread_barrier_wait(&end);
  return NULL;
}

/* Until it sleeps in its barrier: its stack is the same each time then. */
static void wait_until_asleep(pid_t thread) {
  char path[64], line[256];
  for (;;) {
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    FILE* file = fopen(path, "r");
    if (file != NULL && fgets(line, sizeof line, file) != NULL && strrchr(line, ')')[2] == 'S') {
      fclose(file);
      return;
    }
    if (file != NULL) fclose(file);
  }
}

/* Every register with a value of its own at registers_set. */
void known_registers(void);
__asm__(
    ".text\n.globl known_registers, registers_set\nknown_registers:\n.cfi_startproc\n"
    "  push %rbx\n  push %rbp\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n  .cfi_adjust_cfa_offset 48\n"
    "  .cfi_rel_offset rbp, 32\n  .cfi_rel_offset rbx, 40\n"
    "  mov $0x1111111111111101, %rax\n  mov $0x2222222222222202, %rbx\n  mov $0x3333333333333303, %rcx\n"
    "  mov $0x4444444444444404, %rdx\n  mov $0x5555555555555505, %rsi\n  mov $0x6666666666666606, %rdi\n"
    "  mov $0x7777777777777707, %rbp\n  mov $0x8888888888888808, %r8\n  mov $0x9999999999999909, %r9\n"
    "  mov $0xaaaaaaaaaaaaaa0a, %r10\n  mov $0xbbbbbbbbbbbbbb0b, %r11\n  mov $0xcccccccccccccc0c, %r12\n"
    "  mov $0xdddddddddddddd0d, %r13\n  mov $0xeeeeeeeeeeeeee0e, %r14\n  mov $0xffffffffffffff0f, %r15\n"
    "  fldpi\n  fld1\n  fldz\n"
    "  lea vectors(%rip), %rax\n"
    "  vmovdqu (%rax), %ymm0\n  vmovdqu 32(%rax), %ymm1\n  vmovdqu 64(%rax), %ymm2\n  vmovdqu 1(%rax), %ymm3\n"
    "  vmovdqu 3(%rax), %ymm4\n  vmovdqu 5(%rax), %ymm5\n  vmovdqu 7(%rax), %ymm6\n  vmovdqu 9(%rax), %ymm7\n"
    "  vmovdqu 11(%rax), %ymm8\n  vmovdqu 13(%rax), %ymm9\n  vmovdqu 15(%rax), %ymm10\n  vmovdqu 17(%rax), %ymm11\n"
    "  vmovdqu 19(%rax), %ymm12\n  vmovdqu 21(%rax), %ymm13\n  vmovdqu 23(%rax), %ymm14\n  vmovdqu 25(%rax), %ymm15\n"
    "registers_set:\n  nop\n"
    "  fstp %st(0)\n  fstp %st(0)\n  fstp %st(0)\n  vzeroupper\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbp\n  pop %rbx\n  .cfi_adjust_cfa_offset -48\n  ret\n.cfi_endproc\n"
    ".section .rodata\nvectors:\n  .ascii \"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    ".,;:!?+-=_()[]{}<>|/0123456789\"\n.text\n");

void all_started(void) {}
void about_to_loop(void) {}
void hammered(int value) { __atomic_add_fetch(&watched, value, __ATOMIC_RELAXED); }

static void* hammer(void* argument) {
  for (int round = 0; round < 50; ++round) hammered(1);
  return argument;
}

static int many_threads(void) {
  pthread_t threads[6];
  for (int index = 0; index < 6; ++index) pthread_create(&threads[index], NULL, hammer, NULL);
  for (int index = 0; index < 6; ++index) pthread_join(threads[index], NULL);
  return watched == 300 ? 3 : 4;
}

int steps(int rounds) {
  int sum = 0;
  for (int round = 0; round < rounds; ++round) sum += add(round, 1);
  return sum;
}

int main(int count, char** arguments) {
  if (count > 1 && strcmp(arguments[1], "many") == 0) return many_threads();
  pthread_t threads[2];
  pthread_barrier_init(&both, NULL, 3);
  pthread_barrier_init(&end, NULL, 3);
  signal(SIGUSR1, on_signal);
  for (long index = 0; index < 2; ++index) pthread_create(&threads[index], NULL, worker, (void*)index);
  pthread_setname_np(threads[0], "worker <0>");
  pthread_setname_np(threads[1], "worker \"1\"");
  pthread_barrier_wait(&both);
  wait_until_asleep(worker_ids[0]);
  wait_until_asleep(worker_ids[1]);
#ifdef WITH_LIBRARY
  in_library = library_value();
#endif
  all_started();
  known_registers();
  watched = 1;
  watched = 2;
  int sum = steps(100);
  sum += factorial(5);
  raise(SIGUSR1);
  sum += guarded;
  getppid();
  about_to_loop();
  if (count > 1 && strcmp(arguments[1], "loop") == 0) {
    puts("looping");
    fflush(stdout);
    while (!flag) ++sum;
  }
  pthread_barrier_wait(&end);
  pthread_join(threads[0], NULL);
  pthread_join(threads[1], NULL);
  printf("done %d\n", handled);
  return 3;
}
