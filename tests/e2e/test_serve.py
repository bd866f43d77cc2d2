"""Stock gdb and LLDB on a dump as it is, compressed, through `mortem serve` and `mortem gdb`: what they show is what the
same debuggers show of the plain core."""
import hashlib
import re
import shutil
import socket
import subprocess
import unittest

import debuggers
from mortem_test import GUESTS, MORTEM, MortemTest, marked_lines, wait_until

DEADLINE = 120
QUIET = ["-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set width 0", "-iex", "set pagination off",
         "-iex", "set print frame-arguments none", "-iex", "set backtrace past-main on"]


def sections(text):
    """Thread id → what `thread apply all` said of it."""
    parts = re.split(r'^Thread \d+ \((?:Thread 0x[0-9a-f]+ \()?(?:LWP |Thread \d+\.)(\d+)(?: "[^"\n]*")?\)+:$', text,
                     flags=re.M)
    return {int(thread): part for thread, part in zip(parts[1::2], parts[2::2])}


class Serve(MortemTest):
    def words(self, commands):
        return [word for command in commands for word in ("-ex", command)]

    def gdb_on(self, dump, *commands, options=(), status=None):  # gdb -batch: of its last command
        done = self.mortem("gdb", dump, *options, "--", *QUIET, *self.words(commands), deadline=DEADLINE, status=status)
        self.assertEqual(sorted(self.place.joinpath("tmp").iterdir()), [], "its folder is gone")
        return done.stdout + done.stderr

    def plain_gdb(self, *words):
        done = subprocess.run(["gdb", *QUIET, *map(str, words)], capture_output=True, timeout=DEADLINE,
                              stdin=subprocess.DEVNULL, cwd=self.files, env=self.environment)
        return (done.stdout + done.stderr).decode(errors="replace")

    def core_of(self, dump):
        core = self.files / "core"
        self.mortem("core", dump, "-o", core)
        return core

    def serve(self, dump, *options):
        """A server on a Unix socket; its process and the socket's path."""
        path = self.files / "socket"
        server = self.start("serve", dump, "--unix", path, *options)
        line = server.stdout.readline().decode()
        self.assertEqual(line, f"target remote {path}\n")
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        return server, path


