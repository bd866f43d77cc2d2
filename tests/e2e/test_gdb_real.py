"""Debuggers in programs that were not written for it: zstd with four threads under load, LLDB, and every blocking call
of the ABI tests stopped in the middle."""
import json
import re
import subprocess
import unittest

from mortem_test import GUESTS, ROOT, MORTEM, MortemTest, wait_until
from test_gdb import Gdb

ZSTD = ROOT / "third_party" / "build" / "zstd" / "zstd"
MIB = 1 << 20
DEADLINE = 120

# In gdb: lets the program run for a moment and stops it, again and again, until it has ended or was stopped COUNT times.
INTERRUPT_AGAIN_AND_AGAIN = """
import gdb, threading
gdb.execute("target remote {socket}", to_string=True)
for stop in range({count}):
    timer = threading.Timer({seconds}, lambda: gdb.post_event(lambda: gdb.execute("interrupt")))
    timer.start()
    try:
        gdb.execute("continue", to_string=True)
    except gdb.error:
        break
    timer.cancel()
    if not gdb.selected_inferior().pid:
        break
    print("stop", stop, len(gdb.selected_inferior().threads()), flush=True)
"""


class RealPrograms(Gdb):
    def wait_for_guest(self, name):
        wait_until(lambda: any(one["name"] == name for one in self.facts("ps")["instances"]), "the guest")
        wait_until(lambda: self.socket_of(name).exists(), "the stub's socket")


class Load(RealPrograms):
    """zstd -T4 is stopped while its workers compress, and goes on: its output is the host's."""

    def lines(self, size):
        text = bytearray()
        number = 0
        while len(text) < size:
            number = (number * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            text += b"%d request %x served in %d us\n" % (len(text), number, number % 9973)
        return bytes(text[:size])

    def start_zstd(self, *options):
        tree = self.files / "tree"
        tree.mkdir()
        (tree / "input").write_bytes(self.lines(6 * MIB))
        config = self.files / "zstd.json"
        config.write_text(json.dumps({"Program": str(ZSTD), "Args": ["-T4", "-9", "-B524288", "-q", "-c", "/data/input"],
                                      "MapDirs": {str(tree): "/data"}, "RunConfig": {"Memory": "512M"}}))
        return self.start("run", config, "--name", "z", "--wait", *options)

    def test_break_and_continue(self):
        command = self.start_zstd()
        output = []
        import threading
        reader = threading.Thread(target=lambda: output.append(command.stdout.read()))
        reader.start()
        self.wait_for_guest("z")
        text = self.gdb("break ZSTDMT_compressionJob", "continue", "bt 2", "info threads", "continue", "continue",
                        "delete", "hbreak ZSTD_compressBlock_internal" , "continue", "bt 3", "delete", "detach", name="z")
        self.assertEqual(len(re.findall(r"hit Breakpoint 1, ZSTDMT_compressionJob", text)), 3, text)
        self.assertGreaterEqual(len(set(re.findall(r"Thread 2\.(\d+)", text))), 4, text)
        self.assertRegex(text, r"#1 +(0x[0-9a-f]+ in )?POOL_thread")
        self.assertEqual(command.wait(DEADLINE), 0)
        reader.join()
        host = subprocess.run([ZSTD, "-T4", "-9", "-B524288", "-q", "-c", self.files / "tree" / "input"], capture_output=True, check=True)
        self.assertEqual(output[0], host.stdout)

    def test_dump_under_load(self):
        dump = self.files / "z.dump"
        command = self.start_zstd("--on-crash", "stop", "--dump", dump)
        self.wait_for_guest("z")
        text = self.gdb("break ZSTDMT_compressionJob", "continue", "continue", "thread apply all -q bt 30", "monitor dump",
                        name="z")
        command.communicate(timeout=DEADLINE)
        threads = self.facts("bt", dump)["threads"]
        live = set(re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?(\w+) \(", text, re.M))
        self.assertGreaterEqual(len(threads), 5)
        for thread in threads:
            functions = [frame["function"] for frame in thread["frames"]]
            self.assertIn(functions[-1], ("clone3", "_start"))
            # Those with lines are the program's own; libc's have several names each, of which tools choose.
            own = {frame["function"] for frame in thread["frames"] if frame["file"]}
            self.assertLessEqual(own, live, text)
        self.assertEqual(sum(thread["crashed"] for thread in threads), 0)  # on demand: the report says the same


class Restarts(RealPrograms):
    """A debugger's stop is nothing that a program could see: what each blocking call gives, and how long it took, is the
    same as without one."""

    def stopped_again_and_again(self, program, count, seconds):
        linux = subprocess.Popen([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(linux.stdout.close)
        self.addCleanup(linux.kill)
        command = self.start("run", program, "--name", "r", "--wait")
        self.wait_for_guest("r")
        script = self.files / "interrupt.py"
        script.write_text(INTERRUPT_AGAIN_AND_AGAIN.format(socket=self.socket_of("r"), count=count, seconds=seconds))
        done = subprocess.run(["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex",
                               "set remotetimeout 20", "-iex", "handle SIGALRM SIGUSR1 SIGUSR2 nostop noprint pass",
                               str(program), "-x", script], capture_output=True, text=True, timeout=DEADLINE)
        stops = re.findall(r"^stop \d+ (\d+)$", done.stdout, re.M)
        output, errors = command.communicate(timeout=DEADLINE)
        self.assertGreater(len(stops), 0, done.stdout + done.stderr)
        # What is left of an interrupted nanosleep is told at each interruption, on Linux too (do_nanosleep), though the
        # call goes on.
        told = [re.sub(r"(?m)^rest \d$", "rest", text.decode(errors="replace")) for text in (output, linux.communicate(timeout=60)[0])]
        self.assertEqual(linux.returncode, 0)
        self.assertEqual(*told, errors)

    def test_restart_threads(self):
        self.stopped_again_and_again(GUESTS / "abi" / "restart_threads", 400, 0.02)

    def test_threads(self):
        self.stopped_again_and_again(GUESTS / "abi" / "threads", 400, 0.02)


class Lldb(Gdb):
    def test_attach_break_step(self):
        self.start_debuggee()
        commands = [f"process connect unix-connect://{self.socket_of()}", "thread list", "breakpoint set --name step_place",
                    "continue", "bt 2", "frame variable value", "thread step-over", "thread step-out",
                    "register read rip ymm0", "expression (int)add(20, 22)", "memory read --count 8 &untouched",
                    "breakpoint delete --force", "watchpoint set variable watched", "continue", "process detach"]
        words = ["lldb-19", "--no-lldbinit", "--batch", "-o", "settings set interpreter.stop-command-source-on-error false"]
        for command in commands:
            words += ["-o", command]
        done = subprocess.run([*words, str(GUESTS / "debuggee")], capture_output=True, text=True, timeout=DEADLINE,
                              env=self.environment, stdin=subprocess.DEVNULL)
        text = done.stdout + done.stderr
        for name in ("debuggee", "worker 0", "worker 1", "worker 2", "reader"):
            self.assertIn(f"name = '{name}'", text)
        self.assertRegex(text, r"stop reason = breakpoint 1\.1")
        self.assertRegex(text, r"frame #0: .*debuggee`step_place\(value=\d+\) at debuggee\.c:\d+")
        self.assertRegex(text, r"\(int\) \$\d+ = 42")
        self.assertRegex(text, r"stop reason = watchpoint 1")
        self.assertIn("detached", text)
        self.ends_well()


del Gdb, RealPrograms  # their tests are test_gdb's

if __name__ == "__main__":
    unittest.main()
