"""Debug information that stands apart, below /usr/lib/debug by build id, as Debian's -dbgsym packages bring it: recorded
when a program is packed, not packed, and found when its dump is read. Needs root, for a /usr/lib/debug of its own."""
import ctypes
import json
import os
import pathlib
import subprocess
import unittest

from mortem_test import MortemTest

SOURCE = """
struct only_in_debug_information { int what_it_was; };
static volatile int* nowhere;
__attribute__((noinline)) static int dies_here(struct only_in_debug_information* it) { return *nowhere + it->what_it_was; }
int main(void) { struct only_in_debug_information it = {42}; return dies_here(&it) + 1; }
"""


class DebugFiles(MortemTest):
    @classmethod
    def setUpClass(cls):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(0x00020000) != 0:  # CLONE_NEWNS; this process, alone, and what it starts
            raise PermissionError("a mount namespace of its own needs root")
        pathlib.Path("/usr/lib/debug").mkdir(exist_ok=True)
        for words in (["--make-rprivate", "/"], ["-t", "tmpfs", "tmpfs", "/usr/lib/debug"]):
            subprocess.run(["mount", *words], check=True)

    def build(self):
        """A program without debug information; its debug file's place."""
        (self.files / "dies.c").write_text(SOURCE)
        program = self.files / "dies"

        def run(*words):
            return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout
        run("gcc", "-g", "-O0", "-static", "-Wl,--build-id=sha1", "-o", program, self.files / "dies.c")
        notes = run("readelf", "-n", program)
        build_id = notes.split("Build ID:")[1].split()[0]
        debug = pathlib.Path("/usr/lib/debug/.build-id", build_id[:2], build_id[2:] + ".debug")
        debug.parent.mkdir(parents=True)
        run("objcopy", "--only-keep-debug", program, debug)
        run("strip", program)
        return program, debug, build_id

    def test_recorded_and_not_packed(self):
        program, debug, build_id = self.build()
        facts = json.loads(self.mortem("image", "create", program, "-o", "dies.img", "--json").stdout)
        (module,) = [one for one in facts["modules"] if one["build_id"] == build_id]
        self.assertEqual(module["debug_file"], str(debug))
        self.assertIn(b"only_in_debug_information", debug.read_bytes())
        self.assertNotIn(b"only_in_debug_information", (self.files / "dies.img").read_bytes())
        record = self.place / "cache" / "mortem" / "build-id" / build_id[:2] / (build_id[2:] + ".debug")
        self.assertEqual(os.readlink(record), str(debug))

        self.mortem("run", "dies.img", "--on-crash", "stop", "--dump", "dies.zst", status=139)
        frame = self.facts("bt", "dies.zst")["threads"][0]["frames"][0]
        self.assertEqual((frame["function"], frame["line"]), ("dies_here", 4))
        self.assertIn("what_it_was = 42", self.mortem("print", "dies.zst", "*it").stdout)
        self.assertIn("dies.c:4", self.mortem("report", "dies.zst").stdout)

        # It was this file: without it there are no lines.
        debug.unlink()
        frame = self.facts("bt", "dies.zst")["threads"][0]["frames"][0]
        self.assertIsNone(frame.get("line"))


if __name__ == "__main__":
    unittest.main()
