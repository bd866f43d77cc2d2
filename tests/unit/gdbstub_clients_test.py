"""gdbstub with the clients that people have: gdb and LLDB over stub_program, compared with the same session natively.

usage: gdbstub_clients_test.py STUB_PROGRAM SOURCES FOLDER TEST
"""
import difflib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time

DEADLINE = 120
STUB, SOURCES, FOLDER, TEST = sys.argv[1:5]
GDB = ["gdb", "-nx", "-batch"]
LLDB = ["lldb-19", "--no-lldbinit", "--batch"]


def fail(message, *texts):
    for text in texts:
        print(text)
    sys.exit("FAILED: " + message)


def differ(theirs, ours, whole):
    lines = difflib.unified_diff(theirs.splitlines(), ours.splitlines(), "native", "remote", lineterm="")
    fail("remote and native differ", "\n".join(lines), "whole remote session:\n" + whole)


def build():
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    session = os.path.join(SOURCES, "session.c")
    library = os.path.join(FOLDER, "library.so")
    common = ["gcc", "-g", "-O0", "-Wall", "-pthread"]
    subprocess.run(common + ["-static", session, "-o", FOLDER + "/static"], check=True)
    subprocess.run(common + ["-fPIC", "-shared", os.path.join(SOURCES, "library.c"), "-o", library], check=True)
    subprocess.run(common + ["-DWITH_LIBRARY", session, library, "-o", FOLDER + "/dynamic"], check=True)


def run(command, env=None):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          timeout=DEADLINE, cwd=FOLDER, env=env, errors="replace")
    return done.stdout


class Served:
    """A program that stub_program serves on a TCP port of this machine."""

    def __init__(self, program, *arguments):
        port_file = os.path.join(FOLDER, "port")
        for name in ("port", "output"):
            if os.path.exists(os.path.join(FOLDER, name)):
                os.remove(os.path.join(FOLDER, name))
        # Without an environment, as the native session: the stack is at the same place.
        self.process = subprocess.Popen([STUB, "--port-file", port_file, "--output", FOLDER + "/output",
                                         os.path.join(FOLDER, program), *arguments], env={}, cwd=FOLDER)
        wait_for(lambda: os.path.exists(port_file), "the port")
        with open(port_file) as file:
            self.port = int(file.read())

    def exit_status(self, has_ended=True):
        return self.process.wait(timeout=DEADLINE) if has_ended else "none, it has not ended"

    def output(self):
        try:
            with open(FOLDER + "/output") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def wait_for(condition, what):
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            fail(f"{what} did not come within {DEADLINE} s")
        select.select([], [], [], 0.01)


def gdb_script(commands, name="commands.gdb"):
    path = os.path.join(FOLDER, name)
    with open(path, "w") as file:
        file.write("set pagination off\nset width 0\nset confirm off\nset print thread-events off\n"
                   "set style enabled off\nset debuginfod enabled off\n")
        file.write("".join(f'echo \\n--- {command}\\n\n{command}\n' if not command.startswith("!") else command[1:] + "\n"
                           for command in commands))
    return path


GENERAL = ("rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags cs ss ds es fs gs fs_base gs_base "
           "st0 st1 st2 st3 st4 st5 st6 st7 fctrl fstat ftag fiseg fioff foseg fooff fop mxcsr").split()
VECTOR = [f"{kind}{number}" for kind in ("xmm", "ymm") for number in range(16)]

GDB_SESSION = [
    "break all_started", "continue", "info threads", "bt", "thread apply all bt", "thread apply all -q print per_thread",
    "break *registers_set", "continue", "info registers " + " ".join(GENERAL + VECTOR), "info float", "print $_siginfo.si_signo", "info auxv", "x/8i $pc", "x/24xb &text",
    "find text, +sizeof(text), 'n', 'e', 'e', 'd'", "print text", "print scale(2.5, 4)", "print add(3, 4)",
    "print factorial(6)", "finish", "delete", "break steps", "continue", "next", "advance add", "up", "until", "finish", "delete", "break factorial if number == 2", "continue",
    "bt", "return 1000", "bt 2", "set var watched = 17", "print watched", "delete", "break on_signal",
    "handle SIGUSR1 stop print pass", "continue", "print $_siginfo.si_signo", "print $_siginfo.si_code",
    "print $_siginfo._sifields._kill.si_uid", "continue", "bt", "finish", "delete", "catch syscall getppid",
    "continue", "continue", "delete", "tbreak about_to_loop", "continue", "stepi", "nexti", "set $rax = 0x1122334455667788",
    "print/x $rax", "set $xmm3.v2_int64[1] = 77", "print $ymm3.v4_int64", "set $ymm3.v4_int64[3] = 78",
    "print $ymm3.v4_int64", "set $st3 = 1.25", "print $st3", "print/x $mxcsr", "info proc exe", "continue",
]

