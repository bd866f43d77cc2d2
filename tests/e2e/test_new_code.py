"""Code that appears while the program runs: allowed, refused, or the end, as the image's NewCode says."""
import json
import subprocess
import unittest

from mortem_test import GUEST_SOURCES, MortemTest

SOURCE = GUEST_SOURCES / "makes_code.c"
REFUSED = "Permission denied"
LIBRARY = "/lib/x86_64-linux-gnu/libm.so.6"  # of no program here until dlopen


class NewCode(MortemTest):
    def build(self, name, *flags, compiler="gcc"):
        subprocess.run([compiler, "-O1", "-g", "-fno-omit-frame-pointer", SOURCE, "-o", self.files / name, *flags],
                       check=True)
        return name

    def config(self, program, policy, **more):
        path = self.files / "config.json"
        path.write_text(json.dumps({"Program": program, "NewCode": policy, **more}))
        return path

    def ways(self, text):
        return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line and "mortem" not in line)

    def check_refused(self, program, **more):
        done = self.mortem("run", self.config(program, "refuse", **more))
        ways = self.ways(done.stdout)
        for way in ("mmap", "mprotect", "writable and executable", "own code writable", "shmat"):
            self.assertEqual(ways[way], REFUSED, way)
        self.assertEqual(ways["own code as it is"], "fine", "what is executable already is not new")
        self.assertNotIn("it returns", done.stdout)
        said = [line for line in done.stdout.splitlines() if "security: new code" in line]
        # Once a place: three rounds are one place.
        self.assertEqual(len([line for line in said if "mmap of 4 KiB" in line]), 2, said)
        self.assertEqual(len([line for line in said if "mprotect of 4 KiB" in line]), 2, said)
        return done, said

    def test_refused_static(self):
        done, said = self.check_refused(self.build("makes_code", "-static"))
        for line in said:
            self.assertIn("(/bin/makes_code)", line)

    def test_refused_dynamic(self):
        """The interpreter maps the libraries that the program needs; after that dlopen is refused too."""
        done, said = self.check_refused(self.build("makes_code"), Args=["libm.so.6"], Files=[LIBRARY])
        self.assertEqual(self.ways(done.stdout)["dlopen"], "refused")
        self.assertTrue(any("(/bin/makes_code)" in line for line in said), said)

    def test_refused_without_relocation(self):
        self.check_refused(self.build("makes_code", "-no-pie", "-fno-pie"))

    def test_refused_musl(self):
        """musl's interpreter is the C library itself: all calls of the program come from it."""
        self.check_refused(self.build("makes_code", compiler="musl-gcc"))

    def test_allowed_but_said(self):
        done = self.mortem("run", self.build("makes_code"), "--file", LIBRARY, "--", "libm.so.6")
        self.assertIn("it returns 42", done.stdout)
        ways = self.ways(done.stdout)
        for way in ("mmap", "mprotect", "writable and executable", "own code writable", "shmat", "dlopen"):
            self.assertEqual(ways[way], "fine", way)
        said = [line for line in done.stdout.splitlines() if "writable and executable at once" in line]
        # Once for the three rounds, the program's own code, the shared segment.
        self.assertEqual(len(said), 3, done.stdout)
        for line in said:
            self.assertIn("(/bin/makes_code)", line)

    def test_the_end(self):
        program = self.build("makes_code")
        done, dump = self.crash(self.config(program, "crash"), status=128 + 31)
        self.assertNotIn("mmap: ", done.stdout.replace("security: new code: mmap", ""))
        reason = self.facts("info", dump)["reason"]
        self.assertEqual((reason["kind"], reason["signal"]), ("signal", 31))
        self.assertIn("new code: mmap of 4 KiB as executable", reason["message"])
        self.assertIn("new code", self.mortem("report", dump).stdout)
        (thread,) = self.facts("bt", dump)["threads"]
        self.assertIn("main", [frame.get("function") for frame in thread["frames"]])


if __name__ == "__main__":
    unittest.main()
