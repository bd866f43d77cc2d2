"""Bad input: one line that names what is wrong, status 2, nothing left behind."""
import os
import shutil
import struct
import subprocess
import unittest

from mortem_test import GUESTS, MortemTest


class BadInput(MortemTest):
    def image(self):
        image = self.files / "image.raw"
        self.mortem("image", "create", GUESTS / "null_read", "-o", image)
        return image

    def dump(self):
        _, dump = self.crash(GUESTS / "null_read", status=139)
        return dump

    def test_missing_file(self):
        for verb in (["run"], ["bt"], ["report"], ["info"], ["pull"], ["core"], ["image", "create"]):
            more = ["-o", "out"] if verb[0] in ("core", "image") else []
            self.assert_refused(*verb, "no-such-file", *more, naming=["no-such-file"])

    def test_no_elf(self):
        script = self.files / "script.sh"
        script.write_text("#!/bin/sh\nexit 0\n")
        self.assert_refused("run", script, naming=["script.sh", "a script"])
        os.mkfifo(self.files / "pipe")
        self.assert_refused("run", "./pipe", naming=["./pipe", "is a pipe"])
        self.assert_refused("bt", script, naming=["script.sh"])

    def test_a_folder_that_is_no_clone(self):
        folder = self.files / "things"
        folder.mkdir()
        for verb in ("bt", "info", "report", "resume", "gdb"):
            self.assert_refused(verb, folder, naming=["things", "no clone", "clone.json"])

    def test_empty_file(self):
        empty = self.files / "empty"
        empty.write_bytes(b"")
        for verb in ("run", "bt", "info", "pull"):
            self.assert_refused(verb, empty, naming=["empty"])

    def test_other_machine(self):
        other = self.files / "arm-program"
        data = bytearray((GUESTS / "hello").read_bytes())
        struct.pack_into("<H", data, 18, 183)  # e_machine = EM_AARCH64
        other.write_bytes(data)
        other.chmod(0o755)
        self.assert_refused("run", other, naming=["arm-program"])
        self.assert_refused("image", "create", other, "-o", "image.raw", naming=["arm-program"])

    def test_keep_in_slot_of_an_image_that_goes(self):
        self.assert_refused("run", GUESTS / "hello", "--keep-in-slot", naming=["--keep-in-slot", "image create"])

    def test_no_place_for_the_dump(self):
        hello = GUESTS / "hello"
        (self.files / "file").write_text("")
        self.assert_refused("run", hello, "--dump", "nowhere/x.core", naming=["--dump", "nowhere", "No such file"])
        self.assert_refused("run", hello, "--dump", "file/x.core", naming=["--dump", "file", "Not a directory"])
        self.assert_refused("run", hello, "--dump", ".", naming=["--dump", "is a folder"])

    def test_image_without_slots(self):
        image = self.image()
        subprocess.run(["/usr/sbin/sgdisk", "--delete=2", str(image)], check=True, capture_output=True)
        self.assert_refused("pull", image, naming=["image.raw", "no dump partition"])
        self.assert_refused("run", image, naming=["image.raw", "a crash would leave no dump", "no dump partition",
                                                  "--no-dump"])
        done = self.mortem("run", image, "--no-dump", status=139)
        self.assertRegex(done.stderr, "no dump was written.*no dump partition")

    def test_truncated_image(self):
        image = self.image()
        with open(image, "r+b") as file:
            file.truncate(1 << 20)
        self.assert_refused("pull", image, naming=["image.raw"])
        self.assert_refused("run", image, naming=["image.raw"])

    def test_image_without_partitions(self):
        image = self.files / "zeros.raw"
        image.write_bytes(bytes(1 << 20))
        self.assert_refused("pull", image, naming=["zeros.raw"])
        self.assert_refused("run", image, naming=["zeros.raw"])

    def test_image_without_dump_is_a_finding(self):
        done = self.mortem("pull", self.image(), status=1)
        self.assertEqual(len((done.stdout + done.stderr).splitlines()), 1)

    def test_truncated_dump(self):
        dump = self.dump()
        whole = dump.read_bytes()
        for part in (4, len(whole) // 2, len(whole) - 10):
            dump.write_bytes(whole[:part])
            for verb in ("bt", "info", "report"):
                self.assert_refused(verb, dump, naming=["dump.zst"])

    def test_truncated_core(self):
        dump = self.dump()
        core = self.files / "core"
        self.mortem("core", dump, "-o", core)
        whole = core.read_bytes()
        core.write_bytes(whole[:200])
        self.assert_refused("bt", core, naming=["core"])

    def test_changed_dump(self):
        dump = self.dump()
        data = bytearray(dump.read_bytes())
        data[len(data) // 2] ^= 0x55
        dump.write_bytes(data)
        self.assert_refused("core", dump, "-o", "core", naming=["dump.zst"])

    def test_wrong_options(self):
        self.assert_refused("run", GUESTS / "hello", "--no-such-option", naming=["--no-such-option"])
        self.assert_refused("run", GUESTS / "hello", "--memory", "much", naming=["much"])
        self.assert_refused("run", GUESTS / "hello", "--on-crash", "dance", naming=["dance"])
        self.assert_refused("no-such-verb", naming=["no-such-verb"])
        self.assert_refused("run", naming=["run"])

    def test_output_is_not_overwritten_by_a_failure(self):
        kept = self.files / "kept"
        kept.write_text("precious")
        shutil.copy(GUESTS / "hello.c" if (GUESTS / "hello.c").exists() else __file__, self.files / "text")
        self.assert_refused("core", self.files / "text", "-o", kept, naming=["text"])
        self.assertEqual(kept.read_text(), "precious")


if __name__ == "__main__":
    unittest.main()
