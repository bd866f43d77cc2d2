"""What of a stack lldb 19 can see.

It takes a function with debug information for one range of addresses, from the lowest of its parts to the end of the
highest (`image lookup -v -a` shows it). The compiler puts the cold part of a split function far below its hot one: all
that stands between them is that function to lldb, and the function itself has no call frame information, because that
is looked for at the start of the range (`log enable lldb unwind` shows the default plan instead).
"""
import re
import subprocess


def output_of(*command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, check=True, timeout=120, text=True,
                          **more).stdout


def misread_ranges(program):
    """From the lowest address to the end of the highest part of each split function with debug information."""
    symbols = {}
    for line in output_of("nm", "-S", program).splitlines():
        words = line.split()
        if len(words) == 4 and words[2] in "tT":
            start = int(words[0], 16)
            symbols.setdefault(words[3], []).append((start, start + int(words[1], 16)))
    split = [sorted(symbols[name] + symbols[name + ".cold"]) for name in symbols
             if [len(symbols.get(each, [])) for each in (name, name + ".cold")] == [1, 1]]
    lines = output_of("addr2line", "-e", program, input="".join(f"{each[1][0]:x}\n" for each in split)).splitlines()
    return [(each[0][0], each[1][1]) for each, line in zip(split, lines) if re.search(r":[1-9]\d*", line)]


def visible(addresses, program):
    """How many frames from the innermost on. `addresses`: the program counters of the frames, as in the ELF file."""
    ranges = misread_ranges(program)
    for index, address in enumerate(addresses):
        address -= index > 0  # a return address may stand behind its function's end
        if any(start <= address < end for start, end in ranges):
            return index
    return len(addresses)
