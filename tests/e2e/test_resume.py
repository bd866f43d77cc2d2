"""`mortem resume DUMP`: a crash dump boots, stands at the instruction that failed, and goes on when that is put right."""
import json
import re
import shutil
import socket
import subprocess
import unittest

from mortem_test import GUESTS, MORTEM, ROOT, MortemTest, wait_until

SERVER = GUESTS / "session_server"
ANSWER = 30.0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ResumeTest(MortemTest):
    def ask(self, port, path):
        """The body of the answer; empty: none."""
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            answer = b""
            try:
                while part := connection.recv(4096):
                    answer += part
            except ConnectionResetError:
                pass
            return answer.decode().partition("\r\n\r\n")[2]

    def crashed_server(self, *options, source=SERVER):
        """The dump of a server that died of a request, after it had answered two."""
        port, dump = free_port(), self.files / "server.dump"
        process = self.start("run", source, "-p", f"{port}:80", "--dump", dump, *options, "--", "80")
        self.assertEqual(process.stdout.readline(), b"serving on 80\n")
        self.assertTrue(self.ask(port, "/one").startswith("hello /one 0.250 "))
        self.last = self.ask(port, "/two")
        self.assertTrue(self.last.startswith("hello /two 0.500 "))
        self.assertEqual(self.ask(port, "/crash"), "")
        self.assertEqual(process.wait(timeout=60), 139, process.stderr.read())
        return dump

    def gdb(self, name, *commands, deadline=60):
        words = [word for command in commands for word in ("-ex", command)]
        done = self.mortem("gdb", name, "--", "-nx", "-batch", *words, deadline=deadline, status=None)
        return done.stdout + done.stderr


    def resume(self, dump, name, *options, guest_port=80):
        port = free_port()
        facts = self.facts("resume", dump, "--name", name, "--net", "user", "-p", f"{port}:{guest_port}", *options)
        self.addCleanup(self.mortem, "stop", name, status=None)
        return port, facts

    def skip_the_store(self, name, *commands):
        return self.gdb(name, *commands, "set var $rip = (long)&behind_the_store", "tbreak requests_in_all", "signal 0",
                        "detach")


