#!/usr/bin/env python3
"""Compares `mortem bt --json` frame by frame with gdb, lldb and eu-stack on a core of a program that dies.

usage: compare_stacks.py MORTEM SOURCE OPTIMISATION FOLDER
       builds SOURCE statically, lets it die under gdb, which writes the core.
"""
import json
import os
import re
import subprocess
import sys

import lldb_limits

GDB_WALK = r"""
import gdb
frame = gdb.newest_frame()
out = open(%r, "w")
while frame is not None:
    kind = frame.type()
    sal = frame.find_sal()
    signal = kind == gdb.SIGTRAMP_FRAME
    name = "" if signal else (frame.name() or "")
    file = "" if signal or sal.symtab is None else sal.symtab.filename
    line = 0 if not file else sal.line
    out.write("|".join(["%%x" %% frame.pc(), name, file, str(line), str(int(kind == gdb.INLINE_FRAME)), str(int(signal))]) + "\n")
    frame = frame.older()
out.close()
"""


def run(command, **more):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=240, **more)


def plain_name(name):
    """The function's name alone: no parameters, no return type of a template, no clone suffix."""
    name = re.sub(r"\s*\[clone [^]]*\]", "", name)
    name = re.sub(r"\.(constprop|isra|part|cold)(\.\d+)?", "", name)
    depth, words, current = 0, [], ""
    for character in name:
        if character == "(" and depth == 0:
            break
        depth += (character == "<") - (character == ">")
        if character == " " and depth == 0:
            words.append(current)
            current = ""
        else:
            current += character
    return current.replace(" ", "")


def symbol_addresses(program):
    """All names of a function have one address: `abort` and `__GI_abort` are the same."""
    table = {}
    for line in run(["nm", "-C", program]).stdout.splitlines():
        address, _, name = line[:16].strip(), line[17:18], line[19:]
        if address:
            table.setdefault(plain_name(name), set()).add(address)
    return table


def same_function(ours, theirs, table):
    a, b = plain_name(ours), plain_name(theirs)
    return a == b or bool(table.get(a, set()) & table.get(b, set()))


def gdb_frames(program, core, folder):
    script, result = os.path.join(folder, "walk.py"), os.path.join(folder, "gdb.txt")
    with open(script, "w") as file:
        file.write(GDB_WALK % result)
    if os.path.exists(result):
        os.remove(result)
    run(["gdb", "-nx", "-batch", "-ex", "set backtrace past-main on", "-ex", "set backtrace past-entry on",
         "-ex", "set debuginfod enabled off", "-x", script, program, core])
    frames = []
    for line in open(result):
        pc, name, file, number, inlined, signal = line.rstrip("\n").split("|")
        frames.append(dict(pc=int(pc, 16), function=name, file=file, line=int(number), inlined=inlined == "1",
                           signal=signal == "1"))
    return frames


def drop_hidden_tail_calls(ours, theirs):
    """lldb shows the tail calls between two frames all or, if more than one way leads from one to the other, none; we
    and gdb show those that all ways have in common. Ours without those that lldb hides."""
    kept, index = [], 0
    while index < len(ours):
        end = index
        while end < len(ours) and ours[end]["trust"] == "tail call":
            end += 1
        shown = [int(frame["pc"], 16) for frame in ours[index:end]]
        if end > index and [frame["pc"] for frame in theirs[len(kept):len(kept) + len(shown)]] == shown:
            kept += ours[index:end]
        if end < len(ours):
            kept.append(ours[end])
        index = end + 1
    return kept


def lldb_frames(program, core, limit):
    # In braces: what is not known leaves its field empty, else the whole line would be left out.
    form = "FRAME|${frame.pc}|{${function.name}}|{${line.file.basename}}|{${line.number}}|\\n"
    result = run(["lldb-19", "--no-lldbinit", "--batch", "-o", "settings set frame-format '%s'" % form,
                  "-o", "target create '%s' --core '%s'" % (program, core), "-o", "bt -c %d" % limit])
    frames = []
    for line in result.stdout.splitlines():
        if "FRAME|0x" not in line:  # the commands are printed too
            continue
        pc, name, file, number = line.split("FRAME|", 1)[1].split("|")[:4]
        frames.append(dict(pc=int(pc, 16), function=name, file=file, line=int(number or 0)))
    return frames


def elfutils_frames(program, core):
    # Inlined frames of eu-stack carry the pc of the frame they are in.
    result = run(["eu-stack", "-n", "0", "-i", "-s", "--core=" + core, "-e", program])
    frames = []
    for line in result.stdout.splitlines():
        frame = re.match(r"#\d+\s+0x([0-9a-f]+)(?:\s*-\s*1)?\s*(.*)$", line)
        place = re.match(r"\s+(\S.*?):(\d+)(?::\d+)?$", line)
        if frame:
            name = frame.group(2).split(" - ")[0].strip()
            frames.append(dict(pc=int(frame.group(1), 16), function=name, file="", line=0))
        elif place and frames:
            frames[-1]["file"], frames[-1]["line"] = place.group(1), int(place.group(2))
    return frames