class Threads(Serve):
    def test_as_of_the_plain_core(self):
        program = GUESTS / "threads_null_read"
        _, dump = self.crash(program, status=139)
        digest = hashlib.sha256(dump.read_bytes()).hexdigest()
        core = self.core_of(dump)
        with self.subTest("gdb: stacks, registers, values"):
            commands = ["thread apply all bt", "echo REGISTERS\\n", "thread apply all info all-registers",
                        "echo AUXV\\n", "info auxv", "echo VALUES\\n", "p $_siginfo.si_signo",
                        "p $_siginfo._sifields._sigfault", "p $_thread", "x/8gx $sp", "x/4i $pc", "info line *$pc",
                        "p *(char*)0", "p *(char*)0xffffffff80000000"]
            ours = self.gdb_on(dump, *commands)
            theirs = self.plain_gdb(program, core, *self.words(commands))
            for begin, end in ((None, "REGISTERS"), ("REGISTERS", "AUXV")):
                mine, other = (sections(text.split(begin or "", 1)[-1].split(end)[0] if begin else text.split(end)[0])
                               for text in (ours, theirs))
                self.assertEqual(sorted(mine), sorted(other))
                self.assertEqual(len(mine), 9)
                for thread in mine:
                    if begin is None:
                        self.assertEqual(debuggers.frames_of_gdb(mine[thread]), debuggers.frames_of_gdb(other[thread]))
                        self.assertGreater(len(debuggers.frames_of_gdb(mine[thread])), 2)
                    else:
                        self.assertEqual(mine[thread].strip(), other[thread].strip())
                        self.assertRegex(mine[thread], r"(?m)^ymm15 ")
            # But for what gdb says of files and processes.
            values = lambda text: [line for line in text.split("AUXV\n")[1].splitlines()
                                   if line and not line.startswith(("warning:", "[Inferior"))]
            self.assertEqual(values(ours), values(theirs))
            self.assertIn("$1 = 11\n", ours)
            self.assertIn("Cannot access memory at address 0x0", ours)
            self.assertIn("Cannot access memory at address 0xffffffff80000000", ours)
        with self.subTest("gdb: what the target is"):
            text = self.gdb_on(dump, "info threads", "info proc mappings", "info sharedlibrary", "monitor reason",
                               "monitor help", "disassemble clock_gettime,+4")
            for name in ("crashes", "in futex", "spins too"):
                self.assertRegex(text, rf'Thread 2\.\d+ "{name}"')
            self.assertRegex(text, r'\* 1 +Thread 2\.\d+ "crashes"')
            self.assertRegex(text, r"r-xp +/bin/threads_null_read\n")
            self.assertIn("SIGSEGV: read of 0x0", text)
        with self.subTest("writes are the client's own"):
            text = self.gdb_on(dump, "p/x $r15", "set var $r15 = 0x1234", "p/x $r15", "set var $xmm3.v4_int32[0] = 77",
                               "p $xmm3.v4_int32[0]", "p/x *(long*)$sp", "set var *(long*)$sp = 0x5566778899aabb",
                               "p/x *(long*)$sp", "x/2bx (char*)$sp+6", "set var *(char*)0 = 1")
            values = re.findall(r"^\$\d+ = (\S+)$", text, re.M)
            self.assertEqual(values[1], "0x1234")
            self.assertEqual(values[2], "77")
            self.assertNotEqual(values[3], values[4])
            self.assertEqual(values[4], "0x5566778899aabb")
            self.assertRegex(text, r"0x55\s+0x00")
            self.assertIn("Cannot access memory at address 0x0", text)
            self.assertEqual(text.count("changes are seen by this gdb alone"), 1)
            again = re.findall(r"^\$\d+ = (\S+)$", self.gdb_on(dump, "p/x $r15", "p/x *(long*)$sp"), re.M)
            self.assertEqual(again, [values[0], values[3]])
            self.assertEqual(hashlib.sha256(dump.read_bytes()).hexdigest(), digest)
        with self.subTest("it cannot run"):
            for command in ("continue", "stepi", "next", "finish", "call (int)getpid()"):
                text = self.gdb_on(dump, "break main", command, "p 6 * 7", "kill", status=None)
                self.assertIn("cannot run, only be looked at and changed", text)
                self.assertIn("$1 = 42\n", text) if command != "continue" else None
        with self.subTest("LLDB, and clients one after another"):
            self.lldb_and_others(program, dump, core)
        self.assert_nothing_left()

    def lldb_and_others(self, program, dump, core):
        server, path = self.serve(dump)
        for packets in (b"$qSupp", b"$g", b"+$?#3f+$m0,ffff", b"$X400000,10:abc", b"\x03", b"$?#3f", b"$" + b"a" * 200000,
                        b"+$vFile:open:2f6574632f706173737764,0,0#00", b"\xff\x00$#00$$##}"):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(path))
            client.sendall(packets)
            client.close()
        done = debuggers.output_of(["lldb-19", "--no-lldbinit", "--batch", str(program), "-o",
                                    f"process connect unix-connect://{path}", "-o", "bt all", "-o", "register read rip r15",
                                    "-o", "memory read --size 8 --format x --count 2 $sp", "-o", "memory region $sp"])
        theirs = debuggers.lldb(program, core, "bt all", "register read rip r15",
                                "memory read --size 8 --format x --count 2 $sp")
        stacks = lambda text: [debuggers.frames_of_lldb(part) for part in
                               re.split(r"^[ *]*thread #\d+.*$", text.split("(lldb) bt all\n", 1)[-1], flags=re.M)[1:]]
        self.assertEqual(stacks(done), stacks(theirs))
        self.assertEqual(len(stacks(done)), 9)
        self.assertRegex(done, r"stop reason = signal SIGSEGV")
        # By the name of the dump's own copy of the program.
        values = lambda text: [re.sub(r" \w+`", " ", value) for value in re.findall(
            r"^ *(?:r\w\w = .*|0x[0-9a-f]+: 0x.*)$", text.split("register read", 1)[1], re.M)]
        self.assertEqual(values(done), values(theirs))
        self.assertEqual(len(values(done)), 3)
        # Told no file it finds the program's by itself.
        bare = debuggers.output_of(["lldb-19", "--no-lldbinit", "--batch", "-o",
                                    f"process connect --plugin gdb-remote unix-connect://{path}", "-o", "bt all"])
        self.assertEqual(stacks(bare), stacks(theirs))
        # An expression that can be interpreted is; going on is refused with a sentence.
        done = debuggers.output_of(["lldb-19", "--no-lldbinit", "--batch", str(program), "-o",
                                    f"process connect unix-connect://{path}", "-o", "p worker + 3", "-o", "continue"])
        self.assertIn("(int) 3", done)
        self.assertIn("stop reason = this is a moment that was kept", done)
        # No file of this machine but those of the dump's modules.
        self.assertEqual(self.ask(path, b"vFile:open:" + b"/etc/passwd".hex().encode() + b",0,0"), b"F-1,2")
        # And gdb after all of them, told nothing but the socket.
        text = self.plain_gdb("-ex", f"target remote {path}", "-ex", "bt", "-ex", "info threads", "-ex", "detach")
        self.assertIn("crashes", text)
        self.assertRegex(text, r"#0 .*chain\.h:\d+|#0 .*threads_null_read\.cpp:\d+")
        server.terminate()
        self.assertEqual(server.wait(30), 0)
        self.assertFalse(path.exists())

    def ask(self, path, packet):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))
        client.settimeout(30)
        client.sendall(b"+$" + packet + b"#%02x" % (sum(packet) % 256))
        answer = b""
        while not re.search(rb"#..$", answer):
            answer += client.recv(4096)
        client.close()
        return re.search(rb"\$(.*)#..$", answer)[1]


