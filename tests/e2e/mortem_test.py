"""What every end-to-end test uses: a private place for the command to work in, VMs with deadlines, and the check that
nothing is left behind."""
import json
import os
import pathlib
import pty
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "schemas"))
import check  # noqa: E402

BUILD = pathlib.Path(os.environ.get("MORTEM_BUILD", ROOT / "build"))
MORTEM = BUILD / "mortem"
KERNEL = BUILD / "kernel" / "mortem-kernel.elf"
GUESTS = BUILD / "tests" / "guests"
GUEST_SOURCES = ROOT / "tests" / "guests"
REAL_PROGRAMS = pathlib.Path(os.environ.get("MORTEM_REAL_PROGRAMS", ROOT / "third_party" / "build"))
BASH = REAL_PROGRAMS / "bash" / "bash"
ZSTD = REAL_PROGRAMS / "zstd" / "zstd"

VM_DEADLINE = 90  # seconds for one short VM on a busy machine of two processors
# What the command finds out of this machine once and keeps in its cache folder; KVM that does not work costs 3 s.
FOUND_OUT = BUILD / "tests" / "found_out"
FOUND_OUT_NAMES = ("kvm-probe.json", "qemu-version")


def wait_until(condition, what, deadline=30.0):
    """The condition's first true value; raises when it does not come in time."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {deadline:.0f} s still not: {what}")
        time.sleep(0.02)


def is_alive(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def marked_lines(source):
    """Mark → line number of the `frame: MARK` comments of a guest's source and of chain.h."""
    lines = {}
    for path in (GUEST_SOURCES / "chain.h", GUEST_SOURCES / source):
        for number, text in enumerate(path.read_text().splitlines(), 1):
            for mark in re.findall(r"// frame: (\w+)", text):
                lines[mark] = number
    return lines


