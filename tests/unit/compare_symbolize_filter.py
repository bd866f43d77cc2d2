#!/usr/bin/env python3
"""Starts mortem symbolize and llvm-symbolizer-19 with the same options and lines and compares their output byte for
byte: DATA and FRAME, lookups by name, lines that cannot be read, files that are not there, every option; and the report
of a program with AddressSanitizer with either as its symbolizer.

usage: compare_symbolize_filter.py MORTEM SOURCE FOLDER [all]
"""
import json
import os
import random
import re
import shutil
import subprocess
import sys

THEIRS = "llvm-symbolizer-19"
BUILDS = [
    ("gcc.4", "g++ -O0 -gdwarf-4"), ("gcc.4.O2", "g++ -O2 -gdwarf-4"), ("gcc.3", "g++ -O1 -gdwarf-3"),
    ("gcc.5", "g++ -O0 -gdwarf-5"), ("gcc.5.O2", "g++ -O2 -gdwarf-5"), ("gcc.5.gz", "g++ -O2 -gdwarf-5 -gz"),
    ("static", "g++ -O2 -gdwarf-4 -static"), ("no_debug", "g++ -O1 -g0"),
    ("clang.5", "clang++ -O0 -gdwarf-5"), ("clang.5.O2", "clang++ -O2 -gdwarf-5"), ("clang.4", "clang++ -O1 -gdwarf-4"),
]
NEEDED = ("gcc.4", "gcc.4.O2", "gcc.5", "gcc.5.O2", "clang.5")  # by more than the questions to each build
QUICK = ("gcc.5.O2", "clang.5")
STYLES = [["--output-style=LLVM"], ["--output-style=GNU"], ["--output-style=JSON"]]
problems = []
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "schemas"))
import check  # noqa: E402


def run(command, text=None, **more):
    return subprocess.run(command, input=text, capture_output=True, text=True, errors="surrogateescape",
                          stdin=subprocess.DEVNULL if text is None else None, **more)


class Pair:
    """Both programs in one folder."""

    def __init__(self, mortem, folder):
        self.mortem, self.folder, self.compared = mortem, folder, 0
        self.environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache"))
        self.environment.pop("DEBUGINFOD_URLS", None)

    def both(self, options, text=None):
        more = {"cwd": self.folder, "env": self.environment}
        return run([THEIRS] + options, text, **more), run([self.mortem, "symbolize"] + options, text, **more)

    def compare(self, what, options, text=None, known=None):
        """`known(theirs, ours)` gives both outputs without what is known to differ."""
        theirs, ours = self.both(options, text)
        a, b = theirs.stdout, ours.stdout
        if known:
            a, b = known(a, b)
        self.compared += 1
        if a != b or (theirs.returncode != 0) != (ours.returncode != 0):
            first = next(((x, y) for x, y in zip(a.split("\n"), b.split("\n")) if x != y), ("more", "or less"))
            problems.append("%s %s: status %d and %d; llvm-symbolizer: %r, mortem: %r; %s" %
                            (what, options, theirs.returncode, ours.returncode, first[0], first[1], ours.stderr[-300:]))
        return theirs, ours


def large_sizes(line):
    return [int(one, 0) for one in re.findall(r'(?<=^\?\? )\d+(?= \?\?$)|(?<="Size":")0x[0-9a-f]+', line)]