class Servers(ResumeTest):
    def test_goes_on_once_it_is_put_right(self):
        dump = self.crashed_server()
        (crashed, *_) = [one for one in self.facts("bt", dump)["threads"] if one["crashed"]]
        port, facts = self.resume(dump, "again")
        self.assertTrue(facts["holds_program"])
        registers = ["echo <<<\\n", "info registers", "info registers float", "info registers vector", "echo >>>\\n"]
        # One who calls a function, and leaves: the store fails once more, and it stands there again.
        self.assertRegex(self.gdb("again", "p requests_in_all(7)", "detach"), r"\$\d+ = 9\b")
        shown = self.skip_the_store("again", *registers, "bt", "p greeting", "p requests_in_all(40)",
                                    "p $_siginfo.si_signo", "set var greeting = \"mended\"")
        # All registers are those of the dump, those of vectors too.
        ours, theirs = (text.partition("<<<")[2].partition(">>>")[0] for text in (shown, self.gdb(dump, *registers)))
        self.assertEqual(ours.splitlines(), theirs.splitlines())
        self.assertIn("ymm15", ours)
        frames = re.findall(r"^#\d+ .*?(\w[\w:~<>, ()]*?) \(", shown, re.M)
        functions = [frame["function"] for frame in crashed["frames"]]
        for name in ("serve", "main"):
            self.assertTrue(any(name in function for function in functions), functions)
            self.assertTrue(any(name in frame for frame in frames), shown)
        self.assertIn('= "hello"', shown)
        self.assertRegex(shown, r"\$\d+ = 42\b")  # two requests and forty
        self.assertRegex(shown, r"\$\d+ = 11\b")  # SIGSEGV
        answer = self.ask(port, "/three")
        self.assertTrue(answer.startswith("mended /three 1.000 "), answer)  # the fourth request
        # The monotonic clock goes on from the crash: what was between is not in it.
        last = int(self.last.split()[-1])
        self.assertTrue(last < int(answer.split()[-1]) < last + 60_000, (self.last, answer))
        # There is no disk: what was written and is in memory can be read, and no more is taken.
        self.assertEqual(self.ask(port, "/log"), "/one\n/two\n")
        self.assertEqual(self.ask(port, "/sync"), "-1")
        self.mortem("stop", "again")
        self.assert_nothing_left()

    def test_with_its_disk(self):
        image = self.files / "server.img"
        self.mortem("image", "create", SERVER, "-o", image, "--", "80")
        dump = self.crashed_server("--on-crash", "stop", source=image)
        before = image.stat()
        port, facts = self.resume(dump, "again", "--image", image)
        self.skip_the_store("again")
        self.assertEqual(self.ask(port, "/log"), "/one\n/two\n/crash\n/log\n")
        self.assertEqual(self.ask(port, "/sync"), "0")
        self.assertNotIn("ext3", self.mortem("logs", "again").stdout)
        self.mortem("stop", "again")
        after = image.stat()
        self.assertEqual((after.st_mtime_ns, after.st_blocks), (before.st_mtime_ns, before.st_blocks), "it was written to")
        # Once more a guest has used that disk: it is not what the dump knows any more.
        process = self.start("run", image, "--net", "none", "--", "80")
        self.assertEqual(process.stdout.readline(), b"serving on 80\n")
        process.terminate()
        process.wait(timeout=60)
        port, facts = self.resume(dump, "late", "--image", image)
        wait_until(lambda: "used since the dump" in self.mortem("logs", "late").stdout, "its word about the disk")
        self.skip_the_store("late")
        self.assertEqual(self.ask(port, "/sync"), "-1")
        self.mortem("stop", "late")
        other = self.files / "other.img"
        self.mortem("image", "create", SERVER, "-o", other)
        self.assert_refused("resume", dump, "--image", other, naming=[other, "not the disk of"])

    def test_on_demand(self):
        port, dump = free_port(), self.files / "server.dump"
        self.mortem("run", SERVER, "--name", "first", "-p", f"{port}:80", "--detach", "--on-crash", "stop", "--dump", dump,
                    "--", "80")
        wait_until(lambda: "serving" in self.mortem("logs", "first").stdout, "the server")
        self.ask(port, "/one")
        self.gdb("first", "monitor dump")
        wait_until(dump.exists, "the dump")
        port, facts = self.resume(dump, "again", "--run")
        self.assertFalse(facts["holds_program"])
        self.assertTrue(self.ask(port, "/two").startswith("hello /two 0.500 "))
        self.mortem("stop", "again")
        # The plain core is the same, and may be held, too.
        self.mortem("core", dump, "-o", "plain.core")
        port, facts = self.resume(self.files / "plain.core", "held")
        self.assertIn("accept", self.gdb("held", "bt", "detach"))
        self.assertTrue(self.ask(port, "/two").startswith("hello /two 0.500 "))
        self.mortem("stop", "held")
        wait_until(lambda: self.facts("ps")["instances"] == [], "the end of them all")
        self.assert_nothing_left()


class Recorded(ResumeTest):
    def test_a_crash_that_was_recorded(self):
        """The machine that it goes on on has ports that the recorded one had not."""
        port, facts = self.resume(self.crashed_server("--record", self.files / "first.rec"), "again")
        self.assertTrue(facts["holds_program"])
        self.assertIn("serve (", self.skip_the_store("again", "bt"))
        self.assertTrue(self.ask(port, "/three").startswith("hello /three 1.000 "))
        self.assertEqual(self.ask(port, "/log"), "/one\n/two\n")
        self.mortem("stop", "again")
        self.assert_nothing_left()