class Dynamic(Serve):
    def test_libraries_are_found(self):
        _, dump = self.crash(GUESTS / "null_read_dynamic", status=139)
        # gdb is told one line; the program, its libraries and the vDSO come through it.
        line = self.mortem("gdb", dump, "--print").stdout.strip()
        text = self.plain_gdb("-ex", line, "-ex", "info sharedlibrary", "-ex", "bt", "-ex", "p (long)&_r_debug",
                              "-ex", "x/i __vdso_clock_gettime")
        self.assertRegex(text, r"Yes .*libc\.so\.6")
        self.assertRegex(text, r"Yes .*ld-linux-x86-64\.so\.2")
        self.assertRegex(text, r"#0 .*die .*null_read\.c:\d+")
        self.assertRegex(text, r"main .*\.[ch]:\d+")
        self.assertRegex(text, r"<(__vdso_)?clock_gettime>")
        # The same with everything found on this machine, and with the kernel beside.
        text = self.gdb_on(dump, "info sharedlibrary", "bt", "info symbol kernel::crash", options=["--kernel"])
        self.assertRegex(text, r"Yes .*libc\.so\.6")
        self.assertRegex(text, r"#0 .*die .*null_read\.c:\d+")
        self.assertRegex(text, r"kernel::crash\(.*\) in section \.text")
        _, path = self.serve(dump)
        # Told the program's file, and told nothing.
        for program in ([str(GUESTS / "null_read_dynamic")], []):
            said = debuggers.output_of(["lldb-19", "--no-lldbinit", "--batch", *program, "-o",
                                        f"process connect --plugin gdb-remote unix-connect://{path}", "-o", "bt", "-o",
                                        "image list"])
            self.assertRegex(said, r"frame #0: .*die.* at null_read\.c:\d+")
            self.assertRegex(said, r"frame #\d+: .*main.* at \w+\.[ch]:\d+")
            self.assertRegex(said, r"\[ *\d+\] .*/libc\.so\.6 ")
            if program:  # LLDB 19 looks for the vDSO only then
                self.assertRegex(said, r"\[ *\d+\] .* \[vdso\]")

    # The mapped file is libstdc++.so.6.0.30; gdb asks for what the dynamic linker opened.
    def test_libraries_behind_links(self):
        _, dump = self.crash(GUESTS / "throw_without_catch_dynamic", status=134)
        line = self.mortem("gdb", dump, "--print").stdout.strip()
        for text in (self.plain_gdb("-ex", line, "-ex", "info sharedlibrary", "-ex", "bt"),
                     self.gdb_on(dump, "info sharedlibrary", "bt")):
            text = text[text.find("From   "):]
            self.assertRegex(text, r"Yes .*libstdc\+\+\.so\.6\n")
            self.assertNotRegex(text, r"(?m)^ +No +/")
            self.assertRegex(text, r"(?m)^#\d+ .* main \(")
        printers = self.gdb_on(dump, "info pretty-printer")
        self.assertIn("libstdc++-v6", printers)
        self.assertNotIn("Error", printers)

    def test_a_core_of_linux(self):
        program = GUESTS / "sleeper"
        sleeper = subprocess.Popen([str(program)], stdout=subprocess.PIPE)
        self.addCleanup(sleeper.wait)
        self.addCleanup(sleeper.kill)
        self.assertTrue(sleeper.stdout.read1())
        core = self.files / "core"
        subprocess.run(["gdb", "-nx", "-batch", "-p", str(sleeper.pid), "-ex", f"gcore {core}"], capture_output=True,
                       check=True, timeout=DEADLINE)
        theirs = self.plain_gdb(program, core, "-ex", "bt", "-ex", "info registers")
        ours = self.gdb_on(core, "bt", "info registers")
        self.assertEqual(debuggers.frames_of_gdb(ours)[-4:], debuggers.frames_of_gdb(theirs)[-4:])
        registers = lambda text: re.findall(r"^(r\w+ +0x.*)$", text, re.M)
        self.assertEqual(registers(ours), registers(theirs))
        self.assertGreater(len(registers(ours)), 15)


class Refusals(Serve):
    def test_one_line_each(self):
        broken = self.files / "broken"
        broken.write_bytes(b"\x7fELF" + bytes(60))
        self.assert_refused("serve", broken, "--stdio", naming=[broken])
        self.assert_refused("gdb", broken, naming=[broken])
        self.assert_refused("serve", "nobody", "--stdio", naming=["nobody", "mortem ps"])
        self.assert_refused("serve", broken, naming=["--port"])
        self.assert_refused("serve", broken, "--port", "70000", naming=["70000"])
        self.assert_refused("bt", "nobody", naming=["nobody", "mortem ps"])


if __name__ == "__main__":
    unittest.main()
