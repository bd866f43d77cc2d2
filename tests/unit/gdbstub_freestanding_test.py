"""What gdbstub, compiled for the kernel, wants from elsewhere: only what every freestanding program has. And it keeps
nothing outside its objects.

usage: gdbstub_freestanding_test.py OBJECT...
"""
import subprocess
import sys

ALLOWED = {"memcpy", "memmove", "memset", "memcmp", "strlen", "__cxa_pure_virtual"}


def lines(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()


objects = sys.argv[1:]
wanted, defined, failed = {}, set(), False
for path in objects:
    for line in lines("nm", path):
        kind, name = line[17:].split(" ", 1)
        if kind == "U":
            wanted.setdefault(name, path)
        else:
            defined.add(name)
    for line in lines("size", "-A", path):
        words = line.split()
        if len(words) == 3 and words[1].isdigit() and int(words[1]) > 0:
            section = words[0]
            # .data.rel.ro is tables of functions: constant once they are relocated.
            writable = section.startswith((".data", ".bss", ".tbss", ".tdata")) and not section.startswith(".data.rel.ro")
            if writable or section.startswith((".init_array", ".ctors", ".gcc_except_table")):
                print(f"{path}: section {section} is not empty")
                failed = True
for name in sorted(wanted):
    if name not in defined and name not in ALLOWED and name != "_GLOBAL_OFFSET_TABLE_":
        print(f"{wanted[name]} wants {name}")
        failed = True
if len(objects) < 10 or not wanted or not defined:
    print("these are not the objects")
    failed = True
sys.exit(failed)
