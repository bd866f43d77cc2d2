"""Memory that stands at several addresses: in the debugger, and in a dump, where it is stored once."""
import re
import subprocess
import unittest

from elf_core import PT_LOAD, Core
from mortem_test import GUESTS, MORTEM, MortemTest, wait_until

PAGE = 4096
GDB = ["-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set width 0", "-iex", "set pagination off"]


def commands(*lines):
    return [word for line in lines for word in ("-ex", line)]


class Breakpoint(MortemTest):
    def test_stays_out_of_the_file(self):
        guest = self.start("run", GUESTS / "mapped_code", "--name", "m", "--wait")
        wait_until(lambda: [one["name"] for one in self.facts("ps")["instances"]] == ["m"], "the guest")
        script = commands("break mapped", "continue", "break *(char *)run", "continue", "p $rdi", "continue", "p $rdi",
                          "x/4xb run", "break check", "continue", "finish", "delete", "continue")
        done = subprocess.run([MORTEM, "gdb", "m", "--", *GDB, *script], capture_output=True, timeout=120,
                              env=self.environment, cwd=self.files, stdin=subprocess.DEVNULL)
        text = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
        self.assertIn("$1 = 41\n", text)
        self.assertIn("$2 = 42\n", text)
        self.assertIn("0x8d\t0x47\t0x01\t0xc3", text, "gdb itself sees no breakpoint")
        console = guest.communicate(timeout=60)[0].decode()
        self.assertEqual(re.findall(r"run: .*", console), [f"run: {n}, file: unchanged, other view: unchanged"
                                                           for n in (42, 43)], text + console)


class Dump(MortemTest):
    def test_stored_once_and_seen_everywhere(self):
        program = GUESTS / "shared_views"
        _, dump = self.crash(program, status=139)
        path = self.files / "core"
        self.mortem("core", dump, "-o", path)
        core = Core(path)
        symbols = {name: core.word(value[0]) for name, value in core_symbols(program).items()
                   if name in ("writable", "readable", "private", "untouched")}
        pattern = [b"".join((0x5EED000000000000 + page * 4096 + word).to_bytes(8, "little")
                            for word in range(PAGE // 8)) for page in range(64)]
        whole = path.read_bytes()
        self.assertEqual([whole.count(page) for page in pattern], [1] * 64, "each page is stored once")
        for view in ("writable", "readable", "private"):
            for page in range(64):
                found = core.read(symbols[view] + page * PAGE, PAGE)
                if view == "private" and page == 3:
                    self.assertTrue(found.startswith(b"a page of its own\0"))
                    self.assertEqual(found[24:], pattern[3][24:])
                else:
                    self.assertEqual(found, pattern[page], f"{view}, page {page}")
        # Pages that stand in the file alone, and holes, are seen through the mapping too.
        self.assertTrue(core.read(symbols["untouched"] + 2 * PAGE, PAGE).startswith(b"written by a call\0www"))
        self.assertEqual(core.read(symbols["untouched"], PAGE), bytes(PAGE))
        self.assertEqual(whole.count(b"written by a call\0www"), 1)
        # Two segments of the core lead to the same bytes of the file.
        offsets = [segment[2] for segment in core.segments if segment[0] == PT_LOAD]
        self.assertGreater(len(offsets), len(set(offsets)))
        text = subprocess.run(["gdb", *GDB, *commands("x/gx readable + 0x5000", "x/gx private + 0x6008",
                                                      "x/s private + 0x3000", "x/s untouched + 0x2000"),
                               program, path], capture_output=True, text=True, timeout=120).stdout
        self.assertIn("0x5eed000000005000", text)
        self.assertIn("0x5eed000000006001", text)
        self.assertIn('"a page of its own"', text)
        self.assertIn('"written by a call', text)
        # Our own reader: from the dump, and by the kernel's address of the page.
        self.mortem("info", dump)


def core_symbols(program):
    from elf_core import ElfFile
    return ElfFile(program).symbols()


if __name__ == "__main__":
    unittest.main()
