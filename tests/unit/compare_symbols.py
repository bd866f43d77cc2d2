#!/usr/bin/env python3
"""Compares our symbols with llvm-symbolizer's for every 100th byte of .text.

usage: compare_symbols.py LOCATE_ADDRESSES FOLDER_OF_SOURCES FOLDER
"""
import os
import re
import shutil
import subprocess
import sys


def bounds(program):
    for line in subprocess.run(["readelf", "-SW", program], capture_output=True, text=True, check=True).stdout.splitlines():
        found = re.search(r"\s\.text\s+PROGBITS\s+([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)", line)
        if found:
            return int(found.group(1), 16), int(found.group(2), 16)
    sys.exit(program + ": no .text")


def answers(text):
    result = []
    for block in text.strip("\n").split("\n\n"):
        lines = block.split("\n")
        result.append(list(zip(lines[0::2], lines[1::2])))
    return result


def plain(name):
    """Without what a compiler adds to the symbol of a clone: debug information has the name without it."""
    name = re.sub(r"\s*\[clone [^]]*\]|\s*\(\.(cold|constprop|isra|part)[^)]*\)", "", name)
    return re.sub(r"\.(constprop|isra|part|cold)(\.\d+)?", "", name)


def main():
    locate, sources, folder = sys.argv[1:4]
    symbolizer = shutil.which("llvm-symbolizer-19") or sys.exit("llvm-symbolizer-19 is not there")
    os.makedirs(folder, exist_ok=True)
    failed = False
    for source, compiler in (("deep_recursion.c", "gcc"), ("uncaught_exception.cpp", "g++")):
        program = os.path.join(folder, source + ".program")
        subprocess.run([compiler, "-static", "-g", "-w", "-O2", os.path.join(sources, source), "-o", program], check=True)
        start, size = bounds(program)
        # Our own code stands at the start, and is small: every byte there, every 100th of the rest.
        wanted = sorted(set(range(start, start + min(size, 3000))) | set(range(start, start + size, 100)))
        text = "".join("%#x\n" % address for address in wanted)
        ours = answers(subprocess.run([locate, program], input=text, capture_output=True, text=True, check=True).stdout)
        theirs = answers(subprocess.run([symbolizer, "--obj=" + program], input=text, capture_output=True, text=True,
                                        check=True).stdout)
        if not (len(ours) == len(theirs) == len(wanted)):
            sys.exit("%s: %d addresses, %d and %d answers" % (source, len(wanted), len(ours), len(theirs)))
        with_line = sum(1 for one in theirs if not one[0][1].startswith("??") and not one[0][1].endswith(":0:0"))
        differences = []
        for address, a, b in zip(wanted, ours, theirs):
            # Out of the symbol table llvm-symbolizer takes an object's name for the file; that is no source.
            b = [(plain(name), "??:0:0" if place.endswith(":0:0") and len(b) == 1 else place) for name, place in b]
            a = [(plain(name), "??:0:0" if place.endswith(":0:0") and len(a) == 1 else place) for name, place in a]
            if a != b:
                differences.append("%#x: %s, llvm-symbolizer %s" % (address, a, b))
        print("%s: %d addresses, %d with a line, %d differ" % (source, len(wanted), with_line, len(differences)))
        print("\n".join(differences[:10]))
        failed |= bool(differences) or with_line < 10
    sys.exit(1 if failed else 0)


main()
