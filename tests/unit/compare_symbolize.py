#!/usr/bin/env python3
"""Compares mortem symbolize, with and without an index, byte for byte with llvm-symbolizer-19, on programs built in many
ways; breaks indexes in many ways; compares the stacks of a core with and without an index.

usage: compare_symbolize.py MORTEM FOLDER_OF_SOURCES FOLDER
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time

BUILDS = [
    ("deep_recursion.c", "gcc", "-O2 -gdwarf-5"),
    ("deep_recursion.c", "gcc", "-O0 -gdwarf-2 -gstrict-dwarf"),
    ("deep_recursion.c", "gcc", "-O2 -gdwarf-4 -flto -ffunction-sections"),
    ("deep_recursion.c", "gcc", "-O2 -g -gz"),
    ("uncaught_exception.cpp", "g++", "-O2 -gdwarf-5"),
    ("uncaught_exception.cpp", "g++", "-O0 -gdwarf-4"),
    ("uncaught_exception.cpp", "g++", "-O2 -gdwarf-3 -fdebug-types-section"),
    ("deep_recursion.c", "clang", "-O2 -gdwarf-5"),
    ("uncaught_exception.cpp", "clang++", "-O2 -gdwarf-4 -flto -fuse-ld=lld"),
    ("uncaught_exception.cpp", "clang++", "-O1 -gdwarf-5"),
    # Entries in .dwo files, then the same in a package of them.
    ("uncaught_exception.cpp", "g++", "-O2 -gdwarf-5 -gsplit-dwarf"),
    ("uncaught_exception.cpp", "g++", "-O2 -gdwarf-4 -gsplit-dwarf -fdebug-types-section"),
    ("deep_recursion.c", "clang", "-O2 -gdwarf-5 -gsplit-dwarf"),
]
FORMS = [[], ["--output-style=GNU"], ["--no-inlines"], ["--basenames", "--pretty-print", "--addresses"],
         ["--relativenames", "--functions=short"], ["--functions=none", "--no-demangle"], ["--verbose"],
         ["--adjust-vma=0x10"], ["--output-style=JSON"]]
problems = []
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "schemas"))
import check  # noqa: E402


def text_section(program):
    for line in subprocess.run(["readelf", "-SW", program], capture_output=True, text=True, check=True).stdout.splitlines():
        found = re.search(r"\s\.text\s+PROGBITS\s+([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)", line)
        if found:
            return int(found.group(1), 16), int(found.group(2), 16)
    sys.exit(program + ": no .text")


def run(command, text, cache):
    return subprocess.run(command, input=text, capture_output=True, text=True,
                          env=dict(os.environ, XDG_CACHE_HOME=cache))


def without_known_differences(theirs, ours):
    """llvm gives no file for a function's declaration where DWARF 5 keeps the file's number in the abbreviation
    (DW_FORM_implicit_const): a mistake of its own (llvm/lib/DebugInfo/DWARF/DWARFFormValue.cpp, createFromSValue)."""
    result = []
    for a, b in zip(theirs, ours):
        if a.startswith("{"):
            a, b = json.loads(a), json.loads(b)
            for one, other in zip(a.get("Symbol", []), b.get("Symbol", [])):
                if one["StartFileName"] == "":
                    other["StartFileName"] = ""
        elif a == "  Function start filename: ":
            b = a
        result.append((a, b))
    return result


def compare(mortem, program, text, form, cache, what):
    theirs = run(["llvm-symbolizer-19", "--obj=" + program] + form, text, cache)
    ours = run([mortem, "symbolize", "--obj", program] + form, text, cache)
    a, b = theirs.stdout.split("\n"), ours.stdout.split("\n")
    if ours.returncode != 0 or len(a) != len(b):
        problems.append("%s: status %d, %d lines for %d; %s" % (what, ours.returncode, len(b), len(a), ours.stderr[:200]))
        return ours
    different = [pair for pair in without_known_differences(a, b) if pair[0] != pair[1]]
    if different:
        problems.append("%s: %d lines differ, llvm-symbolizer: %s, mortem: %s" % (what, len(different), *different[0]))
    return ours


def break_index(mortem, program, text, cache, index):
    good = open(index, "rb").read()
    healthy = run([mortem, "symbolize", "--obj", program], text, cache).stdout
    broken = [good[:0], good[:100], good[:len(good) // 2], good[:-1], b"x" * len(good)]
    for at in (0, 8, 16, 40, len(good) // 3, len(good) // 2, len(good) - 9):
        broken.append(good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1:])
    for number, bytes_now in enumerate(broken):
        with open(index, "wb") as file:
            file.write(bytes_now)
        first = run([mortem, "symbolize", "--obj", program], text, cache)
        await_index(index, len(good))
        second = run([mortem, "symbolize", "--obj", program], text, cache)
        said = len(first.stderr.splitlines())
        if first.stdout != healthy or second.stdout != healthy:
            problems.append("broken index %d: other answers" % number)
        if said != 1 or "is made anew in the background" not in first.stderr or second.stderr or not os.path.exists(index):
            problems.append("broken index %d: said %r, then %r" % (number, first.stderr, second.stderr))


def break_index_of_stacks(command, cache, index):
    """A bit of each part of the index, of call frame information and calls too: the stacks stay as they are."""
    good = open(index, "rb").read()
    healthy = run(command, "", cache)
    noticed = 0
    for at in range(len(good) // 24, len(good), len(good) // 12):
        with open(index + ".new", "wb") as file:
            file.write(good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1:])
        os.rename(index + ".new", index)
        broken = run(command, "", cache)
        if broken.stdout != healthy.stdout or broken.returncode != 0:
            problems.append("bt with an index broken at %d of %d: %r" % (at, len(good), broken.stderr))
        if "made anew" in broken.stderr:
            noticed += 1
            await_index(index, len(good))
    # What was not needed is not looked at; most of a small index is.
    if noticed < 6:
        problems.append("bt noticed %d of 12 broken indexes" % noticed)
    with open(index, "wb") as file:
        file.write(good)


def await_index(index, size):
    """It is made anew in the background."""
    deadline = time.monotonic() + 60
    while (not os.path.exists(index) or os.path.getsize(index) != size) and time.monotonic() < deadline:
        time.sleep(0.02)


def compare_package(mortem, program, text, cache, what):
    """The .dwo files go into a .dwp file. Without either there is no index, and it is said which files are wanted."""
    package, parts = program + ".dwp", [one for one in os.listdir(os.path.dirname(program)) if one.endswith(".dwo")]
    index = [mortem, "index", "--json", program]
    shutil.rmtree(cache)
    subprocess.run(["llvm-dwp-19", "-e", program, "-o", package], check=True)
    for part in parts:
        os.remove(os.path.join(os.path.dirname(program), part))
    compare(mortem, program, text, ["--output-style=JSON"], cache, "package, " + what)
    if run(index, "", cache).returncode != 0:
        problems.append("no index with a package: " + what)
    compare(mortem, program, text, ["--output-style=JSON"], cache, "index of a package, " + what)
    shutil.rmtree(cache)
    os.remove(package)
    answers, made = compare(mortem, program, text, [], cache, "missing parts, " + what), run(index, "", cache)
    for one in (answers, made):
        if len(one.stderr.splitlines()) != 1 or ".dwo" not in one.stderr:
            problems.append("missing .dwo files, %s: %r" % (what, one.stderr))
    if made.returncode != 2:
        problems.append("missing .dwo files: an index was made")


def blank_debug_sections(program):
    """Of the file, in place: its size and its build id stay, and whoever reads DWARF or call frames reads zeros."""
    listed = subprocess.run(["readelf", "-SW", program], capture_output=True, text=True, check=True).stdout
    with open(program, "r+b") as file:
        for name, offset, size in re.findall(r"\] (\.\S+) +\S+ +[0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+)", listed):
            if name.startswith(".debug_") or name == ".eh_frame":
                file.seek(int(offset, 16))
                file.write(bytes(int(size, 16)))


def nothing_but_the_index_is_read(mortem, core, program, cache, folder_of_indexes):
    """With an index, no reader of DWARF and of call frames is needed for a stack: without what they read, it is the
    same; without the index it is another then."""
    command = [mortem, "bt", core, "--full"]
    healthy = run(command, "", cache)
    with open(program, "rb") as file:
        good = file.read()
    blank_debug_sections(program)
    blank = run(command, "", cache)
    shutil.move(folder_of_indexes, folder_of_indexes + ".away")
    without = run(command, "", cache)
    shutil.move(folder_of_indexes + ".away", folder_of_indexes)
    with open(program, "r+b") as file:
        file.write(good)
    if (blank.returncode, blank.stdout, blank.stderr) != (healthy.returncode, healthy.stdout, healthy.stderr):
        problems.append("bt with an index reads the debug information too: %r" % blank.stderr)
    if without.stdout == healthy.stdout:
        problems.append("bt without index and debug information shows the same as with them")


def compare_stacks(mortem, program, cache, index, folder):
    core = os.path.join(folder, "core")
    subprocess.run(["gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set startup-with-shell off",
                    "-ex", "run", "-ex", "generate-core-file " + core, program], capture_output=True)
    # Of all modules: libraries without debug information have call frame information and symbols.
    made = run([mortem, "index", "--json", core], "", cache)
    facts = json.loads(made.stdout)
    problems.extend(check.check(facts))
    again = run([mortem, "index", core], "", cache)
    if made.returncode != 0 or not any("libc" in one["file"] for one in facts["indexes"]) or "nothing to do" not in again.stdout:
        problems.append("mortem index CORE: %r, then %r" % (made, again))
    folder_of_indexes = os.path.dirname(os.path.dirname(index))  # moved, not removed: messages name the cache folder
    for form in ([], ["--json"], ["--no-inline"], ["--no-tail-calls"]):
        command = [mortem, "bt", core, "--full"] + form
        warm = run(command, "", cache)
        shutil.move(folder_of_indexes, folder_of_indexes + ".away")
        cold = run(command, "", cache)
        shutil.move(folder_of_indexes + ".away", folder_of_indexes)
        if cold.returncode != 0 or cold.stdout != warm.stdout or cold.stderr != warm.stderr:
            problems.append("bt %s with an index differs: %s" % (form, warm.stderr))
    nothing_but_the_index_is_read(mortem, core, program, cache, folder_of_indexes)
    frames = cold.stdout.count("#")
    if frames < 100:
        break_index_of_stacks([mortem, "bt", core, "--full"], cache, index)
    print("bt of %s: %d frames, with and without an index" % (os.path.basename(program), frames))
    if frames < 2:
        problems.append("bt shows %d frames" % frames)


# A line table whose header says that the first special opcode is 0: it has no standard opcodes then, as llvm has it.
NO_STANDARD_OPCODES = r"""
.text
.globl _start
_start: .fill 40, 1, 0x90
end:
.section .debug_abbrev
.uleb128 1, 0x11; .byte 0; .uleb128 0x03, 0x08, 0x11, 0x01, 0x12, 0x06, 0x10, 0x17, 0x13, 0x0b, 0, 0, 0
.section .debug_info
.long 2f - 1f
1: .short 4; .long 0; .byte 8
.uleb128 1; .string "zero.c"; .quad _start; .long end - _start; .long 0; .byte 12
2:
.section .debug_line
.long 4f - 1f
1: .short 4; .long 3f - 2f
2: .byte 1, 1, 1, 0, 14, 0
.byte 0; .string "zero.c"; .uleb128 0, 0, 0; .byte 0
3: .byte 0, 9, 2; .quad _start
.byte 3, 14 * 4 + 5, 1, 14 * 16 + 2, 9
.byte 0, 9, 2; .quad end
.byte 0, 1, 1
4:
"""


def compare_without_standard_opcodes(mortem, folder):
    source, program = os.path.join(folder, "zero.s"), os.path.join(folder, "zero")
    with open(source, "w") as file:
        file.write(NO_STANDARD_OPCODES)
    subprocess.run(["gcc", "-nostdlib", "-static", "-Wl,--build-id", source, "-o", program], check=True)
    start, size = text_section(program)
    text = "".join("%#x\n" % address for address in range(start, start + size))
    for what in ("no standard opcodes", "no standard opcodes, index"):
        answers = compare(mortem, program, text, [], program + ".cache", what).stdout
        lines = set(re.findall(r"zero\.c:(\d+)", answers))
        if len(lines) < 3:
            problems.append("%s: only the lines %s" % (what, sorted(lines)))
        if run([mortem, "index", program], "", program + ".cache").returncode != 0:
            problems.append("no index of a file without standard opcodes")


def main():
    mortem, sources, folder = [os.path.abspath(one) for one in sys.argv[1:4]]
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for number, (source, compiler, options) in enumerate(BUILDS):
        if compiler.startswith("clang") and not (shutil.which("clang++") and shutil.which("ld.lld")):
            continue
        program = os.path.join(folder, "%d.%s" % (number, source.split(".")[0]))
        cache = program + ".cache"
        subprocess.run([compiler, "-w", "-pthread", "-Wl,--build-id"] + options.split() +
                       [os.path.join(sources, source), "-o", program], check=True, cwd=folder)
        start, size = text_section(program)
        text = "".join("%#x\n" % address for address in range(start - 3, start + min(size, 4000) + 3))
        for form in FORMS if number in (0, 4) else FORMS[:1] + FORMS[-1:]:
            compare(mortem, program, text, form, cache, "%s %s %s" % (compiler, options, form))
        made = run([mortem, "index", "--json", program], "", cache)
        if made.returncode != 0:
            problems.append("mortem index: " + made.stderr)
            continue
        index = json.loads(made.stdout)["indexes"][0]["index"]
        lines = "0\nDATA 0\nno_such_function\n\n%#x\n" % start
        facts = json.loads(run([mortem, "symbolize", "--json", "--obj", program], lines, cache).stdout)
        problems.extend(check.check(json.loads(made.stdout)) + check.check(facts))
        if len(facts["addresses"]) != 5:
            problems.append("--json: %d answers to 5 lines" % len(facts["addresses"]))
        for form in FORMS if number in (0, 4) else FORMS[:1] + FORMS[-1:]:
            compare(mortem, program, text, form, cache, "index, %s %s %s" % (compiler, options, form))
        if number in (0, 4) or "-gdwarf-4 -gsplit" in options:
            compare_stacks(mortem, program, cache, index, folder)
        if "-gsplit-dwarf" in options:
            compare_package(mortem, program, text, cache, "%s %s" % (compiler, options))
        if number in (0, 4):
            break_index(mortem, program, text, cache, index)
        print("%s %s %s: %d addresses" % (source, compiler, options, text.count("\n")))
    compare_without_standard_opcodes(mortem, folder)
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


main()
