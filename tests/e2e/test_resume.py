"""`mortem resume DUMP`: a crash dump boots, stands at the instruction that failed, and goes on when that is put right."""
import pathlib
import re
import socket
import subprocess
import time
import unittest

from mortem_test import GUESTS, MortemTest, wait_until

SERVER = GUESTS / "session_server"
ANSWER = 30.0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ResumeTest(MortemTest):
    def ask(self, port, path):
        """The body of the answer; empty: none."""
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            answer = b""
            try:
                while part := connection.recv(4096):
                    answer += part
            except ConnectionResetError:
                pass
            return answer.decode().partition("\r\n\r\n")[2]

    def crashed_server(self, *options):
        """The dump of a server that died of a request, after it had answered two."""
        port, dump = free_port(), self.files / "server.dump"
        process = self.start("run", SERVER, "-p", f"{port}:80", "--dump", dump, *options, "--", "80")
        self.assertEqual(process.stdout.readline(), b"serving on 80\n")
        self.assertTrue(self.ask(port, "/one").startswith("hello /one 0.250 "))
        self.last = self.ask(port, "/two")
        self.assertTrue(self.last.startswith("hello /two 0.500 "))
        self.assertEqual(self.ask(port, "/crash"), "")
        self.assertEqual(process.wait(timeout=60), 139, process.stderr.read())
        return dump

    def gdb(self, name, *commands, deadline=60):
        words = [word for command in commands for word in ("-ex", command)]
        done = self.mortem("gdb", name, "--", "-nx", "-batch", *words, deadline=deadline, status=None)
        return done.stdout + done.stderr


class Servers(ResumeTest):
    def test_goes_on_once_it_is_put_right(self):
        dump = self.crashed_server()
        (crashed, *_) = [one for one in self.facts("bt", dump)["threads"] if one["crashed"]]
        port = free_port()
        facts = self.facts("resume", dump, "--name", "again", "--net", "user", "-p", f"{port}:80")
        self.addCleanup(self.mortem, "stop", "again", status=None)
        self.assertTrue(facts["holds_program"])
        registers = ["echo <<<\\n", "info registers", "info registers float", "info registers vector", "echo >>>\\n"]
        shown = self.gdb("again", *registers, "bt", "p greeting", "p sessions.size()", "p requests_in_all(40)",
                         "p $_siginfo.si_signo", "set var greeting = \"mended\"", "p/x $rip == (long)&behind_the_store",
                         "p ($rip = (long)&behind_the_store) != 0", "handle SIGSEGV nopass", "detach")
        # All registers are those of the dump, those of vectors too.
        ours, theirs = (text.partition("<<<")[2].partition(">>>")[0] for text in (shown, self.gdb(dump, *registers)))
        self.assertEqual(ours.splitlines(), theirs.splitlines())
        self.assertIn("ymm15", ours)
        frames = re.findall(r"^#\d+ .*?(\w[\w:~<>, ()]*?) \(", shown, re.M)
        functions = [frame["function"] for frame in crashed["frames"]]
        for name in ("serve", "main"):
            self.assertTrue(any(name in function for function in functions), functions)
            self.assertTrue(any(name in frame for frame in frames), shown)
        self.assertIn('= "hello"', shown)
        self.assertRegex(shown, r"\$\d+ = 42\b")  # two requests and forty
        self.assertRegex(shown, r"\$\d+ = 11\b")  # SIGSEGV
        answer = self.ask(port, "/three")
        self.assertTrue(answer.startswith("mended /three 1.000 "), answer)  # the fourth request
        # The monotonic clock goes on from the crash: what was between is not in it.
        last = int(self.last.split()[-1])
        self.assertTrue(last < int(answer.split()[-1]) < last + 60_000, (self.last, answer))
        self.mortem("stop", "again")
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
