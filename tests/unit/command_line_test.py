"""The command as a user meets it, without a VM: help, mistakes, JSON. usage: command_line_test.py MORTEM"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "schemas"))
from check import check  # noqa: E402

MORTEM = os.path.abspath(sys.argv.pop(1))
VERBS = ["image create", "run", "ps", "stop", "logs", "gdb", "serve", "pull", "bt", "report", "goroutines", "core", "info",
         "threads", "search", "print", "symbolize", "index"]


class CommandLine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.place = pathlib.Path(folder.name)
        for name in ("run", "cache", "tmp", "files"):
            (self.place / name).mkdir(mode=0o700)
        self.files = self.place / "files"
        (self.files / "start.s").write_text(".globl _start\n_start: mov $60,%eax\nsyscall\n")
        subprocess.run(["cc", "-nostdlib", "-static", "-Wl,--build-id", "-o", self.files / "program",
                        self.files / "start.s"], check=True)

    def mortem(self, *arguments, status=0):
        done = subprocess.run([MORTEM, *map(str, arguments)], capture_output=True, text=True, cwd=self.files,
                              stdin=subprocess.DEVNULL, timeout=60,
                              env={**os.environ, "XDG_RUNTIME_DIR": str(self.place / "run"), "LC_ALL": "C",
                                   "XDG_CACHE_HOME": str(self.place / "cache"), "TMPDIR": str(self.place / "tmp")})
        self.assertEqual(done.returncode, status, f"{arguments}\n{done.stdout}{done.stderr}")
        return done

    def refused(self, *arguments, naming, status=2):
        done = self.mortem(*arguments, status=status)
        self.assertEqual((done.stdout, len(done.stderr.splitlines())), ("", 1), done.stderr)
        self.assertTrue(done.stderr.startswith("mortem: "))
        self.assertIn(naming, done.stderr)
        self.assertEqual(list((self.place / "tmp").iterdir()), [])

    def facts(self, *arguments):
        document = json.loads(self.mortem(*arguments, "--json").stdout)
        self.assertEqual(check(document), [])
        return document

    def test_help(self):
        every = self.mortem("--help").stdout
        for verb in VERBS:
            text = self.mortem(*verb.split(), "--help").stdout
            self.assertIn(f"Usage: mortem {verb}", text)
            self.assertIn("Example", text)
            self.assertIn(verb.split()[0], every)

    def test_mistakes(self):
        os.mkfifo(self.files / "pipe")  # nobody writes into it
        for path, kind in (("pipe", "a pipe"), (".", "a folder")):
            self.refused("symbolize", "--obj", path, "0x1", naming=f"{kind}")
        (self.files / "text").write_text("no ELF file\n")
        for verb in ("bt", "print", "report", "threads", "gdb"):
            for path, kind in (("pipe", "a pipe"), (".", "a folder"), ("text", "is no ELF file"), ("nowhere", "cannot open")):
                self.refused(verb, "any.core", "--symbols", path, naming=f"{path}: {kind}")
        for verb in VERBS:
            self.refused(*verb.split(), "--no-such-option", naming=f"see mortem {verb} --help")
        self.refused("no-such-verb", naming="see mortem --help")
        self.refused("run", "program", "--memory", "much", naming="much")
        self.refused("run", "program", "--on-crash", "dance", naming="dance")
        self.refused("run", "program", "--accel", "magic", naming="magic")
        self.refused("run", "program", "--name", "a/b", naming="a/b")
        self.refused("run", "missing", naming="missing")
        self.refused("run", "program", "--net", "tap=mortem-nowhere", naming="tap=mortem-nowhere: there is no such interface")
        self.refused("image", "create", "program", "--format", "qcow2", naming="qcow2")
        self.refused("image", "create", "program", "--file", "missing", naming="missing")
        self.refused("image", "create", "program", "--slots", "1", naming="--slots 1")
        self.refused("image", "create", "program", "-o", "no/such/folder/x.img", naming="no/such/folder")
        self.refused("ps", "--", "x", naming="ps")
        self.refused("stop", "nobody", naming="nobody", status=1)
        self.refused("logs", "nobody", naming="nobody", status=1)

    def test_programs_that_cannot_run(self):
        (self.files / "script").write_text("#!/bin/sh\n")
        data = (self.files / "program").read_bytes()
        (self.files / "arm").write_bytes(data[:18] + b"\xb7\0" + data[20:])
        (self.files / "cut").write_bytes(data[:80])
        for verb in (["run"], ["image", "create"]):
            self.refused(*verb, "script", naming="script: a script: give its interpreter as the program: /bin/sh")
            self.refused(*verb, "arm", naming="arm: built for AArch64, this is x86-64 only")
            self.refused(*verb, "cut", naming="cut: truncated ELF file")

    def test_image(self):
        facts = self.facts("image", "create", "program", "-o", "a b.img", "--slots", "3")
        self.assertEqual(facts["slots"], 3)
        self.assertEqual(len(self.facts("pull", "a b.img", "--list")["slots"]), 3)
        self.refused("pull", "a b.img", naming="no dump", status=1)
        self.refused("pull", "a b.img", "--slot", "3", naming="slots 0 to 2")
        self.assertEqual(self.facts("ps")["instances"], [])

    def test_full_stdout(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([MORTEM, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("No space left", done.stderr)


if __name__ == "__main__":
    unittest.main()
