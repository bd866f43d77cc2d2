"""The dump slots of an image: filled one after another, never overwritten, never half a dump that looks whole."""
import os
import signal
import unittest
import uuid

from mortem_test import GUESTS, MortemTest, wait_until


WRITING = 1
DUMP_PARTITION = uuid.UUID("9E4F1D6B-C752-4A33-9D60-2E8A7715B4D8")


def first_slot(image):
    """Offset of the first slot's header: the dump partition of the GPT (UEFI 2.10, section 5.3.3), one block in."""
    with open(image, "rb") as file:
        file.seek(1024)
        for _ in range(128):
            entry = file.read(128)
            if entry[:16] == DUMP_PARTITION.bytes_le:
                return int.from_bytes(entry[32:40], "little") * 512 + 4096
    raise AssertionError(f"{image}: no dump partition")


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
        # The slot's state goes to `writing` before the dump: as soon as that stands on the disk, the power goes.
        header = first_slot(image)

        def is_writing():
            with open(image, "rb") as file:
                file.seek(header)
                slot = file.read(16)
            return slot[:8] == b"MORTSLOT" and slot[12] == WRITING
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
