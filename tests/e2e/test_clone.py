"""`mortem clone`: a copy of a running guest into a folder, while it serves."""
import json
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import unittest

from mortem_test import GUESTS, MORTEM, MortemTest, wait_until
from namespaces import Namespace
from test_network import free_port, receive


class CloneTest(MortemTest):
    def start_guest(self, program, name, *options, arguments=(), says=None):
        after = ["--", *arguments] if arguments else []
        self.mortem("run", program, "--name", name, "--detach", *options, *after)
        self.addCleanup(self.mortem, "stop", name, status=None)
        if says:
            wait_until(lambda: says in self.mortem("logs", name).stdout, f"{says!r} in the guest's log")

    def disk_of(self, name):
        """The chain of the guest's disks, as its QEMU has it open, and by which descriptors: one that is closed and
        opened again is closed under a job that reads it."""
        (instance,) = [one for one in self.facts("ps")["instances"] if one["name"] == name]
        links = [(link.name, os.readlink(link)) for link in pathlib.Path(f"/proc/{instance['pid']}/fd").iterdir()]
        return sorted(link for link in links if ".img" in link[1] or "qcow2" in link[1])

    def guards(self):
        """Processes that look after a clone of a guest of ours."""
        found = []
        for number in filter(str.isdigit, os.listdir("/proc")):
            process = pathlib.Path("/proc", number)
            try:
                if (process / "comm").read_text() == "mortem-guard\n" and \
                        str(self.place).encode() in (process / "environ").read_bytes():
                    found.append(number)
            except (FileNotFoundError, ProcessLookupError):
                pass
        return found


