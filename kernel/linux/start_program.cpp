// From the booted kernel to the first instruction of the program.
#include <cstdarg>
#include <string_view>

#include "kernel/arch/x86_64/boot_info.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/cpuid.h"
#include "kernel/arch/x86_64/entry.h"
#include "kernel/crash/crash.h"
#include "kernel/crash/nmi.h"
#include "kernel/crash/open_files.h"
#include "kernel/crash/reboot_record.h"
#include "kernel/debug/debugger.h"
#include "kernel/drivers/console.h"
#include "kernel/drivers/control_port.h"
#include "kernel/library/command_line.h"
#include "kernel/library/log.h"
#include "kernel/linux/app.h"
#include "kernel/linux/clone_messages.h"
#include "kernel/linux/elf_file.h"
#include "kernel/linux/files.h"
#include "kernel/linux/identity.h"
#include "kernel/linux/initial_stack.h"
#include "kernel/linux/limits.h"
#include "kernel/linux/linux.h"
#include "kernel/linux/new_code.h"
#include "kernel/linux/process_files.h"
#include "kernel/linux/signals.h"
#include "kernel/linux/vdso.h"
#include "kernel/memory/heap.h"
#include "kernel/net/network.h"
#include "kernel/task/address_space.h"
#include "kernel/task/process_state.h"
#include "kernel/task/wait.h"