def without_known_mistakes(theirs, ours):
    """llvm gives no file where DWARF 5 keeps the file's number in the abbreviation (DW_FORM_implicit_const): of a
    function's declaration it says "" then, of a variable's ??:?. What we say there, declarations() checks. And it takes
    the last index of an array for negative where its highest bit is set in DW_FORM_data1 or 2: 201 bytes have a size of
    2**64 - 55 then."""
    blank = re.compile(r'"StartFileName":"[^"]*"')
    a, b = theirs.split("\n"), ours.split("\n")
    for index in range(min(len(a), len(b))):
        if a[index] != b[index]:
            for one, other in zip(large_sizes(a[index]), large_sizes(b[index])):
                if one >= 2**63 and other < 2**32 and (other - one) % 256 == 0:
                    a[index] = a[index].replace("%d ??" % one, "%d ??" % other).replace('"%#x"' % one, '"%#x"' % other)
        if '"StartFileName":""' in a[index]:
            a[index], b[index] = blank.sub("", a[index]), blank.sub("", b[index])
        elif a[index] == "??:?" and re.search(r"\.(cpp|cc|h|c):\d+$", b[index]):
            b[index] = a[index]
        elif a[index] == "  Function start filename: ":
            b[index] = a[index]
    return "\n".join(a), "\n".join(b)


def symbols(program):
    """Of the program: (address, kind, name)."""
    found = []
    for line in run(["nm", program]).stdout.splitlines():
        words = line.split()
        if len(words) == 3:
            found.append((int(words[0], 16), words[1], words[2]))
    return found


def all_questions(program):
    known = symbols(program)
    code = [one for one in known if one[1] in "tTwW"][:150]
    data = [one for one in known if one[1] in "bBdDrRvVu"][:150]
    lines = []
    for address, _, name in code:
        lines += ["FRAME %#x" % (address + step) for step in range(0, 120, 7)]
        lines += ["%#x" % address, name, name + "+3", name + "+0x1000000", "CODE %s+1" % name, "DATA %#x" % address]
    for address, _, name in data:
        lines += ["DATA %#x" % (address + step) for step in (0, 1, 3, 4, 7, 16, 31)]
        lines += [name, "DATA " + name, "FRAME %#x" % address, "FRAME " + name, "%#x" % address]
    return "".join(line + "\n" for line in lines)


# Lines without --obj; @ is a program's name.
LINES = """@ 0x1
"@" 1
'@' 01
"@ 0x1
@
0x1
FILE:@ 1
FILE: @ 1
CODE FILE:@ 1
DATA FILE:@ 1
FRAME FILE:@ 1
FILE:"@" 1
FILE:FILE:@ 1
FILE:BUILDID:12 1
FILE:
BUILDID:
BUILDID:zz 1
BUILDID:abc 1
BUILDID:abcd 1
BUILDID:abcd 2
BUILDID:ABCD 3
@\t0x1
 @ 0x1
\t@ 0x1
@  0x1
@ 0x1\r
@ 0x1 and more
CODE @
CODE  @ 0x1
CODE
CODE 
DATA
DATA 
FRAME
code @ 0x1
"" 1
\r
@ main
@ main+1
@ main+
@ main+x
@ +1
@ +
@ no_such
@ _Z4workiPcRNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE
@ 0xg
@ 0x
@ 08
@ 010
@ 0b11
@ 0B11
@ 0o17
@ 0O17
@ 0X1F
@ -1
@ 1_0
@ 18446744073709551615
@ 18446744073709551616
@ 0xffffffffffffffff
not_there 0x1
not_there 0x1
not_there main
DATA not_there 0x1
FRAME not_there 0x1
FRAME not_there_2 0x1
FRAME not_there_2 0x1
DATA not_there_3 0x1
not_there_4 main
not_there_4 main
text 1
text 1
. 1
DATA . 1
short 1
"""


