"""The system-call fuzzer: random calls from several threads end neither the kernel nor the program, and no call gives the
program kernel memory. Calls that may end the program do so; it is booted again until the time is up, and its root is whole
each time. A run can be had again by its seed: MORTEM_FUZZ_SEED; MORTEM_FUZZ_SECONDS says how long."""
import os
import random
import re
import shutil
import time
import unittest
from collections import Counter

from mortem_test import GUESTS, MortemTest
from root_files import RootFiles, tool

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


class FatalCalls(MortemTest):
    A_BOOT = 8  # seconds that a guest goes on at most

    def check_root(self):
        root = self.files / "root"
        RootFiles(self.files / "fuzz.img").copy_to(root)
        tool("e2fsck", "-f", "-p", root, most=1)
        tool("e2fsck", "-f", "-n", root)

    def boot_once(self, seed):
        """How it ended, and how many rounds it made."""
        shutil.copyfile(self.files / "fresh.img", self.files / "fuzz.img")
        dump = self.files / "fuzz.core.zst"
        dump.unlink(missing_ok=True)
        done = self.mortem("run", "fuzz.img", "--on-crash", "stop", "--dump", dump, "--", self.A_BOOT, seed, status=None,
                           deadline=self.A_BOOT * 8 + 120)
        what = f"seed {seed}: status {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
        self.assertNotIn("BROKEN", done.stdout, what)
        crash = re.search(r"crashed: ([^;\n]*)", done.stderr)
        if crash:
            self.assertRegex(crash[1], r"^SIG[A-Z]+|^exit status", what)
            self.assertFalse(self.facts("report", dump)["reason_kind"].startswith("kernel"), what)
        self.assertNotIn("kernel panic", done.stdout + done.stderr, what)
        self.check_root()
        rounds = [int(number) for number in re.findall(r"^(\d+) rounds", done.stdout, re.M)]
        end = crash[1].split()[0] if crash else "in time" if "in time" in done.stdout else f"status {done.returncode}"
        return end, max(rounds, default=0)

    def test_fatal_calls(self):
        print(f"seed {SEED}", flush=True)
        self.mortem("image", "create", GUESTS / "fatal_call_fuzz", "--dump-on-exit", "never", "-o", "fresh.img")
        end, ends, rounds, boot = time.monotonic() + SECONDS, Counter(), 0, 0
        while boot == 0 or time.monotonic() < end:
            with self.subTest(seed=SEED + boot):
                how, made = self.boot_once(SEED + boot)
                ends[how] += 1
                rounds += made
            boot += 1
        print(f"{boot} boots, {rounds} rounds, ends: {dict(ends)}", flush=True)
        self.assertGreater(rounds, 10 * SECONDS)
        self.assertGreater(len(ends), 1)


if __name__ == "__main__":
    unittest.main()
