#include "tools/qemu/accelerator.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tools/child_program.h"
#include "tools/files.h"
#include "tools/local_store.h"
#include "tools/output.h"
#include "tools/qemu/machine.h"

namespace mortem::tools {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int kProbeMilliseconds = 3000;
// A million additions in ring 0: 1 to 5 ms on processors of this century, 20 times that under TCG.
constexpr uint64_t kSlowestMicroseconds = 100'000;

std::string probe(const fs::path& qemu, const fs::path& kernel) {
  Machine machine;
  machine.qemu = qemu;
  machine.kernel = kernel;
  machine.accelerator = "kvm";
  machine.memory = 64 << 20;
  machine.kernel_arguments = "selftest=1";
  machine.name = "probe";
  auto run = run_program(
      {.arguments = qemu_command_line(machine), .environment = {}, .input = {}, .timeout_ms = kProbeMilliseconds});
  if (!run) return run.error().message;
  if (!run->timed_out && run->output.empty() && !run->errors.empty())
    return "KVM does not work here: " + printable(last_line(run->errors));
  return judge_selftest(run->output, run->timed_out);
}

// What a verdict holds for: another kernel, QEMU or boot of the host is probed anew.
std::string cache_key(const std::string& kernel_id, const std::string& version) {
  auto boot = read_text_file("/proc/sys/kernel/random/boot_id");
  return kernel_id + " " + version + " " + (boot ? boot->substr(0, 36) : std::string("unknown boot"));
}

std::string cached_probe(const fs::path& qemu, const fs::path& kernel, const std::string& kernel_id) {
  auto version = qemu_version(qemu);
  if (!version) return version.error().message;
  const std::string key = cache_key(kernel_id, *version);
  const fs::path cache = local_store() / "kvm-probe.json";
  if (auto text = read_text_file(cache)) {
    const json verdict = json::parse(*text, nullptr, false);
    if (verdict.is_object() && verdict.value("key", "") == key) return verdict.value("why_not", "");
  }
  const std::string why_not = probe(qemu, kernel);
  std::error_code ignored;
  fs::create_directories(cache.parent_path(), ignored);
  // A store that cannot be written costs a probe each time, nothing else.
  (void)write_file_atomically(
      cache, json{{"key", key}, {"why_not", why_not}}.dump(2, ' ', false, json::error_handler_t::replace));
  return why_not;
}

}  // namespace

std::string judge_selftest(const std::string& console, bool timed_out) {
  std::stringstream lines(console);
  for (std::string line; std::getline(lines, line);) {
    unsigned long long microseconds = 0;
    if (std::sscanf(line.c_str(), "selftest ok %llu", &microseconds) == 1) {
      if (microseconds <= kSlowestMicroseconds) return {};
      return fmt::format("KVM is too slow here: the selftest's loop took {} ms", microseconds / 1000);
    }
    if (line.starts_with("selftest failed: "))
      return "KVM fails our selftest: " + printable(last_line(line.substr(17)));
  }
  if (timed_out) return fmt::format("our selftest does not end within {} s under KVM", kProbeMilliseconds / 1000);
  return "our selftest ends without a verdict under KVM";
}

Result<Accelerator> choose_accelerator(const std::string& wanted, const fs::path& qemu, const fs::path& kernel,
                                       const std::string& kernel_id) {
  if (wanted == "tcg") return Accelerator{"tcg", ""};
  if (wanted != "kvm" && wanted != "auto")
    return failure(ErrorKind::BadInput, fmt::format("--accel {}: auto, tcg or kvm", printable(wanted)));
  std::string why_not;
  if (access("/dev/kvm", R_OK | W_OK) != 0)
    why_not = fmt::format("/dev/kvm: {}", std::strerror(errno));
  else
    why_not = cached_probe(qemu, kernel, kernel_id);
  if (why_not.empty()) return Accelerator{"kvm", ""};
  if (wanted == "kvm") return failure(ErrorKind::Unsupported, "--accel kvm: " + why_not);
  return Accelerator{"tcg", why_not};
}

}  // namespace mortem::tools