def compare(name, ours, theirs, table, check_inlined):
    """The differences, as text."""
    problems = []
    if len(theirs) < 2:
        return ["%s shows %d frames" % (name, len(theirs))]
    if len(ours) != len(theirs):
        problems.append("%s has %d frames, mortem %d" % (name, len(theirs), len(ours)))
    for index, (a, b) in enumerate(zip(ours, theirs)):
        where = "%s frame %d: " % (name, index)
        # lldb gives a frame that others are inlined into the start of the inlined code.
        into_inlined = name == "lldb" and index > 0 and ours[index - 1]["inlined"]
        if int(a["pc"], 16) != b["pc"] and not into_inlined:
            problems.append(where + "pc %s, not %x" % (a["pc"], b["pc"]))
        if b.get("signal"):
            if not a["signal_frame"]:
                problems.append(where + "is a signal frame")
            continue
        if b["function"] and not same_function(a["function"] or "", b["function"], table):
            problems.append(where + "function %s, not %s" % (a["function"], b["function"]))
        # eu-stack looks a call that does not return up behind it, in the next function.
        unknown = name == "eu-stack" and a["line"] is None
        if b["line"] and not unknown and (a["line"] != b["line"] or os.path.basename(a["file"] or "") != os.path.basename(b["file"])):
            problems.append(where + "%s:%s, not %s:%s" % (a["file"], a["line"], b["file"], b["line"]))
        if not b["line"] and check_inlined and a["line"]:
            problems.append(where + "line %s where the other has none" % a["line"])
        if check_inlined and a["inlined"] != b["inlined"]:
            problems.append(where + "inlined: %s" % a["inlined"])
    return problems


def main():
    mortem, source, optimisation, folder = sys.argv[1:5]
    os.makedirs(folder, exist_ok=True)
    program, core = os.path.join(folder, "program"), os.path.join(folder, "core")
    compiler = ["g++"] if source.endswith(".cpp") else ["gcc"]
    compiler += ["-static", "-g", "-w", "-" + optimisation]
    parts = [source]
    if "linked_calls" in source:
        parts = ["-flto", source, program + ".o"]
        subprocess.run([*compiler, "-DOUTSIDE", "-c", source, "-o", program + ".o"], check=True)
    subprocess.run([*compiler, *parts, "-o", program], check=True)
    if os.path.exists(core):
        os.remove(core)
    # Nothing but the fault that kills stops the program; a handled one is passed on.
    handled = ["-ex", "handle SIGSEGV nostop noprint pass", "-ex", "break inner", "-ex", "run", "-ex",
               "handle SIGSEGV stop print"] if "signal_handler" in source else ["-ex", "run"]
    if "signal_handler" in source:
        handled.append("-ex")
        handled.append("continue")
    run(["gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set startup-with-shell off"] + handled +
        ["-ex", "generate-core-file " + core, program])
    result = run([mortem, "bt", "--json", core])
    if result.returncode != 0:
        sys.exit("mortem bt: " + result.stderr)
    thread = json.loads(result.stdout)["threads"][0]
    ours = thread["frames"]
    table = symbol_addresses(program)
    problems = compare("gdb", ours, gdb_frames(program, core, folder), table, True)
    shown = lldb_frames(program, core, len(ours) + 10)  # astray it may go on for ever
    addresses = [int(frame["pc"], 16) for frame in ours]
    seen = drop_hidden_tail_calls(ours[:lldb_limits.visible(addresses, program)], shown)
    whole = len(seen) == len(ours)
    problems += compare("lldb", seen, shown if whole else shown[:len(seen)], table, False)
    if "tail_calls" in source and optimisation != "O0" and not any(frame["trust"] == "tail call" for frame in seen):
        problems.append("lldb and mortem have no tail call in common")
    # eu-stack shows what is on the stack. It does not find the caller of an address without code: its unwinder takes
    # call frame information or else the frame pointer, which is no frame's there.
    if "jump_to_null" not in source:
        real = [frame for frame in ours if frame["trust"] != "tail call"]
        problems += compare("eu-stack", real, elfutils_frames(program, core), table, False)
    print("%d frames, end: %s, trust: %s" % (len(ours), thread["end"], sorted({one["trust"] for one in ours})))
    for problem in problems[:20]:
        print(problem)
    sys.exit(1 if problems else 0)


main()
