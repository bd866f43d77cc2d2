#!/usr/bin/env python3
"""Every kind of debug file: one program, its debug information kept in all the ways there are, and what we say of every
byte of its code compared with llvm-symbolizer and, line by line, with gdb.

usage: compare_debug_files.py LOCATE_ADDRESSES FOLDER
"""
import os
import re
import shutil
import subprocess
import sys

HEADER = """
#include <cstddef>
namespace shapes {
struct Point { int x = 0, y = 0; int sum() const { return x + y; } };
template <typename T> struct Box { T value{}; inline T twice() const { return value + value; } };
inline __attribute__((always_inline)) int scaled(const Point& point, int by) {
  int total = point.sum() * by;
  for (int i = 0; i < by; ++i) total ^= total << 1;
  return total;
}
int area(const Point& point);
}
"""
FIRST = """#include "shapes.h"
namespace { __attribute__((noinline)) int hidden(int n) { return n * 7 + 1; } }
extern "C" __attribute__((noinline)) int entry(int n) {
  shapes::Box<long> box;
  box.value = n;
  return shapes::area({n, n + 1}) + hidden(n) + shapes::scaled({n, 2}, 3) + static_cast<int>(box.twice());
}
int main(int count, char**) { return entry(count); }
"""
SECOND = """#include "shapes.h"
namespace shapes {
__attribute__((noinline)) int area(const Point& point) {
  Box<int> box{point.x};
  return scaled(point, 5) + box.twice();
}
}
"""


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit("%s: %s" % (" ".join(command), done.stderr))
    return done.stdout


