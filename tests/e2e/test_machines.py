"""Machines: q35 and pc, processors with and without what TCG's `max` has, 12 MiB to 64 GiB of memory."""
import pathlib
import unittest

from mortem_test import GUESTS, MortemTest, wait_until


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

    def test_what_there_is_not(self):
        self.assert_refused("run", GUESTS / "hello", "--machine", "microvm", naming=["--machine microvm", "q35 or pc"])
        self.assert_refused("run", GUESTS / "hello", "--cpu", "host", naming=["--cpu host", "max or qemu64"])
        self.assert_refused("run", GUESTS / "hello", "--memory", "11M", naming=["--memory", "12M to 64G"])


if __name__ == "__main__":
    unittest.main()
