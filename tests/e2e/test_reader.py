"""The snapshot library's reader against gdb and readelf: on a core of Linux's own, and on dumps of the guest."""
import shutil
import subprocess
import unittest

from mortem_test import GUESTS, MortemTest
from reader_checks import ReaderChecks


class Reader(ReaderChecks, MortemTest):
    def test_core_of_linux(self):
        """The same checks on what nothing of ours wrote, so that they are known to be true themselves."""
        shutil.copy(GUESTS / "memory_patterns", self.files)
        subprocess.run(["sh", "-c", "ulimit -c unlimited; ./memory_patterns"], cwd=self.files, capture_output=True)
        cores = list(self.files.glob("core*"))
        if not cores:
            self.skipTest("this machine's kernel writes no core here")
        subprocess.run(["zstd", "-q", cores[0], "-o", self.files / "core.zst"], check=True)
        self.check_reader(self.files / "core.zst", cores[0], GUESTS / "memory_patterns")

    def check_dump_of(self, guest):
        _, dump = self.crash(GUESTS / guest, status=139)
        core = self.files / "plain.core"
        self.mortem("core", dump, "-o", core)
        self.check_reader(dump, core, GUESTS / guest)
        self.check_page_map(dump)
        unpacked = self.files / "unpacked.core"
        subprocess.run(["zstd", "-qd", dump, "-o", unpacked], check=True)
        self.assertTrue(unpacked.read_bytes() == core.read_bytes(), "zstd -d and mortem core disagree")

    def test_dump_of_a_static_program(self):
        self.check_dump_of("memory_patterns")

    def test_dump_of_a_static_pie(self):
        self.check_dump_of("null_read_pie")

    def test_dump_of_a_deep_stack(self):
        self.check_dump_of("stack_overflow")


if __name__ == "__main__":
    unittest.main()