class Others(ResumeTest):
    def test_threads(self):
        """All stacks are those of the dump, and each thread can be gone on with."""
        _, dump = self.crash(GUESTS / "threads_meet", status=139, arguments=["faults"])
        self.facts("resume", dump, "--name", "t")
        self.addCleanup(self.mortem, "stop", "t", status=None)

        def stacks(target):
            return sorted((thread["name"], [frame["function"] for frame in thread["frames"]])
                          for thread in self.facts("bt", target)["threads"])
        self.assertEqual(stacks("t"), stacks(dump))
        self.assertEqual(len(stacks(dump)), 5)
        # Who only looks at it leaves it as it is, whatever he has changed.
        self.gdb("t", "set var nowhere = &sink", "detach")
        self.assertEqual(stacks("t"), stacks(dump))
        shown = self.gdb("t", "p nowhere == &sink")
        self.assertRegex(shown, r"\$\d+ = (1|true)\n")
        self.mortem("stop", "t")
        self.assert_nothing_left()

    def test_requests_that_the_disk_had(self):
        """Another thread waits for the disk at the crash: its request is made again."""
        image = self.files / "storm.img"
        self.mortem("image", "create", GUESTS / "disk_storm", "-o", image)
        _, dump = self.crash(image, status=139)
        self.facts("resume", dump, "--name", "storm", "--image", image)
        self.addCleanup(self.mortem, "stop", "storm", status=None)
        self.gdb("storm", "set var $rip = (long)&behind_the_load", "tbreak usleep", "signal 0", "detach")
        log = wait_until(lambda: (text := self.mortem("logs", "storm").stdout).count("errors") and text, "its end", 60)
        self.assertIn("synced 40 more, 0 errors", log)
        self.mortem("stop", "storm", status=None)

    def test_the_stub_of_qemu(self):
        """Real gdb on the whole machine of a dump that was resumed, then in its program, which stands where it stood."""
        _, dump = self.crash(GUESTS / "null_read", status=139)
        facts = self.facts("resume", dump, "--name", "resumed")
        self.addCleanup(self.mortem, "stop", "resumed", status=None)
        before = self.gdb("resumed", "info registers rip", "bt")
        said = self.mortem("gdb", "resumed", "--qemu", "--", "-nx", "-batch", "-ex", "bt", "-ex", "print $cr3", "-ex",
                           "info threads").stdout
        self.assertRegex(said, r"#\d+ .*kernel::.* at .*/kernel/")
        self.assertIn("PDBR=", said)
        self.assertIn("CPU#0", said)  # QEMU's threads are its processors
        self.assertEqual(self.mortem("gdb", "resumed", "--qemu", "--print").stdout,
                         f"target remote {facts['qemu_gdb']}\n")
        self.assertEqual(self.gdb("resumed", "info registers rip", "bt"), before)

    def test_refusals(self):
        _, ended = self.crash(GUESTS / "exit_status", status=3)
        ended = ended.rename(self.files / "ended.dump")
        self.assert_refused("resume", ended, naming=[ended, "ended by itself (exit status 3)"])
        _, dump = self.crash(GUESTS / "null_write", "--kernel-argument", "provoke-crash=on", "--kernel-argument",
                             "crash-path-trap=full-dump", status=139)
        dump = dump.rename(self.files / "app.dump")
        self.assert_refused("resume", dump, naming=[dump, "not full", "app only"])
        _, dump = self.crash(GUESTS / "null_write", status=139)
        self.assert_refused("resume", dump, "--run", naming=["--run", "signal 11"])
        self.assert_refused("resume", dump, "--net", "tap=x", naming=["--net"])
        cut = self.files / "cut.dump"
        cut.write_bytes(dump.read_bytes()[:-5000])
        self.assert_refused("resume", cut, naming=[cut])
        self.assert_refused("resume", self.files / "nothing", naming=["nothing"])
        subprocess.run(["gdb", "-nx", "-batch", "-ex", "break main", "-ex", "run", "-ex", "generate-core-file linux.core",
                        GUESTS / "hello"], cwd=self.files, capture_output=True, timeout=60)
        self.assert_refused("resume", self.files / "linux.core", naming=["linux.core", "without its kernel"])

    def test_first_chance(self):
        """A fault that the program handles: its dump, and the program goes on; the dump is of the fault."""
        recover, dump = GUESTS / "recover", self.files / "fault.dump"
        usual = self.mortem("run", recover, "--dump", dump)
        self.assertFalse(dump.exists())
        image, config = self.files / "recover.img", self.files / "recover.json"
        self.mortem("image", "create", recover, "-o", image)
        done = self.mortem("run", image, "--on-fault", "first-chance", "--dump", self.files / "other.dump")
        self.assertIn("which the program handles itself; dump in other.dump", done.stderr)
        config.write_text(json.dumps({"Program": str(recover), "OnFault": "first-chance"}))
        done = self.mortem("run", config, "--dump", dump)
        lines = [line for line in done.stdout.splitlines() if line.startswith("recovered")]
        self.assertEqual(lines, usual.stdout.splitlines())
        self.assertEqual(done.stderr.count("which the program handles itself; dump in"), 1, done.stderr)
        self.assertEqual([path.name for path in self.files.glob("fault*")], ["fault.dump"])  # one for that instruction
        facts = self.facts("info", dump)
        self.assertEqual(facts["reason"]["signal"], 11)
        self.assertEqual(facts["reason"]["fault_address"], "0x123400")
        self.assertEqual(self.facts("bt", dump)["threads"][0]["frames"][0]["function"], "main")
        self.facts("resume", dump, "--name", "fault")
        self.addCleanup(self.mortem, "stop", "fault", status=None)
        shown = self.gdb("fault", "p $_siginfo._sifields._sigfault.si_addr", "p i", "tbreak on_fault", "continue", "bt 2",
                         "continue", "continue")  # there is a second fault
        self.assertIn("= (void *) 0x123400", shown)
        self.assertIn("on_fault (signal=11", shown)
        self.assertIn("exited normally", shown)
        wait_until(lambda: not any((self.place / "tmp").iterdir()), "the end of what was resumed")
        # Nobody looks at it: the handler gets the fault, and what follows is the program's usual way.
        self.assertFalse(self.facts("resume", dump, "--name", "free", "--run")["holds_program"])
        self.wait_for_ends()
        self.assert_refused("run", recover, "--on-fault", "never", naming=["--on-fault never", "first-chance"])

    def test_killed_while_it_starts(self):
        _, dump = self.crash(GUESTS / "null_write", status=139)
        for at, what in ((lambda: any((self.place / "tmp").rglob("memory*")), "the file of its memory"),
                         (lambda: self.qemu_processes() != [], "its QEMU")):
            process = self.start("resume", dump, "--name", "k")
            wait_until(lambda: at() or process.poll() is not None, what)
            process.kill()
            process.wait()
            # Again and again: its monitor goes on, and the guest may not be there yet.
            wait_until(lambda: self.mortem("stop", "k", status=None) and self.facts("ps")["instances"] == []
                       and self.qemu_processes() == [], "the end")
        # What the killed ones could not remove, the next one does.
        self.mortem("resume", dump, "--name", "k")
        self.mortem("stop", "k")
        self.assert_nothing_left()


