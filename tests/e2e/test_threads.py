"""Programs of several threads die: the dump holds every thread with all its registers from one moment, and gdb, lldb
and eu-stack show the same stacks as we do. `test_threads.py --core CORE` checks a core that Linux or gdb wrote."""
import pathlib
import re
import struct
import sys
import subprocess
import time
import unittest

import debuggers
import expectations as expected
from elf_core import Core, ElfFile
from json_frames import keys, number
from mortem_test import GUESTS, KERNEL, MortemTest, marked_lines

WORKER_STACK = ["step_inlined", "step_two", "step_one", "run_worker"]
SYS_READ, SYS_POLL, SYS_RT_SIGTIMEDWAIT, SYS_FUTEX, SYS_CLOCK_NANOSLEEP = 0, 7, 128, 202, 230
FUTEX_WAIT_PRIVATE, CLOCK_MONOTONIC = 128, 1
PT_TLS = 7
LOCAL = 0xC0FFEE0000000000
# Of each worker: name, mark of its line, system call and the registers that the call takes.
WORKERS = [
    ("in futex", "stop_in_futex", SYS_FUTEX, {"rdi": "&futex_word", "rsi": FUTEX_WAIT_PRIVATE, "rdx": 7, "r10": 0}),
    ("in sleep", "stop_in_sleep", SYS_CLOCK_NANOSLEEP, {"rdi": CLOCK_MONOTONIC, "rsi": 0, "rdx": "&long_time", "r10": 0}),
    ("in read", "stop_in_read", SYS_READ, {"rdi": 3, "rsi": "&read_buffer", "rdx": 16, "r10": 0}),
    ("in poll", "stop_in_poll", SYS_POLL, {"rdi": "&polled", "rsi": 1, "rdx": expected.MASK, "r10": 0}),
    ("in sigwait", "stop_in_sigwait", SYS_RT_SIGTIMEDWAIT, {"rdi": "&awaited_signals", "rsi": 0, "rdx": 0, "r10": 8}),
    ("spins", "stop_spinning", None, {}),
    ("spins too", "stop_spinning_too", None, {}),
    ("crashes", "stop_at_null", None, {"rdi": 0}),
]
CRASHING = 7


def extended_of(integer):
    """A small positive integer as the x87's ten bytes."""
    top = integer.bit_length() - 1
    return (integer << (63 - top)).to_bytes(8, "little") + (16383 + top).to_bytes(2, "little")


