"""A server that crashes on requests: after each one it dumps, boots, and answers the next, however many there were."""
import os
import pathlib
import re
import signal
import socket
import statistics
import threading
import time
import unittest

import test_network
from mortem_test import GUESTS, wait_until
from test_network import PORT, TAP, free_port

AGAIN = 60.0  # seconds in which a guest serves again on a busy machine


class ServeAgain(test_network.NetworkTest):
    """A guest with --on-crash reboot; `self.where` is where its server listens."""

    def serve_with_reboot(self, *options):
        self.serve("--name", "web", "--on-crash", "reboot", "--dump", "web.core.zst", *options)
        # The console of many crashes is more than a pipe holds; the command waits for whoever reads it.
        self.reader = threading.Thread(target=self.process.stdout.read)
        self.reader.start()
        (self.qemu,) = self.qemu_processes()
        self.stack = self.ask(b"!who", lambda answer: True)

    def send(self, request):
        """Sends it on a connection that nobody waits for."""
        connection = socket.create_connection(self.where, timeout=5)
        connection.sendall(request)
        self.addCleanup(connection.close)

    def ask(self, request, wanted, deadline=AGAIN):
        """The first answer that `wanted` takes; connections to a guest that boots come to nothing, so many are made."""
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            try:
                with socket.create_connection(self.where, timeout=0.25) as connection:
                    connection.settimeout(1.0)
                    connection.sendall(request)
                    answer = connection.recv(64)
                    if answer and wanted(answer):
                        return answer
            except OSError:
                time.sleep(0.01)
        self.fail(f"no answer to {request!r} within {deadline} s")

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.qemu}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def crash_and_serve(self, crash):
        """(seconds, QEMU's processor seconds) from the crash to the answer of the next boot."""
        begin, spent = time.monotonic(), self.processor_seconds()
        crash()
        old = self.stack
        self.stack = self.ask(b"!who", lambda answer: answer != old)
        return time.monotonic() - begin, self.processor_seconds() - spent

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        self.reader.join()
        errors = self.process.stderr.read().decode()
        self.assert_nothing_left()
        return errors

    def crash_on_requests(self, count):
        taken = [self.crash_and_serve(lambda: self.send(b"!crash")) for _ in range(count)]
        wait_until(lambda: self.facts("ps")["instances"][0]["crashes"] == count, "the guest's last word")
        errors = self.end()
        self.assertEqual(errors.count("SIGSEGV"), count, errors)
        self.assertIn(f"that is crash {count} of this kind; its first dump is", errors)
        self.assertEqual(sorted(path.name for path in self.files.glob("*.zst")), ["web.1.core.zst", "web.core.zst"])
        first, newest = (self.facts("report", self.files / name) for name in ("web.core.zst", "web.1.core.zst"))
        self.assertEqual((first["occurrence"], newest["occurrence"]), (1, count))
        self.assertEqual((first["level"], newest["level"]), ("full", "full"))
        self.assertIn("network_server.c", self.mortem("bt", self.files / "web.1.core.zst").stdout)
        # All that are not kept whole have left their text record, or a line if the next crash came at once.
        records = (self.files / "web.crashes.txt").read_text()
        whole = re.findall(r"^=== before crash (\d+) of kind [0-9a-f]+ \(.*SIGSEGV", records, re.M)
        lines = re.findall(r"^=== crash (\d+) of its kind, whose dump was replaced: .*SIGSEGV", records, re.M)
        self.assertEqual(len(whole) + len(lines), count - 2, records)
        self.assertEqual(records.count("registers:"), len(whole))
        self.assertEqual(int(whole[-1]), count)
        print(f"of {count} crashes 2 dumps, {len(whole)} text records, {len(lines)} lines")
        return taken


class BehindPorts(ServeAgain):
    def setUp(self):
        super().setUp()
        port = free_port()
        self.where = ("127.0.0.1", port)
        self.ports = ("-p", f"{port}:{PORT}")

    def test_five_crashing_requests(self):
        self.serve_with_reboot(*self.ports)
        self.crash_on_requests(5)

    def test_the_kernels_own_ends(self):
        """A panic, a double fault and an NMI from outside: a dump each, and the server is there again."""
        self.serve_with_reboot(*self.ports, "--kernel-argument", "provoke-crash=on")

        reasons = []
        for number, (crash, word) in enumerate(((lambda: self.send(b"!provoke PANIC"), "kernel panic: provoked: PANIC"),
                                                (lambda: self.send(b"!provoke DOUBLE_FAULT"), "double fault"),
                                                (lambda: self.qmp("web", "inject-nmi"), "non-maskable interrupt")), 1):
            self.crash_and_serve(crash)
            dumps = [self.files / "web.core.zst", *(self.files / f"web.{more}.core.zst" for more in range(1, number))]
            wait_until(dumps[-1].exists, f"the dump of: {word}")
            report = self.facts("report", dumps[-1])
            reasons.append(report["reason"])
            self.assertIn(word, report["reason"])
            self.assertEqual(report["level"], "full")
            self.assertEqual(report["occurrence"], 1)
        self.assertEqual(len(set(reasons)), 3)
        self.end()

    def test_dumps_are_pulled_while_the_server_crashes(self):
        """Another `mortem pull --release` at every moment of it: what comes out is whole, and nothing is in its way."""
        self.serve_with_reboot(*self.ports)
        pulled = 0
        for _ in range(3):
            self.send(b"!crash")
            old, answers = self.stack, []
            end = time.monotonic() + AGAIN
            while not answers:
                self.assertLess(time.monotonic(), end, "the server does not come again")
                out = self.files / f"pulled.{pulled}"
                done = self.mortem("pull", "web", "-o", out, "--release", status=None)
                self.assertIn(done.returncode, (0, 1), done.stderr)  # 1: there is none
                if done.returncode == 0:
                    pulled += 1
                    self.assertIn("network_server.c", self.mortem("bt", out).stdout)
                try:
                    with socket.create_connection(self.where, timeout=0.25) as connection:
                        connection.settimeout(0.25)
                        connection.sendall(b"!who")
                        answers = [answer for answer in [connection.recv(64)] if answer and answer != old]
                except OSError:
                    pass
            (self.stack,) = answers
        errors = self.end()
        self.assertEqual(errors.count("crashed: "), 3, errors)
        self.assertNotIn("damaged", errors)
        self.assertNotIn("no dump", errors)


class OnATap(ServeAgain, test_network.TapTest):
    """The same a hundred times, on a network whose delays are the guest's own."""
    where = (test_network.GUEST, PORT)

    def test_a_hundred_crashing_requests(self):
        self.serve_with_reboot("--net", f"tap={TAP},address={test_network.GUEST}/24")
        taken = self.crash_on_requests(100)
        for what, values in zip(("seconds", "processor seconds"), zip(*taken)):
            print(f"crash to next answer, {what}: median {statistics.median(values):.3f}, longest {max(values):.3f}")
            # The quickest of ten: the others tell what else the machine does.
            first, last = min(values[:10]), min(values[-10:])
            self.assertLess(last, 1.5 * first + 0.05, f"the way back grows longer: {values}")


if __name__ == "__main__":
    unittest.main()