# What the processor's debug registers do.
GDB_WATCHES = [
    "break all_started", "continue", "finish", "watch watched", "continue", "continue", "delete", "hbreak steps", "continue",
    "bt", "delete", "handle SIGUSR1 nostop noprint pass", "awatch guarded", "continue", "print guarded", "delete", "continue",
]


def normalised(text):
    """What may differ between native and remote: how threads are called, and what the stub calls the program."""
    text = re.sub(r'Thread (0x[0-9a-f]+ \(LWP \d+\)|\d+\.\d+)', "Thread", text)
    text = re.sub(r"process \d+", "process", text)
    text = re.sub(r"\[Thread debugging using libthread_db enabled\]\n|Using host libthread_db library [^\n]*\n", "", text)
    text = re.sub(r"warning: Error disabling address space randomization[^\n]*\n", "", text)
    text = re.sub(r"Reading [^\n]* from remote target\.\.\.\n", "", text)
    text = text.replace("target:/", "/")
    # Cells are as wide as their longest, which thread numbers with unlike counts of digits change.
    text = re.sub(r" +", " ", text)
    return text


def compare_gdb(program, commands):
    path = os.path.join(FOLDER, program)
    script = gdb_script(commands)
    native = run(GDB + ["-ex", "set startup-with-shell off", "-ex", "unset environment", "-ex", "set debuginfod enabled off",
                        "-ex", "starti", "-x", script, path])
    with Served(program) as served:
        remote = run(GDB + ["-ex", "set debuginfod enabled off", "-ex", f"target remote localhost:{served.port}", "-x", script])
        status = served.exit_status("exited with code" in remote)
    marker = "--- " + commands[0]
    if marker not in native or marker not in remote:
        fail("the session did not begin", native, remote)
    native, remote = normalised(native[native.index(marker):]), normalised(remote[remote.index(marker):])
    # The program's own output is on gdb's only in the native session.
    native = native.replace("done 10\n", "")
    native_steps, remote_steps = native.split("\n--- "), remote.split("\n--- ")
    for ours, theirs in zip(remote_steps, native_steps):
        if ours != theirs:
            differ(theirs, ours, remote)
    if len(native_steps) != len(commands) or len(remote_steps) != len(commands):
        fail(f"{len(commands)} commands, {len(native_steps)} native answers, {len(remote_steps)} remote ones", remote)
    if status != 3:
        fail(f"the program's exit status is {status}")
    print(f"{len(commands)} commands, the same natively and through the stub")


def test_gdb_session():
    compare_gdb("static", GDB_SESSION)


def test_gdb_watches():
    compare_gdb("static", GDB_WATCHES)


def test_gdb_dynamic():
    compare_gdb("dynamic", [
        "handle SIGUSR1 nostop noprint pass", "break all_started", "continue", "info sharedlibrary", "bt", "thread apply all bt", "up", "print in_library",
        "thread apply all -q print per_thread", "print library_value()", "info registers rip rsp", "info auxv", "delete",
        "continue"])


