"""`mortem run --record` and `mortem replay`: a crash is recorded, and gdb goes backwards from it to its cause."""
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
import unittest
from pathlib import Path

from mortem_test import GUESTS, ROOT, MortemTest, wait_until
from test_resume import free_port

PROGRAM = GUESTS / "overwritten_pointer"
LONG_WAY = GUESTS / "long_way"
NAPS = GUESTS / "short_naps"


class ReplayTest(MortemTest):
    def record(self, program=PROGRAM, *arguments):
        recording = self.files / "crash.rec"
        done = self.mortem("run", program, "--record", recording, "--dump", self.files / "dump.zst", "--", *arguments,
                           status=139)
        self.assertIn(f"next: mortem replay {recording}", done.stderr)
        self.assertIn("crash: SIGSEGV", done.stdout)
        return recording

    def gdb(self, name, *commands, deadline=200):
        words = [word for command in commands for word in ("-ex", command)]
        done = self.mortem("gdb", name, "--", "-nx", "-batch", *words, deadline=deadline, status=None)
        return done.stdout + done.stderr

    def test_messages_that_follow_closely(self):
        """The port of a recorded guest holds 16 bytes: none of what it is told is lost, and it ends when it is told to."""
        self.mortem("run", GUESTS / "sleeper", "--name", "told", "--detach", "--record", "told.rec")
        self.addCleanup(self.mortem, "stop", "told", "--force", status=None)
        wait_until(lambda: "sleeping" in self.mortem("logs", "told").stdout, "the program")
        trace_off = struct.pack("<IHH", 0, 1, 19)  # snapshot/format/control.h; nothing comes of it
        with socket.socket(socket.AF_UNIX) as control:
            folder = os.open(self.place / "run" / "mortem" / "told", os.O_PATH | os.O_CLOEXEC)
            control.connect(f"/proc/self/fd/{folder}/control")
            os.close(folder)
            control.sendall(20 * trace_off)
            self.assertEqual(self.facts("stop", "told", "--timeout", "60")["how"], "terminated")
        self.assertTrue(self.facts("replay", "told.rec", "--check", status=None)["same_end"])

    def test_back_from_the_crash_to_its_cause(self):
        recording = self.record()
        # Elsewhere it is the same.
        moved = self.files / "moved.rec"
        shutil.move(recording, moved)
        name = self.facts("replay", moved)["name"]
        self.addCleanup(self.mortem, "stop", name, status=None)
        said = self.gdb(name, "info threads", "bt 4", "watch record.greeting", "reverse-continue", "bt 3", "delete",
                        "up", "reverse-finish", "reverse-next", "reverse-step", "break main", "reverse-continue",
                        "reverse-continue", "delete", "continue", "continue")
        self.assertIn('"overwritten_poi"', said)
        parts = iter(said.splitlines())

        def expect(text):
            for line in parts:
                if text in line:
                    return line
            self.fail(f"{text!r} is not in order in\n{said}")
        expect("main () at")  # the crash's stack
        expect("Hardware watchpoint")
        expect("Old value = 0x")
        self.assertIn('"hello"', expect("New value"))
        expect("set_name (name=")
        expect("main () at")
        expect("set_name (name=")  # reverse-finish: at the call
        expect("main () at")
        expect("Breakpoint 2, main ()")
        expect("No more reverse-execution history.")
        expect("Program received signal SIGSEGV")
        expect("No more reverse-execution history.")
        self.assertNotIn("SIGINT", said)
        self.assertEqual(self.mortem("clone", name, "-o", "copy", status=2).stderr,
                         f"mortem: {name} is a replay: to have it twice, copy the recording's folder\n")
        self.mortem("stop", name)
        self.assert_nothing_left()
        facts = json.loads((moved / "recording.json").read_text())
        end = facts["checks"][-1:]
        facts["checks"] = []  # it was over before the first look at it
        (moved / "recording.json").write_text(json.dumps(facts))
        self.assertIn("nothing was compared", self.mortem("replay", moved, "--check", status=1).stdout)
        # Of another run it is not.
        facts["checks"] = [{"instructions": facts["instructions"] // 2, "registers": 1, "memory": 1, "disk_requests": 0},
                           *end]
        (moved / "recording.json").write_text(json.dumps(facts))
        self.assertIn("registers the same at", self.mortem("replay", moved, "--check", status=1).stdout)

    def test_a_crash_is_compared(self):
        checked = self.facts("replay", self.record(LONG_WAY, "200"), "--check")
        self.assertGreaterEqual(checked["points"], 1)
        self.assertTrue(checked["same_end"], checked)
        self.assertEqual(checked["same_registers"], checked["points"])
        self.assertEqual(checked["same_memory"] + checked["unknown_memory"], checked["points"])

    def test_a_guest_that_is_recorded_is_left_alone(self):
        recording = self.files / "sleeper.rec"
        self.mortem("run", GUESTS / "sleeper", "--record", recording, "--name", "sleeper", "--detach")
        self.addCleanup(self.mortem, "stop", "sleeper", status=None)
        (instance,) = self.facts("ps")["instances"]
        own = f"qmp:{instance['instance']}/qmp"
        for words in (("clone", "sleeper", "-o", "copy"), ("clone", own, "-o", "copy", "--method", "stop-and-copy"),
                      ("bt", "sleeper"), ("report", "sleeper"), ("gdb", "sleeper"), ("net", "sleeper")):
            said = self.mortem(*words, status=2).stderr
            self.assertIn("sleeper is being recorded", said)
            self.assertEqual(len(said.splitlines()), 1, said)
        self.mortem("stop", "sleeper")
        self.wait_for_ends()
        self.assertEqual([path.name for path in self.files.iterdir()], ["sleeper.rec"])
        name = self.start(recording, "--at", "end")["name"]
        self.mortem("stop", name)
        self.assert_nothing_left()

    def test_a_qemu_of_others_that_records_is_not_cloned(self):
        qmp = self.place / "qmp"
        qemu = subprocess.Popen(["qemu-system-x86_64", "-accel", "tcg", "-nodefaults", "-display", "none", "-qmp",
                                 f"unix:{qmp},server=on,wait=off", "-icount", f"shift=2,rr=record,rrfile={self.place}/log"],
                                stdin=subprocess.DEVNULL)
        self.addCleanup(qemu.wait)
        self.addCleanup(qemu.kill)
        wait_until(qmp.exists, "QEMU", 30)
        self.assert_refused("clone", f"qmp:{qmp}", "-o", "copy", naming=["the guest is being recorded"])
        self.assertIsNone(qemu.poll())

    def test_a_qemu_that_cannot_record(self):
        wrapper = self.place / "bin" / "qemu-system-x86_64"
        wrapper.parent.mkdir()
        wrapper.write_text("#!/bin/sh\nfor word; do case $word in -icount) echo 'QEMU: -icount: invalid option' >&2; exit 1;; "
                           f"esac; done\nexec {shutil.which('qemu-system-x86_64')} \"$@\"\n")
        wrapper.chmod(0o755)
        self.environment["PATH"] = f"{wrapper.parent}:{self.environment['PATH']}"
        self.assert_refused("run", PROGRAM, "--record", "old.rec", naming=["-icount: invalid option"])
        self.assert_refused("run", PROGRAM, "--record", "old.rec", "--detach", naming=["-icount: invalid option"])

    def test_a_program_that_sleeps_often(self):
        """The looks at the guest while it was recorded do not disturb what is recorded, however short it sleeps."""
        recording = self.files / "naps.rec"
        self.mortem("run", NAPS, "--record", recording, "--", "4")
        checked = self.facts("replay", recording, "--check")
        self.assertGreaterEqual(checked["points"], 4)
        same = {key: checked[key] for key in ("same_registers", "same_memory", "same_end")}
        self.assertEqual(same, {"same_registers": checked["points"], "same_memory": checked["points"], "same_end": True})

    def start(self, recording, *options):
        facts = self.facts("replay", recording, *options)
        self.addCleanup(self.mortem, "stop", facts["name"], status=None)
        return facts

    STATE = ("monitor position", "info registers", "x/32xg $sp", "x/2xg &turns")

    def state(self, said):
        """What STATE has said, by its position."""
        found = {}
        for part in re.split(r"^(?=\d+$)", said, flags=re.MULTILINE)[1:]:
            position, _, rest = part.partition("\n")
            found[int(position)] = [line for line in rest.splitlines() if re.match(r"r|e|[c-g]s|0x", line)]
        return found

    def test_the_way_back_starts_at_kept_moments(self):
        recording = self.record(LONG_WAY, "300")
        facts = self.start(recording)
        name = facts["name"]
        said = self.gdb(name, "watch pointer", *self.STATE, "reverse-stepi", *self.STATE, "reverse-stepi", *self.STATE,
                        "break turn if count == 296", "reverse-continue", *self.STATE, "delete 2", "reverse-continue",
                        *self.STATE, "bt 1")
        self.assertIn('"here"', said)
        self.assertIn("lose ()", said)
        found = self.state(said)
        self.assertEqual(len(found), 5, said)
        crash, first = max(found), min(found)
        self.assertGreater(crash - first, 250_000_000)
        # The same as on the way from the beginning.
        for position, state in found.items():
            other = self.start(recording, "--at", str(position), "--name", "other")
            self.assertEqual(other["position"], position)
            self.assertEqual(self.state(self.gdb("other", *self.STATE)), {position: state})
            self.mortem("stop", "other")
        # From the end, too, where the guest has gone, over all that the kernel wrote of it; one gdb after the other.
        before_crash = {position: found[position] for position in sorted(found)[-2:-1]}
        self.assertIn("SIGSEGV", self.gdb(name, "continue"))
        self.assertIn("No more reverse-execution history", self.gdb(name, "continue"))
        self.assertEqual(self.state(self.gdb(name, "reverse-stepi", *self.STATE)), before_crash)
        log = Path(facts["instance"]) / "monitor.log"
        self.assertEqual(log.read_text(), "")
        # What is damaged is not used.
        keeper = next(one["pid"] for one in self.facts("ps")["instances"] if one["name"] == name)
        kept = {Path(os.readlink(f"/proc/{keeper}/fd/{one}")) for one in os.listdir(f"/proc/{keeper}/fd")}
        memory = next(path for path in kept if path.name == "memory")
        for damaged, words in ((memory, r"/memory: damaged"), (memory.with_name("disk.qcow2"), r"QEMU: snapshot-load: ")):
            self.gdb(name, "continue")
            damaged.write_bytes(b"x" * damaged.stat().st_size)
            self.assertEqual(self.state(self.gdb(name, "reverse-stepi", *self.STATE)), before_crash)
            self.assertRegex(log.read_text(), r"moment kept at instruction \d+ cannot be used, from \d+: .*" + words)
        self.mortem("stop", name)
        self.assertFalse(memory.parent.exists())
        self.assert_nothing_left()

    def test_a_qemu_that_fails(self):
        name = self.start(self.record())["name"]
        (qemu,) = self.qemu_processes()
        said = self.gdb(name, "monitor position", "info registers rip", f"shell kill -9 {qemu}", "continue",
                        "monitor position", "info registers rip", "reverse-stepi", "monitor position")
        self.assertRegex(said, r"\nmortem: QEMU .*; back to instruction \d+ in another QEMU\n")
        position, again, before = map(int, re.findall(r"^(\d+)$", said, re.MULTILINE))
        self.assertEqual(position, again)
        self.assertLess(before, position)
        places = re.findall(r"^rip +(.*)", said, re.MULTILINE)
        self.assertEqual(places[0], places[1])
        self.mortem("stop", name)
        self.assert_nothing_left()

    def instruction_count(self, instance):
        """Where the replay's QEMU is just now, by itself; None: it is being started anew."""
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(10)
                line.connect(str(Path(instance) / "qmp"))
                stream = line.makefile("rw")
                stream.readline()
                for command in ("qmp_capabilities", "query-replay"):
                    stream.write(json.dumps({"execute": command}) + "\n")
                    stream.flush()
                    while "return" not in (answer := json.loads(stream.readline())):
                        pass
                return answer["return"]["icount"]
        except (OSError, ValueError):
            return None

    def test_broken_off_in_the_boot(self):
        """Ctrl-C where the way back runs through the boot, in which there is no thread: it stands in the program
        then, at its first instruction or later, and goes on from there."""
        facts = self.start(self.record(LONG_WAY, "20"))
        begin = int(self.gdb(facts["name"], "monitor begin").split()[-1])
        self.assertGreater(begin, 1_000_000)
        words = [word for command in ("monitor go crash", "reverse-continue", "monitor position", "info registers rip", "bt 1",
                                      "stepi", "info registers rip") for word in ("-ex", command)]
        broken_off = 0
        for attempt in range(30):
            gdb = super().start("gdb", facts["name"], "--", "-nx", "-batch", *words, text=True)
            count = wait_until(lambda: gdb.poll() is not None or (count := self.instruction_count(facts["instance"])) is not None
                               and 0 < count < begin, "the boot, or the end of the way back", 60)
            if gdb.poll() is None:
                gdb.send_signal(signal.SIGINT)
            said = "".join(gdb.communicate(timeout=60))
            told = re.search(r"^(\d+)$", said, re.MULTILINE)
            if told is None:  # it came when gdb was at the next command already, which it broke off
                self.assertIn("Quit", said)
                continue
            position = int(told[1])
            self.assertGreaterEqual(position, begin, said)
            self.assertEqual(len(re.findall(r"^rip +0x", said, re.MULTILINE)), 2, said)
            self.assertIn("#0 ", said)
            self.assertNotIn("QEMU's replay failed", said)
            broken_off += "SIGINT" in said
            if broken_off == 3:
                break
        else:
            self.fail(f"it was broken off in the boot {broken_off} times:\n{said}")
        self.mortem("stop", facts["name"])
        self.assert_nothing_left()

    def test_what_was_open(self):
        """Descriptors and sockets, of the moment where it stands; and QEMU's own words."""
        recording, dump = self.files / "open.rec", self.files / "open.dump"
        self.mortem("run", GUESTS / "open_files", "--record", recording, "--dump", dump, status=134)
        facts = self.start(recording)
        name = facts["name"]
        self.assertIsNone(facts["qemu_gdb"])
        # As the kernel itself wrote it into its dump.
        self.assertEqual(self.facts("files", name), self.facts("files", dump))
        sockets = self.facts("net", name)
        self.assertEqual(sockets, self.facts("net", dump))
        self.assertGreater(len(sockets["sockets"]), 5)
        said = self.gdb(name, "monitor go begin", "break main", "continue", "monitor qemu info registers",
                        "info registers rip", "monitor qemu system_reset", "monitor qemu xp /1gx 0", "monitor go begin",
                        "monitor position", "monitor begin")
        self.assertRegex(said, r"CR3=[0-9a-f]+")
        self.assertIn("monitor qemu: info ..., x ... or xp ...", said)
        self.assertRegex(said, r"0000000000000000: 0x[0-9a-f]{16}")
        # What it says is of this very moment, at which the processor is in the program.
        (place,) = re.findall(r"^rip +(0x[0-9a-f]+)", said, re.MULTILINE)
        (there,) = re.findall(r"RIP=([0-9a-f]+)", said)
        self.assertEqual(int(place, 16), int(there, 16))
        numbers = re.findall(r"^(\d+)$", said, re.MULTILINE)
        # An interrupt that comes just there is gone through to where the kernel has saved the program's registers.
        self.assertIn(int(numbers[-2]) - int(numbers[-1]), range(200))
        # Where its program has not begun, it has opened nothing.
        self.assertEqual([one["descriptor"] for one in self.facts("files", name)["descriptors"]], [0, 1, 2])
        self.assertEqual(self.facts("net", name)["sockets"], [])
        self.assertIn("--qemu: open_files-replay is a replay",
                      self.mortem("gdb", name, "--qemu", status=2).stderr)
        self.mortem("stop", name)
        self.assert_nothing_left()

    def test_positions_have_names(self):
        recording = self.record(LONG_WAY, "20")
        name = self.start(recording)["name"]
        said = self.gdb(name, "monitor marks", "monitor mark crash", "monitor mark found-it", "watch pointer",
                        "reverse-continue", "monitor mark lost", "monitor go found-it", "bt 1", "monitor go lost", "bt 1",
                        "p pointer", "continue", "monitor go nowhere", "monitor go crash", "bt 1")
        self.assertIn("none\n", said)
        self.assertIn("crash: a mark's name", said)
        self.assertIn("nowhere: begin, crash, end, a count of instructions, or a mark: found-it, lost", said)
        frames = re.findall(r"^#0 .*?(\w+) \(", said, re.MULTILINE)
        self.assertEqual([frame for index, frame in enumerate(frames) if index % 2], ["main", "lose", "main"], said)
        self.assertIn('"here"', said[said.rindex("Old value"):])  # what it was at the place that was gone to
        marks = json.loads((recording / "marks.json").read_text())["marks"]
        self.mortem("stop", name)
        # They stay.
        there = self.start(recording, "--at", "lost")
        self.assertEqual(there["position"], marks["lost"])
        self.assertIn("lose () ", self.gdb(name, "bt 1"))
        self.mortem("stop", name)
        self.assert_refused("replay", recording, "--at", "nowhere", naming=["--at nowhere", "found-it"])
        (recording / "marks.json").write_text("{}")
        self.assert_refused("replay", recording, "--at", "lost", naming=["marks.json"])
        self.assert_nothing_left()

    def test_recordings_that_cannot_be_replayed(self):
        recording = self.record()
        self.assert_refused("run", PROGRAM, "--record", recording, naming=["--record", "is there already"])
        facts = json.loads((recording / "recording.json").read_text())

        def with_facts(**changed):
            (recording / "recording.json").write_text(json.dumps({**facts, **changed}))
        with_facts(end="")
        self.assert_refused("replay", recording, naming=[recording, "was not finished"])
        with_facts(qemu_version="5.1.0")
        self.assert_refused("replay", recording, naming=["recorded by QEMU 5.1.0", "this machine has"])
        with_facts()
        self.assert_refused("replay", recording, "--at", "nowhere", naming=["--at nowhere"])
        log = recording / "log"
        whole = log.read_bytes()
        log.write_bytes(whole[:-100])
        self.assert_refused("replay", recording, naming=[log, "cut short"])
        log.unlink()
        self.assert_refused("replay", recording, naming=["its log is missing"])
        log.write_bytes(whole)
        (recording / "disk.img").unlink()
        self.assert_refused("replay", recording, naming=["its disk.img is missing"])
        self.assert_refused("replay", self.files, naming=["not a recording"])
        self.assert_refused("bt", recording, naming=[recording, "a recording", "mortem replay"])
        (recording / "recording.json").write_text("{}")
        self.assert_refused("replay", recording, naming=[recording / "recording.json", "not a recording's description"])
        self.assert_nothing_left()


class Programs(ReplayTest):
    """Label `programs`: Debian's Redis, with its disk and clients on the network."""

    def test_redis(self):
        image, recording, port = self.files / "redis.img", self.files / "redis.rec", free_port()
        self.mortem("image", "create", ROOT / "tests" / "programs" / "redis.json", "-o", image, "--", "/redis.conf",
                    "--enable-debug-command", "yes", "--crash-log-enabled", "no", "--appendfsync", "always")
        self.mortem("run", image, "--name", "redis", "-p", f"{port}:6379", "--detach", "--record", recording)
        self.addCleanup(self.mortem, "stop", "redis", status=None)

        def redis(*words):
            done = subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, text=True, timeout=60)
            return done.stdout if done.returncode == 0 else None
        wait_until(lambda: redis("ping") == "PONG\n", "Redis", 150)
        subprocess.run(["redis-benchmark", "-p", str(port), "-q", "-n", "1500", "-c", "10", "-t", "set,get,lpush"],
                       check=True, stdout=subprocess.DEVNULL, timeout=200)
        self.assertEqual(redis("set", "last key", "last value"), "OK\n")
        redis("debug", "segfault")
        self.wait_for_ends(60)
        checked = self.facts("replay", recording, "--check", deadline=400)
        self.assertGreaterEqual(checked["points"], 3)
        self.assertEqual((checked["same_registers"], checked["same_memory"] + checked["unknown_memory"]),
                         (checked["points"], checked["points"]))
        # Back from the crash: its last answer, and before that what it wrote into its log for it.
        name = self.start(recording)["name"]
        said = self.gdb(name, "bt 1", "break write", "reverse-continue", "x/s $rsi", "reverse-continue", "x/6s $rsi",
                        "print (long)$rdx", deadline=400)
        self.assertIn("redis-server", self.gdb(name, "info threads"))
        answer = said.index('"+OK\\r\\n')
        self.assertIn("last value", said[answer:])


if __name__ == "__main__":
    unittest.main()
