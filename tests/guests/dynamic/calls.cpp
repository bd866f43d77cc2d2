// What a dynamic program does through its loader, printed: on Linux and in a guest the same bytes.
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "deep.h"

extern int parts_saw_starts;
int parts_call(int (*callback)(int), int argument);

namespace {

void fact(const char* what, long value) {
  std::printf("%s: %ld\n", what, value);
}

int throws(int argument) {
  deep_throw(argument == 7 ? "seven" : "other");
}
int throws_logic(int) {
  throw std::logic_error("caught on the way");
}

void exceptions() {
  try {
    parts_call(throws, 7);
  } catch (const DeepError& error) {
    std::printf("caught across libraries: %s\n", error.what());
  }
  fact("caught in the library", parts_call(throws_logic, 0));
}

void thread_storage() {
  int there = 0;
  std::thread([&] { there = ++deep_count; }).join();
  fact("thread-local in a library, main thread", ++deep_count);
  fact("thread-local in a library, another thread", there);
}

void plugins() {
  void* plugin = dlopen("libplugin.so", RTLD_NOW);
  if (plugin == nullptr) {
    std::printf("dlopen: %s\n", dlerror());
    return;
  }
  auto* run = reinterpret_cast<int (*)(int)>(dlsym(plugin, "plugin_run"));
  fact("plugin", run(1));
  int there = 0;
  std::thread([&] { there = run(1); }).join();
  fact("plugin in another thread", there);
  try {
    run(-1);
  } catch (const DeepError& error) {
    std::printf("caught from the plugin: %s\n", error.what());
  }
  Dl_info where{};
  fact("dladdr", dladdr(reinterpret_cast<void*>(run), &where));
  std::printf("symbol %s\n", where.dli_sname);
  fact("dlclose", dlclose(plugin));
  fact("gone", dlopen("libplugin.so", RTLD_NOW | RTLD_NOLOAD) == nullptr);
  fact("no such library", dlopen("libnothere.so", RTLD_NOW) == nullptr);
}

// Cancelling and printing stacks make glibc open libgcc_s.so.1.
void* waits(void*) {
  for (;;) sleep(1000);
}
void cancelled_thread() {
  pthread_t thread;
  pthread_create(&thread, nullptr, waits, nullptr);
  pthread_cancel(thread);
  void* result = nullptr;
  pthread_join(thread, &result);
  fact("cancelled", result == PTHREAD_CANCELED);
  void* frames[16];
  fact("backtrace has frames", backtrace(frames, 16) > 2);
}

void auxiliary_vector() {
  for (const unsigned long type : {AT_SYSINFO_EHDR, AT_BASE, AT_PHDR, AT_ENTRY, AT_RANDOM, AT_EXECFN, AT_PLATFORM})
    std::printf("auxiliary %lu: %s\n", type, getauxval(type) != 0 ? "there" : "missing");
  fact("page size", long(getauxval(AT_PAGESZ)));
  fact("secure", long(getauxval(AT_SECURE)));
  std::printf("platform %s\n", reinterpret_cast<const char*>(getauxval(AT_PLATFORM)));
  void* vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
  fact("vdso is loaded", vdso != nullptr);
  timespec now{};
  fact("clock", clock_gettime(CLOCK_MONOTONIC, &now));
}

}  // namespace

int main(int argc, char** argv) {
  fact("arguments", argc);
  std::printf("name ends in %s\n", std::strrchr(argv[0], '/'));
  fact("constructors before parts", parts_saw_starts);
  fact("indirect function", deep_chosen());
  exceptions();
  thread_storage();
  plugins();
  cancelled_thread();
  auxiliary_vector();
  std::string text(1 << 20, 'x');
  fact("large allocation", long(text.size()));
}
