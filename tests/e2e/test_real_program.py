"""GNU bash, unchanged, dies of a shell function that calls itself without end."""
import unittest

import debuggers
from mortem_test import BASH, MortemTest
from json_frames import keys


class RealProgram(MortemTest):
    def test_bash_recursion(self):
        _, dump = self.crash(BASH, status=139, arguments=["-c", "f() { f; }; f"], deadline=300)
        core = self.files / "core"
        self.mortem("core", dump, "-o", core)
        facts = self.facts("bt", dump)
        (stack,) = [stack for stack in facts["threads"] if stack["crashed"]]
        ours = keys(stack["frames"])
        self.assertGreater(len(ours), 10000)
        self.assertEqual([frame["function"] for frame in stack["frames"] if frame["function"] == "main"], ["main"])
        self.assertTrue(stack["recursions"], "the recursion is shown as one")
        recursion = max(stack["recursions"], key=lambda one: one["period"] * one["count"])
        self.assertGreater(recursion["count"], 500)
        self.assertGreater(recursion["period"] * recursion["count"], 0.9 * len(ours))
        first = debuggers.stack_by_gdb(BASH, core, 200)
        self.assertEqual(first, ours[:200])
        last = debuggers.stack_by_gdb(BASH, core, -50)
        self.assertEqual(last, ours[-50:])
        text = debuggers.gdb(BASH, core, "bt -1")
        number = [line for line in text.splitlines() if line.startswith("#")][-1].split()[0]
        self.assertEqual(int(number[1:]) + 1, len(ours), "gdb counts as many frames")
        folded = self.mortem("bt", dump).stdout
        self.assertLess(len(folded.splitlines()), 200, "ten thousand frames are folded")
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
