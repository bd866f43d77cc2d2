#include "kernel/linux/system_settings.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/memory/guest_description.h"
#include "kernel/task/process.h"

namespace kernel::linux {
namespace {

void append_identifier(TreeText& text, const uint8_t (&bytes)[16]) {
  for (int index = 0; index < 16; ++index)
    text.append("%s%02x", index == 4 || index == 6 || index == 8 || index == 10 ? "-" : "", bytes[index]);
  text.append("\n");
}

Result<void> random_identifier(TreeText& text, void*) {
  uint8_t bytes[16];
  random_bytes(bytes, sizeof bytes);
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0F) | 0x40);  // RFC 4122, version 4
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3F) | 0x80);
  append_identifier(text, bytes);
  return {};
}

// The one that dumps of this boot have.
Result<void> boot_identifier(TreeText& text, void*) {
  append_identifier(text, guest_description().boot_id);
  return {};
}

struct Setting {
  const char *name, *text;
};

// proc(5), and Documentation/admin-guide/sysctl of Linux.
constexpr Setting kVirtualMemory[] = {{"overcommit_memory", "0\n"}, {"overcommit_ratio", "50\n"},
                                      {"max_map_count", "65530\n"}, {"mmap_min_addr", "65536\n"},
                                      {"swappiness", "0\n"},        {"nr_hugepages", "0\n"}};
constexpr Setting kKernel[] = {{"ostype", "Linux\n"},
                               {"osrelease", "6.1.0-mortem\n"},
                               {"version", "#1 Mortem\n"},
                               {"hostname", "mortem\n"},
                               {"domainname", "(none)\n"},
                               {"pid_max", "32768\n"},
                               {"threads-max", "32768\n"},
                               {"ngroups_max", "65536\n"},
                               {"cap_last_cap", "40\n"},
                               {"randomize_va_space", "2\n"},
                               {"core_pattern", "core\n"},
                               {"core_uses_pid", "0\n"},
                               {"shmmax", "18446744073692774399\n"},
                               {"shmall", "18446744073692774399\n"},
                               {"shmmni", "4096\n"},
                               {"perf_event_paranoid", "3\n"}};
constexpr Setting kFiles[] = {
    {"file-max", "65536\n"}, {"nr_open", "1048576\n"}, {"pipe-max-size", "65536\n"}, {"aio-max-nr", "0\n"}};
constexpr Setting kNetworkCore[] = {{"somaxconn", "4096\n"},  {"rmem_default", "212992\n"},
                                    {"rmem_max", "212992\n"}, {"wmem_default", "212992\n"},
                                    {"wmem_max", "212992\n"}, {"optmem_max", "20480\n"}};
constexpr Setting kInternet[] = {{"ip_local_port_range", "32768\t60999\n"},
                                 {"tcp_max_syn_backlog", "4096\n"},
                                 {"tcp_fin_timeout", "60\n"},
                                 {"tcp_keepalive_time", "7200\n"},
                                 {"tcp_keepalive_intvl", "75\n"},
                                 {"tcp_keepalive_probes", "9\n"},
                                 {"tcp_syn_retries", "6\n"},
                                 {"tcp_synack_retries", "5\n"},
                                 {"tcp_retries2", "15\n"},
                                 {"tcp_orphan_retries", "0\n"},
                                 {"tcp_window_scaling", "1\n"},
                                 {"tcp_fastopen", "0\n"},
                                 {"ip_forward", "0\n"}};
constexpr Setting kUnix[] = {{"max_dgram_qlen", "10\n"}};

Result<TreeDirectory*> add_folder(TreeDirectory& parent, const char* name, std::span<const Setting> settings) {
  TreeDirectory* folder = TRY(parent.add_directory(name));
  for (const Setting& setting : settings) TRY(folder->add_text(setting.name, setting.text));
  return folder;
}

}  // namespace

Result<void> add_system_settings(TreeDirectory& proc) {
  TreeDirectory* sys = TRY(proc.add_directory("sys"));
  TRY(add_folder(*sys, "vm", kVirtualMemory));
  TreeDirectory* kernel = TRY(add_folder(*sys, "kernel", kKernel));
  TreeDirectory* random = TRY(kernel->add_directory("random"));
  TRY(random->add_file("uuid", 0444, {.generate = random_identifier}));
  TRY(random->add_file("boot_id", 0444, {.generate = boot_identifier}));
  TRY(random->add_text("entropy_avail", "256\n"));
  TRY(add_folder(*sys, "fs", kFiles));
  TreeDirectory* net = TRY(sys->add_directory("net"));
  TRY(add_folder(*net, "core", kNetworkCore));
  TRY(add_folder(*net, "ipv4", kInternet));
  TRY(add_folder(*net, "unix", kUnix));
  return {};
}

}  // namespace kernel::linux
