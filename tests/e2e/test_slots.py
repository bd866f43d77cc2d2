"""The dump slots of an image: filled one after another, never overwritten, never half a dump that looks whole."""
import json
import os
import signal
import unittest
import zlib

import debuggers
from mortem_test import GUESTS, MortemTest, wait_until
from slot_states import BLOCK, EMPTY, PARTIAL, WRITING, SlotStates


class Slots(SlotStates, MortemTest):
    def image(self, guest="null_read"):
        image = self.files / "image.raw"
        self.mortem("image", "create", GUESTS / guest, "-o", image)
        return image

    def run_keeping(self, image, *options):
        """One more crash whose dump stays in its slot."""
        return self.mortem("run", image, "--on-crash", "stop", "--keep-in-slot", *options, status=139)

    def pulled(self, image, slot):
        path = self.files / f"pulled.{slot}"
        path.unlink(missing_ok=True)
        self.mortem("pull", image, "-o", path, "--slot", slot)
        return path.read_bytes()

    def crashes(self, image):
        return [(row.get("number_of_kind"), row.get("crashes_of_kind"))
                for row in json.loads(self.mortem("pull", image, "--list", "--json").stdout)["slots"]]

    def test_of_one_crash_the_first_and_the_newest_dump_are_kept(self):
        image = self.image()
        self.run_keeping(image)
        self.run_keeping(image)
        self.assertEqual(self.crashes(image), [(1, 2), (2, 2)])
        first, second = self.pulled(image, 0), self.pulled(image, 1)
        third = self.run_keeping(image)
        self.assertIn("dump kept in slot 1", third.stderr)
        self.assertEqual(self.crashes(image), [(1, 3), (3, 3)])
        self.assertTrue(self.pulled(image, 0) == first, "the first dump has changed")
        self.assertFalse(self.pulled(image, 1) == second)
        self.assertIn("crash 3 of this kind", self.mortem("report", self.files / "pulled.1").stdout)
        self.assertRegex(self.mortem("pull", image, "--list").stdout, r"1 of 3(.|\n)*3 of 3")

    def test_full_slots_are_told_and_lose_nothing(self):
        """Two kinds of crash, each with its only dump: a third crash is counted where it belongs, no more."""
        image = self.image("crash_in_turns")
        self.run_keeping(image)
        self.mortem("run", image, "--on-crash", "stop", "--keep-in-slot", "--", "second", status=139)
        self.assertEqual(self.crashes(image), [(1, 1), (1, 1)])
        first, second = self.pulled(image, 0), self.pulled(image, 1)
        refused = self.mortem("run", image, "--keep-in-slot", status=2)
        self.assertRegex(refused.stderr, "image.raw: a crash would leave no dump: all 2 slots are full, make room with "
                                         "mortem pull .* --release; or run it with --no-dump\n$")
        third = self.run_keeping(image, "--no-dump")
        self.assertIn("it is crash 2 of a kind whose first dump is in slot 0", third.stdout)
        self.assertRegex(third.stderr, "no dump was written: all 2 slots are full, make room with mortem pull")
        self.assertEqual(self.crashes(image), [(1, 2), (1, 1)])
        self.assertTrue(self.pulled(image, 0) == first and self.pulled(image, 1) == second, "a slot has changed")

    def test_a_text_record_alone_is_shown_and_released(self):
        """What a guest leaves that could write nothing more: no dump, but its slot must become free again."""
        image = self.image()
        self.run_keeping(image)
        (slot, header), _ = self.slots(image)
        header = bytearray(header)
        header[12:16] = PARTIAL.to_bytes(4, "little")  # state
        header[24:40] = bytes(16)                      # stored and expanded length
        header[64:68] = (1).to_bytes(4, "little")      # level: text only
        header[84:88] = zlib.crc32(header[:84]).to_bytes(4, "little")
        with open(image, "r+b") as file:
            file.seek(slot)
            file.write(header)
        for release in ([], ["--release"]):
            done = self.mortem("pull", image, *release, status=1)
            self.assertIn("SIGSEGV", done.stdout)
            self.assertIn("slot 0 holds no dump, only this text record", done.stderr)
        self.assertEqual(self.slot_states(image), [EMPTY, EMPTY])

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
        # The slot's state goes to `writing` before the dump: as soon as some of it stands on the disk, the power goes.
        ((slot, _), _) = self.slots(image)

        def is_half_written():
            with open(image, "rb") as file:
                file.seek(slot + 2 * BLOCK + (600 << 10))
                return self.slot_states(image)[0] == WRITING and any(file.read(BLOCK))
        wait_until(is_half_written, "a dump that is half written", 60)
        (process,) = self.qemu_processes()
        os.kill(process, signal.SIGKILL)
        command.wait(30)
        self.assertEqual(self.slot_states(image)[0], WRITING, "the dump was finished before the power went")
        done = self.mortem("pull", image, "-o", "out", status=1)
        self.assertRegex(done.stderr, "cut short.*--force")
        self.assertFalse((self.files / "out").exists())
        again = self.mortem("image", "create", GUESTS / "hello", "-o", image, status=2)
        self.assertIn("--force", again.stderr)

        # What is there of it opens, here and in gdb, and says that it is not all.
        self.mortem("pull", image, "-o", "part", "--force", "--release")
        part, core = self.files / "part", self.files / "core"
        self.assertEqual(self.facts("info", part)["reason"]["level"], "cut short")
        self.assertIn("cut short", self.mortem("report", part).stdout)
        self.mortem("bt", part)
        self.mortem("core", part, "-o", core)
        text = debuggers.gdb(GUESTS / "memory_patterns", core, "info registers rip")
        self.assertRegex(text, "rip +0x[0-9a-f]+")
        self.assertNotIn("truncated", text)
        self.mortem("image", "create", GUESTS / "hello", "-o", image)

    def test_an_image_with_a_dump_is_not_replaced(self):
        image = self.image()
        self.run_keeping(image)
        before = image.stat().st_ino
        self.assert_refused("image", "create", GUESTS / "hello", "-o", image,
                            naming=[f"mortem pull {image} --slot 0 --release", "--force"])
        self.assertEqual(image.stat().st_ino, before)
        self.mortem("pull", image, "-o", "dump", "--slot", "0", "--release")
        self.mortem("image", "create", GUESTS / "hello", "-o", image)
        self.run_keeping(self.image())
        self.mortem("image", "create", GUESTS / "hello", "-o", image, "--force")
        self.assertIn("no dump", self.mortem("pull", image, status=1).stderr)


if __name__ == "__main__":
    unittest.main()
