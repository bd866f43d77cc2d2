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
#include "kernel/linux/temporary_files.h"
#include "kernel/memory/physical.h"
#include "kernel/net/configuration.h"
#include "kernel/task/process.h"
#include "kernel/task/scheduler.h"

namespace kernel::linux {
namespace {

constexpr uint64_t kTick = 10'000'000;  // nanoseconds of USER_HZ

Result<void> memory_information(TreeText& text, void*) {
  const uint64_t total = ram_page_count() * 4, free = free_page_count() * 4;
  text.append("MemTotal:       %8lu kB\nMemFree:        %8lu kB\nMemAvailable:   %8lu kB\n", total, free, free);
  text.append("Buffers:               0 kB\nCached:                0 kB\nSwapCached:            0 kB\n");
  text.append("SwapTotal:             0 kB\nSwapFree:              0 kB\n");
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

Result<void> random_identifier(TreeText& text, void*) {
  uint8_t bytes[16];
  random_bytes(bytes, sizeof bytes);
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0F) | 0x40);  // RFC 4122, version 4
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3F) | 0x80);
  for (int index = 0; index < 16; ++index)
    text.append("%s%02x", index == 4 || index == 6 || index == 8 || index == 10 ? "-" : "", bytes[index]);
  text.append("\n");
  return {};
}

Result<void> processor_information(TreeText& text, void*) {
  const CpuidResult vendor = cpuid(0), version = cpuid(1);
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
  text.append("processor\t: 0\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n", name,
              family, model, brand, version.eax & 15);
  text.append("physical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\nfpu\t\t: yes\nwp\t\t: yes\n\n");
  return {};
}

Result<void> resolver_configuration(TreeText& text, void*) {
  net::write_resolver_configuration(text);
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
  TRY(proc.add_text("filesystems", "nodev\tproc\nnodev\tsysfs\nnodev\ttmpfs\n\text2\n"));
  TRY(proc.add_text("mounts",
                    "/dev/root / ext2 ro 0 0\nproc /proc proc rw 0 0\nsysfs /sys sysfs rw 0 0\ntmpfs /tmp tmpfs rw 0 "
                    "0\ntmpfs /dev/shm tmpfs rw 0 0\n"));
  TreeDirectory* sys = TRY(proc.add_directory("sys"));
  TreeDirectory* vm = TRY(sys->add_directory("vm"));
  TRY(vm->add_text("overcommit_memory", "0\n"));
  TRY(vm->add_text("max_map_count", "65530\n"));
  TRY(vm->add_text("mmap_min_addr", "65536\n"));
  TreeDirectory* kernel = TRY(sys->add_directory("kernel"));
  TRY(kernel->add_text("ostype", "Linux\n"));
  TRY(kernel->add_text("osrelease", "6.1.0-mortem\n"));
  TRY(kernel->add_text("version", "#1 Mortem\n"));
  TRY(kernel->add_text("hostname", "mortem\n"));
  TRY(kernel->add_text("pid_max", "32768\n"));
  TRY(kernel->add_text("ngroups_max", "65536\n"));
  TRY(kernel->add_text("cap_last_cap", "40\n"));
  TRY(kernel->add_text("randomize_va_space", "2\n"));
  TRY(kernel->add_text("core_pattern", "core\n"));
  TreeDirectory* random = TRY(kernel->add_directory("random"));
  TRY(random->add_file("uuid", 0444, {.generate = random_identifier}));
  TRY(TRY(TRY(sys->add_directory("net"))->add_directory("core"))->add_text("somaxconn", "4096\n"));
  TRY(TRY(proc.add_directory("net"))->add_file("pnp", 0444, {.generate = resolver_configuration}));
  TreeDirectory* files = TRY(sys->add_directory("fs"));
  TRY(files->add_text("file-max", "65536\n"));
  TRY(files->add_text("nr_open", "1048576\n"));
  return {};
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
