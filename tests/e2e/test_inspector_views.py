"""Views of the inspector over real targets, by scripts without a window: what was open and connected in a dump, and a
live guest that is stopped, stepped, changed and let go."""
import textwrap
import unittest

from mortem_test import GUESTS, MortemTest, marked_lines, wait_until


class InspectorViews(MortemTest):
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
        self.run_script("d", f"""
            wait "worker 0"
            check-command run.continue available
            command view.breakpoints
            command breakpoint.add "step_place if value > 3"
            wait "step_place" in breakpoints
            command run.continue
            wait "Stopped: breakpoint 1: step_place" in breakpoints for 60
            check-fact phase stopped
            command run.over
            wait "Stopped: stepped" in breakpoints for 60
            command value.set "untouched = 1000"
            command run.call "add(20, 22)"
            settle
            click "Remove" in breakpoints
            wait "No breakpoints" in breakpoints
            command breakpoint.watch "stepped"
            wait "writes to stepped" in breakpoints
            command run.continue
            wait "watchpoint 2: stepped" in breakpoints for 60
            click "Remove" in breakpoints
            wait "No breakpoints" in breakpoints
            command run.continue
            check-command run.interrupt available
            command run.interrupt
            wait "Stopped: interrupted" in breakpoints for 60
            check-fact jobs-failed 0
            """)
        self.assertIn("debuggee", self.mortem("ps").stdout)
        # It goes on when the inspector leaves.
        self.assertEqual({thread["name"] for thread in self.facts("threads", "d")["threads"]},
                         {"debuggee", "reader", "worker 0", "worker 1", "worker 2"})
        self.assertIn(marks["main_waits"],
                      [frame["line"] for thread in self.facts("bt", "d")["threads"] for frame in thread["frames"]])


if __name__ == "__main__":
    unittest.main()
