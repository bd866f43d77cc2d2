"""Dumps in exported disk images: every format that clouds and hypervisors give is read as it is."""
import subprocess
import unittest

from mortem_test import GUESTS, MortemTest

FORMATS = {"qcow2": "qcow2", "vmdk": "vmdk", "vhd": "vpc", "vhdx": "vhdx"}


class DiskFormats(MortemTest):
    def test_the_same_dump_in_every_format(self):
        image = self.files / "image.raw"
        self.mortem("image", "create", GUESTS / "null_read", "-o", image)
        self.mortem("run", image, "--on-crash", "stop", "--keep-in-slot", status=139)
        self.mortem("pull", image, "-o", "raw.dump")
        expected = (self.files / "raw.dump").read_bytes()
        reason = self.facts("report", image)["reason"]
        self.assertIn("SIGSEGV", reason)
        for suffix, driver in FORMATS.items():
            with self.subTest(suffix):
                exported = self.files / f"export.{suffix}"
                subprocess.run(["qemu-img", "convert", "-O", driver, image, exported], check=True)
                self.assertIn("complete", self.mortem("pull", exported, "--list").stdout)
                self.mortem("pull", exported, "-o", f"{suffix}.dump")
                self.assertTrue((self.files / f"{suffix}.dump").read_bytes() == expected)
                self.assertEqual(self.facts("report", f"{exported}#0")["reason"], reason)
        self.assert_nothing_left()

    def test_a_slot_without_a_dump(self):
        image = self.files / "image.raw"
        self.mortem("image", "create", GUESTS / "null_read", "-o", image)
        self.assert_refused("report", image, naming=["image.raw", "pull --list"])
        self.assert_refused("report", f"{image}#1", naming=["slot 1", "pull --list"])

    def test_what_is_no_image_of_ours(self):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", self.files / "empty.qcow2", "64M"], check=True)
        self.assert_refused("pull", "empty.qcow2", "--list", naming=["empty.qcow2", "no GPT"])
        (self.files / "broken.qcow2").write_bytes(b"QFI\xfb" + b"\xff" * 4096)
        self.assert_refused("pull", "broken.qcow2", "--list", naming=["broken.qcow2", "qcow2"])


if __name__ == "__main__":
    unittest.main()
