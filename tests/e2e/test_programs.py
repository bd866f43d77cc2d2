"""Programs that do not die: their bytes, their status, their arguments, their kernel log."""
import time
import unittest

from mortem_test import GUESTS, KERNEL, MortemTest


class Programs(MortemTest):
    def test_hello(self):
        done = self.mortem("run", GUESTS / "hello", text=False)
        self.assertEqual(done.stdout, b"hello, world\ntab\tpercent% utf-8 \xc3\xa4\xe2\x82\xac no newline at the end")
        self.assert_nothing_left()

    def test_arguments(self):
        awkward = ["two words", "", "50%", "a=b", "-x", "'quoted\"", "\u00e4"]
        done = self.mortem("run", GUESTS / "arguments", "--", *awkward)
        wanted = "".join(f"argument {i}: [{text}]\n" for i, text in enumerate(awkward, 1))
        self.assertEqual(done.stdout, wanted + "directory: [/]\n")

    def test_recover(self):
        """A program's own SIGSEGV handler runs, and that is no crash."""
        done = self.mortem("run", GUESTS / "recover")
        self.assertEqual(done.stdout, "recovered from a fault at 0x123400\nrecovered from a fault at 0x123401\n")

    def test_unknown_call_is_named_once(self):
        done = self.mortem("run", GUESTS / "unknown_call", "--kernel-argument", "log=console")
        text = done.stdout + done.stderr
        self.assertIn("kexec_load is not there", text)
        lines = [line for line in text.splitlines() if "kexec_load" in line and "is not there" not in line]
        self.assertEqual(len(lines), 1, text)

    def test_user(self):
        """user=UID:GID: for programs that refuse to be root."""
        done = self.mortem("run", GUESTS / "abi" / "identity", "--kernel-argument", "user=1000:33", status=None)
        self.assertTrue(done.stdout.startswith("at first: 1000 1000 1000 (1000 1000), groups 33 33 33\n"
                                               "at first: some 0, permitted 0, inheritable 0\n"), done.stdout)
        for bad in ("x", "5:", "5:6:7", "-1", "4294967295"):
            done = self.mortem("run", GUESTS / "abi" / "identity", "--kernel-argument", f"user={bad}", status=None)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(f"user={bad}: not UID or UID:GID, in digits", done.stdout + done.stderr)

    def test_wall_clock(self):
        """Right from the start: read from the machine's clock, which counts whole seconds."""
        before = time.time()
        told = float(self.mortem("run", "/bin/date", "--", "+%s.%N").stdout)
        self.assertGreater(told, before - 1)
        self.assertLess(told, time.time() + 1)

    def test_exit_status_without_dump(self):
        done = self.mortem("run", GUESTS / "exit_status", status=3)
        self.assertEqual(done.returncode, 3)

    def test_addresses_differ_from_boot_to_boot(self):
        places = []
        for _ in range(2):
            _, dump = self.crash(GUESTS / "null_read_pie", status=139)
            facts = self.facts("info", dump)
            kernel = [module for module in facts["modules"] if module["kind"] == "kernel"][0]
            program = [module for module in facts["modules"] if module["kind"] == "program"][0]
            places.append((kernel["start"], program["start"], facts["threads"][0]["stack_pointer"]))
            dump.unlink()
        for what, first, second in zip(("kernel", "program", "stack"), *places):
            self.assertNotEqual(first, second, f"the {what} stands at the same address twice")


if __name__ == "__main__":
    unittest.main()
