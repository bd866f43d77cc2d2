"""Stock gdb in a live guest, started as a user starts it. What it must show is in ../guests/debuggee.c, or is what the
same gdb shows of the same program on this machine."""
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import unittest

from mortem_test import GUESTS, MORTEM, MortemTest, marked_lines, wait_until

DEBUGGEE = GUESTS / "debuggee"
GDB_DEADLINE = 90
MARKS = marked_lines("debuggee.c")


class Gdb(MortemTest):
    def start_debuggee(self, *options, name="d", said="ready"):
        self.mortem("run", DEBUGGEE, "--name", name, "--detach", *options)
        self.addCleanup(self.mortem, "stop", name, status=None)
        if said:
            wait_until(lambda: said in self.console(name), f"'{said}' of the guest")

    def console(self, name="d"):
        return self.mortem("logs", name, status=None).stdout

    def socket_of(self, name="d"):
        return self.place / "run" / "mortem" / name / "gdb"

    def gdb(self, *commands, name="d", deadline=GDB_DEADLINE):
        """The output of `mortem gdb NAME` with these commands, without gdb's remarks on slow file transfers."""
        words = ["-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set width 0", "-iex", "set pagination off"]
        for command in commands:
            words += ["-ex", command]
        done = subprocess.run([str(MORTEM), "gdb", name, "--", *words], capture_output=True, timeout=deadline,
                              env=self.environment, cwd=self.files, stdin=subprocess.DEVNULL)
        text = (done.stdout + done.stderr).decode(errors="replace")
        # gdb looks for a debug file of the vDSO in the guest, and says so.
        return re.sub(r"Reading /usr/lib/debug/.*\n|warning: File transfers from remote targets can be slow.*\n", "", text)

    def ends_well(self, name="d"):
        """The program goes on and ends as it does by itself."""
        self.gdb("set var keep_going = 0", name=name)
        instances = lambda: [one["name"] for one in self.facts("ps")["instances"]]
        wait_until(lambda: name not in instances(), "the end of the program", 60)


