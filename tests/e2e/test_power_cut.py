"""The power goes while a guest writes: QEMU is killed at random moments. Each time e2fsck -p is content with the root,
every record that the guest called synced is there, and the guest boots again from it.

MORTEM_POWER_CUTS: how often (100). What a killed QEMU had written stays in the host's cache: the order of flushes is the
unit test's (tests/unit/ext3_power_cut_test.cpp)."""
import os
import random
import re
import select
import signal
import time
import unittest

from mortem_test import GUESTS, MortemTest, VM_DEADLINE, wait_until
from root_files import RootFiles, tool

CUTS = int(os.environ.get("MORTEM_POWER_CUTS", "100"))
CUTS_OF_AN_IMAGE = 25  # a quick guest fills its disk in the time of 90
RECORD = 64


class PowerCut(MortemTest):
    def cut_once(self, image, after):
        """Boots, kills QEMU `after` seconds behind the guest's first line; what it had found and what it said."""
        process = self.start("run", image, "--no-dump")
        output, killed_at = b"", None
        end = time.monotonic() + VM_DEADLINE
        while True:
            self.assertLess(time.monotonic(), end, output)
            if killed_at is None and b"found " in output and b"\n" in output.split(b"found ")[1]:
                killed_at = time.monotonic() + after
            if killed_at is not None and time.monotonic() >= killed_at:
                for process_id in self.qemu_processes():
                    os.kill(process_id, signal.SIGKILL)
                break
            if select.select([process.stdout], [], [], 0.005)[0]:
                part = os.read(process.stdout.fileno(), 65536)
                if not part:
                    self.fail(f"the guest ended by itself: {output[-300:]!r} {process.communicate()[1]!r}")
                output += part
        output += process.stdout.read()
        process.wait(timeout=30)
        wait_until(lambda: not self.qemu_processes(), "QEMU's end")
        found = int(re.search(rb"found (\d+)", output)[1])
        return found, max([found] + [int(number) for number in re.findall(rb"synced (\d+)\n", output)])

    def test_any_moment(self):
        random.seed(4)
        image = self.files / "writer.img"
        synced = most = 0
        for cut in range(CUTS):
            if cut % CUTS_OF_AN_IMAGE == 0:
                image.unlink(missing_ok=True)
                self.mortem("image", "create", GUESTS / "record_writer", "-o", image)
                synced = 0
            with self.subTest(cut=cut):
                found, said = self.cut_once(image, random.uniform(0, 1.5))
                self.assertGreaterEqual(found, synced, "the guest lost what it had synced before")
                synced = said
                most = max(most, synced)
                root = self.files / "root"
                RootFiles(image).copy_to(root)
                tool("e2fsck", "-f", "-p", root, most=1)
                tool("e2fsck", "-f", "-n", root)
                records = tool("debugfs", "-R", "cat /records", root)
                self.assertGreaterEqual(len(records), synced * RECORD)
                for number in range(synced):
                    expected = f"record {number}\0".encode().ljust(RECORD, b".")
                    self.assertEqual(records[number * RECORD:(number + 1) * RECORD], expected)
        self.assertGreater(most, 10 * CUTS)


if __name__ == "__main__":
    unittest.main()
