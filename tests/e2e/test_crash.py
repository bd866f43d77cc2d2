"""One guest dies in a VM; its dump shows what really happened. usage: test_crash.py GUEST"""
import pathlib
import re
import subprocess
import sys
import unittest

import debuggers
import expectations as expected
from core_checks import CoreChecks
from elf_core import PT_LOAD
from json_frames import keys, number
from mortem_test import GUESTS, MortemTest

NAME = sys.argv.pop(1)
GUEST = expected.GUESTS[NAME]


class Crash(CoreChecks, MortemTest):
    def test_crash(self):
        program = GUESTS / NAME
        done, dump = self.crash(program, *GUEST.options, status=GUEST.status)
        self.assertIn(GUEST.console, done.stdout + done.stderr)
        core_path = self.files / "core"
        self.mortem("core", dump, "-o", core_path)
        self.open_core(NAME, program, core_path)
        self.check_same_bytes(dump)
        self.check_reason(dump)
        self.check_core()
        stack = self.check_backtrace(dump)
        frames = stack["frames"]
        physical = keys([frame for frame in frames if frame["trust"] != "tail call"])
        self.check_debuggers(keys(frames), {
            "eu-stack": [physical],
            "lldb": [keys(frames), physical],  # it infers some tail calls
            "gdb": [keys(debuggers.without_gdbs_omissions(frames))]})
        self.check_segments()
        if GUEST.kind in ("kernel panic", "double fault"):
            self.check_app_registers(done.stdout + done.stderr)
            (bias,) = [module["load_bias"] for module in self.facts("info", dump)["modules"] if module["kind"] == "kernel"]
            self.check_kernel_stack(stack["frames"], number(bias))
        if NAME == "crash_in_vdso":
            self.assertEqual(frames[0]["function"], "__vdso_clock_gettime")
            self.assertIn(frames[1]["function"], ("clock_gettime", "__clock_gettime"))
        if NAME == "memory_patterns":
            self.check_patterns()
        self.assert_nothing_left()

    def check_same_bytes(self, dump):
        subprocess.run(["zstd", "-q", "-t", str(dump)], check=True)
        other = self.files / "core.by-zstd"
        subprocess.run(["zstd", "-q", "-d", str(dump), "-o", str(other)], check=True)
        self.assertTrue(self.core_path.read_bytes() == other.read_bytes(), "mortem core and zstd -d differ")
        other.unlink()

    def check_reason(self, dump):
        reason = self.facts("info", dump)["reason"]
        self.assertEqual(reason["kind"], GUEST.kind)
        if GUEST.kind == "signal":
            self.assertEqual((reason["signal"], reason["signal_code"]), (GUEST.signal, GUEST.code))
        if GUEST.kind == "exit":
            self.assertEqual(reason["exit_status"], GUEST.exit_status)
        address = reason.get("fault_address")
        if GUEST.address is not None:
            self.assertEqual(hex(number(address)), hex(self.value(GUEST.address)))
        elif GUEST.kind in ("signal", "exit"):
            self.assertIsNone(address, "a fault address where there is none")
        report = self.mortem("report", dump).stdout
        self.assertEqual(self.facts("report", dump)["reason"], report.splitlines()[0])
        self.assertTrue(report.strip())

    def check_backtrace(self, dump):
        stacks = self.facts("bt", dump)["threads"]
        crashed = [stack for stack in stacks if stack["crashed"]]
        self.assertEqual(len(crashed), 1, "the crashed thread")
        stack = crashed[0]
        frames = stack["frames"]
        user_frames = frames
        if isinstance(self.guest.top[0], expected.Kernel):
            in_kernel = [frame for frame in frames if frame["module"] == "mortem-kernel.elf"]
            self.assertGreater(len(in_kernel), 0, frames)
            self.assertEqual(frames[:len(in_kernel)], in_kernel, "the kernel's frames come first")
            for frame in in_kernel:
                self.assertTrue(frame["function"], f"a frame of the kernel without a name: {frame}")
            user_frames = frames[len(in_kernel):]
            self.guest.top = self.guest.top[1:]
        end = self.check_stack(keys(user_frames), "mortem bt")
        self.check_modules(user_frames)
        inlined = [frame["function"] for frame in user_frames[:end] if frame["inlined"]]
        self.assertEqual([name for name in inlined if name in self.lines], ["step_inlined"])
        self.assertEqual(frames[0]["trust"], "registers")
        for frame in frames[1:]:
            allowed = ("cfi", "registers") if frame["inlined"] or frame is frames[1] else ("cfi",)
            # A call to nowhere leaves no frame there: the return address is found without unwinding rules.
            if isinstance(self.guest.top[0], expected.Unknown) and frame is frames[1]:
                allowed += ("scan",)
            if frame["module"].startswith("/usr/lib/"):
                allowed += ("tail call",)  # where the library's debug file tells of it
            self.assertIn(frame["trust"], allowed, frame)
        return stack

    def check_modules(self, frames):
        """Each frame is in the module that its function belongs to, in the order of the expectations."""
        modules = [pathlib.PurePath(frame["module"] or "").name for frame in frames]
        order = [module for at, module in enumerate(modules) if at == 0 or modules[at - 1] != module]
        wanted = [item.library if isinstance(item, expected.Shared) else NAME for item in self.guest.top
                  if isinstance(item, (expected.Shared, expected.Frame))]
        if any(isinstance(item, expected.Shared) for item in self.guest.top):
            wanted = [one for at, one in enumerate(wanted) if at == 0 or wanted[at - 1] != one]
            self.assertTrue(all(map(str.startswith, order, wanted)), (modules, wanted))  # its file's full version may follow

    def check_segments(self):
        """Nothing is claimed that is not there; reservations cost nothing."""
        for kind, _, offset, address, _, file_size, memory_size in self.core.segments:
            if kind == PT_LOAD:
                self.assertEqual(file_size, memory_size, f"a segment at {address:#x} claims bytes it does not hold")
                self.assertLessEqual(offset + file_size, len(self.core.data))
        if NAME == "guard_page":
            self.assertEqual(self.core.read(self.value("plant_address") - 1, 1), b"x")
            self.assertIsNone(self.core.read(self.value("plant_address"), 1), "the guard page is in the core")
            self.assertIsNone(self.core.read(self.value("reservation"), 1), "the reservation is in the core")

    def check_app_registers(self, console):
        """The kernel died: the program's registers, as they were at its system call, stand in the console's report."""
        block = console.split("app registers:", 1)[1].split("app stack", 1)[0]
        found = {name: int(value, 16) for name, value in re.findall(r"(\w+) +([0-9a-f]{16})", block)}
        for name, planted in expected.PLANTED.items():
            if name not in ("rax", "rdi", "rsi", "rdx", "rcx", "r11"):  # the system call's own
                self.assertEqual(hex(found[name]), hex(planted), f"{name} of the program")
        self.assertEqual((found["rcx"], found["rdi"]), (found["rip"], 3))
        self.assertEqual(found["rip"], self.value("plant_instruction") + 2)

    def check_patterns(self):
        places = [self.address_of("pattern_data"), self.value("pattern_heap"), self.value("pattern_mapped")]
        for place in places:
            wanted = b"".join(((place + 8 * i) * expected.VECTOR_FACTOR & expected.MASK).to_bytes(8, "little")
                              for i in range(64 * 1024))
            self.assertTrue(self.core.read(place, len(wanted)) == wanted, f"the pattern at {place:#x}")


if __name__ == "__main__":
    unittest.main()
