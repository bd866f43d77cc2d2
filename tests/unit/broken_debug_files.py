#!/usr/bin/env python3
"""Debug information with broken bytes, whole, in .dwo files, in a package and with parts in an alternate file: `mortem bt`
ends with status 0, whatever it can still say, the other verbs with an answer or one line; no crash, no hang.

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
            ".symtab", ".debug_str_offsets", ".debug_addr", ".debug_loclists", ".debug_line_str", ".debug_cu_index"]
# One of them after `bt` for each broken file.
OTHERS = [("report", "{core}"), ("print", "{core}"), ("print", "{core}", "(long)sizeof(struct none) + value"),
          ("search", "{core}", "--value", "int=77123456"), ("info", "{core}"), ("threads", "{core}"),
          ("symbolize", "--obj", "{program}", "main", "0x1139", "DATA 0x4000", "FRAME 0x1139"),
          ("index", "{program}"), ("print", "{core}", "*argv", "--frame", "1")]


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
    environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache"))

    def fail(what, done):
        print("%s: %s" % (what, "does not end" if done is None else "status %d: %s" % (done.returncode, done.stderr[-300:])))
        return 1

    def ask(*words):
        try:
            return run(mortem, *words, timeout=60, env=environment, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return None

    for kind, flags in (("whole", []), ("alternate", []), ("split", ["-gsplit-dwarf"]), ("package", ["-gsplit-dwarf"])):
        for name in os.listdir(folder):
            if name.endswith(".dwo"):
                os.remove(os.path.join(folder, name))
        subprocess.run(["gcc", "-g", "-O2", "-w", *flags, "-Wl,--build-id", source, "-o", program], check=True, cwd=folder)
        if kind == "alternate":
            shutil.copy(program, program + ".other")
            subprocess.run(["dwz", "-m", "common", "program", "program.other"], check=True, cwd=folder)
        if kind == "package":
            subprocess.run(["llvm-dwp-19", "-e", "program", "-o", "program.dwp"], check=True, cwd=folder)
            for name in os.listdir(folder):
                if name.endswith(".dwo"):
                    os.remove(os.path.join(folder, name))
        run("gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set startup-with-shell off", "-ex", "run",
            "-ex", "generate-core-file " + core, program)
        more = [one for one in os.listdir(folder) if one.endswith((".dwo", ".dwp")) or (one == "common" and kind == "alternate")]
        parts = [(path, open(path, "rb").read()) for path in [program] + [os.path.join(folder, one) for one in more]]
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
                    what = "%s %s %s, seed %d" % (kind, os.path.basename(path), name, seed)
                    done = ask("bt", "--json", core, "--symbols", program)
                    told += done is not None and "crashed" in done.stderr
                    if done is None or done.returncode != 0:
                        failures += fail(what, done)
                    verb = [word.format(core=core, program=program) for word in OTHERS[runs % len(OTHERS)]]
                    if core in verb:
                        verb += ["--symbols", program]
                    done = ask(*verb)
                    if verb[0] == "index":  # of broken contents: not for the next ones
                        shutil.rmtree(os.path.join(folder, "cache"), ignore_errors=True)
                    told += done is not None and "crashed" in done.stderr
                    if done is None or done.returncode not in (0, 1, 2) or (done.returncode == 2 and not done.stderr):
                        failures += fail(what + ": " + " ".join(verb[:1] + verb[2:]), done)
            with open(path, "wb") as file:
                file.write(content)
    print("%d broken files, %d of them crashed a library and were contained" % (runs, told))
    sys.exit(1 if failures or runs < 10 * rounds else 0)


main()
