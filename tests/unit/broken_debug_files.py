#!/usr/bin/env python3
"""Debug information with broken bytes: `mortem bt` ends with status 0, whatever it can still say; no crash, no hang.

usage: broken_debug_files.py MORTEM SOURCE FOLDER [ROUNDS]
"""
import os
import random
import re
import shutil
import subprocess
import sys

# What the tool reads, and whose reader gets the blame.
SECTIONS = [".debug_info", ".debug_abbrev", ".debug_line", ".debug_str", ".debug_rnglists", ".debug_aranges", ".eh_frame",
            ".symtab", ".debug_str_offsets", ".debug_addr"]


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", **more)


def sections(program):
    found = {}
    for line in run("readelf", "-SW", program).stdout.splitlines():
        match = re.search(r"\]\s+(\S+)\s+\S+\s+[0-9a-f]+\s+([0-9a-f]+)\s+([0-9a-f]+)", line)
        if match:
            found[match.group(1)] = int(match.group(2), 16), int(match.group(3), 16)
    return found


def main():
    mortem, source, folder = sys.argv[1:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 2
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    program, core = os.path.join(folder, "program"), os.path.join(folder, "core")
    failures = runs = told = 0
    for kind, flags in (("whole", []), ("split", ["-gsplit-dwarf"])):
        subprocess.run(["gcc", "-g", "-O2", "-w", *flags, "-Wl,--build-id", source, "-o", program], check=True, cwd=folder)
        good = open(program, "rb").read()
        if not os.path.exists(core) or kind == "split":
            run("gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set startup-with-shell off", "-ex", "run",
                "-ex", "generate-core-file " + core, program)
        parts = [(program, good)] + [(os.path.join(folder, one), open(os.path.join(folder, one), "rb").read())
                                     for one in os.listdir(folder) if one.endswith(".dwo")]
        for path, content in parts:
            there = sections(path)
            for name in SECTIONS + [one + ".dwo" for one in SECTIONS]:
                if name not in there or there[name][1] < 8:
                    continue
                start, size = there[name]
                for seed in range(rounds):
                    chance = random.Random("%s %s %d" % (kind, name, seed))
                    broken = bytearray(content)
                    for _ in range(1 + size // (40 if seed % 2 else 400)):
                        broken[start + chance.randrange(size)] = chance.choice([0, 0xFF, 0x7F, 0x80, chance.randrange(256)])
                    with open(path, "wb") as file:
                        file.write(broken)
                    runs += 1
                    try:
                        done = run(mortem, "bt", "--json", core, "--symbols", program, timeout=60)
                        told += "crashed" in done.stderr
                        if done.returncode != 0:
                            failures += 1
                            print("%s %s %s, seed %d: status %d: %s" %
                                  (kind, os.path.basename(path), name, seed, done.returncode, done.stderr[-300:]))
                    except subprocess.TimeoutExpired:
                        failures += 1
                        print("%s %s, seed %d: does not end" % (os.path.basename(path), name, seed))
            with open(path, "wb") as file:
                file.write(content)
    print("%d broken files, %d of them crashed a library and were contained" % (runs, told))
    sys.exit(1 if failures or runs < 10 * rounds else 0)


main()
