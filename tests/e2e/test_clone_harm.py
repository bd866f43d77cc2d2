"""Whatever becomes of a clone, the original goes on: its clients are served, its disks are as before, nothing is left."""
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from mortem_test import GUESTS, wait_until
from root_files import RootFiles, tool
from test_clone import CloneTest
from test_network import free_port

RECORD, RECORDS = 4096, 2048


def record(number):
    """What tests/guests/clone_load.c writes."""
    content = bytearray([number * 31 % 251]) * RECORD
    text = f"record {number}\0".encode()
    content[:len(text)] = text
    return bytes(content)


class Client(threading.Thread):
    """Asks one question after another on one connection; each answer says that the guest's disk is as it should be."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.answered, self.rounds, self.longest, self.failed = port, 0, 0, 0.0, None
        self.ended = threading.Event()
        self.start()

    def run(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=120) as connection:
                answers = connection.makefile()
                while not self.ended.is_set():
                    number, begun = self.answered + 1, time.monotonic()
                    connection.sendall(f"{number}\n".encode())
                    answer = answers.readline().split()
                    if answer[:2] != [str(number), "ok"]:
                        raise AssertionError(f"question {number}: {answer}")
                    self.longest = max(self.longest, time.monotonic() - begun)
                    self.answered, self.rounds = number, int(answer[2])
        except (OSError, AssertionError) as error:
            self.failed = error

    def goes_on(self):
        before, rounds = self.answered, self.rounds
        wait_until(lambda: self.failed or (self.answered > before + 1 and self.rounds > rounds), "the guest's answers",
                   60)
        if self.failed:
            raise AssertionError(f"the client after {self.answered} answers: {self.failed!r}")

    def end(self):
        self.goes_on()
        self.ended.set()
        self.join(60)


class LoadedTest(CloneTest):
    """A guest that writes memory and disk and serves; whatever becomes of clones of it, check() holds."""

    def serve(self, mebibytes=16):
        self.image, port = self.files / "load.img", free_port()
        self.mortem("image", "create", GUESTS / "clone_load", "-o", self.image, "--", "80", mebibytes)
        self.start_guest(self.image, "loaded", "-p", f"{port}:80", says="serving")
        said = open(self.place / "run" / "mortem" / "loaded" / "qemu.log")  # can be read when it is gone, too
        self.addCleanup(lambda: print("its QEMU said:", said.read(), said.close() or ""))
        self.client = Client(port)
        self.client.goes_on()
        self.disks = self.disk_of("loaded")
        self.left = sorted(path.name for path in self.files.iterdir())

    def check(self):
        wait_until(lambda: self.guards() == [], "the guard's end")
        try:
            self.client.goes_on()
        except AssertionError as error:
            said = [f"{words}: {done.stdout}{done.stderr}" for words in (("ps",), ("logs", "loaded"))
                    for done in (self.mortem(*words, status=None),)]
            dumps = [path.name for path in self.files.iterdir()]
            raise AssertionError("\n".join([str(error), *said, f"files: {dumps}"])) from None
        self.assertEqual(self.disk_of("loaded"), self.disks)
        self.assertEqual(sorted(path.name for path in self.files.iterdir()), self.left)

    def end(self):
        """The next clone is as good as ever, and so is the disk."""
        self.mortem("clone", "loaded", "-o", "last", "--method", "stop-and-copy")
        self.client.end()
        self.mortem("stop", "loaded")
        # What the program has written is on no disk yet: a copy that is held ends at once all the same.
        for _ in range(4):  # it may stand in a call that waits for the disk, or not
            self.facts("resume", "last", "--name", "held")
            self.assertEqual(self.mortem("stop", "held").stderr, "")
        self.assert_nothing_left()
        self.mortem("bt", "last")
        root = self.files / "root"
        RootFiles(self.image).copy_to(root)
        tool("e2fsck", "-f", "-p", root, most=1)
        self.check_records(tool("debugfs", "-R", "cat /records", root), self.client.answered)
        moment = self.files / "moment.img"
        subprocess.run(["qemu-img", "convert", "-O", "raw", self.files / "last" / "disk.qcow2", moment], check=True)
        RootFiles(moment).copy_to(root)
        tool("e2fsck", "-f", "-p", root, most=1)  # of one moment: its journal brings it right
        tool("e2fsck", "-f", "-n", root)

    def check_records(self, content, newest):
        for number in range(max(1, newest - RECORDS + 1), newest + 1):
            at = number % RECORDS * RECORD
            self.assertEqual(content[at:at + RECORD], record(number), f"record {number} of {newest}")


class Harm(LoadedTest):
    def begin(self, method, is_started):
        where = ("--name", "copy", "--run") if is_started else ("-o", "never")
        return self.start("clone", "loaded", *where, "--patience", "2", "--method", method)

    def take_away(self, is_started):
        """What has come of a clone; true: it was whole."""
        if not is_started:
            # The folder is there only if the copy was whole.
            if not (self.files / "never").exists():
                return False
            self.mortem("bt", "never")
            shutil.rmtree(self.files / "never")
            return True
        # Its QEMU may have begun, and ps not know of it yet.
        was_there = [False]

        def is_gone():
            was_there[0] |= self.mortem("stop", "copy", "--force", status=None).returncode == 0
            return [one["name"] for one in self.facts("ps")["instances"]] == ["loaded"] and \
                len(self.qemu_processes()) == 1
        wait_until(is_gone, "the copy's end", 60)
        return was_there[0]

    def kill_often(self, times, *forms):
        """Each form (method, whether the copy is started) in turn, at any moment of what it takes."""
        self.serve()
        whole = {}
        for method, is_started in forms:
            begun = time.monotonic()
            clone = self.begin(method, is_started)
            _, said = clone.communicate(timeout=120)
            whole[method, is_started] = time.monotonic() - begun
            # A pre-copy alone has no other way where the guest writes too fast.
            self.assertIn(clone.returncode, (0, 2) if method == "pre-copy" else (0,), said)
            self.assertEqual(self.take_away(is_started), clone.returncode == 0)
        chance, killed, turn = random.Random(times), 0, 0
        while killed < times:
            form = forms[turn % len(forms)]
            clone = self.begin(*form)
            try:
                clone.wait(timeout=chance.uniform(0, whole[form]))
            except subprocess.TimeoutExpired:
                clone.kill()
                killed += 1
            clone.communicate()
            # The guard may be at it still.
            wait_until(lambda: self.guards() == [], "the guard's end", 60)
            self.take_away(form[1])
            self.check()
            turn += 1
        if any(is_started for _, is_started in forms):  # what a killed one could not remove, the next one does
            self.assertEqual(self.begin("stop-and-copy", True).wait(timeout=120), 0)
            self.assertTrue(self.take_away(True))
        self.end()
        print(f"killed {killed} of {turn} times within {min(whole.values()):.1f} to {max(whole.values()):.1f} s; "
              f"{self.client.answered} answers, the longest after {self.client.longest * 1000:.0f} ms")

    def test_killed(self):
        self.kill_often(4, ("auto", False), ("background-snapshot", False))

    def clone_into_small_place(self, size):
        """What it says; nothing else may come of it."""
        small = self.place / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", small], check=True)
        try:
            done = self.mortem("clone", "loaded", "-o", small / "clone", status=2)
            # On a busy host a step down to the next method is said before.
            errors = [line for line in done.stderr.splitlines() if not line.startswith("mortem: loaded: ")]
            self.assertEqual(len(errors), 1, done.stderr)
            self.check()
            self.assertEqual(list(small.iterdir()), [])
        finally:
            subprocess.run(["umount", small], check=True)
        small.rmdir()
        return errors[0]

    @unittest.skipUnless(os.geteuid() == 0, "a small file system needs root")
    def test_full_disk(self):
        """Of the folder that it goes to: at its memory, at its disk, and at what the guest overwrites meanwhile."""
        self.serve()
        self.mortem("clone", "loaded", "-o", "whole")
        used = {path.name: path.stat().st_blocks * 512 for path in (self.files / "whole").iterdir()}
        shutil.rmtree(self.files / "whole")
        full_memory, full_disk = "writing the clone's memory: No space left on device", "copying disk disk: "
        self.assertIn(full_memory, self.clone_into_small_place(used["memory"] // 2))
        size = used["memory"] + used["state"] + used["disk.qcow2"] // 2
        for _ in range(10):
            if full_disk in (said := self.clone_into_small_place(size)):
                break
            self.assertIn(full_memory, said)  # the guest has more in use than when it was measured
            size += 2 << 20
        self.assertIn(full_disk, said)
        self.end()


class Often(Harm):
    def test_killed(self):
        methods = ("auto", "pre-copy", "background-snapshot", "stop-and-copy")
        self.kill_often(100, *[(method, is_started) for is_started in (False, True) for method in methods])


class Hanging(LoadedTest):
    def test_qemu_hangs(self):
        """One line after a bounded time; when it works again, so does its guest."""
        self.serve()
        clone = self.start("clone", "loaded", "-o", "never")
        wait_until(lambda: any(path.name.startswith(".never") for path in self.files.iterdir()), "the clone's beginning")
        (qemu,) = self.qemu_processes()
        os.kill(qemu, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            _, errors = clone.communicate(timeout=60)
            self.assertLess(time.monotonic() - begun, 45)
        finally:
            os.kill(qemu, signal.SIGCONT)
        self.assertEqual(clone.returncode, 2)
        self.assertEqual(len(errors.splitlines()), 1, errors)
        self.assertIn(b"QEMU does not answer", errors)
        self.check()
        self.end()

    def test_socket_hangs(self):
        """Whoever takes connections and says nothing, half of it, or something else; and whoever takes none."""
        path = self.files / "qmp"
        for said, text in ((b"", "does not answer"), (b"{\"QMP\": {}}\r\n", "does not answer qmp_capabilities"),
                           (b"220 mail.example.org\r\n", "not QMP")):
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(path))
                listener.listen(1)

                def take():
                    connection, _ = listener.accept()
                    connection.sendall(said)
                    connection.recv(1 << 16)
                    connection.recv(1)  # until the other one has enough
                taker = threading.Thread(target=take, daemon=True)
                taker.start()
                self.assert_refused("clone", f"qmp:{path}", "-o", "never", naming=[text])
                taker.join(10)
            path.unlink()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(0)
            waiting = socket.socket(socket.AF_UNIX)
            waiting.connect(str(path))
            self.assert_refused("clone", f"qmp:{path}", "-o", "never", naming=[path, "does not answer"])
            waiting.close()
        self.assert_refused("clone", f"qmp:{path}", "-o", "never", naming=[path, "nobody listens"], status=1)
        path.unlink()
        self.assert_refused("clone", f"qmp:{path}", "-o", "never", naming=[path], status=1)


if __name__ == "__main__":
    unittest.main()
