"""GNU bash, unchanged, dies of a shell function that calls itself without end."""
import pathlib
import sys
import unittest

import debuggers
from mortem_test import BASH, MortemTest
from json_frames import keys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "unit"))
import lldb_limits  # noqa: E402


class RealProgram(MortemTest):
    def check_gdb(self, core, frames):
        """The innermost and the outermost frames, tail calls too: the same functions, and the same lines wherever the
        line table's row for the place begins a statement. gdb takes no other rows (gdb/symtab.c, find_pc_sect_line),
        so inside of a condition over two lines it gives the first; we and eu-stack give the line itself."""
        statements = debuggers.StatementStarts(BASH)
        for limit, part in ((400, frames[:400]), (-100, frames[-100:])):
            theirs, ours = debuggers.stack_by_gdb(BASH, core, limit), keys(part)
            self.assertEqual(len(theirs), len(ours))
            for at, (one, other, frame) in enumerate(zip(theirs, ours, part)):
                where = f"gdb's bt {limit}, frame {at}: {frame}"
                if one != other:
                    self.assertEqual(one[0], other[0], where)
                    self.assertFalse(statements.begins_statement(int(frame["pc"], 16) - 1), where)

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
        self.check_gdb(core, stack["frames"])
        # eu-stack shows what is on the stack: tail calls are not.
        exact = debuggers.stack_by_eu_stack(BASH, core, 200)
        self.assertEqual(exact[:200], keys([one for one in stack["frames"] if one["trust"] != "tail call"])[:200])
        # Without those that lldb would hide or, in a split function, misread (lldb_limits.py).
        seen = lldb_limits.visible([int(one["pc"], 16) for one in stack["frames"][:200]], BASH)
        if seen > 0 and not any(one["trust"] == "tail call" for one in stack["frames"][:seen]):
            self.assertEqual(debuggers.stack_by_lldb(BASH, core, f"-c {seen}"), ours[:seen])
        folded = self.mortem("bt", dump).stdout
        self.assertLess(len(folded.splitlines()), 200, "ten thousand frames are folded")
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
