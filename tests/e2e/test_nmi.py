"""A dump that an NMI asks for: of a kernel in the middle of nothing it can be resumed; of one that hangs it is there, too."""
import re
import socket
import threading
import unittest

from mortem_test import GUESTS, wait_until
from test_resume import SERVER, ResumeTest, free_port

AT_WORK = "its NMI met the kernel at work"


class Nmi(ResumeTest):
    def start_guest(self, program, *options, arguments, says):
        dump = self.files / "asked.dump"
        self.mortem("run", program, "--name", "first", "--detach", "--on-crash", "stop", "--dump", dump, *options, "--",
                    *arguments)
        self.addCleanup(self.mortem, "stop", "first", "--force", status=None)
        wait_until(lambda: says in self.mortem("logs", "first").stdout, f"{says!r} in the guest's log")
        return dump

    def dump_by_nmi(self, dump):
        self.qmp("first", "inject-nmi")
        wait_until(lambda: dump.exists() and self.facts("ps")["instances"] == [], "the dump and the guest's end", 60)
        self.wait_for_ends()
        facts = self.facts("info", dump)
        self.assertEqual(facts["reason"]["message"], "stopped from outside by an NMI")
        self.assertEqual(facts["reason"]["kind"], "non-maskable interrupt")
        self.assertEqual(facts["reason"]["level"], "full")
        return facts

    def number(self, target, expression):
        return int(re.search(r"= (\d+)", self.mortem("print", target, expression).stdout)[1])

    def test_in_the_program(self):
        dump = self.start_guest(GUESTS / "dirties_memory", arguments=["1"], says="writing")
        self.dump_by_nmi(dump)
        (thread,) = self.facts("bt", dump)["threads"]
        self.assertEqual(thread["frames"][0]["function"], "main")
        rounds = self.number(dump, "rounds")
        _, facts = self.resume(dump, "again")
        self.assertTrue(facts["holds_program"])
        self.assertEqual(self.number("again", "rounds"), rounds)
        registers = ["echo <<<\\n", "info registers", "info registers vector", "echo >>>\\n"]
        ours, theirs = (self.gdb(where, *registers).partition("<<<")[2].partition(">>>")[0] for where in ("again", dump))
        self.assertIn("ymm15", ours)
        self.assertEqual(ours.splitlines(), theirs.splitlines())  # and gdb, at its end, has let it go
        wait_until(lambda: self.number("again", "rounds") > rounds + 1, "the program's next rounds")
        self.mortem("stop", "again")
        # What follows is recorded, and replays the same.
        self.resume(dump, "recorded", "--record", "later.rec")
        self.mortem("stop", "recorded")
        self.assertTrue(self.facts("replay", "later.rec", "--check", status=None)["same_end"])
        self.assert_nothing_left()

    def test_while_it_waits(self):
        port = free_port()
        dump = self.start_guest(SERVER, "-p", f"{port}:80", arguments=["80"], says="serving")
        self.assertTrue(self.ask(port, "/one").startswith("hello /one 0.250 "))
        wait_until(lambda: " HLT=1" in self.registers(), "the processor's sleep")
        self.dump_by_nmi(dump)
        self.assertIn("accept", self.mortem("bt", dump).stdout)
        port, _ = self.resume(dump, "again", "--run")
        self.assertTrue(self.ask(port, "/two").startswith("hello /two 0.500 "))
        self.mortem("stop", "again")
        port, _ = self.resume(dump, "held")
        self.assertIn("accept", self.gdb("held", "bt", "detach"))
        self.assertTrue(self.ask(port, "/two").startswith("hello /two 0.500 "))
        self.mortem("stop", "held")
        self.assert_nothing_left()

    def test_under_load(self):
        """At any moment of a server's work, in the kernel too: the dump is of the next one at which that can be broken off."""
        for _ in range(3):
            port = free_port()
            dump = self.start_guest(SERVER, "-p", f"{port}:80", arguments=["80"], says="serving")
            self.assertTrue(self.ask(port, "/one").startswith("hello /one "))
            ended = threading.Event()

            def load(port=port):
                while not ended.is_set():
                    try:
                        self.ask(port, "/load")
                    except OSError:
                        return
            client = threading.Thread(target=load)
            client.start()
            try:
                self.dump_by_nmi(dump)
            finally:
                ended.set()
                client.join()
            port, _ = self.resume(dump, "again", "--run")
            self.assertTrue(wait_until(lambda: self.ask(port, "/again"), "an answer").startswith("hello /again "))
            self.mortem("stop", "again")
            dump.unlink()
            self.assert_nothing_left()

    def test_of_a_kernel_that_hangs(self):
        for word in ("HANG", "HANG_WITHOUT_INTERRUPTS"):
            with self.subTest(word):
                port = free_port()
                dump = self.start_guest(GUESTS / "network_server", "-p", f"{port}:80", "--kernel-argument",
                                        "provoke-crash=on", arguments=["80"], says="serving")
                with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                    connection.sendall(f"!provoke {word}".encode())
                    wait_until(lambda: self.is_hung(), "the kernel's hang")
                    self.dump_by_nmi(dump)
                (frame, *_) = [frame for thread in self.facts("bt", dump, "--kernel")["threads"] if thread["crashed"]
                               for frame in thread["frames"]]
                self.assertIn("hang", frame["function"])
                self.assert_refused("resume", dump, naming=[dump, AT_WORK])
                dump.unlink()

    def registers(self):
        return self.qmp("first", ("human-monitor-command", {"command-line": "info registers"}))

    def is_hung(self):
        """Its kernel spins at one place, and does not sleep there."""
        seen = {re.search(r"RIP=([0-9a-f]+).* HLT=(\d)", self.registers(), re.S).groups() for _ in range(20)}
        place, halted = seen.pop()
        return not seen and place.startswith("ffffffff") and halted == "0"


del ResumeTest

if __name__ == "__main__":
    unittest.main()