class Interactive:
    """A debugger on a pipe, to be interrupted."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        cwd=FOLDER, start_new_session=True)
        self.text = ""

    def say(self, line):
        self.process.stdin.write((line + "\n").encode())
        self.process.stdin.flush()

    def until(self, pattern):
        end = time.monotonic() + DEADLINE
        while not re.search(pattern, self.text):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 65536).decode(errors="replace") if ready else ""
            if not piece:
                fail(f"no {pattern!r}", self.text)
            self.text += piece
        found = re.search(pattern, self.text)
        self.text = self.text[found.end():]
        return found

    def end(self):
        self.process.stdin.close()
        if self.process.wait(timeout=DEADLINE) is None:
            fail("the debugger does not end")


def is_looping(served):
    """It has said so, and its main thread runs: a busy loop cannot sleep."""
    return "looping" in served.output() and task_state(FOLDER + "/static") == "R"


def task_state(program):
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            if os.readlink(f"/proc/{name}/exe") == program:
                with open(f"/proc/{name}/stat") as file:
                    return file.read().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
    return None


def test_gdb_interrupt():
    """Ctrl-C in a running program, a second time too; then detach: it goes on to its end."""
    with Served("static", "loop") as served:
        gdb = Interactive(["gdb", "-nx", "-q", "-ex", "set confirm off", "-ex", "set style enabled off",
                           "-ex", f"target remote localhost:{served.port}"])
        gdb.say("break about_to_loop")
        gdb.say("handle SIGUSR1 nostop noprint pass")
        gdb.say("continue")
        gdb.until(r"about_to_loop \(\)")
        for _ in range(2):
            gdb.say("continue")
            gdb.until(r"Continuing\.")
            wait_for(lambda: is_looping(served), "the loop")
            os.killpg(gdb.process.pid, signal.SIGINT)
            gdb.until(r"received signal SIGINT")
            gdb.say("frame function main")
            gdb.say("print sum > 0")
            gdb.until(r"= 1")
        gdb.say("set var flag = 1")
        gdb.say("detach")
        gdb.until(r"detached")
        gdb.end()
        if served.exit_status() != 3 or served.output() != "looping\ndone 10\n":
            fail("the program did not go on after detach", served.output())
    print("interrupted twice, detached, went on")


def test_gdb_vanishes():
    """A client dies in the middle, with breakpoints set. The program goes on, and the next client finds it running."""
    with Served("static", "loop") as served:
        gdb = Interactive(["gdb", "-nx", "-q", "-ex", "set style enabled off", "-ex", "set breakpoint always-inserted on",
                           "-ex", f"target remote localhost:{served.port}"])
        gdb.say("break all_started")
        gdb.say("break about_to_loop")
        gdb.say("break factorial")
        gdb.say("watch watched")
        gdb.say("continue")
        gdb.until(r"all_started \(\)")
        gdb.process.kill()
        gdb.process.wait()
        # Not stopped by any of them: it gets to its loop.
        wait_for(lambda: is_looping(served), "the loop")
        text = run(GDB + ["-ex", f"target remote localhost:{served.port}", "-ex", "print handled", "-ex", "info threads",
                          "-ex", "frame function main", "-ex", "x/4xb about_to_loop", "-ex", "set var flag = 1",
                          "-ex", "delete", "-ex", "continue"])
        if "= 10" not in text or 'worker "1"' not in text or "exited with code 03" not in text:
            fail("the second client", text)
        if "0x55\t0x48\t0x89\t0xe5" not in text:
            fail("a breakpoint was left in the code", text)
    print("the next client found it running")


def test_gdb_quits():
    """gdb's end at the end of its script detaches; the program goes on."""
    with Served("static") as served:
        run(GDB + ["-ex", f"target remote localhost:{served.port}", "-ex", "break steps", "-ex", "continue"])
        if served.exit_status() != 3 or served.output() != "done 10\n":
            fail("the program did not go on", served.output())
    print("went on")


def test_gdb_kill():
    with Served("static") as served:
        text = run(GDB + ["-ex", f"target remote localhost:{served.port}", "-ex", "kill"])
        if served.exit_status() != 128 + 9 or "killed" not in text:
            fail("not killed", text)
    print("killed")


def test_gdb_many_threads():
    """Six threads run into one breakpoint fifty times each: none is missed, none is counted twice."""
    with Served("static", "many") as served:
        text = run(GDB + ["-ex", "set pagination off", "-ex", f"target remote localhost:{served.port}",
                          "-ex", "break hammered", "-ex", "ignore 1 1000", "-ex", "continue", "-ex", "info breakpoints"])
        if "exited with code 03" not in text or "already hit 300 times" not in text:
            fail("wrong number of hits", text)
    print("300 hits")


def test_gdb_description():
    """Over a pipe: gdb reads target.xml without a complaint, and has all registers from it, under its own numbers."""
    text = run(GDB + ["-ex", f"target remote | {STUB} --stdio {FOLDER}/static", "-ex", "maint print xml-tdesc",
                      "-ex", "maint print remote-registers", "-ex", "monitor echo", "-ex", "compare-sections .text",
                      "-ex", "info symbol $pc", "-ex", "kill"])
    if "warning: " in text.replace("warning: File transfers from remote targets can be slow", ""):
        fail("gdb complains", text)
    for feature in ("core", "sse", "linux", "segments", "avx"):
        if f"org.gnu.gdb.i386.{feature}" not in text:
            fail("no feature " + feature, text)
    if "said by the target" not in text or "matched." not in text or "_start in section .text" not in text:
        fail("monitor, compare-sections, symbols", text)
    rows = dict(re.findall(r"^\s*(\w+)\s+\d+\s+\d+\s+\d+\s+\d+\s+\S+\s+(\d+)\s+\d+\s*$", text, re.M))
    expected = {"rax": 0, "rbp": 6, "r12": 12, "r15": 15, "rip": 16, "eflags": 17, "gs": 23, "st7": 31, "fop": 39, "xmm15": 55,
                "mxcsr": 56, "orig_rax": 57, "fs_base": 58, "gs_base": 59, "ymm0h": 60, "ymm15h": 75}
    for name, number in expected.items():
        if rows.get(name) != str(number):
            fail(f"{name} has number {rows.get(name)}, not {number}", text)
    print(f"{len(rows)} registers")


