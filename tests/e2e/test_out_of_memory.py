"""A program that wants more memory than there is: it is told, or it dies with a dump that says why; the kernel never
panics for it."""
import unittest

from mortem_test import GUESTS, MortemTest

PROGRAM = GUESTS / "memory_eater"


class OutOfMemory(MortemTest):
    def check_end(self, way):
        done, dump = self.crash(PROGRAM, "--memory", "32M", status=137, arguments=[way])
        self.assertNotIn("panic", done.stdout + done.stderr)
        # What held it is on the console too: the largest mappings, by name.
        self.assertRegex(done.stdout, r"out of memory: \d+ of \d+ KiB of 0x[0-9a-f]+-0x[0-9a-f]+ \((\[heap\]|anonymous)\)")
        reason = self.facts("info", dump)["reason"]
        self.assertEqual((reason["kind"], reason["signal"]), ("signal", 9))
        message = reason["message"]
        self.assertRegex(message, r"out of memory: no page for 0x[0-9a-f]+ at rip 0x[0-9a-f]+; of \d+ KiB the app has \d+ "
                                  r"\(most: .*\), shared memory \d+, page cache \d+, kernel heap \d+, "
                                  r"device buffers \d+$")
        report = self.mortem("report", dump).stdout
        self.assertIn("out of memory", report)
        return message

    def test_touching_without_end(self):
        self.check_end("touch")
        self.assert_nothing_left()

    def test_calls_that_fill_memory_without_end(self):
        self.check_end("read")

    def test_mapped_files_give_way(self):
        """What a file's mapping shows can be read again: it goes when the program wants memory, and nothing is lost."""
        done = self.mortem("run", PROGRAM, "--memory", "21M", "--", "squeeze")
        right = "of the file: 0 words wrong, of memory: 0"
        self.assertEqual(done.stdout.splitlines(), ["read through a mapping: 0 words wrong", right, right,
                                                    "read from the file: 0 words wrong"])

    def test_a_program_that_looks(self):
        done = self.mortem("run", PROGRAM, "--memory", "32M", "--", "look")
        no_memory = "Cannot allocate memory"
        self.assertEqual(done.stdout.splitlines(), [
            f"malloc of a terabyte: {no_memory}", f"mmap of a terabyte: {no_memory}", f"shared: {no_memory}",
            "reserved only: fine", f"sbrk: {no_memory}",
            "/dev/shm full: No space left on device, after half of the memory: 1", "unlink: 0", "its memory is back"])


if __name__ == "__main__":
    unittest.main()