class Programs(ResumeTest):
    """Label `programs`: real ones, with their disk."""

    # The instruction that faulted is skipped: its length is what gdb's disassembler says.
    SKIP = ("python import gdb; here = int(gdb.parse_and_eval('(unsigned long)$pc')); "
            "gdb.execute('set var $pc = %d' % "
            "gdb.selected_frame().architecture().disassemble(here, count=2)[1]['addr'])")

    def start_gdb(self, name, *commands):
        """Beside the test; returns the process and the file of what it says."""
        words = [word for command in commands for word in ("-ex", command)]
        log = open(self.files / "gdb.log", "w")
        self.addCleanup(log.close)
        process = subprocess.Popen([str(MORTEM), "gdb", name, "--", "-nx", "-batch", *words], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log, env=self.environment, cwd=self.files)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, self.files / "gdb.log"

    def go_on(self, name, *commands):
        """gdb lets the program go on without its signal, and goes away when the test says so: the program stays."""
        process, _ = self.start_gdb(name, *commands, "signal 0")

        def leave():
            process.kill()
            process.wait()
        return leave

    def answer(self, *words):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60)
        return done.stdout if done.returncode == 0 else None

    def until_answer(self, *words):
        return wait_until(lambda: self.answer(*words), f"an answer to {words}", 150)

    def test_redis(self):
        self.redis("--crash-log-enabled", "no")

    def test_redis_at_the_fault(self):
        """As it is, Redis catches the fault, writes a log of its own and dies in its handler: the dump of the fault."""
        first, image = self.redis(options=["--on-fault", "first-chance"])
        self.assertIn("which the program handles itself", self.facts("info", first)["reason"]["message"])
        # The second dump is of the end, in the handler.
        (last,) = [path for path in self.files.glob("redis*") if path not in (first, image)]
        self.assertNotEqual(self.facts("info", last)["threads"][0]["instruction_pointer"],
                            self.facts("info", first)["threads"][0]["instruction_pointer"])

    def redis(self, *arguments, options=()):
        image, dump, port = self.files / "redis.img", self.files / "redis.dump", free_port()
        self.mortem("image", "create", ROOT / "tests" / "programs" / "redis.json", "-o", image, "--", "/redis.conf",
                    "--enable-debug-command", "yes", *arguments)
        self.mortem("run", image, "--name", "first", "-p", f"{port}:6379", "--detach", "--on-crash", "stop", "--dump", dump,
                    *options)
        self.addCleanup(self.mortem, "stop", "first", status=None)
        redis = ["redis-cli", "-p", port]
        self.until_answer(*redis, "ping")
        self.answer(*redis, "set", "key", "value of before")
        self.answer(*redis, "eval", "for i = 1, 1000 do redis.call('rpush', 'list', i) end", "0")
        self.answer("timeout", 20, *redis, "debug", "segfault")
        wait_until(lambda: dump.exists() and self.facts("ps")["instances"] == [], "the dump and the end", 60)
        port, facts = self.resume(dump, "again", "--image", image, guest_port=6379)
        leave = self.go_on("again", "bt 3", self.SKIP)
        redis = ["redis-cli", "-p", port]
        self.assertEqual(self.until_answer(*redis, "get", "key"), "value of before\n")
        self.assertEqual(self.answer(*redis, "llen", "list"), "1000\n")
        leave()
        self.assertEqual(self.until_answer(*redis, "set", "key", "value of after"), "OK\n")
        self.assertEqual(self.answer(*redis, "save"), "OK\n")  # to the disk that is laid over the image
        self.assertEqual(self.answer(*redis, "get", "key"), "value of after\n")
        self.assertIn("uptime_in_seconds", self.answer(*redis, "info"))
        self.mortem("stop", "again")
        self.assert_nothing_left()
        return dump, image

    def go_server(self):
        environment = {**self.environment, "GOCACHE": str(self.place / "gocache"), "GO111MODULE": "off", "GOFLAGS": ""}
        subprocess.run(["go", "build", "-o", self.files / "server", ROOT / "tests" / "programs" / "go_server.go"],
                       env=environment, check=True, timeout=300)
        shutil.rmtree(self.place / "tmp")
        (self.place / "tmp").mkdir()

    def test_go(self):
        self.go_server()
        image, dump, port = self.files / "go.img", self.files / "go.dump", free_port()
        self.mortem("image", "create", self.files / "server", "-o", image)
        self.mortem("run", image, "--name", "first", "-p", f"{port}:8000", "--detach", "--on-crash", "stop", "--dump", dump)
        self.addCleanup(self.mortem, "stop", "first", status=None)
        self.until_answer("curl", "-sf", f"http://127.0.0.1:{port}/x")
        self.gdb("first", "monitor dump")
        wait_until(dump.exists, "the dump", 60)
        again, facts = self.resume(dump, "again", "--image", image, "--run", guest_port=8000)
        self.assertEqual(self.until_answer("curl", "-sf", f"http://127.0.0.1:{again}/y"), "hello /y from Go\n")
        self.assertEqual(self.answer("curl", "-sf", f"http://127.0.0.1:{again}/goroutines"), "4950\n")
        self.mortem("stop", "again")
        self.assert_nothing_left()

    def test_go_from_a_clone(self):
        """Its original has ended; the copy counts on, also from where gdb has put the counter."""
        self.go_server()
        port = free_port()

        def count(port):
            return "curl", "-sf", "--max-time", "30", f"http://127.0.0.1:{port}/count"
        self.mortem("run", self.files / "server", "--name", "first", "-p", f"{port}:8000", "--detach")
        self.addCleanup(self.mortem, "stop", "first", status=None)
        self.assertEqual(self.until_answer(*count(port)), "1\n")
        self.assertEqual(self.answer(*count(port)), "2\n")
        self.facts("clone", "first", "-o", "go.clone")
        self.assertEqual(self.answer(*count(port)), "3\n")  # the original goes on
        self.mortem("stop", "first")
        again, facts = self.resume("go.clone", "again", guest_port=8000)
        self.assertTrue(facts["holds_program"])
        for target in ("go.clone", "again"):  # as it lies there, and held
            functions = [[frame["function"] for frame in one["frames"]]
                         for one in self.facts("goroutines", target)["goroutines"]]
            self.assertTrue(any("main.main" in names and "net/http.(*Server).Serve" in names for names in functions),
                            functions)
        shown = self.gdb("again", "info threads", "print 'main.counted'", "detach")
        self.assertRegex(shown, r"\$1 = 2\n")
        self.assertGreater(len(re.findall(r"^[* ] +\d+ +Thread ", shown, re.M)), 2, shown)
        self.assertEqual(self.until_answer(*count(again)), "3\n")
        # In the middle of an answer.
        source = (ROOT / "tests" / "programs" / "go_server.go").read_text().splitlines()
        (line,) = [number for number, text in enumerate(source, 1) if "atomic.AddInt64" in text]
        process, said = self.start_gdb("again", f"break go_server.go:{line}", "echo waits\\n", "continue", "bt",
                                       "set var 'main.counted' = 41", "delete", "detach")
        wait_until(lambda: "waits" in said.read_text(), "gdb's breakpoint", 60)
        self.assertEqual(self.answer(*count(again)), "42\n", said.read_text())
        self.assertEqual(process.wait(60), 0)
        self.assertRegex(said.read_text(), r"#0 +main\.main\.func\d+ \(.* at .*go_server\.go")
        self.assertIn("net/http.(*conn).serve", said.read_text())
        self.assertEqual(self.answer(*count(again)), "43\n")
        self.assertEqual(self.answer("curl", "-sf", f"http://127.0.0.1:{again}/goroutines"), "4950\n")
        # A second copy of the same moment knows nothing of that.
        other, _ = self.resume("go.clone", "other", "--run", guest_port=8000)
        self.assertEqual(self.until_answer(*count(other)), "3\n")
        for name in ("again", "other"):
            self.mortem("stop", name)
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
