"""Standard input: the program in the guest reads what the command was given, as it would on this machine's Linux."""
import os
import pty
import random
import select
import signal
import subprocess
import time
import unittest

from mortem_test import GUESTS, MORTEM, VM_DEADLINE, MortemTest

PROGRAM = GUESTS / "reads_input"
# More than the device's and the host's buffers hold, of no pattern.
BYTES = random.Random(1).randbytes(700_000)


class Input(MortemTest):
    def read_until(self, descriptor, wanted):
        got, end = b"", time.monotonic() + VM_DEADLINE
        while wanted not in got:
            self.assertLess(time.monotonic(), end, got)
            if select.select([descriptor], [], [], 1)[0]:
                part = os.read(descriptor, 4096)
                self.assertNotEqual(part, b"", got)
                got += part
        return got

    def test_as_on_linux(self):
        for how, given in (("read", BYTES), ("poll", BYTES), ("epoll", BYTES), ("edge", BYTES), ("read", b""),
                           ("poll", b""), ("epoll", b"x"), ("edge", b""), ("facts", b"x"),
                           ("lines", b"one\ntwo\nno end")):
            with self.subTest(how=how, bytes=len(given)):
                linux = subprocess.run([PROGRAM, how], input=given, capture_output=True, timeout=60, check=True)
                guest = self.mortem("run", PROGRAM, "--", how, text=False, given=given)
                self.assertEqual(guest.stdout, linux.stdout)

    def test_conversation(self):
        """Each line is there as soon as it was written; the end is an end."""
        process = self.start("run", PROGRAM, "--", "lines", stdin=subprocess.PIPE)
        self.read_until(process.stdout.fileno(), b"ready\n")
        for line in (b"first\n", b"second\n"):
            process.stdin.write(line)
            process.stdin.flush()
            self.assertEqual(self.read_until(process.stdout.fileno(), line), b"line: " + line)
        output, errors = process.communicate(timeout=VM_DEADLINE)
        self.assertEqual((output, process.returncode), (b"end\n", 0), errors)

    def test_left_alone(self):
        """A program that does not read leaves the input to who comes next, as on Linux."""
        ours, theirs = os.pipe()
        os.write(theirs, b"for the next")
        os.close(theirs)
        process = self.start("run", PROGRAM, "--", "never", stdin=ours)
        self.assertEqual(process.communicate(timeout=VM_DEADLINE)[0], b"nothing was read\n")
        self.assertEqual(os.read(ours, 100), b"for the next")
        os.close(ours)

    def test_closed_and_null(self):
        for redirection in ("<&-", "</dev/null"):
            done = subprocess.run(["sh", "-c", f'exec "$0" run "$1" -- lines {redirection}', MORTEM, PROGRAM],
                                  capture_output=True, timeout=VM_DEADLINE, env=self.environment, cwd=self.files)
            self.assertEqual((done.stdout, done.returncode), (b"ready\nend\n", 0), done.stderr)
        self.assert_nothing_left()

    def terminal_session(self):
        """The command as a shell starts it in a terminal; (process id, the terminal's other side)."""
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(self.files)
            os.execve(MORTEM, [str(MORTEM), "run", str(PROGRAM), "--", "lines"], self.environment)
        self.addCleanup(os.close, terminal)
        self.read_until(terminal, b"ready\r\n")
        return process, terminal

    def end_of(self, process):
        end = time.monotonic() + VM_DEADLINE
        while True:
            found, status = os.waitpid(process, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > end:
                os.kill(process, signal.SIGKILL)
                self.fail("the command did not end")
            time.sleep(0.02)

    def test_terminal(self):
        """Lines and the end of input (Ctrl-D) come from a terminal; the guest has none of its own."""
        process, terminal = self.terminal_session()
        os.write(terminal, b"typed\n")
        self.read_until(terminal, b"line: typed\r\n")
        os.write(terminal, b"\x04")
        self.read_until(terminal, b"end\r\n")
        self.assertEqual(self.end_of(process), 0)

    def test_terminal_interrupt(self):
        """Ctrl-C ends the program while it reads."""
        process, terminal = self.terminal_session()
        os.write(terminal, b"\x03")
        self.assertEqual(self.end_of(process), 128 + signal.SIGTERM)
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