class Folders(CloneTest):
    def test_of_an_idle_guest(self):
        self.start_guest(GUESTS / "sleeper", "dormouse", says="sleeping")
        disks = self.disk_of("dormouse")
        for number in range(3):
            facts = self.facts("clone", "dormouse", "-o", f"clone-{number}")
            self.assertEqual(facts["method"], "pre-copy")
            # Its clock stands still while QEMU holds it, and it looks at it each millisecond.
            self.assertGreater(facts["stopped_ms"], 0)
            self.assertAlmostEqual(facts["pause_ms"], facts["stopped_ms"] + facts["guest_gap_ms"])
            self.assertGreaterEqual(facts["guest_gap_ms"], 1)
            self.assertGreaterEqual(facts["longest_gap_ms"], facts["guest_gap_ms"])
            self.assertLess(facts["longest_gap_ms"], 1000 * facts["seconds"])
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
        self.assertIn("main", names)  # below the kernel's frames, if that thread was the last to run
        main = next(frame for frame in thread["frames"] if frame["function"] == "main")
        self.assertIn("sleeper.c", main["file"])
        (thread,) = self.facts("bt", "asleep", "--kernel")["threads"]
        inside = [frame for frame in thread["frames"] if frame["kernel"]]
        self.assertEqual(thread["frames"][:len(inside)], inside)
        self.assertIn("syscall_entry", inside[-1]["function"])
        self.assertIn("main", [frame["function"] for frame in thread["frames"][len(inside):]])
        self.assertIn("a clone of dormouse", self.mortem("info", "asleep").stdout)
        shown = self.mortem("gdb", "asleep", "--", "-nx", "-batch", "-ex", "bt", "-ex", "info threads").stdout
        self.assertRegex(shown, r"#\d+ .* main \(\) at .*sleeper.c")
        self.mortem("core", "asleep", "-o", "asleep.core")
        plain = subprocess.run(["gdb", "-nx", "-batch", "-ex", "bt", str(GUESTS / "sleeper"), "asleep.core"],
                               cwd=self.files, capture_output=True, text=True, timeout=60)
        self.assertRegex(plain.stdout, r"#\d+ .* main \(\) at .*sleeper.c", plain.stderr)

    def test_registers_are_what_qemu_says(self):
        """Of a guest that its QEMU holds: the clone's thread beside QEMU's own words, through qmp: as any QEMU's."""
        self.start_guest(GUESTS / "dirties_memory", "writer", arguments=["1"], says="writing")
        (instance,) = [one for one in self.facts("ps")["instances"] if one["name"] == "writer"]
        socket_path = pathlib.Path(instance["instance"]) / "qmp"

        def monitor(*lines):
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(30)
                line.connect(str(socket_path))
                stream = line.makefile("rw")
                stream.readline()
                answers = []
                for words in ({"execute": "qmp_capabilities"},
                              *({"execute": "human-monitor-command", "arguments": {"command-line": one}}
                                for one in lines)):
                    stream.write(json.dumps(words) + "\n")
                    stream.flush()
                    while "return" not in (answer := json.loads(stream.readline())):
                        self.assertIn("event", answer)
                    answers.append(answer["return"])
                return answers[1:]
        for _ in range(100):  # until it stops in the program, not in the kernel's timer
            _, text = monitor("stop", "info registers")
            if "CPL=3" in text:
                break
            monitor("cont")
        self.assertIn("CPL=3", text)
        told = {name.strip().lower(): int(value, 16)
                for name, value in re.findall(r"\b(R[A-Z0-9]+ ?)=([0-9a-f]{16})", text)}
        self.mortem("clone", f"qmp:{socket_path}", "-o", "held")
        names = sorted(told)
        shown = self.mortem("gdb", "held", "--", "-nx", "-batch", *[word for name in names
                                                                  for word in ("-ex", f"print/x (long)${name}")]).stdout
        values = [int(line.split(" = ")[1], 16) for line in shown.splitlines() if line.startswith("$")]
        self.assertEqual({name: hex(value) for name, value in zip(names, values, strict=True)},
                         {name: hex(value) for name, value in told.items()})
        self.assertIn("rip", told)
        monitor("cont")

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

    def test_writes_faster_than_it_can_be_copied(self):
        # More than goes over in the longest pause that pre-copy is allowed; 64 MiB do, where nothing else runs.
        self.start_guest(GUESTS / "dirties_memory", "writer", arguments=["160"], says="writing")
        disks = self.disk_of("writer")
        done = self.mortem("clone", "writer", "-o", "busy", "--patience", "0.5")
        self.assertIn("pre-copy: the guest writes its memory faster than it can be copied", done.stderr)
        self.assertNotIn("by pre-copy", done.stdout)
        self.assertNotIn("not compatible", done.stderr)  # what one method needs is not in the next one's way
        self.assertEqual(self.disk_of("writer"), disks)
        self.mortem("clone", "writer", "-o", "stopped", "--method", "stop-and-copy")
        for name in ("busy", "stopped"):
            (thread,) = self.facts("bt", name)["threads"]
            self.assertIn("main", [frame["function"] for frame in thread["frames"]])
            self.facts("resume", name, "--name", name)
            self.mortem("stop", name, status=None)
        self.mortem("stop", "writer", status=None)
        self.assert_nothing_left()

    def test_guest_falls_silent(self):
        """Nobody brings its kernel's answers any more, in the middle of a pre-copy: the next method is taken."""
        self.start_guest(GUESTS / "dirties_memory", "writer", arguments=["160"], says="writing")
        (instance,) = [one for one in self.facts("ps")["instances"] if one["name"] == "writer"]
        keeper = json.loads((pathlib.Path(instance["instance"]) / "instance.json").read_text())["keeper_pid"]
        clone = subprocess.Popen([str(MORTEM), "clone", "writer", "-o", "silent"], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, cwd=self.files, env=self.environment)
        try:
            wait_until(lambda: any(path.stat().st_blocks > 2048 for path in self.files.rglob("memory")), "the first MiB", 30)
            os.kill(keeper, signal.SIGSTOP)
            said, errors = clone.communicate(timeout=60)
        finally:
            os.kill(keeper, signal.SIGCONT)
        self.assertEqual(clone.returncode, 0, errors)
        self.assertIn("pre-copy: the guest's kernel answers no more", errors)
        self.assertNotIn("by pre-copy", said)
        (thread,) = self.facts("bt", "silent")["threads"]
        self.assertIn("main", [frame["function"] for frame in thread["frames"]])
        self.assertEqual(self.facts("clone", "writer", "-o", "again", "--method", "stop-and-copy")["method"], "stop-and-copy")
        self.mortem("stop", "writer", status=None)
        self.assert_nothing_left()

    def test_progress_on_a_terminal(self):
        """Of a guest that brings back what was copied: the figure never falls."""
        self.start_guest(GUESTS / "dirties_memory", "writer", "--memory", "256M", arguments=["96"], says="writing")
        ours, theirs = pty.openpty()
        clone = subprocess.Popen([str(MORTEM), "clone", "writer", "-o", "shown", "--patience", "3"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs,
                                 cwd=self.files, env=self.environment)
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # a terminal's end
            pass
        os.close(ours)
        self.assertEqual(clone.wait(60), 0, shown)
        self.assertFalse((self.files / "shown" / "progress").exists())
        figures = [int(figure) for figure in re.findall(rb"\rwriter \[=* *\] +(\d+)% of ", shown)]
        self.assertGreater(len(figures), 5, shown)
        self.assertEqual(figures, sorted(figures))
        self.assertTrue(any(0 < figure < 100 for figure in figures), figures)
        # Lines between do not begin behind the bar.
        for line in re.findall(rb"([^\r\n]*)mortem: writer", shown):
            self.assertEqual(line.removeprefix(b"\x1b[K"), b"")

    def test_memory_is_of_one_moment(self):
        """Pages that are written all the time, by instructions that find them in QEMU's TLB: QEMU before 9.0 can miss
        that under TCG."""
        self.start_guest(GUESTS / "hot_pages", "writer", says="writing")
        for number, method in enumerate(("pre-copy", "pre-copy", "pre-copy", "stop-and-copy")):
            self.assertEqual(self.facts("clone", "writer", "-o", f"moment{number}", "--method", method)["method"], method)
            rounds = [int(self.facts("print", f"moment{number}", f"pages[{at}].round")["value"]["value"])
                      for at in range(16)]
            self.assertIn(max(rounds) - min(rounds), (0, 1), rounds)
            self.assertEqual(rounds, sorted(rounds, reverse=True))

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


class Started(CloneTest):
    def memory_counter(self, name):
        """What the guest's program counts, read through its stub; it goes on afterwards."""
        shown = self.mortem("gdb", name, "--", "-nx", "-batch", "-ex", "print rounds", "-ex", "detach").stdout
        return int(shown.split("$1 = ")[1].split()[0])

    def test_stands_at_the_moment_and_goes_on(self):
        self.start_guest(GUESTS / "dirties_memory", "writer", arguments=["1"], says="writing")
        self.mortem("clone", "writer", "-o", "moment", "--method", "stop-and-copy")
        shown = self.mortem("gdb", "moment", "--", "-nx", "-batch", "-ex", "print rounds", "-ex",
                            "print/x (long)$rip").stdout
        rounds, place = (line.split(" = ")[1] for line in shown.splitlines() if line.startswith("$"))
        facts = self.facts("resume", "moment")
        self.addCleanup(self.mortem, "stop", "writer-clone", status=None)
        self.assertEqual(facts["name"], "writer-clone")
        # Not one instruction of the program ran: it stands where it stood.
        shown = self.mortem("gdb", "writer-clone", "--", "-nx", "-batch", "-ex", "print rounds", "-ex",
                            "print/x (long)$rip", "-ex", "detach").stdout
        again = [line.split(" = ")[1] for line in shown.splitlines() if line.startswith("$")]
        self.assertEqual(again, [rounds, place])
        # Let go, it runs.
        wait_until(lambda: self.memory_counter("writer-clone") > int(rounds), "the copy's program going on")
        self.assertGreater(self.memory_counter("writer"), 0)

    def test_copies_of_one_moment(self):
        self.start_guest(GUESTS / "sleeper", "dormouse", says="sleeping")
        self.mortem("clone", "dormouse", "-o", "moment")
        before = {path.name: path.read_bytes() for path in (self.files / "moment").iterdir()}
        names = []
        for number in range(3):
            names.append(self.facts("resume", "moment", "--name", f"copy-{number}", *["--run"] * (number % 2))["name"])
            self.addCleanup(self.mortem, "stop", names[-1], status=None)
        self.assert_shared(names, self.files / "moment" / "memory")
        running = {one["name"]: one for one in self.facts("ps")["instances"]}
        self.assertEqual(sorted(running), sorted(["dormouse", *names]))
        self.assertIn("main", [frame["function"] for frame in self.facts("bt", "copy-0")["threads"][0]["frames"]])
        for name in names:
            self.mortem("stop", name)
        self.assertEqual({path.name: path.read_bytes() for path in (self.files / "moment").iterdir()}, before)
        self.mortem("stop", "dormouse")
        self.assert_nothing_left()

    def assert_shared(self, names, memory):
        """Each has only what it wrote for itself; the rest is the file, once for all."""
        running = {one["name"]: one["pid"] for one in self.facts("ps")["instances"]}
        for name in names:
            text = pathlib.Path(f"/proc/{running[name]}/smaps").read_text()
            (view,) = re.findall(rf"^\S+ rw-p .* {re.escape(str(memory))}\n((?:\w+: .*\n)+)", text, re.M)
            sizes = {key: int(value) for key, value in re.findall(r"^(\w+): +(\d+) kB", view, re.M)}
            self.assertEqual(sizes["Size"] << 10, (256 << 20))
            self.assertLess(sizes["Anonymous"], 8 << 10, "copied before it was written")
            self.assertEqual(sizes["Private_Dirty"], sizes["Anonymous"])

    def test_without_a_folder(self):
        self.start_guest(GUESTS / "sleeper", "dormouse", says="sleeping")
        self.addCleanup(self.mortem, "stop", "dormouse-clone", status=None)
        facts = self.facts("clone", "dormouse", "--run")
        self.assertEqual(facts["instance"], "dormouse-clone")
        self.mortem("stop", "dormouse-clone")
        self.mortem("stop", "dormouse")
        self.assert_nothing_left()

    def test_damaged(self):
        self.start_guest(GUESTS / "sleeper", "dormouse", says="sleeping")
        self.mortem("clone", "dormouse", "-o", "moment")
        self.mortem("stop", "dormouse")
        for name in ("state", "memory"):
            whole = (self.files / "moment" / name).read_bytes()
            (self.files / "moment" / name).write_bytes(whole[:-4096])
            self.assert_refused("resume", "moment", naming=[f"moment/{name}", "cut short"])
            (self.files / "moment" / name).write_bytes(whole)
        text = (self.files / "moment" / "clone.json").read_text()
        (self.files / "moment" / "clone.json").write_text(text.replace('"7.2.', '"9.1.'))
        self.assert_refused("resume", "moment", naming=["taken from QEMU 9.1."])
        self.assert_refused("resume", "nowhere", naming=["nowhere"])


class Connections(CloneTest):
    """Those of the original are seen in a copy as they were, and are reset when its program goes on; the original's
    peer hears nothing of it."""

    def established(self, target):
        return sorted((one["local"], one["remote"]) for one in self.facts("net", target)["sockets"]
                      if one["protocol"].startswith("tcp") and one["state"] == "ESTAB")

    def test_reset_when_it_goes_on(self):
        port, copy_port = free_port(), free_port()
        self.start_guest(GUESTS / "keeps_connections", "keeper", "-p", f"{port}:80", arguments=["80"],
                         says="own: connected")

        def says(name, text):
            wait_until(lambda: text in self.mortem("logs", name).stdout, f"{text!r} from {name}")

        with socket.create_connection(("127.0.0.1", port)) as peer:
            says("keeper", "outside: connected")
            before = self.established("keeper")
            self.assertEqual(len(before), 3, before)  # both ends of its own
            self.mortem("clone", "keeper", "-o", "moment")
            self.assertEqual(self.established("moment"), before)
            self.facts("resume", "moment", "--name", "held", "--net", "user", "-p", f"{copy_port}:80")
            self.addCleanup(self.mortem, "stop", "held", status=None)
            self.assertEqual(self.established("held"), before)
            self.assertEqual(self.mortem("logs", "held").stdout, "")
            self.mortem("gdb", "held", "--", "-nx", "-batch", "-ex", "detach")
            says("held", "outside: Connection reset by peer")
            says("held", "own: still there")
            self.assertEqual(self.established("held"), [one for one in before if one[1].startswith("127.")])
            with socket.create_connection(("127.0.0.1", copy_port)) as other:
                self.assertEqual(other.makefile("rb").read(), b"served\n")
            self.facts("resume", "moment", "--name", "runs", "--run")
            self.addCleanup(self.mortem, "stop", "runs", status=None)
            says("runs", "outside: Connection reset by peer")
            says("runs", "own: still there")
            peer.sendall(b"x")
            says("keeper", "outside: read")
            self.assertEqual(self.established("keeper"), before)


class OnATap(CloneTest):
    """A guest on a tap device of a namespace's own, which needs root."""
    GUEST, PORT = "10.79.0.2", 7000

    def setUp(self):
        super().setUp()
        namespace = Namespace()
        self.addCleanup(namespace.close)
        self.addCleanup(self.enterContext(namespace).ip, "link delete t0")
        namespace.ip("tuntap add dev t0 mode tap", "addr add 10.79.0.1/24 dev t0", "link set t0 mtu 1400 up")

    def established(self, target):
        return [(one["local"], one["remote"]) for one in self.facts("net", target)["sockets"]
                if one["state"] == "ESTAB"]

    def test_copies_lead_nowhere(self):
        self.start_guest(GUESTS / "network_server", "server", "--net", f"tap=t0,address={self.GUEST}/24",
                         arguments=[self.PORT], says="serving")

        def echoes(peer, text):
            peer.sendall(text)
            return receive(peer, len(text)) == text

        with socket.create_connection((self.GUEST, self.PORT), timeout=30) as peer:
            self.assertTrue(echoes(peer, b"before"))
            self.mortem("clone", "server", "-o", "moment")
            refused = self.mortem("resume", "moment", "--net", "user", status=2).stderr
            self.assertRegex(refused, r"^mortem: --net user: .* tap device.*: --net none\n$")
            self.assertEqual(self.facts("resume", "moment", "--name", "copy", "--run")["name"], "copy")
            self.addCleanup(self.mortem, "stop", "copy", status=None)
            wait_until(lambda: not self.established("copy"), "the copy's connection being reset")
            # A copy of a copy.
            self.mortem("clone", "copy", "-o", "again")
            self.facts("resume", "again", "--name", "second")
            self.addCleanup(self.mortem, "stop", "second", status=None)
            self.assertIn("main", [frame["function"] for frame in self.facts("bt", "second")["threads"][0]["frames"]])
            # The original's peers hear nothing of them.
            self.assertTrue(echoes(peer, b"after" * 1000))
            self.assertEqual(len(self.established("server")), 1)
        with socket.create_connection((self.GUEST, self.PORT), timeout=30) as peer:
            self.assertTrue(echoes(peer, b"again"))
        for name in ("second", "copy", "server"):
            self.mortem("stop", name)
        self.assert_nothing_left()
        # Nor does it need root, where everybody may open /dev/net/tun and have namespaces (not in a chroot).
        everybody = 0o006
        self.become_ordinary()
        has_namespaces = subprocess.run(["unshare", "--user", "--net", "true"], stderr=subprocess.DEVNULL, **self.user)
        if os.stat("/dev/net/tun").st_mode & everybody == everybody and has_namespaces.returncode == 0:
            self.assertEqual(self.facts("resume", "moment", "--name", "ordinary")["name"], "ordinary")
            self.mortem("stop", "ordinary")
        else:
            refused = self.mortem("resume", "moment", status=2).stderr
            self.assertRegex(refused, r"^mortem: .*: (Permission denied|Operation not permitted); .*/dev/net/tun.*\n$")
        self.assert_nothing_left()


class OrdinaryUser(CloneTest):
    """Nothing needs a privilege; what the host does not allow is said, and the next method taken."""

    def setUp(self):
        super().setUp()
        if os.geteuid() == 0:
            self.become_ordinary()
            if subprocess.run([str(MORTEM), "--version"], capture_output=True, **self.user).returncode != 0:
                self.skipTest(f"{MORTEM} is in a folder that an ordinary user cannot look into")

    def test_all_of_it(self):
        self.start_guest(GUESTS / "dirties_memory", "writer", arguments=["64"], says="writing")
        done = self.mortem("clone", "writer", "-o", "busy", "--patience", "0.5")
        # The kernel's default.
        if pathlib.Path("/proc/sys/vm/unprivileged_userfaultfd").read_text() == "0\n":
            if "by pre-copy" not in done.stdout:  # which may keep up with a guest on a busy machine
                self.assertIn("pre-copy: the guest writes its memory faster than it can be copied", done.stderr)
                self.assertIn("background-snapshot is not to be had", done.stderr)
                self.assertIn("stop-and-copy: the guest stands still while all of its memory is copied", done.stderr)
            self.assert_not_left(self.mortem("clone", "writer", "-o", "never", "--method", "background-snapshot",
                                             status=2), "not supported")
        else:
            print("vm.unprivileged_userfaultfd is not 0: what happens then is not tested")
        self.start_guest(GUESTS / "sleeper", "dormouse", says="sleeping")
        facts = self.facts("clone", "dormouse", "-o", "asleep")
        self.assertEqual(facts["method"], "pre-copy")
        self.assertIn("sleeper.c", self.mortem("bt", "asleep").stdout)
        self.facts("resume", "asleep", "--name", "again")
        self.assertEqual((self.files / "asleep").stat().st_uid, self.user.get("user", os.geteuid()))
        for name in ("again", "dormouse", "writer"):
            self.mortem("stop", name, status=None)
        self.assert_nothing_left()

    def assert_not_left(self, done, text):
        self.assertIn(text, done.stderr.splitlines()[-1])
        self.assertEqual([path.name for path in self.files.iterdir()], ["busy"])


if __name__ == "__main__":
    unittest.main()