namespace kernel::linux {
namespace {

// As a shell: 127, there is no such program; 126, it cannot be run.
constexpr int kNotFound = 127, kCannotRun = 126;
constexpr size_t kMaximumStrings = 1024;

const char* g_arguments[kMaximumStrings + 1];
const char* g_environment[kMaximumStrings + 1];
ElfFile g_program, g_interpreter;
char g_why[256];

void read_manifest() {
  constexpr char kPath[] = "/etc/mortem.manifest";
  constexpr uint64_t kLargest = 1 << 20;
  auto inode = find_inode(root_inode(), {kPath, sizeof kPath - 1}, FollowLast::Yes);
  if (inode.is_error()) {
    log(LogLevel::Info, "no %s on the root file system: the kernel command line says what to run", kPath);
    return;
  }
  auto status = inode.value()->status();
  if (status.is_error() || status.value().size > kLargest)
    fail_to_start(kCannotRun, "%s: cannot be read, or is larger than 1 MiB", kPath);
  const uint64_t size = status.value().size;
  auto* text = static_cast<uint8_t*>(heap_allocate(size + 1));
  if (text == nullptr) fail_to_start(kCannotRun, "%s: no memory to read it", kPath);
  auto count = inode.value()->read(0, {text, size});
  if (count.is_error())
    fail_to_start(kCannotRun, "%s: cannot be read (error %d)", kPath, static_cast<int>(count.error()));
  if (manifest_initialize({reinterpret_cast<const char*>(text), count.value()}).is_error())
    fail_to_start(kCannotRun, "%s: is not as it should be; make the image again", kPath);
  heap_free(text);
}

void collect(const char* key, const char** to, size_t first) {
  size_t count = first;
  for (size_t index = 0;; ++index) {
    const char* value = repeated_setting(key, index);
    if (value == nullptr) break;
    if (count == kMaximumStrings) fail_to_start(kCannotRun, "more than %zu values of %s=", kMaximumStrings, key);
    to[count++] = value;
  }
  to[count] = nullptr;
}

Inode& find_program(const char* path) {
  auto found = find_inode(working_directory().inode, {path, __builtin_strlen(path)}, FollowLast::Yes);
  if (found.is_error() && (found.error() == Error::NoEntry || found.error() == Error::NotDirectory))
    fail_to_start(kNotFound, "%s: no such file in the image", path);
  if (found.is_error())
    fail_to_start(kCannotRun, "%s: cannot be opened (error %d)", path, static_cast<int>(found.error()));
  return *found.value();
}

void read_program(const char* path, ElfFile& file) {
  if (auto read = read_elf(find_program(path), file, g_why); read.is_error())
    fail_to_start(kCannotRun, "%s: %s", path, g_why[0] != 0 ? g_why : "cannot be read");
}

LoadedElf load_program(const char* path, const ElfFile& file, uint64_t base, mortem::format::ModuleKind kind) {
  const char* kept = kept_path(path);
  auto loaded = kept != nullptr ? load_elf(file, kept, base, g_why) : Result<LoadedElf>(Error::NoMemory);
  if (loaded.is_error()) fail_to_start(kCannotRun, "%s: %s", path, g_why[0] != 0 ? g_why : "no memory to load it");
  const LoadedElf& elf = loaded.value();
  if (add_module(kind, kept, elf.bias, elf.start, elf.end, {file.build_id, file.build_id_length}).is_error())
    fail_to_start(kCannotRun, "%s: no memory for the module table", path);
  return elf;
}

void add_kernel_module() {
  const std::span<const uint8_t> notes{reinterpret_cast<const uint8_t*>(build_id_note_start),
                                       static_cast<size_t>(build_id_note_end - build_id_note_start)};
  const auto start = reinterpret_cast<uint64_t>(text_start), end = reinterpret_cast<uint64_t>(image_end);
  if (add_module(mortem::format::ModuleKind::Kernel, "mortem-kernel.elf", g_boot_info.load_bias, start, end,
                 find_build_id(notes))
          .is_error())
    log(LogLevel::Warning, "no memory for the kernel's entry in the module table");
}

// The host's, where it gives one; else as a service has it.
Result<OpenFile*> open_standard_input() {
  if (setting_is("stdin", "console")) return make_console_file(kOpenReadOnly, nullptr);
  if (auto input = make_input_file(); !input.is_error() || input.error() != Error::NoDevice) return input;
  constexpr char kNull[] = "/dev/null";
  auto inode = find_inode(root_inode(), {kNull, sizeof kNull - 1}, FollowLast::Yes);
  if (inode.is_error()) fail_to_start(kCannotRun, "/dev/null is not there");
  return make_inode_file(*inode.value(), kOpenReadOnly, kNull);
}

void open_standard_files() {
  if (auto input = open_standard_input(); input.is_error() || install(input.value(), false).is_error())
    fail_to_start(kCannotRun, "no memory for standard input");
  for (int index = 1; index <= 2; ++index) {
    auto file = make_console_file(kOpenWriteOnly, index == 1 ? &g_output_ring : &g_error_ring);
    if (file.is_error() || install(file.value(), false).is_error())
      fail_to_start(kCannotRun, "no memory for standard output");
  }
}

uint64_t make_stack(const char* path, const LoadedElf& program, uint64_t interpreter_base) {
  AddressSpace& space = address_space();
  const uint64_t top = space.layout.stack_top;
  auto mapped = space.map({.address = top - kStackSize,
                           .length = kStackSize,
                           .protection = kProtectRead | kProtectWrite,
                           .kind = AreaKind::Stack,
                           .placement = Placement::FixedNoReplace});
  if (mapped.is_error()) fail_to_start(kCannotRun, "%s: no room for its stack", path);
  auto vdso = map_vdso();
  if (vdso.is_error()) fail_to_start(kCannotRun, "%s: no memory for the vDSO", path);

  constexpr uint64_t kFsGsBaseBit = 2;           // HWCAP2_FSGSBASE
  constexpr uint64_t kFrameWithoutState = 1024;  // struct rt_sigframe, alignment, red zone
  const Auxiliary auxiliary[] = {
      {33, vdso.value()},                           // AT_SYSINFO_EHDR
      {51, kFrameWithoutState + g_cpu.xsave_size},  // AT_MINSIGSTKSZ
      {16, cpuid(1).edx},                           // AT_HWCAP
      {6, kPageSize},                               // AT_PAGESZ
      {17, 100},                                    // AT_CLKTCK
      {3, program.program_headers},                 // AT_PHDR
      {4, sizeof(ProgramHeader)},                   // AT_PHENT
      {5, g_program.header.program_header_count},   // AT_PHNUM
      {7, interpreter_base},                        // AT_BASE
      {8, 0},                                       // AT_FLAGS
      {9, program.entry},                           // AT_ENTRY
      {11, g_identity.user.real},                   // AT_UID
      {12, g_identity.user.effective},              // AT_EUID
      {13, g_identity.group.real},                  // AT_GID
      {14, g_identity.group.effective},             // AT_EGID
      {23, 0},                                      // AT_SECURE
      {26, g_cpu.fsgsbase ? kFsGsBaseBit : 0},      // AT_HWCAP2
  };
  auto stack = push_initial_stack(top, kStackSize, {g_arguments, g_environment, path, auxiliary});
  if (stack.is_error() && stack.error() == Error::ArgumentsTooLong)
    fail_to_start(kCannotRun, "%s: its arguments and environment take more than %lu KiB", path, kStackSize / 4096);
  if (stack.is_error()) fail_to_start(kCannotRun, "%s: no memory for its stack", path);
  return stack.value();
}

void host_message(mortem::format::ControlType type, std::span<const uint8_t> payload) {
  if (type == mortem::format::ControlType::HoldStill) return control_hold_still();
  if (take_clone_message(type, payload) || type != mortem::format::ControlType::Terminate) return;
  if (!debug::end_held_app(128 + kSigTerm)) raise_signal(kSigTerm, kCodeUser);
}

}  // namespace

bool is_running_program(const Inode* inode) {
  return inode != nullptr && inode == g_program.inode;
}

void fail_to_start(int status, const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  format_text_list(line, sizeof line, format, arguments);
  va_end(arguments);
  console_write("mortem: ");
  console_write(line);
  console_write("\n");
  exit_app(status);
}

void start_program() {
  if (root_inode() == nullptr)
    fail_to_start(kCannotRun, "no root file system; boot an image that `mortem image create` made");
  read_manifest();
  net::initialize();
  open_file_tables_initialize();
  const char* path = setting("program");
  if (path == nullptr)
    fail_to_start(kNotFound, "no program given: program= on the kernel command line or in /etc/mortem.manifest");
  g_arguments[0] = path;
  collect("arg", g_arguments, 1);
  collect("env", g_environment, 0);
  make_process_files(path);
  if (!identity_initialize()) fail_to_start(kCannotRun, "user=%s: not UID or UID:GID, in digits", setting("user"));
  if (const char* directory = setting("cwd"))
    if (auto changed = change_directory(directory); changed.is_error())
      fail_to_start(kCannotRun, "cwd=%s: no such directory in the image (error %d)", directory,
                    static_cast<int>(changed.error()));

  read_program(path, g_program);
  const size_t slash = std::string_view(path).rfind('/');
  const char* name = slash == std::string_view::npos ? path : path + slash + 1;
  if (create_first_thread(name).is_error()) fail_to_start(kCannotRun, "no memory for the first thread");
  set_interruption_check(wait_is_interrupted);
  AddressSpace& space = address_space();
  space.randomize(kStackSize);
  for (const char** argument = g_arguments; *argument != nullptr; ++argument) add_command_line_word(*argument);

  begin_code_watch(g_program.interpreter[0] != 0 ? g_program.inode : nullptr);
  const LoadedElf program =
      load_program(path, g_program, space.layout.program_base, mortem::format::ModuleKind::Program);
  // Linux: arch_randomize_brk, 32 MiB behind the program.
  constexpr uint64_t kHeapSpread = 0x2000000;
  space.layout.heap_start = program.end + page_down(random64() % kHeapSpread);
  space.layout.heap_end = space.layout.heap_start;
  uint64_t entry = program.entry, interpreter_base = 0;
  if (g_program.interpreter[0] != 0) {
    const char* interpreter_path = g_program.interpreter;
    if (!find_inode(root_inode(), {interpreter_path, __builtin_strlen(interpreter_path)}, FollowLast::Yes))
      fail_to_start(kCannotRun, "%s: is a dynamic program: its interpreter %s is not in the image", path,
                    interpreter_path);
    read_program(interpreter_path, g_interpreter);
    const LoadedElf interpreter =
        load_program(interpreter_path, g_interpreter, 0, mortem::format::ModuleKind::Interpreter);
    entry = interpreter.entry;
    interpreter_base = interpreter.bias;
  }
  const uint64_t stack_pointer = make_stack(path, program, interpreter_base);
  add_kernel_module();
  open_standard_files();
  net::wait_for_address();
  clone_messages_initialize();
  nmi_initialize();
  control_set_handler(host_message);

  TrapFrame& frame = *current().frame;
  frame = {};
  frame.rip = entry;
  frame.rsp = stack_pointer;
  frame.cs = kUserCode;
  frame.ss = kUserData;
  frame.rflags = 0x202;  // IF
  set_fs_base(0);
  set_user_gs_base(0);
  restore_extended_state(current().extended_state);
  debug::start_stub();
  log(LogLevel::Info, "%s starts at %#lx, stack at %#lx", path, entry, stack_pointer);
  reboot_record_program_starts();
  control_send(mortem::format::ControlType::Ready, {});
  enter_user(&frame);
}

}  // namespace kernel::linux
