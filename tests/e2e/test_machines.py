"""Machines: q35 and pc, processors with and without what TCG's `max` has, 12 MiB to 64 GiB of memory."""
import pathlib
import re
import socket
import threading
import unittest

from mortem_test import GUESTS, MortemTest, wait_until
from test_network import free_port, receive


class Machines(MortemTest):
    def crash_on(self, *options, mebibytes=256):
        done, dump = self.crash(GUESTS / "null_read", *options, status=139)
        self.assertIn("SIGSEGV", done.stderr)
        identity = self.facts("info", dump)["identity"]
        # Tables with an entry a page grow with the machine.
        self.assertLess(identity["resident_bytes"], (10 << 20) + (mebibytes << 20) // 4096 * 16)
        # The firmware keeps some of it.
        self.assertLess(abs(identity["memory_bytes"] - (mebibytes << 20)), 1 << 20)
        functions = [frame["function"] for frame in self.facts("bt", dump)["threads"][0]["frames"]]
        self.assertEqual(functions[:2], ["die", "step_inlined"])

    def test_pc(self):
        self.crash_on("--machine", "pc")

    def test_a_processor_without_new_instructions(self):
        """qemu64 has no RDRAND, no FSGSBASE, no SMEP, no XSAVE: the paths around them."""
        self.crash_on("--cpu", "qemu64")

    def test_pc_with_that_processor(self):
        self.crash_on("--machine", "pc", "--cpu", "qemu64")

    def test_12_mebibytes(self):
        self.crash_on("--memory", "12M", mebibytes=12)

    def test_memory_up_to_the_hole(self):
        """RAM that ends below 4 GiB, and RAM that goes on above the hole for devices."""
        self.crash_on("--memory", "3584M", mebibytes=3584)
        for path in self.files.iterdir():
            path.unlink()
        self.crash_on("--memory", "5G", mebibytes=5120)

    def test_64_gibibytes_cost_the_host_little(self):
        """The host gives a page when it is touched first: boot touches two tables, 3 bytes a page, and little else."""
        command = self.start("run", GUESTS / "sleeper", "--memory", "64G")
        self.assertEqual(command.stdout.readline(), b"sleeping\n")
        (process,) = self.qemu_processes()

        def resident_mebibytes():
            status = pathlib.Path(f"/proc/{process}/status").read_text()
            return int(status.split("VmRSS:")[1].split()[0]) >> 10
        self.assertLess(resident_mebibytes(), 256)
        command.terminate()
        wait_until(lambda: self.qemu_processes() == [], "QEMU's end")

    def test_memory_behind_the_hole_of_64_gibibytes(self):
        """q35 has 2 GiB below 4 GiB: 2.5 GiB of the program's lie on both sides. No more is asked of the host."""
        done = self.mortem("run", GUESTS / "touches_memory", "--memory", "64G", "--", 2560)
        total, meminfo, free, resident, wrong = map(int, re.findall(r"\d+", done.stdout))
        self.assertEqual(wrong, 0)
        self.assertLess((64 << 10) - total, 64)
        self.assertEqual(meminfo, total)
        self.assertTrue(2560 <= resident < 2570, done.stdout)
        # Tables with an entry a page, and those of the program's pages.
        self.assertTrue(0 < total - free - resident < 300, done.stdout)

    def test_networks(self):
        """Cards at other addresses of PCI, interrupts by other ways, and a processor without new instructions."""
        for options in (("--machine", "pc"), ("--cpu", "qemu64"), ("--machine", "pc", "--cpu", "qemu64")):
            with self.subTest(options):
                port = free_port()
                server = self.start("run", GUESTS / "network_server", *options, "-p", f"{port}:7000", "--", 7000)
                self.assertEqual(server.stdout.readline(), b"serving, nameserver 10.0.2.3\n")  # from DHCP
                sent = bytes(at % 251 + 4 for at in range(200_000))  # no '!', which is a wish
                sent = sent.replace(b"!", b"?")
                with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                    threading.Thread(target=connection.sendall, args=(sent,)).start()
                    self.assertEqual(receive(connection, len(sent)), sent)
                server.terminate()
                server.wait(60)

    def test_what_there_is_not(self):
        self.assert_refused("run", GUESTS / "hello", "--machine", "microvm", naming=["--machine microvm", "q35 or pc"])
        self.assert_refused("run", GUESTS / "hello", "--cpu", "host", naming=["--cpu host", "max or qemu64"])
        self.assert_refused("run", GUESTS / "hello", "--memory", "11M", naming=["--memory", "12M to 64G"])


if __name__ == "__main__":
    unittest.main()
