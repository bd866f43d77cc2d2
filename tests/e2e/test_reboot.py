"""Crash, dump, reboot, again and again: at once, at other addresses, and with two dumps of a thousand."""
import pathlib
import re
import signal
import socket
import time
import unittest

from mortem_test import GUESTS, MortemTest, wait_until
from qemu_wrapper import wrap_qemu
from test_network import free_port

PLACES = re.compile(rb"places app=(\S+) stack=(\S+) heap=(\S+) mapped=(\S+)\r?\n")


class Reboot(MortemTest):
    def boots(self, command, count, deadline=120):
        """The console's text up to the start of boot number `count`."""
        text, end = b"", time.monotonic() + deadline
        while len(PLACES.findall(text)) < count:
            self.assertLess(time.monotonic(), end, text.decode(errors="replace"))
            part = command.stdout.read1(65536)
            self.assertTrue(part, f"the guest ended:\n{text.decode(errors='replace')}")
            text += part
        return text

    def end(self, command):
        command.send_signal(signal.SIGINT)
        _, errors = command.communicate(timeout=60)
        self.assert_nothing_left()
        return errors.decode(errors="replace")

    def test_no_two_of_ten_boots_share_an_address(self):
        command = self.start("run", GUESTS / "crash_in_turns", "--on-crash", "reboot")
        text = self.boots(command, 11)
        self.end(command)
        for what, values in zip(("app", "stack", "heap", "mapping"), zip(*PLACES.findall(text))):
            self.assertEqual(len(set(values)), len(values), f"the {what} stands at one address twice: {values}")

    def test_of_many_crashes_two_dumps_are_kept(self):
        command = self.start("run", GUESTS / "crash_in_turns", "--on-crash", "reboot", "--name", "web")
        self.boots(command, 6)
        errors = self.end(command)
        self.assertIn("that is crash 5 of this kind; its first dump is", errors)
        dumps = sorted(path.name for path in self.files.glob("*.zst"))
        self.assertEqual(dumps, ["web.1.core.zst", "web.core.zst"])
        self.assertEqual(self.facts("report", self.files / "web.core.zst")["occurrence"], 1)
        newest = self.facts("report", self.files / "web.1.core.zst")
        self.assertGreaterEqual(newest["occurrence"], 5)
        self.assertEqual(newest["signature"], self.facts("report", self.files / "web.core.zst")["signature"])
        self.assertIn("first_way", newest["reason"])
        # The others: a text record each.
        records = (self.files / "web.crashes.txt").read_text()
        self.assertGreaterEqual(records.count("SIGSEGV"), 3)
        self.assertGreaterEqual(records.count("registers:"), 3)

    def test_a_kernel_that_cannot_start_says_so_and_slows_down(self):
        """A panic at each boot, with a whole reset of the machine: counted, told, and no busy loop."""
        command = self.start("run", GUESTS / "hello", "--on-crash", "reboot", "--kernel-argument",
                             "provoke-crash=boot")
        text = b""
        while b"ended before the program's first instruction; this one waits" not in text:
            part = command.stdout.read1(65536)
            self.assertTrue(part, f"the guest ended:\n{text.decode(errors='replace')}")
            text += part
        self.assertIn(b"boot 2: the last 1 ended before the program's first instruction\n", text.replace(b"\r", b""))
        self.end(command)

    def check_serving_again(self, port):
        """A crash on a request; the next boot, whose stack stands elsewhere, answers."""
        def ask(request):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
                    connection.sendall(request)
                    return connection.recv(64)
            except OSError:
                return b""
        wait_until(lambda: ask(b"!who"), "the first boot's answer", 60)
        first = ask(b"!who")
        ask(b"!crash")
        wait_until(lambda: ask(b"!who") not in (b"", first), "the next boot's answer", 60)

    def test_an_image_serves_again_by_itself(self):
        """Nothing was said about crashes: neither to the command nor, below, to the kernel."""
        port = free_port()
        self.mortem("image", "create", GUESTS / "network_server", "-o", "web.img", "--", "80")
        self.mortem("run", "web.img", "--detach", "--name", "web", "-p", f"{port}:80")
        self.addCleanup(self.mortem, "stop", "web", status=None)
        self.check_serving_again(port)
        wait_until(lambda: self.facts("ps")["instances"][0]["crashes"] == 1, "the dump")
        self.mortem("stop", "web")
        self.assertIn("network_server.c", self.mortem("bt", self.files / "web.core.zst").stdout)

    def test_a_kernel_that_was_told_nothing_boots_again(self):
        wrap_qemu(self, "line = [word.replace('on-crash=reboot', '') for word in line]")
        port = free_port()
        self.mortem("run", GUESTS / "network_server", "--detach", "--name", "web", "-p", f"{port}:80", "--", "80")
        self.addCleanup(self.mortem, "stop", "web", status=None)
        (qemu,) = self.qemu_processes()
        self.assertNotIn(b"on-crash", pathlib.Path(f"/proc/{qemu}/cmdline").read_bytes())
        self.check_serving_again(port)
        self.assertEqual(self.qemu_processes(), [qemu])
        self.mortem("stop", "web")

    def test_ps_counts(self):
        self.mortem("run", GUESTS / "crash_in_turns", "--name", "web", "--detach")
        self.addCleanup(self.mortem, "stop", "web", status=None)

        def crashes():
            return self.facts("ps")["instances"][0]["crashes"]
        wait_until(lambda: crashes() >= 3, "the third crash", 60)
        (row,) = self.facts("ps")["instances"]
        self.assertIn("SIGSEGV", row["last_crash"])
        self.assertEqual(row["on_crash"], "reboot")
        self.assertRegex(self.mortem("ps").stdout, r"CRASHES")
        self.mortem("stop", "web")


if __name__ == "__main__":
    unittest.main()
