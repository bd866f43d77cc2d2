"""Twenty copies of one moment: each its own, and together hardly more memory than one."""
import pathlib
import re
import unittest

from mortem_test import GUESTS
from test_clone import CloneTest

COPIES, HELD = 20, 256  # MiB that the program holds
WORDS = HELD << 17
MIB = 1 << 20


def mapping(process, file):
    """What one process has of the file that it maps: name → bytes, as /proc/PID/smaps has it."""
    found, inside = {}, False
    for line in pathlib.Path(f"/proc/{process}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            inside = line.endswith(str(file))
            if inside:
                found.setdefault("shared", " rw-s " in line)
        elif inside and line.endswith(" kB"):
            name, number, _ = line.split()
            found[name[:-1]] = found.get(name[:-1], 0) + (int(number) << 10)
    return found


def private_bytes(process):
    """Of the whole process: what is gone with it alone."""
    text = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text()
    return sum(int(number) << 10 for number in re.findall(r"^Private_(?:Clean|Dirty): +(\d+) kB", text, re.M))


class Twenty(CloneTest):
    def ask(self, name, *commands):
        words = [word for command in commands for word in ("-ex", command)]
        return self.mortem("gdb", name, "--", "-nx", "-batch", *words, "-ex", "detach").stdout

    def test_twenty_copies(self):
        self.start_guest(GUESTS / "holds_memory", "holder", "--memory", "512M", arguments=[HELD], says="holding")
        self.facts("clone", "holder", "-o", "moment")
        self.mortem("stop", "holder")
        memory = self.files / "moment" / "memory"
        before = memory.stat()
        names = [f"copy-{number}" for number in range(1, COPIES + 1)]
        for name in names:
            self.addCleanup(self.mortem, "stop", name, status=None)
            self.facts("resume", "moment", "--name", name)
        # Each looks at all of the memory, and writes a word of its own.
        for number, name in enumerate(names, 1):
            said = self.ask(name, "print mark", "print sum_of_words()", f"set var mark = {number}",
                            f"set var words[{number}] = 0")
            self.assertRegex(said, rf"\$1 = 0\n\$2 = {WORDS * (WORDS - 1) // 2}\n")
        for number, name in enumerate(names, 1):
            said = self.ask(name, "print mark", "print sum_of_words()")
            self.assertRegex(said, rf"\$1 = {number}\n\$2 = {WORDS * (WORDS - 1) // 2 - number}\n")
        running = {one["name"]: one["pid"] for one in self.facts("ps")["instances"]}
        self.assertEqual(sorted(running), sorted(names))
        held, whole, private = [], [], []
        for name in names:
            one = mapping(running[name], memory)
            self.assertFalse(one["shared"], "a write would be seen by all")
            self.assertGreater(one["Rss"], HELD * MIB)  # it has it all before it
            held.append(one["Anonymous"])
            whole.append(one["Pss"])
            private.append(private_bytes(running[name]))
        print(f"of {HELD} MiB that the program holds: a copy's own {min(held) / MIB:.1f} to {max(held) / MIB:.1f} MiB; "
              f"its QEMU's private memory {min(private) / MIB:.0f} to {max(private) / MIB:.0f} MiB; the guest's memory of "
              f"all {COPIES} together {sum(whole) / MIB:.0f} MiB")
        self.assertLess(max(held), HELD * MIB // 16)
        self.assertLess(sum(whole), 3 * HELD * MIB)
        # Beside it only what a QEMU has for itself, whatever guest it runs.
        self.assertLess(max(private), HELD * MIB // 2)
        after = memory.stat()
        self.assertEqual((after.st_mtime_ns, after.st_blocks), (before.st_mtime_ns, before.st_blocks), "it was written to")
        for name in names:
            self.mortem("stop", name)
        self.assert_nothing_left()
        self.mortem("info", "moment", "--check")


if __name__ == "__main__":
    unittest.main()
