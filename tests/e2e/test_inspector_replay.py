"""The inspector in a recording: from the crash back to its cause, by the keys that go backwards, and to moments by their
names."""
import textwrap
import unittest

from mortem_test import GUESTS, MortemTest, marked_lines

PROGRAM = GUESTS / "overwritten_pointer"
LONG_WAY = GUESTS / "long_way"


class InspectorReplay(MortemTest):
    def setUp(self):
        super().setUp()
        self.environment["XDG_CONFIG_HOME"] = str(self.place / "config")

    def replay(self, program, *arguments):
        recording = self.files / "crash.rec"
        self.mortem("run", program, "--record", recording, "--dump", self.files / "dump.zst", "--", *arguments,
                    status=139)
        name = self.facts("replay", recording)["name"]
        self.addCleanup(self.mortem, "stop", name, status=None)
        return name

    def run_script(self, target, script):
        path = self.files / "a.script"
        path.write_text(textwrap.dedent(script))
        self.mortem("open", target, "--null", path, deadline=120)

    def test_from_the_crash_to_its_cause(self):
        marks = marked_lines("overwritten_pointer.c")
        line = {name: f"overwritten_pointer.c:{number}" for name, number in marks.items()}
        name = self.replay(PROGRAM)
        self.run_script(name, f"""\
            wait "main {line['second_puts']}" in stack
            check-fact preset replay
            check "crashed" in threads
            command time.go begin
            wait "stopped: at "
            settle
            check-not "crashed" in threads
            command time.go crash
            wait "main {line['second_puts']}" in stack
            settle
            check "crashed" in threads
            check-command target.clone unavailable
            check-command target.dump unavailable
            command breakpoint.watch record.greeting
            key Ctrl+Shift+F5
            wait "stopped: watchpoint 1"
            settle
            check "set_name {line['copies']}" in stack
            check "main {line['sets']}" in stack
            command time.mark overwritten
            # To the call of strcpy, to the beginning of its line, to the call of set_name.
            key Ctrl+F11
            wait "0 set_name {line['copies']}" in stack
            wait "strcpy(record.name, name)" in source
            wait "set_name overwritten_pointer" in disassembly
            key Ctrl+Shift+F10
            wait "stopped: stepped"
            settle
            check "0 set_name {line['copies']}" in stack
            key Ctrl+Shift+F11
            wait "0 main {line['sets']}" in stack
            # What was called in the line before is one step, or gone into.
            key Ctrl+Shift+F10
            wait "0 main {line['first_puts']}" in stack
            command run.over
            wait "0 main {line['sets']}" in stack
            # The watchpoint is met on the way forwards, too, and computing has been gone through by then.
            command run.over
            wait "stopped: watchpoint 1"
            command time.go end
            wait "stopped: at "
            settle
            command back.instruction
            wait "stopped: stepped"
            check "main {line['second_puts']}" in stack
            command time.go overwritten
            wait "set_name {line['copies']}" in stack
            command back.instruction
            wait "stopped: stepped"
            command time.go nowhere
            wait "nowhere"
            settle
            # Nothing can be changed.
            command watch.add record.greeting
            command run.call "set_name(0)"
            command view.jobs
            wait "what was recorded cannot be changed" in jobs
            command view.breakpoints
            click "Remove" in breakpoints
            command back.continue
            wait "the recording begins here" for 60
            command run.continue
            wait "stopped: SIGSEGV" for 60
            command run.continue
            wait "the recording ends here" for 60
            """)

    def test_a_long_way_can_be_given_up(self):
        name = self.replay(LONG_WAY, "300")
        self.run_script(name, """\
            wait "main" in stack
            command breakpoint.watch pointer
            wait "writes to pointer" in breakpoints
            command back.continue
            wait "running"
            command run.interrupt
            wait "stopped: interrupted"
            settle
            check "instruction "
            """)


if __name__ == "__main__":
    unittest.main()
