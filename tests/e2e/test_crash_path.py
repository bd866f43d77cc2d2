"""The crash path when something goes wrong inside of it: each stage traps, the disk is full, read-only, broken or too
slow. The guest says what it could not do and ends, always; what it wrote is never more than it says."""
import mmap
import os
import subprocess
import time
import unittest
import zlib

from elf_core import Core
from expectations import PLANTED
from mortem_test import GUESTS, KERNEL, MortemTest

BLOCK = 4096
STATES = ("empty", "writing", "partial", "complete")
LEVELS = ("none", "text", "registers", "app", "full")


class CrashPath(MortemTest):
    def setUp(self):
        super().setUp()
        self.image = self.files / "image.raw"
        self.mortem("image", "create", GUESTS / "null_read", "-o", self.image)

    def written(self):
        """{offset: bytes} of the image's blocks that are not all zeros; holes, almost all of it, are not read."""
        found, at = {}, 0
        with open(self.image, "rb") as file:
            while at < self.image.stat().st_size:
                try:
                    at = os.lseek(file.fileno(), at, os.SEEK_DATA)
                except OSError:  # ENXIO: no more
                    break
                hole = os.lseek(file.fileno(), at, os.SEEK_HOLE)
                for at in range(at, hole, BLOCK):
                    if any(block := os.pread(file.fileno(), BLOCK, at)):
                        found[at] = block
                at = hole
        return found

    def slots(self):
        """(state, level, dump bytes, text record) of each slot, its checksums checked."""
        base = next(start + at for start, block in self.written().items() for at in range(0, BLOCK, 512)
                    if block[at:at + 8] == b"MORTDUMP")
        with open(self.image, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return self.slots_of(data, base)

    def slots_of(self, data, base):
        count = int.from_bytes(data[base + 12:base + 16], "little")
        size = int.from_bytes(data[base + 16:base + 24], "little")
        found = []
        for index in range(count):
            at = base + BLOCK + index * size
            header = data[at:at + 88]
            if header[:8] != b"MORTSLOT":
                found.append(("empty", "none", b"", ""))
                continue
            self.assertEqual(zlib.crc32(header[:84]), int.from_bytes(header[84:88], "little"))
            state, stored = int.from_bytes(header[12:16], "little"), int.from_bytes(header[24:32], "little")
            level, checksum, text_length = (int.from_bytes(header[i:i + 4], "little") for i in (64, 72, 76))
            dump = data[at + 2 * BLOCK:at + 2 * BLOCK + stored]
            self.assertEqual(zlib.crc32(dump), checksum)
            text = data[at + BLOCK:at + BLOCK + text_length].decode()
            found.append((STATES[state], LEVELS[level], dump, text))
        return found

    def crash_with(self, command_line="", drive="", image=None):
        """Console text of a crash; the guest must end by itself in good time."""
        command = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "1,maxcpus=2",
                   "-m", "256M", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial",
                   "stdio", "-kernel", str(KERNEL), "-append", "on-crash=stop " + command_line]
        command += ["-drive", f"file={image or self.image},format=raw,if=none,id=disk{drive}",
                    "-device", "virtio-blk-pci,drive=disk,disable-legacy=on"]
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, timeout=150, stdin=subprocess.DEVNULL)
        self.seconds = time.monotonic() - start
        console = done.stdout.decode(errors="replace")
        self.assertEqual(done.returncode, 0, console + done.stderr.decode())
        for line in console.splitlines():
            self.assertLessEqual(len(line), 200, line)
        return console

    def check_dump(self, dump):
        """The dump is a core with the signal, the registers and the stack of the crash, whatever else it lacks."""
        path = self.files / "pulled.zst"
        path.write_bytes(dump)
        plain = self.files / "pulled.core"
        subprocess.run(["zstd", "-q", "-f", "-d", str(path), "-o", str(plain)], check=True)
        core = Core(plain)
        self.assertEqual(core.signal_information(), (11, 1, 0))
        for name in ("r12", "r13", "r14", "r15", "rbx", "rbp"):
            self.assertEqual(core.registers()[name], PLANTED[name])
        self.assertIsNotNone(core.read(core.registers()["rsp"], 64))
        return core

    def trap_in(self, stages):
        console = self.crash_with(f"provoke-crash=on crash-path-trap={stages}")
        for stage in stages.split(","):
            self.assertIn(f"crash path: trapped in stage {stage}:", console)
        self.assertIn("SIGSEGV", console)
        return console, self.slots()[0]

    def test_nothing_wrong(self):
        console = self.crash_with()
        state, level, dump, text = self.slots()[0]
        self.assertEqual((state, level), ("complete", "full"))
        self.assertIn(f"dump: slot 0, {len(dump)} bytes (full)\n", console.replace("\r", ""))
        self.assertIn(text.rstrip("\n"), console.replace("\r", ""))
        self.check_dump(dump)

    def test_trap_in_the_report(self):
        _, (state, level, dump, text) = self.trap_in("report")
        self.assertEqual((state, level), ("complete", "full"))
        self.assertIn("SIGSEGV", text.splitlines()[0])
        self.check_dump(dump)

    def test_trap_in_the_capture(self):
        _, (state, level, dump, _) = self.trap_in("capture,device-reset")
        self.assertEqual((state, level), ("complete", "full"))
        self.check_dump(dump)

    def test_trap_in_the_full_dump(self):
        console, (state, level, dump, _) = self.trap_in("full-dump")
        self.assertEqual((state, level), ("partial", "app"))
        self.assertIn("(app only)", console)
        self.check_dump(dump)

    def test_trap_in_both_dumps_with_memory(self):
        console, (state, level, dump, _) = self.trap_in("full-dump,app-only-dump")
        self.assertEqual((state, level), ("partial", "registers"))
        self.assertIn("(registers, stacks and log)", console)
        self.check_dump(dump)

    def test_trap_in_all_dumps(self):
        _, (state, level, dump, text) = self.trap_in("full-dump,app-only-dump,registers-dump,result-line,host-message")
        self.assertEqual((state, level, dump), ("partial", "text", b""))
        self.assertIn("SIGSEGV", text)

    def test_trap_everywhere(self):
        _, (state, _, _, _) = self.trap_in("capture,device-reset,report,disk,result-line,host-message,reboot")
        self.assertEqual(state, "empty")

    def test_full_slots(self):
        for _ in self.slots():
            self.crash_with()
        before = self.slots()
        self.assertEqual([slot[0] for slot in before], ["complete"] * len(before))
        console = self.crash_with()
        # The same crash once more: the first dump stays, the newest takes the place of the one before it.
        self.assertEqual(console.count(f"crash {len(before) + 1} of its kind"), 1)
        after = self.slots()
        self.assertEqual(after[:-1], before[:-1])
        self.assertEqual(after[-1][0], "complete")

    def test_read_only_disk(self):
        before = self.written()
        self.assertIn("dump: none: the disk is read-only", self.crash_with(drive=",readonly=on"))
        self.assertTrue(self.written() == before)

    def test_disk_that_answers_errors(self):
        rules = self.files / "errors"
        rules.write_text('[inject-error]\nevent = "pwritev"\nerrno = "5"\nonce = "off"\n')
        console = self.crash_with(drive=",werror=report", image=f"blkdebug:{rules}:{self.image}")
        self.assertIn("dump: none: the disk answers with an error", console)

    def test_disk_that_does_not_answer(self):
        console = self.crash_with(drive=",throttling.bps-write=256")
        self.assertIn("dump: none: the disk does not answer", console)
        # The path's own limit is 47 s with this memory; QEMU adds what it takes to finish throttled writes in a reset.
        self.assertLess(self.seconds, 120)


if __name__ == "__main__":
    unittest.main()