def options_of(program, package):
    """Each is tried with an address, as filter, and in all styles."""
    return [["-e", program], ["-e" + program], ["-e=" + program], ["--exe", program], ["--exe=" + program],
            ["--obj", program], ["-fe", program], ["-Cfie", program], ["-ife" + program], ["-fie=" + program]] + [
                ["--obj=" + program] + one for one in (
                    ["-f"], ["-f=none"], ["-f=short"], ["-f=linkage"], ["--functions"], ["--functions=none"],
                    ["--functions=short"], ["-f=none", "-f"], ["-f", "-f=none"], ["-f=none", "-f=short"],
                    ["-f=linkage", "-f=none"], ["-fs"], ["-sf"], ["-Cf=none"], ["-pCi"], ["-pCia"], ["-ap"], ["-a"],
                    ["--addresses"], ["--print-address"], ["-C"], ["--demangle"], ["--no-demangle"],
                    ["-demangle=false"], ["-demangle=true"], ["--no-demangle", "-C"], ["-C", "--no-demangle"],
                    ["--no-demangle", "--functions=short"], ["-i"], ["--inlines"], ["--no-inlines"],
                    ["--inlining"], ["--inlining=true"], ["--inlining=false"], ["--no-inlines", "-i"],
                    ["-i", "--no-inlines"], ["-i", "-i"], ["-s"], ["--basenames"], ["--relativenames"],
                    ["--basenames", "--relativenames"], ["--relativenames", "-s"], ["--verbose"],
                    ["--verbose", "--no-inlines"], ["--verbose", "-a", "-p"], ["--adjust-vma=0x10"],
                    ["--adjust-vma", "16"], ["--adjust-vma=020"], ["--print-source-context-lines=1"],
                    ["--print-source-context-lines=3"], ["--print-source-context-lines", "10"],
                    ["--print-source-context-lines=0x100"], ["--print-source-context-lines=0"],
                    ["--print-source-context-lines=4", "--verbose"], ["--print-source-context-lines=4", "-f=none", "-p"],
                    ["--default-arch=x86_64"], ["--default-arch", "x86_64"], ["--default-arch=i386"],
                    ["--no-debuginfod"], ["--debuginfod"], ["--debug-file-directory=/usr/lib/debug"],
                    ["--debug-file-directory", "/not/there"], ["--fallback-debug-path=/not/there"],
                    ["--dsym-hint=x.dSYM"], ["--relative-address"], ["--no-untag-addresses"], ["--untag-addresses"],
                    ["--cache-size=1000"], ["--cache-size", "1"], ["--color"], ["--color=always"], ["--color=never"],
                    ["--dwp=" + package], ["@options"],
                    ["--default-arch=x86_64", "--inlines"], ["--demangle", "--default-arch=x86_64", "--no-inlines"])]


def compare_options(pair, program, every):
    package = os.path.join(pair.folder, "empty.dwp")
    shutil.copy(os.path.join(pair.folder, program), package)
    with open(os.path.join(pair.folder, "options"), "w") as file:
        file.write("-p  --basenames\n\"-a\" '--functions=short'")
    known = {name: address for address, _, name in symbols(os.path.join(pair.folder, program))}
    work = next(address for name, address in known.items() if name.startswith("_Z4worki"))
    places = ["%#x" % (work + step) for step in range(0, 200, 3)]
    text = "".join("%s\n" % one for one in places + ["DATA %#x" % known["counter"], "FRAME %#x" % work, "main", "no_such"])
    for number, options in enumerate(options_of(program, package)):
        styles = STYLES if every else [STYLES[number % len(STYLES)]]
        for style in styles:
            pair.compare("options", options + style, text)
        if every:
            pair.compare("options, one address", options + ["%#x" % work])
        for style in STYLES if every else []:
            pair.compare("options, addresses", options + style + places[:40] + ["main", "FRAME %#x" % work])
    for style in STYLES:
        for more in ([], ["--pretty-print"]):
            pair.compare("pretty", ["--obj=" + program] + style + more, text)
            pair.compare("pretty", ["--obj=" + program] + style + more + places + ["0xg", "DATA 0", "FRAME 0", "main", "none"])
            pair.compare("no file", ["--obj=not_there"] + style + more, text)
            pair.compare("no file", ["--obj=not_there"] + style + more + ["1", "2"])
    for refused in (["-Cx"], ["--no-such-option"], ["--build-id=zz"], ["--build-id=" + "ab" * 20, "--obj=" + program],
                    ["--print-source-context-lines=x", "--obj=" + program], ["--adjust-vma=x", "--obj=" + program]):
        pair.compare("refused", refused + ["0x1"])
    # What would be done in another way there is refused here.
    for refused in (["--output-style=json"], ["--functions=bogus"], ["--dia"], ["--filter-markup"]):
        ours = run([pair.mortem, "symbolize", "--obj=" + program] + refused, "0x1\n", cwd=pair.folder)
        if ours.returncode != 2 or ours.stdout or len(ours.stderr.splitlines()) != 1:
            problems.append("%s: not refused in one line: %s" % (refused, ours))


