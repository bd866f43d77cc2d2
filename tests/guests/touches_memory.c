// touches_memory MEBIBYTES: writes a word of its own into each of so many pages, reads all of them again, and says how
// much memory there is and how many words were wrong.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

int main(int count, char** arguments) {
  const size_t pages = (size_t)atol(count > 1 ? arguments[1] : "1") << 8;
  char* const memory = mmap(NULL, pages << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return perror("mmap"), 1;
  for (size_t page = 0; page < pages; ++page) *(volatile uint64_t*)(memory + (page << 12) + page % 512 * 8) = ~page;
  size_t wrong = 0;
  for (size_t page = 0; page < pages; ++page)
    wrong += *(volatile uint64_t*)(memory + (page << 12) + page % 512 * 8) != ~page;
  struct sysinfo facts;
  sysinfo(&facts);
  long total = 0, resident = 0, ignored = 0;
  FILE* file = fopen("/proc/meminfo", "r");
  if (file == NULL || fscanf(file, "MemTotal: %ld", &total) != 1) return 1;
  fclose(file);
  file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%ld %ld", &ignored, &resident) != 2) return 1;
  printf("total %lu MiB, meminfo %ld MiB, free %lu MiB, resident %ld MiB, %zu wrong\n",
         (unsigned long)(facts.totalram * facts.mem_unit >> 20), total >> 10,
         (unsigned long)(facts.freeram * facts.mem_unit >> 20), resident >> 8, wrong);
  fflush(stdout);
  return 0;
}
