"""The snapshot library's reader against gdb and readelf: on a core of Linux's own, and on dumps of the guest."""
import re
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

    def test_many_modules_without_symbols(self):
        """bt says so of the first, and of how many others; report and info of each, no place twice."""
        step = "typedef struct step { int (*call)(struct step *); } step;\n"
        libraries = [f"lib{number}.so" for number in range(6)]
        for number, library in enumerate(libraries):
            self.compile_text(step + f"int f{number}(step *next) {{ return next->call(next + 1) + 1; }}", "-shared", "-fPIC",
                              "-s", "-o", library)
        declared = "".join(f"int f{number}(step *); " for number in range(6))
        steps = ", ".join(f"{{f{number}}}" for number in range(6))
        self.compile_text(step + declared + f"""
            int die(step *next) {{ return *(volatile int *)0; }}
            int main() {{ step all[] = {{{steps}, {{die}}}}; return all->call(all + 1); }}""",
                          "-g", "-o", "program", *libraries, "-Wl,-rpath,$ORIGIN")
        _, dump = self.crash(self.files / "program", status=139)
        said = self.mortem("bt", dump).stderr.splitlines()
        self.assertEqual(len(said), 2, said)
        self.assertIn("symbols of ", said[1])
        self.assertIn("mortem info", said[1])
        missing = self.facts("bt", dump)["missing_symbols"]
        self.assertGreaterEqual(len(missing), 6)
        self.assertIn(f"of {len(missing) - 1} more", said[1])
        for one in missing:
            places = re.search("looked for (.*?);", one)[1].split(", ")
            self.assertEqual(len(places), len(set(places)), one)
            self.assertIn(one, self.mortem("report", dump).stdout)

    def compile_text(self, text, *options):
        subprocess.run(["gcc", "-x", "c", "-", "-x", "none", *options], input=text, text=True, cwd=self.files, check=True)


if __name__ == "__main__":
    unittest.main()