def compare_build_id(pair, program):
    notes = run(["readelf", "-n", os.path.join(pair.folder, program)]).stdout
    build_id = re.search(r"Build ID: ([0-9a-f]+)", notes).group(1)
    place = os.path.join(pair.folder, "debug", ".build-id", build_id[:2], build_id[2:] + ".debug")
    os.makedirs(os.path.dirname(place))
    shutil.copy(os.path.join(pair.folder, program), place)
    debug = ["--debug-file-directory=debug"]
    main = next(address for address, _, name in symbols(place) if name == "main")
    for style in STYLES:
        theirs, _ = pair.compare("build id", ["--build-id=" + build_id] + debug + style, "%#x\nmain\nFRAME %#x\n" % (main, main))
        pair.compare("build id", ["--build-id", build_id.upper()] + debug + style + ["%#x" % main])
        pair.compare("build id", debug + style, "BUILDID:%s %#x\nBUILDID: %s main\n" % (build_id, main, build_id.upper()))
    if "main" not in theirs.stdout:
        problems.append("build id: llvm-symbolizer found nothing: %r" % theirs.stderr)


def declarations(pair):
    """Where llvm says ??:? of a variable in DWARF 5, ours is what it says in DWARF 4."""
    def answers(symbolizer, program, style):
        names = sorted({name: address for address, kind, name in symbols(os.path.join(pair.folder, program))
                        if kind in "bBdDrRuV"}.items())
        text = "".join("DATA %#x\n" % address for _, address in names)
        output = run(symbolizer + ["--obj=" + program, "--output-style=" + style], text, cwd=pair.folder,
                     env=pair.environment).stdout
        places = [one.split("\n")[2] for one in output.split("\n\n")[:-1]]
        return dict(zip((name for name, _ in names), places))
    right, ours = answers([THEIRS], "gcc.4", "LLVM"), answers([pair.mortem, "symbolize"], "gcc.5", "LLVM")
    theirs = answers([THEIRS], "gcc.5", "LLVM")
    common = [name for name in right if name in ours and re.search(r":[1-9]", right[name])]
    for name in common:
        if ours[name] != right[name]:
            problems.append("declaration of %s: %s, with DWARF 4 llvm-symbolizer says %s" % (name, ours[name], right[name]))
    print("%d declarations, of which llvm-symbolizer does not know %d with DWARF 5" %
          (len(common), sum(theirs[name] == "??:?" for name in common)))
    if len(common) < 15:
        problems.append("only %d declarations: %s" % (len(common), common))


def compare_split(pair, source):
    """Of what stands in .dwo files llvm-symbolizer says nothing: ours is what it says of the same program in one file."""
    for version in ("4", "5"):
        for kind, more in (("whole", []), ("split", ["-gsplit-dwarf"])):
            subprocess.run(["g++", "-O0", "-gdwarf-" + version, *more, source, "-o", kind + version], check=True, cwd=pair.folder)
        text = {}
        for kind in ("whole", "split"):
            known = sorted((name, address) for address, sort, name in symbols(os.path.join(pair.folder, kind + version))
                           if sort in "tTbBdD" and re.match(r"_Z4work|_Z[0-9]*main|main|counter|recurse|_ZL6hidden", name))
            text[kind] = "".join("%s %#x\n" % (what, address) for _, address in known for what in ("DATA", "FRAME"))
        right, _ = pair.both(["--obj=whole" + version], text["whole"])
        _, ours = pair.both(["--obj=split" + version], text["split"])
        blank = re.compile(r"^\d+ (\d+)$", re.M)  # where a variable is in the file may differ
        right, ours = (re.sub(blank, r"\1", one.stdout) for one in (right, ours))
        right, ours = without_known_mistakes(right, ours)
        if right != ours or "buffer" not in ours:
            different = next(((a, b) for a, b in zip(right.split("\n"), ours.split("\n")) if a != b), None)
            problems.append("split DWARF %s: %s" % (version, different))


