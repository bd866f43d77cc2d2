"""What the dump of each guest must show. The guests are in ../guests; lines are found by their `frame: NAME` marks."""
from dataclasses import dataclass, field

MASK = (1 << 64) - 1
PLANT_FACTOR = 0x0123456789ABCDEF
VECTOR_FACTOR = 0x9E3779B97F4A7C15
PLANT_ORDER = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"]
PLANTED = {name: PLANT_FACTOR * (i + 1) & MASK for i, name in enumerate(PLANT_ORDER)}
PLANTED_VECTORS = [tuple(VECTOR_FACTOR * (4 * v + lane + 1) & MASK for lane in range(4)) for v in range(16)]
PLANTED_MXCSR = 0x7F80
PI_EXTENDED = bytes.fromhex("35c26821a2da0fc90040")  # what fldpi loads when rounding toward nearest
CALL_PRESERVED = ["rbx", "rbp", "r12", "r13", "r14", "r15"]

SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSEGV = 4, 5, 6, 8, 11
SI_USER, SI_TKILL, SI_KERNEL = 0, -6, 0x80
SEGV_MAPERR, SEGV_ACCERR, ILL_ILLOPN, FPE_INTDIV = 1, 2, 2, 1
# Linux 6.1 gives SI_KERNEL for int3 (arch/x86/kernel/traps.c, do_int3_user).
TRAP_OF_INT3 = SI_KERNEL


@dataclass
class Frame:
    function: str
    mark: str | None = None    # None: code without lines (libc), or the mark of the same name
    inlined: bool = False
    signal: bool = False


@dataclass
class Library:
    """One or more frames without lines, the last of them this function."""
    function: str


@dataclass
class Shared:
    """One or more frames in this shared library."""
    library: str


@dataclass
class Unknown:
    """A program counter that is in no module: its value is a rule."""
    address: str


@dataclass
class Signals:
    """The frame that a signal handler returns to."""


@dataclass
class Kernel:
    """One or more frames in the kernel."""


@dataclass
class Repeat:
    """These frames, again and again: at least `count` times."""
    frames: list
    count: int


def marked(function, **more):
    return Frame(function, function, **more)


CHAIN = [marked("step_inlined", inlined=True), marked("step_two"), marked("step_one"), marked("main")]


@dataclass
class Guest:
    top: list                         # frames above step_inlined
    signal: int = 0
    code: int = 0
    address: str | None = None        # rule of the fault address; None: there is none
    kind: str = "signal"              # signal, exit, kernel panic, double fault
    exit_status: int = 0
    changed: dict = field(default_factory=dict)  # registers that hold something else than planted: values or rules
    registers: str = "all"            # all: every register of frame 0 is planted; preserved: those that a call
                                      # preserves, in the frame `die`; none: the compiler's
    pc: str = "plant_instruction"     # rule
    stack_pointer: str = "plant_stack_pointer"
    flags: tuple = (0, 0)             # (mask, value) of eflags
    options: list = field(default_factory=list)  # of `mortem run`
    console: str = ""                 # must be on the console
    source: str = ""                  # if the program is another's
    without: tuple = ()               # tools that cannot show this stack, for a reason given beside

    @property
    def status(self):
        """Exit status of `mortem run`, as a shell would give it."""
        return self.exit_status if self.kind == "exit" else 128 + self.signal


DIE = [marked("die")]
AT_DIE = dict(top=DIE)