LLDB_SESSION = [
    "breakpoint set -n all_started", "continue", "thread list", "bt all", "expression scale(2.5, 4)", "expression factorial(6)",
    "breakpoint set -n registers_set", "continue", "register read rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip", "register read ymm0 ymm5 xmm7",
    "memory read --count 24 `&text`", "memory region `&text`", "breakpoint delete 1", "breakpoint set -n steps", "continue", "next", "step", "next", "finish",
    "breakpoint delete 2", "breakpoint set -n factorial -c number==2", "continue", "bt", "breakpoint delete 3", "finish",
    "process handle SIGUSR1 -s false -n false -p true", "breakpoint set -n on_signal", "continue", "bt", "breakpoint delete 4", "register write rbx 0x1122334455667788",
    "register read rbx", "expression watched = 17", "continue",
]
LLDB_WATCHES = [
    "process handle SIGUSR1 -s false -n false -p true", "breakpoint set -n all_started", "continue",
    "watchpoint set variable watched", "continue", "continue", "watchpoint delete 1", "continue",
]


def lldb_normalised(text):
    text = re.sub(r"Process \d+", "Process", text)
    text = re.sub(r"tid = \d+", "tid", text)
    # The order of images is that in which LLDB learnt of them: at the launch, or at the attach.
    text = re.sub(r"(?:\[ *\d+\] [^\n]*\n)+",
                  lambda found: "".join(sorted(line[line.index("]"):] for line in found[0].splitlines(True))), text)
    return text


def compare_lldb(program, commands):
    path = os.path.join(FOLDER, program)
    arguments = [word for command in commands for word in ("-o", command)]
    native = run(LLDB + ["-o", "settings set target.inherit-env false",
                         "-o", "process launch --stop-at-entry --stdout /dev/null"] + arguments + [path])
    with Served(program) as served:
        remote = run(LLDB + ["-o", f"gdb-remote localhost:{served.port}"] + arguments)
        status = served.exit_status("exited with status" in remote)
    marker = "(lldb) " + commands[0]
    if marker not in native or marker not in remote:
        fail("the session did not begin", native, remote)
    native_steps = lldb_normalised(native[native.index(marker):]).split("(lldb) ")
    remote_steps = lldb_normalised(remote[remote.index(marker):]).split("(lldb) ")
    for ours, theirs in zip(remote_steps, native_steps):
        if ours != theirs:
            differ(theirs, ours, remote)
    if len(native_steps) != len(remote_steps) or len(native_steps) != len(commands) + 1:
        fail("not all commands were answered", f"{len(native_steps)} natively, {len(remote_steps)} remote", remote)
    if status != 3:
        fail(f"the program's exit status is {status}", remote)
    print(f"{len(commands)} commands, the same natively and through the stub")


def test_lldb_session():
    compare_lldb("static", LLDB_SESSION)


def test_lldb_watches():
    compare_lldb("static", LLDB_WATCHES)


def test_lldb_dynamic():
    compare_lldb("dynamic", [
        "process handle SIGUSR1 -s false -n false -p true", "breakpoint set -n all_started", "continue", "image list -f -b",
        "bt all", "frame select 1", "expression in_library", "expression library_value()", "register read rip rsp", "continue"])


def test_lldb_interrupt():
    with Served("static", "loop") as served:
        lldb = Interactive(["lldb-19", "--no-lldbinit", "-o", "settings set auto-confirm true",
                            "-o", f"gdb-remote localhost:{served.port}"])
        lldb.until("stop reason = ")
        lldb.say("process handle SIGUSR1 -s false -n false -p true")
        lldb.say("continue")
        lldb.until("resuming")
        wait_for(lambda: is_looping(served), "the loop")
        lldb.say("process interrupt")
        lldb.until("stop reason = ")
        lldb.say("expression flag = 1")
        lldb.until(r"\$0 = 1")
        lldb.say("detach")
        lldb.until("detached")
        lldb.end()
        if served.exit_status() != 3 or served.output() != "looping\ndone 10\n":
            fail("the program did not go on after detach", lldb.text, served.output(), served.exit_status())
    print("interrupted, detached, went on")


if __name__ == "__main__":
    build()
    globals()["test_" + TEST]()
