"""`mortem resume --record`: what follows a dump's or a clone's moment is recorded, and gdb goes backwards in it."""
import shutil
import time
import unittest

from mortem_test import GUESTS, MortemTest, wait_until
from test_resume import SERVER, ResumeTest, free_port


class RecordedMoments(ResumeTest):
    def moment(self, dump):
        """A server's image, and its dump after one request."""
        port, image = free_port(), self.files / "server.img"
        self.mortem("image", "create", SERVER, "-o", image, "--", "80")
        self.mortem("run", image, "--name", "first", "-p", f"{port}:80", "--detach", "--on-crash", "stop", "--dump", dump)
        wait_until(lambda: "serving" in self.mortem("logs", "first").stdout, "the server")
        self.assertTrue(self.ask(port, "/one").startswith("hello /one 0.250 "))
        self.gdb("first", "monitor dump")
        wait_until(dump.exists, "the dump")
        self.wait_for_ends(60)
        return image

    def resume_recorded(self, source, name, recording, *options):
        port, facts = self.resume(source, name, "--record", recording, *options)
        self.assertFalse(facts["holds_program"])
        begun = time.monotonic()
        # The recorder looks at the guest after a quarter of a second: without that a replay has only the end to be
        # compared at.
        wait_until(lambda: time.monotonic() - begun > 1, "the recorder's first check")
        return port

    def replay(self, recording):
        """The name of its replay, at the beginning, once it is known to be the same as what was recorded."""
        facts = self.facts("replay", recording, "--check")
        self.assertGreaterEqual(facts["points"], 1)
        self.assertEqual((facts["same_registers"], facts["same_memory"] + facts["unknown_memory"], facts["same_end"]),
                         (facts["points"], facts["points"], True))
        name = self.facts("replay", recording, "--at", "begin")["name"]
        self.addCleanup(self.mortem, "stop", name, status=None)
        return name

    def assert_in_order(self, said, *texts):
        at = 0
        for text in texts:
            found = said.find(text, at)
            self.assertGreaterEqual(found, 0, f"{text!r} is not in order in\n{said}")
            at = found + len(text)

    def test_a_dump_with_its_disk(self):
        dump, recording, moved = self.files / "server.dump", self.files / "server.rec", self.files / "moved.rec"
        image = self.moment(dump)
        before = image.stat()
        port = self.resume_recorded(dump, "again", recording, "--image", image)
        self.assertTrue(self.ask(port, "/two").startswith("hello /two 0.500 "))
        self.assertEqual(self.ask(port, "/log"), "/one\n/two\n/log\n")
        self.assertEqual(self.ask(port, "/sync"), "0")
        self.mortem("stop", "again")
        after = image.stat()
        self.assertEqual((after.st_mtime_ns, after.st_blocks), (before.st_mtime_ns, before.st_blocks), "it was written to")
        for path in (image, dump):  # a replay needs neither
            path.unlink()
        shutil.move(recording, moved)
        said = self.gdb(self.replay(moved), "break find_session", "continue", "print path", "continue", "print path",
                        "reverse-continue", "print path", "reverse-continue", "bt 1", deadline=200)
        self.assert_in_order(said, '"/two"', '"/log"', '"/two"', "No more reverse-execution history", "accept (")

    def test_a_mended_crash_happens_again(self):
        """Crash, mend, clone, record: the second crash is recorded, and its cause is found backwards."""
        dump = self.crashed_server("--on-crash", "stop", source=self.packed())
        self.resume(dump, "mended", "--image", self.files / "server.img")
        self.skip_the_store("mended")
        self.mortem("clone", "mended", "-o", "mended.clone")
        self.mortem("stop", "mended")
        recording = self.files / "second.rec"
        port = self.resume_recorded(self.files / "mended.clone", "second", recording)
        self.assertEqual(self.ask(port, "/log"), "/one\n/two\n/crash\n/log\n")
        self.assertEqual(self.ask(port, "/crash"), "")
        self.wait_for_ends(60)
        self.replay(recording)
        name = self.facts("replay", recording)["name"]
        self.addCleanup(self.mortem, "stop", name, status=None)
        said = self.gdb(name, "bt 1", "break find_session", "reverse-continue", "print path", "bt 2", deadline=200)
        self.assert_in_order(said, "serve (", "find_session (", '"/crash"', "serve (")

    def test_a_fault_that_is_handled(self):
        """From its dump on: the program's own handler gets it, and another one later."""
        dump = self.files / "fault.dump"
        self.mortem("run", GUESTS / "recover", "--on-fault", "first-chance", "--dump", dump)
        self.facts("resume", dump, "--name", "again", "--record", "fault.rec")
        self.wait_for_ends()
        self.assertTrue(self.facts("replay", "fault.rec", "--check", status=None)["same_end"])  # it is short
        name = self.facts("replay", "fault.rec", "--at", "begin")["name"]
        self.addCleanup(self.mortem, "stop", name, status=None)
        said = self.gdb(name, "break on_fault", "continue", "continue", "continue", "reverse-continue",
                        "print information->si_signo", "frame function main", "print i", deadline=200)
        self.assert_in_order(said, "on_fault (signal=11", "on_fault (signal=11", "No more reverse-execution history",
                             "on_fault (signal=11", "$1 = 11", "main ()", "$2 = 1")

    def packed(self):
        image = self.files / "server.img"
        self.mortem("image", "create", SERVER, "-o", image, "--", "80")
        return image

    def test_refusals(self):
        dump = self.crashed_server()
        self.assert_refused("resume", dump, "--record", "new.rec", naming=["--record", dump, "signal 11", "mortem clone"])
        self.assertFalse((self.files / "new.rec").exists())
        (self.files / "there").mkdir()
        (self.files / "there" / "file").touch()
        self.assert_refused("resume", dump, "--record", "there", naming=["there is there already"])
        self.assertEqual([path.name for path in (self.files / "there").iterdir()], ["file"])


del ResumeTest, MortemTest

if __name__ == "__main__":
    unittest.main()
