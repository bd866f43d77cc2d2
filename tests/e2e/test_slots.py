"""The dump slots of an image: filled one after another, never overwritten, never half a dump that looks whole."""
import os
import signal
import unittest

from mortem_test import GUESTS, MortemTest, wait_until


class Slots(MortemTest):
    def image(self, guest="null_read"):
        image = self.files / "image.raw"
        self.mortem("image", "create", GUESTS / guest, "-o", image)
        return image

    def run_keeping(self, image):
        """One more crash whose dump stays in its slot."""
        return self.mortem("run", image, "--on-crash", "stop", "--keep-in-slot", status=139)

    def test_third_crash_is_told_and_loses_nothing(self):
        image = self.image()
        self.run_keeping(image)
        self.run_keeping(image)
        first = self.files / "first"
        second = self.files / "second"
        self.mortem("pull", image, "-o", first, "--slot", "0")
        self.mortem("pull", image, "-o", second, "--slot", "1")
        third = self.run_keeping(image)
        self.assertRegex((third.stdout + third.stderr).lower(), "full|no (free|empty) slot|all .*slots")
        for slot, path in (("0", first), ("1", second)):
            again = self.files / f"again.{slot}"
            self.mortem("pull", image, "-o", again, "--slot", slot)
            self.assertTrue(again.read_bytes() == path.read_bytes(), f"slot {slot} has changed")
        self.assertFalse(first.read_bytes() == second.read_bytes())

    def test_reboot_after_a_crash(self):
        """The guest crashes, dumps, boots again, crashes again."""
        command = self.start("run", self.image(), "--on-crash", "reboot")
        crashes = 0
        text = b""
        while crashes < 2:
            part = command.stdout.read1(65536)
            self.assertTrue(part, f"the guest ended:\n{text.decode(errors='replace')}")
            text += part
            crashes = text.count(b"SIGSEGV")
        command.send_signal(signal.SIGINT)
        command.wait(30)
        self.assert_nothing_left()

    def test_power_cut_in_the_middle_of_a_dump(self):
        image = self.image("memory_patterns")
        command = self.start("run", image, "--on-crash", "stop", "--keep-in-slot")
        # The slot's state goes to `writing` before the dump: as soon as it stands on the disk, the power goes.

        def is_writing():
            data = image.read_bytes()
            at = data.find(b"MORTSLOT")
            while at >= 0:
                if int.from_bytes(data[at + 12:at + 16], "little") == 1:
                    return True
                at = data.find(b"MORTSLOT", at + 8)
            return False
        wait_until(is_writing, "a slot that is being written", 60)
        (process,) = self.qemu_processes()
        os.kill(process, signal.SIGKILL)
        command.wait(30)
        done = self.mortem("pull", image, "-o", "out", status=None)
        self.assertIn(done.returncode, (1, 2))
        self.assertRegex(done.stdout + done.stderr, "cut short|writing")
        self.assertFalse((self.files / "out").exists())


if __name__ == "__main__":
    unittest.main()
