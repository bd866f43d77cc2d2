"""Views of the inspector over real targets, by scripts without a window: what was open and connected in a dump, and a
live guest that is stopped, stepped, changed and let go."""
import re
import struct
import subprocess
import textwrap
import unittest

from elf_core import Core
from mortem_test import GUESTS, KERNEL, MortemTest, marked_lines, wait_until


class InspectorViews(MortemTest):
    def setUp(self):
        super().setUp()
        self.environment["XDG_CONFIG_HOME"] = str(self.place / "config")

    @staticmethod
    def behind_the_call(function):
        """How far into a function of the debuggee the two instructions behind its first call stand."""
        text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}", GUESTS / "debuggee"],
                              capture_output=True, text=True, check=True).stdout
        begin = int(re.search(rf"^([0-9a-f]+) <{function}>:", text, re.M)[1], 16)
        places = re.findall(r"^ *([0-9a-f]+):\t(\S+)", text, re.M)
        call = next(index for index, (_, what) in enumerate(places) if what.startswith("call"))
        return [int(place, 16) - begin for place, _ in places[call + 1:call + 3]]

    def run_script(self, target, script):
        path = self.files / "steps.script"
        path.write_text(textwrap.dedent(script))
        return self.mortem("open", target, "--null", path)

    def test_what_was_open(self):
        _, dump = self.crash(GUESTS / "open_files", status=134)
        self.run_script(dump, """
            wait "SIGABRT"
            command view.network
            command tile.maximise
            wait "LISTEN" in network
            check "CLOSE-WAIT" in network
            check "@mortem-open-files-1" in network
            click "Filter by protocol" in network
            type "accepted"
            wait "not accepted yet" in network
            check-not "LISTEN" in network
            command view.files
            wait "socket:[" in files
            click "Filter by number" in files
            type "eventfd"
            wait "anon_inode" in files
            check-not "socket:[" in files
            command view.symbols
            wait "mortem-kernel.elf" in symbols
            click "A part of a function" in symbols
            type "needle_that_is_nowhere"
            wait "No symbol fits" in symbols
            click "Types" in symbols
            click "The whole name of a type" in symbols
            type "sockaddr_in"
            key Enter
            wait "sin_port" in symbols
            command search.text "mortem-open-files-1"
            wait " found in " in search
            check-not "0 found" in search
            command search.pointers main
            wait " found in " in search
            check-fact jobs-failed 0
            """)

    def test_a_live_guest(self):
        self.mortem("run", GUESTS / "debuggee", "--name", "d", "--detach")
        self.addCleanup(self.mortem, "stop", "d", status=None)
        wait_until(lambda: "ready" in self.mortem("logs", "d").stdout, "the guest")
        marks = marked_lines("debuggee.c")
        returned, behind = self.behind_the_call("step_place")
        self.run_script("d", f"""
            wait "worker 0"
            key Alt+8
            key Ctrl+F
            type "rax"
            settle
            check "orig_rax" in registers
            check-not "rbx" in registers
            key Ctrl+A
            key Delete
            check-fact preset live
            check-command run.continue available
            check-command target.resume unavailable
            command view.breakpoints
            command breakpoint.add "step_place if value > 3"
            wait "step_place" in breakpoints
            command run.continue
            wait "Stopped: breakpoint 1: step_place" in breakpoints for 60
            check-fact phase stopped
            wait "step_place" in stack
            command memory.mark "&stepped, 8"
            wait "Nothing is different now" in marks
            command view.memory
            command go.address &stepped
            wait "stepped" in memory
            settle
            command view.breakpoints
            command run.over
            wait "Stopped: stepped" in breakpoints for 60
            check-tint changed "0x" in registers
            command run.continue
            wait "Stopped: breakpoint 1: step_place" in breakpoints for 60
            command run.into
            wait "0 add debuggee.c" in stack
            command run.out
            wait "0 step_place debuggee.c" in stack
            command view.registers
            key Ctrl+F
            type "rip"
            wait "step_place+{returned}" in registers
            command run.instruction
            wait "step_place+{behind}" in registers
            key Ctrl+F
            key Ctrl+A
            key Delete
            command watch.add "untouched"
            wait "77" in watch
            settle
            double-click "77" in watch
            key Ctrl+A
            type "900 + 99"
            key Enter
            wait "999" in watch
            wait-not "77" in watch
            command value.set "untouched = 1000"
            wait "1000" in watch
            command watch.add "bits.low"
            command watch.add "bits.middle"
            command watch.add "bits.high"
            wait "300" in watch
            command value.set "bits.middle = 6"
            wait-not "-3" in watch
            command value.set "bits.high = 411"
            wait "411" in watch
            check "6" in watch
            check "5" in watch
            command value.set "$rax = 0x7654321"
            command view.registers
            key Ctrl+F
            type "rax"
            wait "0x7654321" in registers
            settle
            right-click "0x7654321" in registers
            click "Set the value"
            key Ctrl+A
            type "$rax + 1"
            key Enter
            wait "0x7654322" in registers
            key Ctrl+F
            key Ctrl+A
            key Delete
            command view.breakpoints
            command run.call "add(20, 22)"
            settle
            click "Remove" in breakpoints
            wait "No breakpoints" in breakpoints
            command breakpoint.watch "stepped"
            wait "writes to stepped" in breakpoints
            command run.continue
            wait "watchpoint 2: stepped" in breakpoints for 60
            command view.marks
            wait "bytes differ in" in marks
            command view.memory
            check-tint changed "*" in memory
            command view.breakpoints
            click "Remove" in breakpoints
            wait "No breakpoints" in breakpoints
            command run.continue
            check-command run.interrupt available
            command run.interrupt
            wait "Stopped: interrupted" in breakpoints for 60
            check-fact jobs-failed 0
            command value.set "bits.high = 512"
            wait "512 does not fit into 9 bits" for 60
            command value.set "bits.middle = -9"
            wait "-9 does not fit into 4 bits" for 60
            command value.set "$xmm0 = 1"
            wait "only general registers can be set" for 60
            command breakpoint.watch "bits.low"
            wait "bits.low: is a bit-field" for 60
            command view.watch
            settle
            check "411" in watch
            """)
        self.assertIn("debuggee", self.mortem("ps").stdout)
        # It goes on when the inspector leaves.
        self.assertEqual({thread["name"] for thread in self.facts("threads", "d")["threads"]},
                         {"debuggee", "reader", "worker 0", "worker 1", "worker 2"})
        self.assertIn(marks["main_waits"],
                      [frame["line"] for thread in self.facts("bt", "d")["threads"] for frame in thread["frames"]])

    def test_a_copy_a_copy_that_goes_on_and_a_dump(self):
        self.mortem("run", GUESTS / "debuggee", "--name", "d", "--detach", "--dump", self.files / "d.core.zst",
                    "--on-crash", "stop")
        self.addCleanup(self.mortem, "stop", "d", status=None)
        self.addCleanup(self.mortem, "stop", "d-clone", status=None)
        wait_until(lambda: "ready" in self.mortem("logs", "d").stdout, "the guest")
        folder = self.files / "d.clone"
        self.run_script("d", f"""
            wait "worker 0"
            command target.clone {folder}
            wait "a copy of 256.0 MiB" in jobs for 60
            check-fact phase stopped
            check-fact jobs-failed 0
            command target.clone {folder}
            wait "exists already" in jobs for 60
            open {folder}
            wait "worker 0"
            check-fact preset crash
            check-command target.clone unavailable
            check-command target.dump unavailable
            command target.resume
            wait "d-clone" for 60
            wait "worker 0" in threads
            check-fact target d-clone
            check-fact phase stopped
            check-fact preset live
            check-command target.dump unavailable
            command watch.add untouched
            double-click "77" in watch
            key Ctrl+A
            type "78"
            key Enter
            wait "78" in watch
            """)
        self.assertEqual({guest["name"] for guest in self.facts("ps")["instances"]}, {"d", "d-clone"})
        self.run_script("d", """
            wait "worker 0"
            command target.dump no
            settle
            check-fact phase stopped
            command target.dump yes
            wait "Resume" for 60
            wait "worker 0" in threads
            check-fact preset crash
            check-command target.resume available
            check-fact jobs-failed 0
            """)
        self.assertEqual({thread["name"] for thread in self.facts("threads", "d.core.zst")["threads"]},
                         {"debuggee", "reader", "worker 0", "worker 1", "worker 2"})

    def test_a_crash_that_goes_on(self):
        _, dump = self.crash(GUESTS / "null_read", status=139)
        self.mortem("core", dump, "-o", "plain.core")
        self.run_script(self.files / "plain.core", """
            wait "null_read.c" in stack
            check-command target.resume available
            """)
        self.addCleanup(self.mortem, "stop", "null_read-resumed", status=None)
        self.run_script(dump, """
            wait "Resume"
            wait "null_read.c" in stack
            command target.resume
            wait "null_read-resumed" for 60
            wait "Continue" for 60
            wait "null_read.c" in stack
            check-fact target null_read-resumed
            check-fact phase stopped
            check-fact preset live
            check-fact jobs-failed 0
            """)

    def test_what_is_missing_is_said(self):
        """Without symbols; with half of its memory gone; cut short by the guest itself: what there is, is shown."""
        stripped = self.files / "stripped"
        subprocess.run(["objcopy", "--strip-all", GUESTS / "null_read", stripped], check=True)
        _, dump = self.crash(stripped, status=139)
        self.run_script(dump, """
            wait "SIGSEGV" in summary
            check "no debug information" in summary
            wait "stripped+0x" in stack
            command view.source
            wait "No source is known" in source
            command view.variables
            settle
            command view.disassembly
            wait "mov" in disassembly
            check-fact jobs-failed 0
            """)
        core = self.files / "half.core"
        self.mortem("core", dump, "-o", core)
        registers = Core(core).registers()
        data = bytearray(core.read_bytes())
        offset, = struct.unpack_from("<Q", data, 32)
        size, count = struct.unpack_from("<HH", data, 54)
        lost = []
        for index in range(count):
            kind, flags, _, address, _, file_size = struct.unpack_from("<IIQQQQ", data, offset + index * size)
            needed = any(address <= registers[name] < address + file_size for name in ("rsp", "rip"))
            if kind == 1 and not needed and file_size and index % 2:
                struct.pack_into("<Q", data, offset + index * size + 32, 0)
                lost.append((address, flags & 2))
        self.assertGreater(len(lost), 2)
        unknown = next(address for address, writable in lost if writable)
        from_file = next(address for address, writable in lost if not writable and address < 0x500000)
        core.write_bytes(data)
        self.run_script(core, f"""
            wait "SIGSEGV" in summary
            wait "stripped+0x" in stack
            command go.address {unknown:#x}
            wait "mapped, but not in this dump" in memory
            command go.address {from_file:#x}
            wait "read from its file" in memory
            command go.address $rsp
            wait-not "mapped, but not in this dump" in memory
            command view.map
            wait "not held" in map
            check-fact jobs-failed 0
            """)
        image = self.files / "image.raw"
        self.mortem("image", "create", GUESTS / "null_read", "-o", image)
        for stages in ("full-dump", "full-dump,app-only-dump"):  # the app only; registers and stacks only
            subprocess.run(["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "1,maxcpus=2",
                            "-m", "256M", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial",
                            "stdio", "-kernel", KERNEL, "-append", f"on-crash=stop provoke-crash=on crash-path-trap={stages}", "-drive",
                            f"file={image},format=raw,if=none,id=disk", "-device",
                            "virtio-blk-pci,drive=disk,disable-legacy=on"],
                           check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=150)
            self.run_script(image, """
                wait "SIGSEGV" in summary
                check "partial: a part of the memory" in summary
                wait "null_read.c" in stack
                command go.address $rsp
                wait-not "not in this dump" in memory
                """)

    def test_dumps_in_an_image(self):
        image = self.files / "image.raw"
        self.mortem("image", "create", GUESTS / "null_read", "-o", image)
        for number in (1, 2):
            self.mortem("run", image, "--on-crash", "stop", "--keep-in-slot", "--", f"run{number}", status=139)
        exported = self.files / "export.qcow2"
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", image, exported], check=True)
        for target in (image, exported):
            pulled = self.files / f"{target.name}.dump"
            self.run_script(target, f"""
                wait "SIGSEGV" in summary
                check "run2" in summary
                check-command image.pull available
                command image.dump
                wait "slot 0"
                wait "slot 1"
                click "slot 0"
                wait "run1" in summary
                command image.pull {pulled}
                command view.jobs
                wait "bytes are in" in jobs for 60
                command image.pull {pulled}
                wait "failed" in jobs for 60
                command image.dump 7
                wait "slot 7"
                check-fact phase failed
                """)
            self.assertEqual(self.facts("info", pulled)["command_line"].split()[-1], "run1")


if __name__ == "__main__":
    unittest.main()