class ThreadChecks:
    """Mixed into a TestCase: what the core of threads_null_read must hold."""

    def open_core(self, program, path):
        self.program, self.core_path = program, path
        self.core, self.elf = Core(path), ElfFile(program)
        self.symbols = self.elf.symbols()
        self.lines = marked_lines(program.name + ".cpp")

    def thread_local(self, thread, name):
        """AMD64 psABI, variant II: the program's own block ends at fs_base."""
        (_, _, _, start, _, _, size), = [one for one in self.elf.segments if one[0] == PT_TLS]
        alignment = struct.unpack_from("<Q", self.elf.data, 64 + 56 * self.elf.segments.index(
            next(one for one in self.elf.segments if one[0] == PT_TLS)) + 48)[0]
        block = thread.registers()["fs_base"] - ((size + start % alignment + alignment - 1) // alignment * alignment)
        return self.core.word(block + start % alignment + self.symbols[name][0])

    def check_core(self):
        """Returns the workers' thread ids in order."""
        threads = self.core.threads()
        self.assertEqual(len(threads), 1 + len(WORKERS))
        self.assertEqual(len({thread.id for thread in threads}), len(threads))
        by_local = {self.thread_local(thread, "own_value"): thread for thread in threads}
        self.assertEqual(sorted(by_local), [*(LOCAL + number for number in range(len(WORKERS))), LOCAL + 99])
        self.assertEqual(threads[0].id, by_local[LOCAL + CRASHING].id, "the crashed thread comes first")
        self.assertEqual(threads[0].signal, expected.SIGSEGV)
        self.assertEqual(self.core.signal_information(), (expected.SIGSEGV, expected.SEGV_MAPERR, 0))
        for number in range(len(WORKERS)):
            with self.subTest(worker=WORKERS[number][0]):
                self.check_registers(number, by_local[LOCAL + number])
        main = by_local[LOCAL + 99].registers()
        self.assertEqual(main["orig_rax"], SYS_FUTEX, "main waits in join")
        return [by_local[LOCAL + number].id for number in range(len(WORKERS))]

    def check_registers(self, number, thread):
        _, _, call, arguments = WORKERS[number]
        registers = thread.registers()
        plant = self.symbols["register_plants"][0] + number * (self.symbols["register_plants"][1] // 32)
        has_avx = self.core.word(plant + 640) >> 32
        stack_pointer, instruction = self.core.word(plant + 648), self.core.word(plant + 656)
        wanted = {name: expected.PLANT_FACTOR * (16 * (number + 1) + i + 1) & expected.MASK
                  for i, name in enumerate(expected.PLANT_ORDER)}
        for name, value in arguments.items():
            wanted[name] = self.symbols[value[1:]][0] if isinstance(value, str) else value
        wanted |= {"rip": instruction, "rsp": stack_pointer, "cs": 0x33, "ss": 0x2B}
        wanted["orig_rax"] = expected.MASK if call is None else call
        if call is not None:  # SYSCALL (Intel SDM vol. 2) puts rip into rcx and rflags into r11
            wanted |= {"rip": instruction + 2, "rcx": instruction + 2, "r11": registers["eflags"]}
            del wanted["rax"]  # Linux: -ENOSYS, or how the interrupted call is to go on
            self.assertGreater(registers["rax"], expected.MASK - 4096, "an error")
        found = {name: registers[name] for name in wanted}
        self.assertEqual({n: hex(v) for n, v in found.items()}, {n: hex(v) for n, v in wanted.items()})
        lanes, mxcsr, x87 = thread.vectors()
        width = 4 if has_avx else 2
        for vector, found in enumerate(lanes):
            planted = [expected.VECTOR_FACTOR * (64 * (number + 1) + 4 * vector + lane + 1) & expected.MASK
                       for lane in range(width)]
            self.assertEqual([hex(x) for x in found[:width]], [hex(x) for x in planted], f"ymm{vector}")
        self.assertEqual(hex(mxcsr & ~0x3F), hex(0x1F80 | (number & 3) << 13))  # without the exception flags
        self.assertEqual(x87.hex(), extended_of(number + 1).hex())

    def wanted_stack(self, number):
        return [("stop_here", self.lines[WORKERS[number][1]]), *((name, self.lines[name]) for name in WORKER_STACK)]

    def stacks_of_debuggers(self):
        order = [thread.id for thread in self.core.threads()]
        by_lldb = debuggers.stacks_by_lldb(self.program, self.core_path)
        self.assertEqual(len(by_lldb), len(order))
        return {"gdb": debuggers.stacks_by_gdb(self.program, self.core_path),
                "lldb": dict(zip(order, by_lldb)),
                "eu-stack": debuggers.stacks_by_eu_stack(self.program, self.core_path)}

    def check_workers(self, tool, stacks, workers):
        self.assertEqual(sorted(stacks), sorted(thread.id for thread in self.core.threads()), tool)
        for number, thread in enumerate(workers):
            wanted = self.wanted_stack(number)
            self.assertEqual(stacks[thread][:len(wanted)], wanted, f"{tool}, {WORKERS[number][0]}")

    def check_gdb_registers(self, workers):
        """What people type: every thread's registers, in gdb's own words."""
        text = debuggers.gdb(self.program, self.core_path,
                             "thread apply all -q printf \"T %d %lx %lx %lx %lx %lx %lx\\n\", $_thread, $rip, $rsp, "
                             "$rbx, $r15, $ymm0.v4_int64[3], $ymm15.v4_int64[0]", "info threads")
        ids = {int(gdb): int(thread) for gdb, thread in
               re.findall(r"^[* ]+(\d+) +(?:Thread 0x[0-9a-f]+ \()?LWP (\d+)", text, re.M)}
        found = {ids[int(words[1])]: [int(word, 16) for word in words[2:]]
                 for words in (line.split() for line in text.splitlines()) if words[:1] == ["T"]}
        self.assertEqual(len(found), 1 + len(WORKERS), text)
        by_id = {thread.id: thread for thread in self.core.threads()}
        for thread in workers:
            registers, (lanes, _, _) = by_id[thread].registers(), by_id[thread].vectors()
            wanted = [registers[name] for name in ("rip", "rsp", "rbx", "r15")] + [lanes[0][3], lanes[15][0]]
            self.assertEqual([hex(x) for x in found[thread]], [hex(x) for x in wanted])


class NullRead(ThreadChecks, MortemTest):
    def check_kernel_frames(self, dump, ours, workers):
        """`bt --kernel`: from where a thread waits in the kernel through its call into the program; gdb and lldb walk
        the same way from the same registers."""
        threads = {one["id"]: one["frames"] for one in self.facts("bt", dump, "--kernel")["threads"]}
        self.assertEqual(threads.keys(), ours.keys())
        self.assertEqual(keys(threads[workers[CRASHING]]), ours[workers[CRASHING]])
        self.assertFalse(any(frame["kernel"] for frame in threads[workers[CRASHING]]))
        (bias,) = [number(one["load_bias"]) for one in self.facts("info", dump)["modules"] if one["kind"] == "kernel"]
        contexts = self.core.kernel_contexts()
        self.assertEqual(sorted(contexts), sorted(thread for thread in ours if thread != workers[CRASHING]))
        for worker, (name, _, call, _) in zip(workers, WORKERS):
            if worker == workers[CRASHING]:
                continue
            frames = threads[worker]
            inside = [frame for frame in frames if frame["kernel"]]
            self.assertEqual(frames[:len(inside)], inside, "the kernel's frames come first")
            self.assertEqual(keys(frames[len(inside):]), ours[worker], name)
            self.assertTrue(inside[-1]["signal_frame"], name)
            functions = [frame["function"].removeprefix("kernel::").split("(")[0] for frame in inside]
            self.assertIn("syscall_entry" if call is not None else "trap_common", functions[-1], name)
            self.assertTrue(all(frame["trust"] in ("registers", "cfi", "tail call") for frame in inside), inside)
            if name in ("in futex", "in read"):
                shown = debuggers.without_gdbs_omissions(frames)
                self.check_debuggers_in_kernel(contexts[worker], shown, len(shown) - len(frames) + len(inside), bias)

    def check_debuggers_in_kernel(self, switch_frame, frames, inside, bias):
        """A core whose first thread is where that one waits in the kernel."""
        saved = dict(zip(("r15", "r14", "r13", "r12", "rbp", "rbx", "rip"),
                         (self.core.word(switch_frame + 8 * at) for at in range(7))))
        core = self.files / "core.in_kernel"
        # gdb takes the first frame's rip for the next instruction; here it is behind a call, as callers' are.
        saved["rip"] -= 1
        core.write_bytes(self.core.with_registers({**saved, "rsp": switch_frame + 56}))
        program = self.program

        def name(function):
            return re.split(r"[(<]", function.replace("(anonymous namespace)::", ""))[0].split("::")[-1]

        shown = debuggers.stack_by_gdb(program, core, first=[f"add-symbol-file {KERNEL} -o {bias:#x}"])
        self.assertEqual(len(shown), len(frames), shown)
        self.assertEqual(shown[inside:], keys(frames)[inside:])
        self.assertEqual([name(one[0]) for one in shown[:inside - 1]],
                         [name(frame["function"]) for frame in frames[:inside - 1]], shown)
        core.unlink()

    def test_nine_threads(self):
        program = GUESTS / "threads_null_read"
        _, dump = self.crash(program, status=139)
        core = self.files / "core"
        self.mortem("core", dump, "-o", core)
        self.open_core(program, core)
        workers = self.check_core()
        self.check_gdb_registers(workers)
        # Linux writes the signal into all of them; debuggers then say of each thread that it was the one.
        self.assertEqual({thread.signal for thread in self.core.threads()[1:]}, {0})
        threads = self.facts("bt", dump)["threads"]
        self.assertEqual(threads[0]["id"], workers[CRASHING])
        self.assertEqual([thread["id"] for thread in threads if thread["crashed"]], [workers[CRASHING]])
        names = {thread["id"]: thread["name"] for thread in threads}
        self.assertEqual([names[thread] for thread in workers], [name for name, *_ in WORKERS])
        ours = {thread["id"]: keys(thread["frames"]) for thread in threads}
        self.check_workers("mortem bt", ours, workers)
        for tool, stacks in self.stacks_of_debuggers().items():
            self.check_workers(tool, stacks, workers)
            for thread, frames in stacks.items():
                # Behind the program's own code only the number counts: eu-stack gives _start, which has no lines, the
                # line of its neighbour. lldb ends with main when that waits in join, also in Linux's own core.
                inside = 1 + max(at for at, frame in enumerate(ours[thread]) if frame[0] in ("main", "run_worker"))
                self.assertEqual(frames[:inside], ours[thread][:inside], f"{tool}, thread {thread}")
                if tool != "lldb":
                    self.assertEqual(len(frames), len(ours[thread]), f"{tool}, thread {thread}")
        self.check_kernel_frames(dump, ours, workers)
        text = self.mortem("bt", dump).stdout
        headings = re.findall(r"^Thread (\d+) \"([^\"]*)\"( \(crashed\))?:$", text, re.M)
        self.assertEqual([int(thread) for thread, _, _ in headings], [thread["id"] for thread in threads])
        self.assertEqual([name for _, name, mark in headings if mark], ["crashes"])
        self.assert_nothing_left()


class OneDump(MortemTest):
    """Two threads end the program at the same moment: one dump, and its reason is one of the two."""

    def meet(self, how, reasons):
        dump = self.files / "dump.zst"
        done = self.mortem("run", GUESTS / "threads_meet", "--on-crash", "stop", "--dump", dump, "--", how, status=None)
        facts = self.facts("info", dump)
        reason = facts["reason"]
        key = (reason["kind"], reason.get("signal") if reason["kind"] == "signal" else reason.get("exit_status"))
        self.assertIn(key, reasons)
        self.assertEqual(done.returncode, reasons[key][0], done.stdout + done.stderr)
        text = done.stdout + done.stderr
        self.assertEqual(len(re.findall(r"^crash: ", text, re.M)), 1, text)
        self.assertNotIn("crash path: trapped", text)
        self.assertEqual([path.name for path in self.files.iterdir()], ["dump.zst"])
        threads = self.facts("bt", dump)["threads"]
        self.assertEqual(sorted(thread["name"] for thread in threads),
                         ["one", "other", "threads_meet", "waits", "waits too"])
        (crashed,) = [thread for thread in threads if thread["crashed"]]
        self.assertIn(crashed["name"], reasons[key][1])
        functions = {thread["name"]: [frame["function"] for frame in thread["frames"]] for thread in threads}
        self.assertIn("main", functions["threads_meet"])
        for name in ("waits", "waits too"):
            self.assertTrue(any("wait_for_ever" in function for function in functions[name]), functions[name])
        self.assert_nothing_left()

    def test_two_faults(self):
        self.meet("faults", {("signal", expected.SIGSEGV): (139, ("one", "other"))})

    def test_fault_and_abort(self):
        self.meet("abort", {("signal", expected.SIGSEGV): (139, ("one",)),
                            ("signal", expected.SIGABRT): (134, ("other",))})

    def test_fault_and_exit(self):
        self.meet("exit", {("signal", expected.SIGSEGV): (139, ("one",)), ("exit", 3): (3, ("other",))})


class Many(MortemTest):
    def test_five_hundred(self):
        """All of them, each with its stack, in a dump that grows by what they touched."""
        start = time.monotonic()
        _, dump = self.crash(GUESTS / "threads_many", status=139, arguments=["500"])
        crashed_after = time.monotonic() - start
        core = self.files / "core"
        self.mortem("core", dump, "-o", core)
        self.assertEqual(len(Core(core).threads()), 501)
        start = time.monotonic()
        threads = self.facts("bt", dump)["threads"]
        unwound_after = time.monotonic() - start
        names = {thread["name"]: [frame["function"] for frame in thread["frames"]] for thread in threads}
        self.assertEqual(set(names), {"threads_many", *(f"waiter {i}" for i in range(500))})
        for i in range(500):
            self.assertTrue(any("wait_for_ever" in function for function in names[f"waiter {i}"]), names[f"waiter {i}"])
        stacks = debuggers.stacks_by_gdb(GUESTS / "threads_many", core)
        self.assertEqual(len(stacks), 501)
        for thread in threads:
            self.assertEqual(len(stacks[thread["id"]]), len(thread["frames"]), thread["name"])
        # 4 GiB of stacks, of which they touched some pages each: 21 MiB as they are (a dump's frames are stored where
        # compressing is slow, as here), 1.1 MiB when compressed. Measured: 1.2 s, 0.1 s.
        self.assertLess(dump.stat().st_size, 32 << 20)
        compressed = subprocess.run(f"zstd -dc {dump} | zstd -1 -c | wc -c", shell=True, check=True,
                                    stdout=subprocess.PIPE).stdout
        self.assertLess(int(compressed), 8 << 20)
        self.assertLess(crashed_after, 60)
        self.assertLess(unwound_after, 20)
        self.assert_nothing_left()

    def test_stack_overflow(self):
        done, dump = self.crash(GUESTS / "threads_stack_overflow", status=139)
        self.assertIn("(stack overflow)", done.stdout + done.stderr)
        report = self.mortem("report", dump).stdout
        self.assertIn("stack overflow", report.splitlines()[0] + report.splitlines()[1], report)
        (crashed,) = [thread for thread in self.facts("bt", dump)["threads"] if thread["crashed"]]
        self.assertEqual(crashed["name"], "deep")
        self.assertGreater([frame["function"] for frame in crashed["frames"]].count("descend"), 50)


class OfLinux(ThreadChecks, unittest.TestCase):
    """The expectations are true of the program, not only of our kernel."""

    def test_core(self):
        self.open_core(GUESTS / "threads_null_read", pathlib.Path(LINUX_CORE))
        workers = self.check_core()
        self.check_gdb_registers(workers)
        for tool, stacks in self.stacks_of_debuggers().items():
            self.check_workers(tool, stacks, workers)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--core"]:
        LINUX_CORE = sys.argv[2]
        unittest.main(argv=sys.argv[:1], defaultTest="OfLinux")
    del OfLinux
    unittest.main()
