"""The system-call fuzzer: random calls from several threads end neither the kernel nor the program, and no call gives the
program kernel memory. A run can be had again by its seed: MORTEM_FUZZ_SEED; MORTEM_FUZZ_SECONDS says how long."""
import os
import random
import unittest

from mortem_test import GUESTS, MortemTest

SECONDS = int(os.environ.get("MORTEM_FUZZ_SECONDS", "120"))
SEED = int(os.environ.get("MORTEM_FUZZ_SEED", random.randrange(1 << 32)))


class SyscallFuzz(MortemTest):
    def fuzz(self, *options, may_run_out_of_memory=False):
        print(f"seed {SEED}", flush=True)
        done = self.mortem("run", "--dump", self.files / "fuzz.core.zst", *options, GUESTS / "syscall_fuzz", "--",
                           str(SECONDS), str(SEED), deadline=SECONDS * 4 + 120, status=None)
        what = f"seed {SEED}: {done.stdout[-1000:]} {done.stderr[-3000:]}"
        if may_run_out_of_memory and done.returncode == 137:  # SIGKILL, and a dump says why
            report = self.mortem("report", self.files / "fuzz.core.zst").stdout
            self.assertTrue(report.startswith("SIGKILL"), report[:1000])
            return
        self.assertEqual(done.returncode, 0, what)
        self.assertTrue(done.stdout.endswith("fine\n"), what)
        calls = int(done.stdout.split("\n")[-3].split()[0])
        self.assertGreater(calls, 1000 * SECONDS, what)

    def test_random_calls(self):
        self.fuzz()

    def test_random_calls_with_little_memory(self):
        self.fuzz("--memory", "48M", may_run_out_of_memory=True)


if __name__ == "__main__":
    unittest.main()