GUESTS = {
    "null_read": Guest(**AT_DIE, signal=SIGSEGV, code=SEGV_MAPERR, address="0", changed={"rdi": "0"}),
    "null_read_pie": Guest(**AT_DIE, signal=SIGSEGV, code=SEGV_MAPERR, address="0", changed={"rdi": "0"},
                           source="null_read.c"),
    "null_write": Guest(**AT_DIE, signal=SIGSEGV, code=SEGV_MAPERR, address="0x18", changed={"rdi": "0"}),
    # eu-stack knows no way from a program counter without call frame information but the frame pointer, which is planted
    # here (elfutils 0.188, libdwfl/frame_unwind.c, then backends/x86_64_unwind.c).
    "null_jump": Guest(top=[Unknown("0"), *DIE], signal=SIGSEGV, code=SEGV_MAPERR, address="0", changed={"rdi": "0"},
                       pc="0", stack_pointer="plant_stack_pointer - 8", without=("eu-stack",)),
    "stack_overflow": Guest(top=[Frame("descend", "descend_last"), Repeat([marked("descend")], 5000), *DIE],
                            signal=SIGSEGV, code=SEGV_MAPERR, address="rsp - 2048"),
    "stack_overflow_three": Guest(
        top=[Frame("first", "first_last"), Repeat([marked("second"), marked("third"), marked("first")], 3000),
             marked("second"), marked("third"), *DIE],
        signal=SIGSEGV, code=SEGV_MAPERR, address="rsp - 2048"),
    "abort": Guest(top=[Library("abort"), *DIE], signal=SIGABRT, code=SI_TKILL, registers="preserved"),
    "assert": Guest(top=[Library("__assert_fail"), *DIE], signal=SIGABRT, code=SI_TKILL, registers="none",
                    console="Assertion `chain_sink == -1 && \"the one that fails\"' failed."),
    "illegal_instruction": Guest(**AT_DIE, signal=SIGILL, code=ILL_ILLOPN, address="rip"),
    "divide_by_zero": Guest(**AT_DIE, signal=SIGFPE, code=FPE_INTDIV, address="rip", changed={"rdi": "0"}),
    "misaligned_sse": Guest(**AT_DIE, signal=SIGSEGV, code=SI_KERNEL, changed={"rdi": "plant_address"}),
    "non_canonical": Guest(**AT_DIE, signal=SIGSEGV, code=SI_KERNEL, changed={"rdi": "plant_address"}),
    "write_read_only": Guest(**AT_DIE, signal=SIGSEGV, code=SEGV_ACCERR, address="&read_only_word",
                             changed={"rdi": "plant_address"}),
    # The same as null_jump. The frame above it is a variable's name in some tools.
    "execute_data": Guest(top=[Unknown("&data_not_code"), *DIE], signal=SIGSEGV, code=SEGV_ACCERR,
                          address="&data_not_code", changed={"rdi": "plant_address"}, pc="&data_not_code",
                          stack_pointer="plant_stack_pointer - 8", without=("eu-stack",)),
    "guard_page": Guest(**AT_DIE, signal=SIGSEGV, code=SEGV_ACCERR, address="plant_address",
                        changed={"rdi": "plant_address"}),
    "throw_without_catch": Guest(top=[Library("__cxa_throw"), *DIE], signal=SIGABRT, code=SI_TKILL, registers="none",
                                 console="what():  nobody catches this"),
    "throw_without_catch_pie": Guest(top=[Library("__cxa_throw"), *DIE], signal=SIGABRT, code=SI_TKILL,
                                     registers="none", source="throw_without_catch.cpp"),
    # The same with shared libraries. Frames in the libraries have lines where their debug files are installed.
    "null_read_dynamic": Guest(**AT_DIE, signal=SIGSEGV, code=SEGV_MAPERR, address="0", changed={"rdi": "0"},
                               source="null_read.c"),
    "null_read_dynamic_no_pie": Guest(**AT_DIE, signal=SIGSEGV, code=SEGV_MAPERR, address="0", changed={"rdi": "0"},
                                      source="null_read.c"),
    "abort_dynamic": Guest(top=[Shared("libc.so.6"), *DIE], signal=SIGABRT, code=SI_TKILL, registers="preserved",
                           source="abort.c"),
    "crash_in_qsort_dynamic": Guest(top=[marked("compare"), Shared("libc.so.6"), *DIE], signal=SIGSEGV,
                                    code=SEGV_MAPERR, address="0", changed={"rdi": "0"}, source="crash_in_qsort.c"),
    "throw_without_catch_dynamic": Guest(top=[Shared("libc.so.6"), Shared("libstdc++.so.6"), *DIE], signal=SIGABRT,
                                         code=SI_TKILL, registers="none", console="what():  nobody catches this",
                                         source="throw_without_catch.cpp"),
    "exit_status": Guest(top=[Library("exit"), *DIE], kind="exit", exit_status=3, registers="preserved"),
    "kernel_panic": Guest(top=[Kernel(), *DIE], kind="kernel panic", registers="none",
                          options=["--kernel-argument", "provoke-crash=on"]),
    # The double fault's own stack pointer points nowhere; its frame pointer still leads through the kernel to the app.
    "double_fault": Guest(top=[Kernel(), *DIE], kind="double fault", registers="none",
                          options=["--kernel-argument", "provoke-crash=on"]),
    "raise_with_registers": Guest(
        **AT_DIE, signal=SIGABRT, code=SI_TKILL, pc="plant_instruction + 2",
        changed={"rax": "0", "rdi": "own_process", "rsi": "own_thread", "rdx": "6", "rcx": "rip", "r11": "eflags"}),
    # Carry set by the program, direction and alignment check too.
    "direction_flag": Guest(**AT_DIE, signal=SIGSEGV, code=SEGV_MAPERR, address="0", changed={"rdi": "0"},
                            flags=(0x40401, 0x40401)),
    "privileged_instruction": Guest(**AT_DIE, signal=SIGSEGV, code=SI_KERNEL),
    "breakpoint": Guest(**AT_DIE, signal=SIGTRAP, code=TRAP_OF_INT3, pc="plant_instruction + 1"),
    "crash_in_handler": Guest(top=[marked("on_signal"), Signals(), *DIE], signal=SIGILL, code=ILL_ILLOPN,
                              address="rip"),
    "crash_in_qsort": Guest(top=[marked("compare"), Library("qsort_r"), *DIE], signal=SIGSEGV, code=SEGV_MAPERR,
                            address="0", changed={"rdi": "0"}),
    # Through the C library's clock_gettime, which has no lines either.
    "crash_in_vdso": Guest(top=[Shared("linux-vdso.so.1"), *DIE], signal=SIGSEGV, code=SEGV_MAPERR, address="8",
                           registers="none"),
    "memory_patterns": Guest(**AT_DIE, signal=SIGSEGV, code=SEGV_MAPERR, address="0", changed={"rdi": "0"}),
}
