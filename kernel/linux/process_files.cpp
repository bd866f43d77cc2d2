// /proc, /sys and /tmp: what programs look for there.
#include "kernel/linux/process_files.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/cpuid.h"
#include "kernel/arch/x86_64/interrupts.h"
#include "kernel/fs/tree.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"
#include "kernel/linux/files.h"
#include "kernel/linux/process_folder.h"
#include "kernel/linux/provoke_crash.h"
#include "kernel/linux/system_settings.h"
#include "kernel/linux/temporary_files.h"
#include "kernel/memory/physical.h"
#include "kernel/net/network_files.h"
#include "kernel/task/process.h"
#include "kernel/task/scheduler.h"

namespace kernel::linux {
namespace {

constexpr uint64_t kTick = 10'000'000;  // nanoseconds of USER_HZ

Result<void> memory_information(TreeText& text, void*) {
  const uint64_t total = ram_page_count() * 4, free = free_page_count() * 4;
  const CachedPages pages = cached_pages();
  const uint64_t cached = pages.all * 4, dirty = pages.dirty * 4;
  text.append("MemTotal:       %8lu kB\nMemFree:        %8lu kB\nMemAvailable:   %8lu kB\n", total, free,
              free + cached - dirty);
  text.append("Buffers:               0 kB\nCached:         %8lu kB\nSwapCached:            0 kB\n", cached);
  text.append("Active:         %8lu kB\nInactive:              0 kB\n", total - free);
  text.append("SwapTotal:             0 kB\nSwapFree:              0 kB\nDirty:          %8lu kB\n", dirty);
  text.append("Shmem:                 0 kB\nSlab:                  0 kB\nSReclaimable:          0 kB\n");
  text.append("CommitLimit:    %8lu kB\nHugePages_Total:       0\nHugepagesize:       2048 kB\n", total);
  return {};
}

Result<void> uptime(TreeText& text, void*) {
  const uint64_t now = monotonic_ns() / kTick, idle = idle_ns() / kTick;
  text.append("%lu.%02lu %lu.%02lu\n", now / 100, now % 100, idle / 100, idle % 100);
  return {};
}

Result<void> statistics(TreeText& text, void*) {
  const uint64_t idle = idle_ns() / kTick, busy = monotonic_ns() / kTick - idle;
  text.append("cpu  %lu 0 0 %lu 0 0 0 0 0 0\ncpu0 %lu 0 0 %lu 0 0 0 0 0 0\n", busy, idle, busy, idle);
  text.append("intr 0\nctxt 0\nbtime %lu\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n",
              (static_cast<uint64_t>(wall_clock_ns()) - monotonic_ns()) / 1'000'000'000);
  return {};
}

Result<void> load_average(TreeText& text, void*) {
  text.append("0.00 0.00 0.00 1/1 %u\n", kProcessId);
  return {};
}

// What Linux calls the bits of CPUID (asm/cpufeatures.h), of those that programs look for.
struct Flag {
  uint32_t leaf;
  uint32_t CpuidResult::*word;
  int bit;
  const char* name;
};
constexpr Flag kFlags[] = {
    {1, &CpuidResult::edx, 0, "fpu"},
    {1, &CpuidResult::edx, 4, "tsc"},
    {1, &CpuidResult::edx, 8, "cx8"},
    {1, &CpuidResult::edx, 15, "cmov"},
    {1, &CpuidResult::edx, 19, "clflush"},
    {1, &CpuidResult::edx, 23, "mmx"},
    {1, &CpuidResult::edx, 24, "fxsr"},
    {1, &CpuidResult::edx, 25, "sse"},
    {1, &CpuidResult::edx, 26, "sse2"},
    {0x80000001, &CpuidResult::edx, 20, "nx"},
    {0x80000001, &CpuidResult::edx, 29, "lm"},
    {1, &CpuidResult::ecx, 0, "pni"},
    {1, &CpuidResult::ecx, 1, "pclmulqdq"},
    {1, &CpuidResult::ecx, 9, "ssse3"},
    {1, &CpuidResult::ecx, 12, "fma"},
    {1, &CpuidResult::ecx, 13, "cx16"},
    {1, &CpuidResult::ecx, 19, "sse4_1"},
    {1, &CpuidResult::ecx, 20, "sse4_2"},
    {1, &CpuidResult::ecx, 22, "movbe"},
    {1, &CpuidResult::ecx, 23, "popcnt"},
    {1, &CpuidResult::ecx, 25, "aes"},
    {1, &CpuidResult::ecx, 26, "xsave"},
    {1, &CpuidResult::ecx, 28, "avx"},
    {1, &CpuidResult::ecx, 29, "f16c"},
    {1, &CpuidResult::ecx, 30, "rdrand"},
    {1, &CpuidResult::ecx, 31, "hypervisor"},
    {0x80000001, &CpuidResult::ecx, 0, "lahf_lm"},
    {0x80000001, &CpuidResult::ecx, 5, "abm"},
    {7, &CpuidResult::ebx, 0, "fsgsbase"},
    {7, &CpuidResult::ebx, 3, "bmi1"},
    {7, &CpuidResult::ebx, 5, "avx2"},
    {7, &CpuidResult::ebx, 7, "smep"},
    {7, &CpuidResult::ebx, 8, "bmi2"},
    {7, &CpuidResult::ebx, 9, "erms"},
    {7, &CpuidResult::ebx, 16, "avx512f"},
    {7, &CpuidResult::ebx, 18, "rdseed"},
    {7, &CpuidResult::ebx, 19, "adx"},
    {7, &CpuidResult::ebx, 20, "smap"},
};

void append_flags(TreeText& text) {
  text.append("flags\t\t:");
  for (const Flag& flag : kFlags)
    if ((cpuid(flag.leaf).*flag.word >> flag.bit & 1) != 0) text.append(" %s", flag.name);
  text.append("\n");
}

Result<void> processor_information(TreeText& text, void*) {
  const CpuidResult vendor = cpuid(0), version = cpuid(1);
  const uint64_t hertz = (1'000'000'000ull << 32) / clock_parameters().multiplier;  // of the TSC
  char name[13] = {};
  __builtin_memcpy(name, &vendor.ebx, 4);
  __builtin_memcpy(name + 4, &vendor.edx, 4);
  __builtin_memcpy(name + 8, &vendor.ecx, 4);
  uint32_t family = version.eax >> 8 & 15, model = version.eax >> 4 & 15;
  if (family == 6 || family == 15) model |= (version.eax >> 16 & 15) << 4;
  if (family == 15) family += version.eax >> 20 & 255;
  char brand[49] = {};
  for (uint32_t leaf = 0; leaf < 3; ++leaf) {
    const CpuidResult part = cpuid(0x80000002 + leaf);
    __builtin_memcpy(brand + leaf * 16, &part, 16);
  }
  text.append("processor\t: 0\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n",
              name, family, model, brand, version.eax & 15);
  text.append("microcode\t: 0x0\ncpu MHz\t\t: %lu.%03lu\n", hertz / 1'000'000, hertz / 1000 % 1000);
  text.append(
      "physical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\napicid\t\t: 0\nfpu\t\t: yes\nwp\t\t: yes\n");
  append_flags(text);
  text.append("bogomips\t: %lu.%02lu\nclflush size\t: 64\naddress sizes\t: 40 bits physical, 48 bits virtual\n\n",
              hertz / 500'000, hertz / 5000 % 100);
  return {};
}

Result<void> fill_proc(TreeDirectory& proc, const char* program_path) {
  TRY(add_process_folder(proc, program_path));
  TRY(proc.add_file("meminfo", 0444, {.generate = memory_information}));
  TRY(proc.add_file("cpuinfo", 0444, {.generate = processor_information}));
  TRY(proc.add_file("uptime", 0444, {.generate = uptime}));
  TRY(proc.add_file("stat", 0444, {.generate = statistics}));
  TRY(proc.add_file("loadavg", 0444, {.generate = load_average}));
  TRY(proc.add_text("version", "Linux version 6.1.0-mortem (Mortem) #1 Mortem\n"));
  TRY(proc.add_text("filesystems", "nodev\tproc\nnodev\tsysfs\nnodev\ttmpfs\n\text3\n"));
  TRY(proc.add_text(
      "mounts",
      "/dev/root / ext3 rw,noatime 0 0\nproc /proc proc rw 0 0\nsysfs /sys sysfs rw 0 0\ntmpfs /tmp tmpfs rw 0 "
      "0\ntmpfs /dev/shm tmpfs rw 0 0\n"));
  TRY(add_system_settings(proc));
  return net::add_network_files(*TRY(proc.add_directory("net")));
}

Result<void> fill_sys(TreeDirectory& sys) {
  TreeDirectory* system = TRY(TRY(sys.add_directory("devices"))->add_directory("system"));
  TreeDirectory* processors = TRY(system->add_directory("cpu"));
  for (const char* name : {"online", "possible", "present"}) TRY(processors->add_text(name, "0\n"));
  TRY(processors->add_text("kernel_max", "0\n"));
  TRY(processors->add_directory("cpu0"));
  TreeDirectory* kernel = TRY(sys.add_directory("kernel"));
  TreeDirectory* memory = TRY(TRY(kernel->add_directory("mm"))->add_directory("transparent_hugepage"));
  TRY(memory->add_text("enabled", "always madvise [never]\n"));
  TRY(memory->add_text("hpage_pmd_size", "2097152\n"));
  TRY(memory->add_text("defrag", "always defer defer+madvise madvise [never]\n"));
  TRY(memory->add_text("shmem_enabled", "always within_size advise [never] deny force\n"));
  TreeDirectory* clocks = TRY(TRY(system->add_directory("clocksource"))->add_directory("clocksource0"));
  for (const char* name : {"current_clocksource", "available_clocksource"}) TRY(clocks->add_text(name, "tsc\n"));
  TRY(net::add_interface_folders(*TRY(sys.add_directory("class"))));
  if (setting_is("provoke-crash", "on")) TRY(add_provoke_crash(*TRY(kernel->add_directory("debug"))));
  return {};
}

Result<void> mount_all(const char* program_path) {
  TreeDirectory* proc = TRY(make_tree(kProcDevice));
  TRY(fill_proc(*proc, program_path));
  TRY(mount_at("proc", proc));
  TreeDirectory* sys = TRY(make_tree(kSysDevice));
  TRY(fill_sys(*sys));
  TRY(mount_at("sys", sys));
  if (auto devices = find_inode(root_inode(), {"/dev", 4}, FollowLast::No)) {
    // /dev is a tree of ours (device_files.h) whenever there is a root.
    auto& tree = *static_cast<TreeDirectory*>(devices.value());
    TRY(tree.add_inode("shm", TRY(make_temporary_file_system(kSharedMemoryDevice, &tree))));
  }
  return mount_at("tmp", TRY(make_temporary_file_system(kTmpfsDevice, root_inode())));
}

}  // namespace

void make_process_files(const char* program_path) {
  if (auto made = mount_all(program_path); made.is_error())
    log(LogLevel::Warning, "/proc, /sys or /tmp could not be made (error %d)", static_cast<int>(made.error()));
}

}  // namespace kernel::linux