class Kinds:
    def __init__(self, locate, folder):
        self.locate, self.folder, self.failures = locate, folder, 0
        for name, text in (("shapes.h", HEADER), ("first.cpp", FIRST), ("second.cpp", SECOND)):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def build(self, name, *flags):
        """In a folder of its own: FOLDER/NAME/program, compiled there, so that .dwo files stand there."""
        os.makedirs(self.path(name), exist_ok=True)
        for source in ("first", "second"):
            run("g++", "-O2", "-g", "-c", *flags, self.path(source + ".cpp"), "-o", source + ".o", cwd=self.path(name))
        run("g++", "-Wl,--build-id", *[flag for flag in flags if flag.startswith("-gz")], "first.o", "second.o", "-o",
            "program", cwd=self.path(name))
        return self.path(name, "program")

    def copy(self, program, name):
        os.makedirs(self.path(name), exist_ok=True)
        return shutil.copy(program, self.path(name, "program"))

    def addresses(self, program):
        """All bytes of our own functions."""
        found, self.starts = [], set()
        for line in run("nm", "-S", "--defined-only", program).splitlines():
            parts = line.split()
            if len(parts) == 4 and parts[2] in "tT" and re.search("hidden|entry|area|^main", parts[3]):
                self.starts.add(int(parts[0], 16))
                found += range(int(parts[0], 16), int(parts[0], 16) + int(parts[1], 16))
        if len(found) < 60:
            sys.exit(program + ": its functions were not found")
        return sorted(found)

    def answers(self, program, addresses, *more):
        text = "".join("%#x\n" % address for address in addresses)
        done = subprocess.run([self.locate, program, *more], input=text, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit("locate_addresses %s: status %d" % (program, done.returncode))
        return [block.split("\n") for block in done.stdout.strip("\n").split("\n\n")], done.stderr

    def llvm(self, program, addresses):
        text = "".join("%#x\n" % address for address in addresses)
        out = run("llvm-symbolizer-19", "--obj=" + program, input=text)
        return [block.split("\n") for block in out.strip("\n").split("\n\n")]

    def gdb_lines(self, program, addresses, *more):
        commands = []
        for address in addresses:
            commands += ["-ex", "info line *%#x" % address]
        out = run("gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", *more, "-ex", "file " + program, *commands)
        return [tuple(match.groups()) if match else None
                for match in (re.match(r'Line (\d+) of "([^"]*)"', line) for line in out.splitlines()
                              if line.startswith(("Line ", "No line")))]

    def check(self, name, program, reference, *more, gdb=(), with_gdb=True):
        """`reference`: (addresses, what has to be said of them)."""
        addresses, wanted = reference
        ours, _ = self.answers(program, addresses, *more)
        differences = ["%#x: %s, not %s" % (address, a, b) for address, a, b in zip(addresses, ours, wanted) if a != b]
        if len(ours) != len(wanted):
            differences.append("%d answers, not %d" % (len(ours), len(wanted)))
        if with_gdb:
            some = addresses[::9]
            for address, theirs, mine in zip(some, self.gdb_lines(program, some, *gdb), ours[::9]):
                # Of a row for the function's start and one for its first statement gdb takes the second.
                if address in self.starts:
                    continue
                place = mine[1].rsplit(":", 2)
                if theirs is None or (theirs[0], os.path.basename(theirs[1])) != (place[1], os.path.basename(place[0])):
                    differences.append("%#x: %s, gdb %s" % (address, mine[:2], theirs))
        print("%-24s %d addresses, %d differ" % (name, len(addresses), len(differences)))
        for one in differences[:5]:
            print("   " + one)
        self.failures += bool(differences)

    def expect_names(self, name, program, known, unknown):
        """Symbols only: which of our functions have a name, and nothing has a line."""
        addresses = self.addresses(self.plain)
        ours, _ = self.answers(program, addresses)
        names = {block[0] for block in ours}
        right = (all(any(one in other for other in names) for one in known) and
                 not any(one in other for one in unknown for other in names) and
                 all(block[1] == "??:0:0" for block in ours))
        print("%-24s names: %s%s" % (name, sorted(names), "" if right else "  WRONG"))
        self.failures += not right

    def run_all(self):
        self.plain = self.build("dwarf5", "-gdwarf-5")
        addresses = self.addresses(self.plain)
        reference = addresses, self.llvm(self.plain, addresses)
        if len({block[1] for block in reference[1]}) < 8 or max(len(block) for block in reference[1]) < 4:
            sys.exit("llvm-symbolizer knows no lines or inlined functions")
        self.check("DWARF 5", self.plain, reference)
        old = self.build("dwarf4", "-gdwarf-4")
        old_reference = self.addresses(old), self.llvm(old, self.addresses(old))
        self.check("DWARF 4", old, old_reference)

        for kind, flags in (("zlib", ["objcopy", "--compress-debug-sections=zlib-gabi"]),
                            ("zdebug", ["objcopy", "--compress-debug-sections=zlib-gnu"]),
                            ("zstd", ["llvm-objcopy-19", "--compress-debug-sections=zstd"])):
            program = self.copy(self.plain, kind)
            run(*flags, program)
            sections = run("readelf", "-SW", program)
            if (".zdebug_info" if kind == "zdebug" else " C ") not in sections:
                sys.exit(kind + ": the sections were not compressed")
            # Debian's gdb cannot read zstd.
            self.check("compressed, " + kind, program, reference, with_gdb=kind != "zstd")

        for version in ("4", "5"):
            program = self.build("split" + version, "-gdwarf-" + version, "-gsplit-dwarf")
            wanted = self.addresses(program), self.llvm(program, self.addresses(program))
            if max(len(block) for block in wanted[1]) < 4:
                sys.exit("llvm-symbolizer does not find the .dwo files")
            self.check("split DWARF %s, .dwo" % version, program, wanted)
            # Moved away: found by a rule.
            moved = self.path("moved" + version)
            os.makedirs(moved, exist_ok=True)
            for part in ("first.dwo", "second.dwo"):
                shutil.move(self.path("split" + version, part), os.path.join(moved, part))
            there = [[line.replace(self.path("split" + version), moved) for line in block] for block in wanted[1]]
            self.check("split DWARF %s, moved" % version, program, (wanted[0], there), "--substitute",
                       self.path("split" + version), moved, with_gdb=False)
            # Nowhere: lines of the line table, functions of the symbol table, and it is said.
            ours, missing = self.answers(program, wanted[0])
            lines = [block[1] for block in ours]
            right = lines == [block[1] for block in wanted[1]] and "first.dwo" in missing and "--substitute" in missing
            print("split DWARF %s, missing%s" % (version, "" if right else "  WRONG: " + missing))
            self.failures += not right
            run("llvm-dwp-19", os.path.join(moved, "first.dwo"), os.path.join(moved, "second.dwo"), "-o",
                program + ".dwp")
            self.check("split DWARF %s, .dwp" % version, program, wanted, with_gdb=version == "5")

        program = self.copy(self.plain, "debuglink")
        run("objcopy", "--only-keep-debug", program, program + ".debug")
        shutil.copy(program + ".debug", self.path("separate.debug"))
        run("strip", program)
        stripped = shutil.copy(program, self.path("stripped"))
        run("objcopy", "--add-gnu-debuglink=" + program + ".debug", program)
        self.check("debug link", program, reference)

        program = self.copy(stripped, "by_build_id")
        build_id = re.search(r"Build ID: ([0-9a-f]+)", run("readelf", "-n", program)).group(1)
        place = self.path("by_build_id", "debug", ".build-id", build_id[:2])
        os.makedirs(place, exist_ok=True)
        shutil.copy(self.path("separate.debug"), os.path.join(place, build_id[2:] + ".debug"))
        folder = self.path("by_build_id", "debug")
        self.check("build id folder", program, reference, "--debug-dir", folder,
                   gdb=["-ex", "set debug-file-directory " + folder])
        self.check("build id folder itself", program, reference, "--debug-dir", os.path.join(folder, ".build-id"),
                   with_gdb=False)

        for name, flags in (("dwz", []), ("dwz DWARF 5", ["-5"])):
            first, second = self.copy(self.plain, name + " one"), self.copy(self.plain, name + " two")
            common = self.path(name + " one", "common.debug")
            run("dwz", *flags, "-m", common, "-M", common, first, second)
            if not re.search(r"\.gnu_debugaltlink|\.debug_sup", run("readelf", "-SW", first)):
                sys.exit("dwz made no alternate file")
            # gdb 13 knows .gnu_debugaltlink only.
            self.check(name + ", alternate file", first, reference, with_gdb=not flags)
            shutil.move(common, common + ".gone")
            ours, missing = self.answers(first, addresses)
            if [block[1] for block in ours] == [] or "alternate file" not in missing or "--debug-dir" not in missing:
                print(name + ": a missing alternate file is not told: " + missing)
                self.failures += 1
        program = self.copy(old, "dwz alone")
        run("dwz", program)
        self.check("dwz, one file", program, old_reference)

        program = self.copy(stripped, "small")
        run("objcopy", "-S", "--remove-section", ".gnu_debuglink", "--remove-section", ".comment", "--keep-symbol=entry",
            "--keep-symbol=main", "--keep-symbol=_ZN6shapes4areaERKNS_5PointE", self.plain, self.path("small", "mini"))
        run("xz", "-f", self.path("small", "mini"))
        run("objcopy", "--add-section", ".gnu_debugdata=" + self.path("small", "mini.xz"), program)
        self.expect_names("MiniDebugInfo", program, ["entry", "main", "shapes::area"], ["hidden"])
        program = self.copy(self.plain, "symtab")
        run("strip", "-g", program)
        self.expect_names(".symtab only", program, ["entry", "main", "shapes::area", "(anonymous namespace)::hidden"], [])
        run("g++", "-rdynamic", self.path("dwarf5", "first.o"), self.path("dwarf5", "second.o"), "-Wl,--build-id", "-o",
            self.path("exported"))
        program = self.copy(self.path("exported"), "dynsym")
        run("strip", program)
        ours, _ = self.answers(program, self.addresses(self.path("exported")))
        names = {block[0] for block in ours}
        right = {"entry", "main"} <= names and not any("hidden" in one for one in names)
        print("%-24s names: %s%s" % (".dynsym only", sorted(names), "" if right else "  WRONG"))
        self.failures += not right
        self.expect_names("no symbols at all", stripped, ["??"], ["entry", "main", "area"])


def main():
    locate, folder = sys.argv[1:3]
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    kinds = Kinds(locate, folder)
    kinds.run_all()
    sys.exit(1 if kinds.failures else 0)


main()