class Attach(Gdb):
    def test_symbols_threads_stacks(self):
        self.start_debuggee()
        text = self.gdb("info threads", "thread apply all -q bt", "info registers rip", "p untouched")
        for thread in ("debuggee", "worker 0", "worker 1", "worker 2", "reader"):
            self.assertRegex(text, rf'Thread 2\.\d+ "{thread}"')
        self.assertRegex(text, rf"wait_in_read \(argument=0x0\) at .*debuggee\.c:{MARKS['reader_waits']}\n")
        self.assertRegex(text, rf"main \(\) at .*debuggee\.c:{MARKS['main_waits']}\n")
        for number in range(3):
            self.assertRegex(text, rf"work \(argument={hex(number)}\) at .*debuggee\.c:\d+\n")
        self.assertIn("$1 = 77", text)
        self.assertNotIn("warning", text)
        self.ends_well()

    # Nothing but the socket: gdb asks for the program's name and reads it out of the guest.
    def test_nothing_configured(self):
        self.start_debuggee()
        facts = self.socket_of().stat()
        self.assertTrue(stat.S_ISSOCK(facts.st_mode))
        self.assertEqual(facts.st_mode & 0o777, 0o600)
        line = self.mortem("gdb", "d", "--print").stdout.strip()
        self.assertEqual(line, f"target remote {self.socket_of()}")
        text = subprocess.run(["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-ex", line,
                               "-ex", "info sharedlibrary", "-ex", "bt", "-ex", "info proc mappings"],
                              capture_output=True, timeout=GDB_DEADLINE, text=True).stdout
        self.assertRegex(text, r"main \(\) at .*debuggee\.c:\d+\n")
        self.assertRegex(text, r"r-xp +/bin/debuggee\n")

    # The stub's socket is there as soon as anything says that the guest is.
    def test_before_qemu(self):
        self.start("run", DEBUGGEE, "--name", "d", "--wait")
        wait_until((self.socket_of().parent / "instance.json").exists, "the guest's name")
        with socket.socket(socket.AF_UNIX) as early:
            early.connect(str(self.socket_of()))
        self.assertIn("$1 = 77", self.gdb("p untouched", "kill"))

    def test_wrong_names(self):
        done = self.mortem("gdb", "nobody", status=1)
        self.assertIn("nobody", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_long_path_of_the_socket(self):
        deep = self.place / ("d" * 60) / ("e" * 60)
        deep.mkdir(parents=True, mode=0o700)
        self.environment["XDG_RUNTIME_DIR"] = str(deep)
        self.start_debuggee()
        self.assertIn("$1 = 77", self.gdb("p untouched"))


class Breakpoints(Gdb):
    def test_breakpoint_of_one_thread(self):
        self.start_debuggee()
        text = self.gdb("break round_place if number == 1", "continue", "bt 2", "p number", "p own_word", "delete",
                        "thread apply all -q p own_word")
        self.assertRegex(text, rf'"worker 1" hit Breakpoint 1, round_place .*debuggee\.c:{MARKS["round_place"]}\n')
        self.assertIn("$1 = 1\n$2 = 41\n", text)
        values = re.findall(r"^\$\d+ = (\d+)$", text, re.M)[2:]
        self.assertEqual(sorted(values), ["40", "40", "40", "41", "42"])
        self.ends_well()

    def test_hardware_breakpoint(self):
        self.start_debuggee()
        text = self.gdb("hbreak step_place", "continue", "bt 2", "continue", "p $_siginfo.si_signo", "p $_siginfo.si_code")
        self.assertEqual(len(re.findall(r'"worker 0" hit Breakpoint 1, step_place', text)), 2)
        self.assertIn("$1 = 5\n$2 = 4\n", text)  # SIGTRAP, TRAP_HWBKPT
        self.ends_well()

    def test_watchpoints(self):
        self.start_debuggee()
        text = self.gdb("watch watched", "continue", "continue", "delete", "awatch watched", "continue", "delete",
                        "rwatch untouched", "echo inserted\\n")
        changes = re.findall(r"Old value = (\d+)\nNew value = (\d+)\nwork .*debuggee\.c:(\d+)\n", text)
        self.assertEqual(len(changes), 2)
        for old, new, line in changes:
            self.assertEqual(int(new), int(old) + 1)
            self.assertIn(int(line), (MARKS["write_watched"], MARKS["write_watched"] + 1))
        self.assertEqual(changes[0][1], changes[1][0])
        self.assertIn("Hardware access (read/write) watchpoint 2: watched", text)
        self.ends_well()

    # What the kernel writes for the program: read(2) into the watched buffer.
    def test_watchpoint_in_a_system_call(self):
        self.start_debuggee()
        text = self.gdb("watch buffer[1]", "p (long)write(pipe_ends[1], \"abc\", 3)", "continue", "bt 3", "p buffer[0]")
        self.assertIn("Hardware watchpoint 1: buffer[1]", text)
        self.assertRegex(text, r"New value = 98 'b'")
        self.assertRegex(text, r"wait_in_read .*debuggee\.c")
        self.assertIn("97 'a'", text)
        self.ends_well()

    def test_stepping(self):
        self.start_debuggee()
        text = self.gdb("tbreak add", "continue", "bt 3", "p $rip", "stepi", "p $rip", "finish", "next", "next", "bt 1",
                        "next", "next", "bt 1", "tbreak step_place", "continue", "p value", "finish", "p $4 * 3 + 9")
        self.assertRegex(text, r"#0 +add \(left=.*, right=.*\) at .*debuggee\.c")
        self.assertRegex(text, r"#1 .* step_place \(value=")
        first, second = (int(place, 16) for place in re.findall(r"= \(void \(\*\)\(\)\) (0x[0-9a-f]+)", text))
        self.assertIn(second - first, range(1, 16))
        self.assertGreaterEqual(text.count("work (argument=0x0)"), 4, text)
        value, returned, expected = re.findall(r"\$\d+ = (\d+)$", text, re.M)[-3:]
        self.assertEqual(returned, expected)
        self.ends_well()

    # A step over a system call ends behind it, though SYSCALL clears the trap flag.
    def test_step_over_a_system_call(self):
        self.start_debuggee()
        text = self.gdb("catch syscall nanosleep", "catch syscall clock_nanosleep", "continue", "p/x $rip", "delete",
                        "p/x *(unsigned short*)($rip - 2)", "stepi", "p/x $rip")
        before, code, after = re.findall(r"\$\d = (0x[0-9a-f]+)", text)
        self.assertEqual(code, "0x50f")
        self.assertLess(int(after, 16) - int(before, 16), 16)
        self.assertRegex(text, r"Catchpoint \d \(call to syscall clock_nanosleep\)")
        self.ends_well()


class Values(Gdb):
    def test_registers_written(self):
        self.start_debuggee()
        text = self.gdb("break step_place", "continue", "p $ymm3.v4_int64", "set var $ymm3.v4_int64[3] = 0x123456789abc",
                        "set var $r15 = 0x1122334455667788", "set var $st0 = 2.5", "stepi", "stepi",
                        "p/x $ymm3.v4_int64[3]", "p/x $r15", "p $st0", "p $mxcsr", "p/x $fs_base != 0")
        self.assertIn("= 0x123456789abc\n", text)
        self.assertIn("= 0x1122334455667788\n", text)
        self.assertIn("= 2.5\n", text)
        self.ends_well()

    # In a thread that waits in a call: the function runs, and the call goes on as if nothing had been.
    def test_calls_in_waiting_threads(self):
        self.start_debuggee()
        commands = []
        for thread in range(1, 6):
            commands += [f"thread {thread}", f"p add({thread}, 100)", "p (int)getpid()"]
        text = self.gdb(*commands, "thread apply all -q bt 1")
        self.assertEqual(re.findall(r"\$\d+ = (\d+)", text)[::2], ["101", "102", "103", "104", "105"])
        self.assertEqual(set(re.findall(r"\$\d+ = (\d+)", text)[1::2]), {"2"})
        self.assertIn("read ()", text)
        self.assertIn("$1 = 77", self.gdb("p untouched"))
        self.ends_well()

    def test_memory(self):
        self.start_debuggee()
        text = self.gdb("set var untouched = 99", "p untouched", "x/2i main", "p *(int*)0",
                        "find /b &untouched, +8, 99", "info auxv")
        self.assertIn("$1 = 99", text)
        self.assertIn("Cannot access memory at address 0x0", text)
        self.assertIn("1 pattern found", text)
        self.assertRegex(text, r'AT_EXECFN .*"/bin/debuggee"')
        self.gdb("set var keep_going = 0")
        wait_until(lambda: not self.qemu_processes(), "the end of the program", 60)

    def test_breakpoints_do_not_show_in_memory(self):
        self.start_debuggee()
        text = self.gdb("p/x *(char*)round_place", "set breakpoint always-inserted on", "break round_place",
                        "p/x *(char*)round_place", "x/i round_place")
        first, second = re.findall(r"\$\d = (0x[0-9a-f]+)", text)
        self.assertEqual(first, second)
        self.assertNotIn("int3", text)
        self.ends_well()


class Signals(Gdb):
    def test_interrupt_while_all_sleep(self):
        self.mortem("run", GUESTS / "epoll_sleeper", "--name", "s", "--detach")
        self.addCleanup(self.mortem, "stop", "s", status=None)
        wait_until(lambda: "sleeping" in self.console("s"), "the sleeper")
        gdb = subprocess.Popen([str(MORTEM), "gdb", "s", "--", "-nx", "-batch", "-iex", "set debuginfod enabled off",
                                "-ex", "set debug remote 1", "-ex", "continue", "-ex", "set debug remote 0", "-ex", "bt"],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                               env=self.environment, cwd=self.files, process_group=0)
        self.addCleanup(gdb.kill)
        said = b""
        # gdb loses a Ctrl-C that comes before it has let the program go and waits for it.
        while b"wait: exit" not in said.partition(b"$vCont;c")[2]:
            part = gdb.stdout.read1()
            self.assertTrue(part, said)
            said += part
        os.killpg(gdb.pid, signal.SIGINT)
        rest, _ = gdb.communicate(timeout=20)
        text = (said + rest).decode(errors="replace")
        self.assertIn("received signal SIGINT", text)
        self.assertRegex(text, r"sleep_in_epoll \(argument=.*\) at .*epoll_sleeper\.c")
        # Stopped and let go a few times more: no epoll_wait has ended by that.
        for _ in range(3):
            self.assertEqual(self.gdb("thread apply all -q bt", name="s").count("sleep_in_epoll ("), 3)
        self.assertNotIn("ended", self.console("s"))

    def test_a_crash_is_seen_first(self):
        self.mortem("run", GUESTS / "null_write", "--name", "n", "--detach", "--wait", "--on-crash", "stop", "--dump",
                    self.files / "n.dump")
        text = self.gdb("continue", "bt 1", "p $_siginfo.si_signo", "p $_siginfo._sifields._sigfault.si_addr",
                        "continue", name="n")
        self.assertIn("Program received signal SIGSEGV", text)
        self.assertIn("$1 = 11\n$2 = (void *) 0x18\n", text)
        self.assertIn("Program terminated with signal SIGSEGV", text)
        wait_until(lambda: (self.files / "n.dump").exists(), "the dump")
        (thread,) = self.facts("bt", self.files / "n.dump")["threads"]
        self.assertEqual(thread["frames"][0]["function"], "die")

    def test_signals_dropped_and_changed(self):
        self.mortem("run", GUESTS / "null_write", "--name", "n", "--detach", "--wait", "--on-crash", "stop", "--dump",
                    self.files / "n.dump")
        # The same instruction faults again as long as nothing is mended; then it goes on.
        text = self.gdb("continue", "signal 0", "set var $rdi = $rsp - 256", "queue-signal 0", "stepi",
                        "signal SIGABRT",
                        name="n")
        self.assertEqual(text.count("received signal SIGSEGV"), 2)
        self.assertIn("terminated with signal SIGABRT", text)
        wait_until(lambda: (self.files / "n.dump").exists(), "the dump")
        self.assertEqual(self.facts("info", self.files / "n.dump")["reason"]["signal"], 6)

    def test_exit_status(self):
        self.mortem("run", GUESTS / "exit_status", "--name", "x", "--detach", "--wait", "--on-crash", "stop")
        self.assertIn("exited with code 03", self.gdb("continue", name="x"))

    def test_handlers_are_stepped_into(self):
        self.mortem("run", GUESTS / "crash_in_handler", "--name", "h", "--detach", "--wait", "--on-crash", "stop")
        text = self.gdb("handle SIGSEGV SIGUSR1 nostop noprint", "break on_signal", "continue", "bt", name="h")
        self.assertRegex(text, r"Breakpoint 1, on_signal \(signal=11\)")
        self.assertIn("<signal handler called>", text)
        self.assertRegex(text, r"main \(argc=.*chain\.h:\d+\n")


class Starts(Gdb):
    def test_wait_holds_the_program_at_its_entry(self):
        self.start_debuggee("--wait", said=None)
        text = self.gdb("p $rip == (long)_start", "info threads", "break main", "continue", "bt")
        self.assertIn("$1 = 1", text)
        self.assertRegex(text, r"Breakpoint 1, main \(\)")
        wait_until(lambda: "ready" in self.console(), "the program's start after gdb has gone")
        self.ends_well()

    def test_on_crash_gdb(self):
        dump = self.files / "n.dump"
        command = self.start("run", GUESTS / "null_read", "--name", "n", "--on-crash", "gdb", "--dump", dump)
        line = b""
        while b"mortem gdb n" not in line:
            line += command.stderr.readline()
        self.assertIn(b"SIGSEGV", line)
        self.assertFalse(dump.exists(), "the dump comes after gdb")
        text = self.gdb("bt 1", "p $_siginfo.si_signo", "info registers rax", name="n")
        self.assertRegex(text, r"#0 .*die")
        self.assertIn("$1 = 11", text)
        self.assertEqual(command.wait(60), 139)
        (thread,) = self.facts("bt", dump)["threads"]
        self.assertEqual(thread["frames"][0]["function"], "die")

    def test_monitor_dump(self):
        dump = self.files / "d.dump"
        self.start_debuggee("--on-crash", "stop", "--dump", dump)
        text = self.gdb("monitor help", "break step_place", "continue", "monitor dump")
        self.assertIn("dump   ", text)
        wait_until(dump.exists, "the dump")
        facts = self.facts("bt", dump)
        self.assertEqual(sorted(thread["name"] for thread in facts["threads"]),
                         ["debuggee", "reader", "worker 0", "worker 1", "worker 2"])
        # Nothing crashed, and no verb says so of a thread.
        self.assertEqual([thread for thread in facts["threads"] if thread["crashed"]], [])
        self.assertEqual([thread for thread in self.facts("info", dump)["threads"] if thread["crashed"]], [])
        self.assertNotIn("(crashed)", self.mortem("report", dump).stdout)
        # The dump shows the program's own code, not gdb's breakpoints.
        core = self.files / "core"
        self.mortem("core", dump, "-o", core)
        text = subprocess.run(["gdb", "-nx", "-batch", "-ex", "x/i step_place", DEBUGGEE, core], capture_output=True,
                              timeout=GDB_DEADLINE, text=True).stdout
        self.assertIn("step_place", text)
        self.assertNotIn("int3", text)

    def test_monitor_dump_at_a_crash(self):
        dump = self.files / "n.dump"
        self.mortem("run", GUESTS / "null_read", "--name", "n", "--detach", "--on-crash", "gdb", "--dump", dump)
        wait_until(lambda: "waits" in self.monitor_log("n"), "the crash")
        text = self.gdb("bt 1", "monitor dump", name="n")
        self.assertRegex(text, r"#0 .*die")
        wait_until(dump.exists, "the dump")
        facts = self.facts("info", dump)
        self.assertEqual(facts["reason"]["signal"], 11)

    def monitor_log(self, name):
        path = self.place / "run" / "mortem" / name / "monitor.log"
        return path.read_text() if path.exists() else ""

    # Nobody has come, and nobody may: the guest ends all the same.
    def test_stop_of_a_program_that_is_held(self):
        self.mortem("run", DEBUGGEE, "--name", "d", "--detach", "--wait")
        self.assertEqual(self.mortem("stop", "d").stderr, "")
        self.assertEqual(self.qemu_processes(), [])

    def test_monitor_exit(self):
        self.start_debuggee()
        self.gdb("monitor exit")
        wait_until(lambda: not self.qemu_processes(), "the guest's end")

    def test_kill(self):
        self.start_debuggee()
        self.gdb("kill")
        wait_until(lambda: not self.qemu_processes(), "the guest's end")


class BadClients(Gdb):
    def talk(self, *pieces):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(self.socket_of()))  # QEMU takes one client at a time: this waits for the one before
        client.settimeout(20)
        self.addCleanup(client.close)
        for piece in pieces:
            client.sendall(piece)
        return client

    def rounds(self):
        return [int(value) for value in re.findall(r"\$\d+ = \{?([\d, ]+)\}?", self.gdb("p rounds"))[0].split(",")]

    def test_vanishes_in_mid_packet(self):
        self.start_debuggee()
        before = self.rounds()
        for packets in (b"$qSupp", b"$g", b"+$?#3f+$m0,ffff", b"$X400000,10:abc", b"\x03", b"$?#3f"):
            self.talk(packets).close()
        after = self.rounds()
        self.assertTrue(all(new > old for old, new in zip(before, after)), (before, after))
        self.ends_well()

    def test_packet_in_single_bytes(self):
        self.start_debuggee()
        client = self.talk()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        packet = b"qSupported:swbreak+"
        for byte in b"+$" + packet + b"#%02x" % (sum(packet) % 256):
            client.sendall(bytes([byte]))
        answer = b""
        while b"#" not in answer:
            answer += client.recv(4096)
        self.assertIn(b"PacketSize=", answer)
        self.assertIn(b"swbreak+", answer)
        client.close()
        self.ends_well()

    # One client at a time; the next one is served when the first has gone.
    def test_two_clients(self):
        self.start_debuggee()
        first = self.talk(b"+$qSupported#37")
        first.recv(64)
        results = []
        second = threading.Thread(target=lambda: results.append(self.gdb("p untouched")))
        second.start()
        first.close()
        second.join(GDB_DEADLINE)
        self.assertIn("$1 = 77", results[0])
        self.ends_well()


if __name__ == "__main__":
    unittest.main()
