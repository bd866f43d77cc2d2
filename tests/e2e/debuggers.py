"""Stacks as gdb, lldb and eu-stack see them in a core, innermost frame first.

Each frame is a key by which tools can be compared: (function, line) where there is line information, ("pc", address)
where there is none (tools choose different names among a symbol's aliases), ("signal",) for a signal frame.
"""
import bisect
import os
import re
import subprocess

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "DEBUGINFOD_URLS": ""}


def output_of(command, deadline=120):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=deadline, env=ENVIRONMENT,
                          stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr


def key(address, function, line):
    if function in ("<signal handler called>", "__restore_rt"):
        return ("signal",)
    if line:
        return (re.sub(r"\((?!anonymous namespace\)).*$", "", function), int(line))
    return ("pc", address)


def gdb(program, core, *commands, deadline=120):
    arguments = ["gdb", "-nx", "-q", "-batch", "-ex", "set pagination off", "-ex", "set width 0",
                 "-ex", "set print frame-arguments none", "-ex", "set backtrace past-main on",
                 "-ex", f"core-file {core}"]
    for command in commands:
        arguments += ["-ex", command]
    return output_of([*arguments, str(program)], deadline)


def stack_by_gdb(program, core, limit="", first=()):
    """`first`: commands before the one that shows the stack."""
    # Without -q's banner the core-file command prints frame 0 as well: only what follows the mark counts.
    return frames_of_gdb(gdb(program, core, *first, "echo STACK\\n", f"bt {limit}").split("STACK\n", 1)[-1])


def stacks_by_gdb(program, core):
    """Thread id → frames, of all threads."""
    text = gdb(program, core, "thread apply all bt")
    parts = re.split(r"^Thread \d+ \((?:Thread 0x[0-9a-f]+ \()?LWP (\d+)\)+:$", text, flags=re.M)
    return {int(thread): frames_of_gdb(part) for thread, part in zip(parts[1::2], parts[2::2])}


def frames_of_gdb(text):
    frames = []
    for line in text.splitlines():
        match = re.match(r"#\d+ +(?:(0x[0-9a-f]+) in )?(.*)$", line)
        if match:
            address, rest = match.groups()
            number = re.search(r" at \S+:(\d+)$", rest)
            function = rest if rest.startswith("<") else re.sub(r" (\[clone.*)?\(.*$", "", rest)
            frames.append(key(int(address, 16) if address else None, function, number and number[1]))
    return frames


class StatementStarts:
    """Of a program's line table (DWARF 5, section 6.2): which rows are marked as the beginning of a statement."""

    def __init__(self, program):
        text = output_of(["objdump", "--dwarf=decodedline", str(program)])
        rows = {}
        for line, address, mark in re.findall(r"^\S+ +(\d+|-) +0x([0-9a-f]+)(?: +\d+)?(?: +(x))?.*$", text, re.M):
            rows[int(address, 16)] = line != "-" and mark == "x"  # the last of several for one address counts
        self.addresses = sorted(rows)
        self.rows = rows

    def begins_statement(self, address):
        return self.rows[self.addresses[bisect.bisect_right(self.addresses, address) - 1]]


def stack_by_lldb(program, core, limit="", first=()):
    return frames_of_lldb(lldb(program, core, *first, f"bt {limit}"))


def without_gdbs_omissions(frames):
    """Frames of `bt --json` but those that gdb 13 leaves out: of a tail call out of an inlined function it shows that
    function, not the one it is inlined into."""
    return [frame for at, frame in enumerate(frames)
            if not (frame["trust"] == "tail call" and frame["pc"] == frames[at - 1]["pc"])]


def stacks_by_lldb(program, core):
    """Frames of every thread, in the order of the core's threads."""
    text = lldb(program, core, "bt all").split("(lldb) bt all\n", 1)[-1]
    return [frames_of_lldb(part) for part in re.split(r"^[ *]*thread #\d+.*$", text, flags=re.M)[1:]]


def lldb(program, core, *commands):
    words = [word for command in commands for word in ("-o", command)]
    return output_of(["lldb-19", "--no-lldbinit", "--batch", *words, "--core", str(core), str(program)])


def frames_of_lldb(text):
    frames = []
    # Values of arguments may hold symbols with their places, on several lines: only what stands outside of them counts.
    for part in re.split(r"^[ *]*frame #\d+: ", text, flags=re.M)[1:]:
        match = re.match(r"(0x[0-9a-f]+)(?: [^`\s]+`(.*))?", part, re.S)
        if not match:
            continue
        address, rest = match[1], (match[2] or "").strip()
        number = re.search(r" at [^\s:]+:(\d+)(?::\d+)?(?: \[artificial\])?\s*$", rest)
        function = re.match(r"(?:.*?\[inlined\] )?((?:\(anonymous namespace\)|[^(\n])*)", rest)[1]
        function = re.sub(r" \+ \d+.*$| at .*$", "", function)
        frames.append(key(int(address, 16), function, number and number[1]))
    return frames


def stack_by_eu_stack(program, core, limit=0):
    return frames_of_eu_stack(eu_stack(program, core, limit))


def stacks_by_eu_stack(program, core):
    """Thread id → frames, of all threads."""
    parts = re.split(r"^TID (\d+):$", eu_stack(program, core, 0), flags=re.M)
    return {int(thread): frames_of_eu_stack(part) for thread, part in zip(parts[1::2], parts[2::2])}


def eu_stack(program, core, limit):
    return output_of(["eu-stack", "-n", str(limit), "-i", "-a", "-r", "-s", "--core", str(core), "-e", str(program)])


def frames_of_eu_stack(text):
    frames = []
    for address, function, number in re.findall(
            r"^#\d+ +(0x[0-9a-f]+)(?: +- 1)? *([^\n]*)(?:\n +\S+?:(\d+)(?::\d+)?$)?", text, re.M):
        frames.append(key(int(address, 16), function.strip(), number))
    return frames