class MortemTest(unittest.TestCase):
    user = {}  # for subprocess: who runs the command, if that is not us

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="mortem-test."))
        self.addCleanup(shutil.rmtree, self.place)
        for name in ("run", "cache", "tmp", "files"):
            (self.place / name).mkdir(mode=0o700)
        self.files = self.place / "files"
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.place / "run"),
                            "XDG_CACHE_HOME": str(self.place / "cache"), "TMPDIR": str(self.place / "tmp"),
                            "LC_ALL": "C.UTF-8"}
        cache = self.place / "cache" / "mortem"
        cache.mkdir(mode=0o700)
        for name in FOUND_OUT_NAMES:
            if (FOUND_OUT / name).exists():
                shutil.copy(FOUND_OUT / name, cache)
        self.addCleanup(self.keep_what_was_found_out, cache)

    @staticmethod
    def keep_what_was_found_out(cache):
        for name in FOUND_OUT_NAMES:
            found, kept = cache / name, FOUND_OUT / name
            if found.exists() and not (kept.exists() and kept.read_bytes() == found.read_bytes()):
                FOUND_OUT.mkdir(exist_ok=True)
                whole = FOUND_OUT / f"{name}.{os.getpid()}"
                shutil.copy(found, whole)
                whole.rename(kept)

    def become_ordinary(self):
        """From now on a user without privileges runs the command."""
        nobody = 65534
        self.user = {"user": nobody, "group": nobody, "extra_groups": []}
        for path in (self.place, *self.place.rglob("*")):
            os.chown(path, nobody, nobody)

    def mortem(self, *arguments, deadline=VM_DEADLINE, status=0, text=True, given=None):
        """Runs the command to its end; fails when its exit status is another. `status` None: any. `given`: bytes for
        its standard input."""
        source = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
        done = subprocess.run([str(MORTEM), *map(str, arguments)], capture_output=True, timeout=deadline,
                              env=self.environment, cwd=self.files, **source, **self.user)
        if text:
            done.stdout, done.stderr = (part.decode(errors="replace") for part in (done.stdout, done.stderr))
        if status is not None and done.returncode != status:
            self.fail(f"mortem {' '.join(map(str, arguments))}: exit status {done.returncode}, expected {status}\n"
                      f"--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}")
        return done

    def start(self, *arguments, **more):
        """Starts the command and leaves it running; it is ended with the test."""
        more.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen([str(MORTEM), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.environment, cwd=self.files, **more)

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def facts(self, verb, *arguments, **more):
        """The JSON that a verb prints, its schema checked."""
        found = json.loads(self.mortem(verb, *arguments, "--json", **more).stdout)
        self.assertEqual(found["schema"], f"mortem.{verb}/1")
        self.assertEqual(check.check(found), [])
        return found

    def on_terminal(self, *arguments, **environment):
        """What a verb that succeeds writes to a terminal."""
        master, slave = pty.openpty()
        process = subprocess.Popen([str(MORTEM), *map(str, arguments)], stdout=slave, stdin=subprocess.DEVNULL,
                                   env={**self.environment, **environment})
        os.close(slave)
        text = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            text += part
        os.close(master)
        self.assertEqual(process.wait(60), 0)
        return text.decode().replace("\r\n", "\n")

    def assert_colours_on_a_terminal_only(self, *arguments):
        plain = self.mortem(*arguments).stdout
        self.assertNotIn("\033", plain)
        coloured = self.on_terminal(*arguments, TERM="xterm")
        self.assertRegex(coloured, r"\033\[[0-9;]+m[^\033\n]+\033\[0m")
        self.assertEqual(re.sub(r"\033\[[0-9;]*m", "", coloured), plain)
        for environment in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertEqual(self.on_terminal(*arguments, **environment), plain)

    def crash(self, program, *options, status, arguments=(), deadline=VM_DEADLINE):
        """Runs a program that is to die; returns (the finished command, the dump's path)."""
        dump = self.files / "dump.zst"
        after = ["--", *arguments] if arguments else []
        done = self.mortem("run", program, "--on-crash", "stop", "--dump", dump, *options, *after, status=status,
                           deadline=deadline)
        self.assertTrue(dump.exists(), f"no dump:\n{done.stdout}\n{done.stderr}")
        self.assertEqual(dump.stat().st_mode & 0o777, 0o600)
        return done, dump

    def qmp(self, name, command):
        """What the guest's QEMU answers: to a command, or (a command, its arguments)."""
        execute, arguments = command if isinstance(command, tuple) else (command, {})
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            folder = os.open(self.place / "run" / "mortem" / name, os.O_PATH | os.O_CLOEXEC)
            try:
                connection.connect(f"/proc/self/fd/{folder}/qmp")  # a Unix socket's path is short
            finally:
                os.close(folder)
            with connection.makefile() as answers:
                for words in ({"execute": "qmp_capabilities"}, {"execute": execute, "arguments": arguments}):
                    connection.sendall(json.dumps(words).encode())
                    while "return" not in (answer := json.loads(answers.readline())):
                        self.assertNotIn("error", answer)
            return answer["return"]

    def qemu_processes(self):
        """Process ids of QEMUs that were started below this test's place."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
            try:
                if str(self.place).encode() in path.read_bytes() and "qemu" in (path.parent / "comm").read_text():
                    found.append(int(path.parent.name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                pass
        return [process for process in found if is_alive(process)]

    def wait_for_ends(self, deadline=30):
        """Of all guests and of what looks after them: ps shows a guest no more when its QEMU is gone, and its keeper may
        still be at its dump or recording then."""
        instances = self.place / "run" / "mortem"
        wait_until(lambda: not instances.exists() or not any(instances.iterdir()), "the end of all instances", deadline)

    def assert_nothing_left(self):
        """No file in the temporary directory, no instance, no QEMU."""
        self.assertEqual(sorted(str(path) for path in (self.place / "tmp").rglob("*")), [])
        instances = self.place / "run" / "mortem"
        self.assertEqual([path.name for path in instances.iterdir()] if instances.exists() else [], [])
        self.assertEqual(self.qemu_processes(), [])

    def assert_refused(self, *arguments, naming, status=2):
        """One line on stderr that has every text of `naming`, that status, nothing on stdout, nothing left."""
        before = sorted(path.name for path in self.files.iterdir())
        done = self.mortem(*arguments, status=status)
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        for text in naming:
            self.assertIn(str(text), lines[0])
        self.assertEqual(done.stdout, "")
        self.assertEqual(sorted(path.name for path in self.files.iterdir()), before)
        self.assert_nothing_left()
        return lines[0]
