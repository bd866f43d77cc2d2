"""The inspector on targets as big as real ones get: no frame keeps the user interface for more than 100 ms, whatever
is being read meanwhile."""
import textwrap
import unittest

import big_targets
from mortem_test import MortemTest

MOST_MS = 100


class InspectorBig(MortemTest):
    def inspect(self, target, script):
        path = self.files / "steps.script"
        path.write_text(textwrap.dedent(script))
        return self.mortem("open", target, "--null", path, "--no-settings", deadline=900)

    def test_a_hundred_threads_and_4_gib(self):
        program = big_targets.filler(self.files)
        dump = self.files / "big.dump"
        done = self.mortem("run", program, "--memory", "4G", "--on-crash", "stop", "--dump", dump, "--", "3584",
                           status=139, deadline=900)
        memory = int(next(line for line in done.stdout.splitlines() if line.startswith("0x")), 16)
        last = memory + (3584 << 20) - 4096
        self.inspect(dump, f"""
            wait "SIGSEGV" in summary for 300
            check-fact threads 101
            wait "waiter 0" in threads
            click "Filter by name" in threads
            type "waiter 99"
            wait-not "waiter 98" in threads
            click "waiter 99" in threads nth 2
            wait "wait_for_ever" in stack for 120
            command go.address {last:#x}
            wait "{last:016x}" in memory
            settle
            wait "{last.to_bytes(8, "little").hex(" ", -1)[:11]}" in memory
            command view.map
            wait "anonymous" in map
            click "Merged tree" in threads
            settle
            command search.pointers {last:#x}
            wait " found in " in search for 600
            check "1 found" in search
            check-frames {MOST_MS}
            """)

    def test_ceph(self):
        self.assertTrue(big_targets.has_ceph(), "ceph-osd or gcore is not there; run tools/setup bench")
        core, _ = big_targets.ceph_core(self.files)
        self.inspect(core, f"""
            wait "OSD::" in stack for 300
            command view.symbols
            click "A part of a function" in symbols
            type "OSD::init"
            settle
            wait "OSD::init" in symbols for 300
            command view.disassembly
            settle
            command view.variables
            settle
            click "Merged tree" in threads
            settle
            command file.open {core}
            wait "OSD::" in stack for 300
            check-frames {MOST_MS}
            """)


if __name__ == "__main__":
    unittest.main()
