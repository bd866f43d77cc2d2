"""GNU bash, unchanged, dies of a shell function that calls itself without end."""
import unittest

import debuggers
from mortem_test import BASH, MortemTest
from json_frames import keys


class RealProgram(MortemTest):
    def test_bash_recursion(self):
        _, dump = self.crash(BASH, status=139, arguments=["-c", "f() { { { { { f; }; }; }; }; }; f"], deadline=300)
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
        # eu-stack shows what is on the stack, as we do; gdb adds frames that a tail call has taken away, inferred from
        # call sites, so our functions are among its own, in the same order. Lines are eu-stack's matter: gdb takes only
        # rows that are marked as statements, and differs by one in a condition that goes over two lines.
        exact = debuggers.stack_by_eu_stack(BASH, core, 200)
        self.assertEqual(exact[:200], ours[:len(exact[:200])])
        for limit, part in ((400, ours[:200]), (-100, ours[-50:])):
            frames = iter([frame[0] for frame in debuggers.stack_by_gdb(BASH, core, limit)])
            for at, frame in enumerate(part):
                self.assertIn(frame[0], frames, f"gdb's bt {limit} has not our frame {at}, after {part[:at][-3:]}")
        folded = self.mortem("bt", dump).stdout
        self.assertLess(len(folded.splitlines()), 200, "ten thousand frames are folded")
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