DIES = """int *volatile nothing;
static inline int inner(int value) {
  return *nothing + value;  // the line that dies
}
int main(int count, char **words) { return inner(count) + words[0][0]; }
"""


def compare_embedded(pair):
    """Sources that clang put into the debug information count before what stands at their places now."""
    source = os.path.join(pair.folder, "dies.c")
    with open(source, "w") as file:
        file.write(DIES)
    for name, more in (("embeds", ["-gembed-source"]), ("embeds_split", ["-gembed-source", "-gsplit-dwarf"]), ("refers", [])):
        subprocess.run(["clang", "-O1", "-gdwarf-5", *more, "dies.c", "-o", name], check=True, cwd=pair.folder)
    main = next(address for address, _, name in symbols(os.path.join(pair.folder, "embeds")) if name == "main")
    text = "".join("%#x\n" % (main + step) for step in range(0, 24))
    with open(source, "w") as file:
        file.write("what was\nwritten\nsince\nthen\n\n")
    for indexed in (False, True):
        for name in ("embeds", "embeds_split", "refers"):
            if indexed:
                run([pair.mortem, "index", name], cwd=pair.folder, env=pair.environment)
            # Of the functions around inlined ones llvm-symbolizer shows what is on the disk.
            for style in STYLES:
                theirs, _ = pair.compare("embedded", ["--obj=" + name, "--print-source-context-lines=3", "--no-inlines"] + style, text)
            _, ours = pair.both(["--obj=" + name, "--print-source-context-lines=3"], text)
            if (name != "refers") != ("return inner(count)" in ours.stdout and "then" not in ours.stdout):
                problems.append("embedded: around inlined functions of %s: %s" % (name, ours.stdout))
            if ("the line that dies" in theirs.stdout) != (name != "refers"):
                problems.append("embedded: llvm-symbolizer shows another source of %s: %s" % (name, theirs.stdout))
    run(["gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set startup-with-shell off", "-ex", "run",
         "-ex", "generate-core-file core", "embeds"], cwd=pair.folder)
    for lines in (["bt", "--lines", "1"], ["report"]):
        shown = run([pair.mortem, lines[0], "core", *lines[1:]], cwd=pair.folder, env=pair.environment).stdout
        if "the line that dies" not in shown or "written" in shown or "changed since" in shown:
            problems.append("embedded: %s: %s" % (lines, shown))


