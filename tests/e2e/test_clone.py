"""`mortem clone`: a copy of a running guest into a folder, while it serves."""
import json
import os
import pathlib
import subprocess
import unittest

from mortem_test import GUESTS, MortemTest, wait_until


class CloneTest(MortemTest):
    def start_guest(self, program, name, *options, arguments=(), says=None):
        after = ["--", *arguments] if arguments else []
        self.mortem("run", program, "--name", name, "--detach", *options, *after)
        self.addCleanup(self.mortem, "stop", name, status=None)
        if says:
            wait_until(lambda: says in self.mortem("logs", name).stdout, f"{says!r} in the guest's log")

    def disk_of(self, name):
        """The chain of the guest's disks, as its QEMU has it open."""
        (instance,) = [one for one in self.facts("ps")["instances"] if one["name"] == name]
        links = pathlib.Path(f"/proc/{instance['pid']}/fd").iterdir()
        return sorted(os.readlink(link) for link in links if ".img" in os.readlink(link) or "qcow2" in os.readlink(link))

    def guards(self):
        return [path for path in pathlib.Path("/proc").glob("[0-9]*/comm")
                if path.exists() and path.read_text() == "mortem-guard\n"
                and str(self.place).encode() in (path.parent / "environ").read_bytes()]


class Folders(CloneTest):
    def test_of_an_idle_guest(self):
        self.start_guest(GUESTS / "sleeper", "dormouse", says="sleeping")
        disks = self.disk_of("dormouse")
        for number in range(3):
            facts = self.facts("clone", "dormouse", "-o", f"clone-{number}")
            self.assertEqual(facts["method"], "pre-copy")
            self.assertEqual(facts["memory_bytes"], 256 << 20)
            folder = self.files / f"clone-{number}"
            self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
            self.assertEqual((folder / "memory").stat().st_size, 256 << 20)
            self.assertLess((folder / "memory").stat().st_blocks * 512, 32 << 20, "zeros are stored")
            self.assertEqual(json.loads((folder / "clone.json").read_text())["schema"], "mortem.clone-folder/1")
        self.assertEqual(self.disk_of("dormouse"), disks)
        self.assertEqual(self.guards(), [])
        self.assertEqual([path.name for path in self.files.iterdir() if path.name.startswith(".")], [])
        self.mortem("stop", "dormouse")
        self.assert_nothing_left()

    def test_looked_into_without_a_start(self):
        self.start_guest(GUESTS / "sleeper", "dormouse", says="sleeping")
        self.mortem("clone", "dormouse", "-o", "asleep")
        self.mortem("stop", "dormouse")
        self.assert_nothing_left()
        (thread,) = self.facts("bt", "asleep")["threads"]
        names = [frame["function"] for frame in thread["frames"]]
        self.assertEqual(names[0], "kernel::wait_for_interrupt()")  # where an idle guest is
        self.assertIn("main", names)
        main = next(frame for frame in thread["frames"] if frame["function"] == "main")
        self.assertIn("sleeper.c", main["file"])
        self.assertIn("a clone of dormouse", self.mortem("info", "asleep").stdout)
        shown = self.mortem("gdb", "asleep", "--", "-nx", "-batch", "-ex", "bt", "-ex", "info threads").stdout
        self.assertRegex(shown, r"#\d+ .* main \(\) at .*sleeper.c")
        self.mortem("core", "asleep", "-o", "asleep.core")
        plain = subprocess.run(["gdb", "-nx", "-batch", "-ex", "bt", str(GUESTS / "sleeper"), "asleep.core"],
                               cwd=self.files, capture_output=True, text=True, timeout=60)
        self.assertRegex(plain.stdout, r"#\d+ .* main \(\) at .*sleeper.c", plain.stderr)

    def test_damaged(self):
        self.start_guest(GUESTS / "sleeper", "dormouse", says="sleeping")
        self.mortem("clone", "dormouse", "-o", "whole")
        self.mortem("stop", "dormouse")
        state = (self.files / "whole" / "state").read_bytes()
        for name, content, text in (("state", state[:-100], "cut short"), ("state", b"", "cut short"),
                                    ("state", state[:5000] + b"x" + state[5001:], "checksum"),
                                    ("memory", b"", "cut short"), ("clone.json", b"{", "not a clone's description"),
                                    ("clone.json", b"{}", "not a clone's description")):
            whole = (self.files / "whole" / name).read_bytes()
            (self.files / "whole" / name).write_bytes(content)
            self.assert_refused("bt", "whole", naming=[f"whole/{name}", text])
            (self.files / "whole" / name).write_bytes(whole)
        self.mortem("bt", "whole")

    def test_refusals(self):
        self.assertIn("nobody", self.mortem("clone", "nobody", status=1).stderr)
        self.start_guest(GUESTS / "sleeper", "dormouse", says="sleeping")
        (self.files / "there").mkdir()
        for arguments, text in ((["-o", "there"], "there: exists already"), (["--method", "magic"], "--method magic"),
                                (["-o", "no/such/place"], "no/such/place")):
            done = self.mortem("clone", "dormouse", *arguments, status=2)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(text, done.stderr)
        self.assertEqual([path.name for path in self.files.iterdir()], ["there"])


if __name__ == "__main__":
    unittest.main()
