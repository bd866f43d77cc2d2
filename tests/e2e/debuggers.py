"""Stacks as gdb, lldb and eu-stack see them in a core, innermost frame first.

Each frame is a key by which tools can be compared: (function, line) where there is line information, ("pc", address)
where there is none (tools choose different names among a symbol's aliases), ("signal",) for a signal frame.
"""
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
        return (re.sub(r"\(.*$", "", function), int(line))
    return ("pc", address)


def gdb(program, core, *commands, deadline=120):
    arguments = ["gdb", "-nx", "-q", "-batch", "-ex", "set pagination off", "-ex", "set width 0",
                 "-ex", "set print frame-arguments none", "-ex", "set backtrace past-main on",
                 "-ex", f"core-file {core}"]
    for command in commands:
        arguments += ["-ex", command]
    return output_of([*arguments, str(program)], deadline)


def stack_by_gdb(program, core, limit=""):
    # Without -q's banner the core-file command prints frame 0 as well: only what follows the mark counts.
    return frames_of_gdb(gdb(program, core, "echo STACK\\n", f"bt {limit}").split("STACK\n", 1)[-1])


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


def stack_by_lldb(program, core, limit=""):
    return frames_of_lldb(lldb(program, core, f"bt {limit}"))


def stacks_by_lldb(program, core):
    """Frames of every thread, in the order of the core's threads."""
    text = lldb(program, core, "bt all").split("(lldb) bt all\n", 1)[-1]
    return [frames_of_lldb(part) for part in re.split(r"^[ *]*thread #\d+.*$", text, flags=re.M)[1:]]


def lldb(program, core, command):
    return output_of(["lldb-19", "--no-lldbinit", "--batch", "-o", command, "--core", str(core), str(program)])


def frames_of_lldb(text):
    frames = []
    for address, rest in re.findall(r"^[ *]*frame #\d+: (0x[0-9a-f]+)(.*)$", text, re.M):
        number = re.search(r" at \S+?:(\d+)", rest)
        function = rest.split("[inlined] ")[-1].split("`")[-1]
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
            r"^#\d+ +(0x[0-9a-f]+)(?: +- 1)? *([^\n]*)(?:\n +\S*?:(\d+)(?::\d+)?$)?", text, re.M):
        frames.append(key(int(address, 16), function.strip(), number))
    return frames
