"""Many short visits of gdb: nothing leaks, no thread is lost. usage: test_gdb_soak.py [CYCLES], 1,000 if not given."""
import re
import subprocess
import sys
import unittest

from mortem_test import GUESTS, MortemTest, wait_until

CYCLES = 1000

# Runs in gdb: attach, break, continue, detach.
SCRIPT = """
import gdb
for cycle in range({cycles}):
    gdb.execute("target remote {socket}", to_string=True)
    threads = gdb.selected_inferior().threads()
    gdb.Breakpoint("round_place", temporary=True)
    gdb.execute("continue", to_string=True)
    where = gdb.selected_frame().name()
    print("cycle", cycle, len(threads), where, flush=True)
    if cycle in (20, {cycles} - 1):
        gdb.execute("remote get /proc/meminfo {files}/meminfo.%d" % (cycle == 20), to_string=True)
    gdb.execute("detach", to_string=True)
"""


class Soak(MortemTest):
    def test_cycles(self):
        self.mortem("run", GUESTS / "debuggee", "--name", "d", "--detach")
        self.addCleanup(self.mortem, "stop", "d", status=None)
        wait_until(lambda: "ready" in self.mortem("logs", "d").stdout, "the guest's start")
        script = self.files / "cycles.py"
        script.write_text(SCRIPT.format(cycles=CYCLES, socket=self.place / "run" / "mortem" / "d" / "gdb",
                                        files=self.files))
        done = subprocess.run(["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", str(GUESTS / "debuggee"),
                               "-x", script], capture_output=True, text=True, timeout=3 * CYCLES + 60)
        lines = re.findall(r"^cycle (\d+) (\d+) (\w+)$", done.stdout, re.M)
        self.assertEqual(len(lines), CYCLES, done.stdout[-2000:] + done.stderr[-2000:])
        self.assertEqual({(count, where) for _, count, where in lines}, {("5", "round_place")})
        last, early = (int(re.search(r"MemFree: +(\d+) kB", (self.files / f"meminfo.{when}").read_text())[1])
                       for when in (0, 1))
        self.assertLess(early - last, 64, "kB that are gone")
        text = self.mortem("gdb", "d", "--", "-nx", "-batch", "-ex", "p rounds", "-ex", "set var keep_going = 0").stdout
        self.assertGreater(min(int(value) for value in re.search(r"\{(.*)\}", text)[1].split(",")), CYCLES // 4)
        wait_until(lambda: not self.qemu_processes(), "the end of the program", 60)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        CYCLES = int(sys.argv.pop(1))
    unittest.main()