def break_entries(pair, program):
    """Broken bytes where variables are described: an answer to each line, no crash, no hang."""
    listed = run(["readelf", "-SW", program], cwd=pair.folder).stdout
    with open(os.path.join(pair.folder, program), "rb") as file:
        good = file.read()
    addresses = [address for address, kind, _ in symbols(os.path.join(pair.folder, program)) if kind in "tTbBdDrR"][:60]
    text = "".join("%s %#x\n" % (what, address) for address in addresses for what in ("DATA", "FRAME"))
    tried = 0
    for name in (".debug_info", ".debug_abbrev", ".debug_loclists", ".debug_loc", ".debug_line"):
        found = re.search(r"\] %s +\S+ +[0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+)" % re.escape(name), listed)
        if not found:
            continue
        start, size = int(found.group(1), 16), int(found.group(2), 16)
        for seed in range(4):
            chance = random.Random("%s %d" % (name, seed))
            broken = bytearray(good)
            for _ in range(1 + size // (30 if seed % 2 else 300)):
                broken[start + chance.randrange(size)] = chance.choice([0, 0xFF, 0x7F, 0x80, chance.randrange(256)])
            with open(os.path.join(pair.folder, "broken"), "wb") as file:
                file.write(broken)
            ours = run([pair.mortem, "symbolize", "--obj=broken", "--output-style=JSON"], text, cwd=pair.folder,
                       env=pair.environment, timeout=60)
            if ours.returncode != 0 or len(ours.stdout.splitlines()) != text.count("\n"):
                problems.append("%s broken, seed %d: status %d, %d answers: %s" %
                                (name, seed, ours.returncode, len(ours.stdout.splitlines()), ours.stderr[-300:]))
            tried += 1
    print("%d broken files" % tried)


CRASH = r"""
#include <stdlib.h>
#include <string.h>
int table[10];
static inline __attribute__((always_inline)) int inlined(int *where, int index) { return where[index]; }
__attribute__((noinline)) void fill(char *where, int size) { memset(where, 1, size); }
__attribute__((noinline)) int on_stack(int index) {
  char buffer[16], other[8];
  fill(buffer, 16);
  fill(other, 8);
  return buffer[index] + other[index & 3]; }
__attribute__((noinline)) int after_free(int index) { int *block = (int *)malloc(40); block[1] = 2; free(block); return inlined(block, index); }
int main(int count, char **words) {
  switch (words[1][0]) {
    case 's': return on_stack(count + 15);
    case 'h': return after_free(count);
    default: return table[count + 10];
  }
}
"""


def compare_sanitizer(pair):
    """A report by either symbolizer, which AddressSanitizer's runtime starts with options of its own and asks by CODE
    and DATA. A link of the name to mortem, and a script that calls it."""
    source = os.path.join(pair.folder, "crash.c")
    with open(source, "w") as file:
        file.write(CRASH)
    folder = os.path.join(pair.folder, "bin")
    os.makedirs(os.path.join(folder, "script"))
    script, link = os.path.join(folder, "script", "llvm-symbolizer"), os.path.join(folder, "llvm-symbolizer")
    with open(script, "w") as file:
        file.write('#!/bin/sh\necho "$@" >> %s.options\nexec %s symbolize "$@"\n' % (script, pair.mortem))
    os.chmod(script, 0o755)
    os.symlink(pair.mortem, link)
    theirs = shutil.which(THEIRS)
    reference = os.path.join(folder, "theirs", "llvm-symbolizer")
    os.makedirs(os.path.dirname(reference))
    os.symlink(theirs, reference)
    tried = 0
    places = {"s": r"#\d+ +in on_stack .*crash\.c:11\b(?s:.*)'buffer' \(line \d+\)",
              "h": r"in inlined .*crash\.c:5\b(?s:.*)in after_free (?s:.*)freed by thread",
              "g": r"global variable 'table' defined in '?\S*crash\.c(:4|')"}
    for compiler in ("gcc", "clang"):
        program = os.path.join(pair.folder, "crash." + compiler)
        if not shutil.which(compiler):
            continue
        built = run([compiler, "-g", "-O1", "-fsanitize=address", source, "-o", program])
        if built.returncode != 0:
            continue  # its runtime is not installed
        for what in ("s", "h", "g"):
            reports = []
            for symbolizer in (reference, script, link):
                environment = dict(pair.environment, ASAN_SYMBOLIZER_PATH=symbolizer)
                text = run([program, what], env=environment).stderr
                # Without what is another at each run.
                reports.append(re.sub(r"==\d+==|0x[0-9a-f]{6,}", "", text.split("Shadow bytes around")[0]))
            if not re.search(places[what], reports[0]):
                problems.append("%s %s: no such report: %s" % (compiler, what, reports[0][:600]))
            for name, report in zip(("script", "link"), reports[1:]):
                if report != reports[0]:
                    problems.append("%s %s: other report with the %s:\n%s\n--- llvm-symbolizer:\n%s" %
                                    (compiler, what, name, report, reports[0]))
            tried += 1
    if tried == 0:
        problems.append("no compiler here has AddressSanitizer")
    print("%d reports of AddressSanitizer; its options: %s" % (tried, open(script + ".options").readline().strip()))


def main():
    mortem, source, folder = [os.path.abspath(one) for one in sys.argv[1:4]]
    every = "all" in sys.argv[4:]
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    pair = Pair(mortem, folder)
    for name, compiler in BUILDS:
        program = os.path.join(folder, name)
        if not shutil.which(compiler.split()[0]) or (not every and name not in NEEDED):
            continue
        subprocess.run(compiler.split() + ["-w", "-Wl,--build-id", source, "-o", program], check=True)
        if not every and name not in QUICK:
            continue
        text = all_questions(program)
        for style in STYLES:
            pair.compare("all questions", ["--obj=" + name] + style, text, without_known_mistakes)
        pair.compare("all questions", ["--obj=" + name, "--no-inlines", "-f=short"], text, without_known_mistakes)
        pair.compare("all questions", ["--obj=" + name, "--no-demangle", "-s"], text, without_known_mistakes)
        print("%s: %d questions" % (name, text.count("\n")))
    # With its symbols in a debug file, and with none.
    shutil.copy(os.path.join(folder, "gcc.4"), os.path.join(folder, "stripped"))
    questions = all_questions(os.path.join(folder, "gcc.4"))
    subprocess.run(["objcopy", "--only-keep-debug", "stripped", "stripped.debug"], check=True, cwd=folder)
    subprocess.run(["strip", "stripped"], check=True, cwd=folder)
    pair.compare("stripped", ["--obj=stripped"], questions, without_known_mistakes)
    subprocess.run(["objcopy", "--add-gnu-debuglink=stripped.debug", "stripped"], check=True, cwd=folder)
    for style in STYLES:
        pair.compare("debug link", ["--obj=stripped"] + style, questions, without_known_mistakes)

    with open(os.path.join(folder, "text"), "w") as file:
        file.write("no ELF file\n")
    with open(os.path.join(folder, "short"), "wb") as file:
        file.write(b"\x7fELF")
    for style in STYLES:
        for more in ([], ["--pretty-print"], ["--verbose"], ["--functions=none"]):
            pair.compare("lines", style + more, LINES.replace("@", "gcc.4"))
        pair.compare("lines with --obj", ["--obj=gcc.4"] + style, LINES.replace("@ ", ""))
        for line in LINES.replace("@", "gcc.4").splitlines() if every or style == STYLES[-1] else []:
            pair.compare("a line", style + [line])
    for options in ([], ["--obj=gcc.4"]):
        for style in STYLES:
            pair.compare("an empty line", options + style, "\n\n0x1\n\n")
    ours = run([mortem, "symbolize", "--json"], LINES.replace("@", "gcc.4") + "FRAME gcc.4 0x1234\n", cwd=folder, env=pair.environment)
    problems.extend(check.check(json.loads(ours.stdout)))

    compare_options(pair, "gcc.4.O2", every)
    compare_build_id(pair, "gcc.4")
    declarations(pair)
    compare_split(pair, source)
    if every:  # clang comes with tools/setup slow
        compare_embedded(pair)
    break_entries(pair, "gcc.5.O2")
    break_entries(pair, "gcc.4.O2")
    if every:
        compare_sanitizer(pair)
    print("%d runs of both compared" % pair.compared)
    for problem in problems[:60]:
        print(problem)
    print("%d problems" % len(problems))
    sys.exit(1 if problems else 0)


main()
