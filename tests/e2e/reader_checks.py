"""Our reader of dumps against gdb and readelf: the reader reads the compressed dump in place, they read the plain core."""
import json
import re
import subprocess

from mortem_test import BUILD

READER = BUILD / "tests" / "dump_reader"


def output_of(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, check=True, timeout=120,
                          text=True, errors="replace").stdout


def gdb(program, core, *commands):
    words = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off"]
    for command in commands:
        words += ["-ex", command]
    return output_of(*words, *([program] if program else []), "-core", core)


class ReaderChecks:
    """Mixed into a TestCase. `dump` and `core` hold the same moment; program: its ELF file."""

    def check_reader(self, dump, core, program):
        facts = json.loads(output_of(READER, dump))
        self.assertEqual(facts, json.loads(output_of(READER, core)), "of the dump and of the plain core")
        self.check_reader_segments(facts, core)
        self.check_reader_registers(facts, core, program)
        self.check_reader_mappings(facts, core)
        self.check_reader_memory(facts, dump, core)

    def check_reader_segments(self, facts, core):
        expected = []
        for line in output_of("readelf", "-lW", core).splitlines():
            words = line.split()
            if words[:1] == ["LOAD"] and int(words[5], 16):
                expected.append([int(words[i], 16) for i in (2, 5, 1, 4)])
        self.assertEqual(facts["segments"], sorted(expected))

    def check_reader_registers(self, facts, core, program):
        names = [name for name in facts["threads"][0]["registers"] if name != "orig_rax"]
        show = " ".join(f"${name}," for name in names).replace("$eflags", "(int)$eflags")
        form = " ".join(["%lx"] * len(names))
        text = gdb(program, core, f'thread apply all -q printf "T {form}\\n", {show.rstrip(",")}')
        expected = [[int(word, 16) for word in line.split()[1:]] for line in text.splitlines() if line.startswith("T ")]
        found = [[thread["registers"][name] for name in names] for thread in facts["threads"]]
        self.assertEqual(sorted(found), sorted(expected), names)

    def check_reader_mappings(self, facts, core):
        expected = []
        for line in output_of("eu-readelf", "-n", core).splitlines():
            match = re.fullmatch(r" +([0-9a-f]+)-([0-9a-f]+) ([0-9a-f]+) [0-9]+ +(/.*)", line)
            if match:
                expected.append([int(match[i], 16) for i in (1, 2, 3)] + [match[4]])
        self.assertEqual(facts["mappings"], expected)

    # The start, the end and some places of every segment, across frames of the compressed file.
    def check_reader_memory(self, facts, dump, core):
        addresses = []
        for start, _, _, size in facts["segments"]:
            if size >= 16:
                addresses += [start + (size - 16) * part // 7 for part in range(8)]
        addresses = sorted(set(addresses))
        self.assertGreater(len(addresses), 20)
        found = json.loads(output_of(READER, dump, *(f"{address:x}" for address in addresses)))
        text = gdb(None, core, *(f"x/16xb {address:#x}" for address in addresses))
        words = re.findall(r"^0x([0-9a-f]+)[^:]*:((?:\t0x[0-9a-f]{2}){8})$", text, re.MULTILINE)
        at = {int(address, 16): "".join(word[2:] for word in line.split()) for address, line in words}
        expected = [at[address] + at[address + 8] for address in addresses]
        self.assertEqual(found, expected)
        self.check_nowhere(dump)

    def check_nowhere(self, dump):
        nowhere = json.loads(output_of(READER, dump, "0", "10"))
        self.assertEqual(nowhere, [None, None], "the null page is in no dump")

    def check_page_map(self, dump):
        """Of a Mortem dump: the kernel's view of the app's pages shows the app's bytes; what is unknown has none."""
        page_map = json.loads(output_of(READER, dump))["page_map"]
        kinds = {kind for _, _, _, kind in page_map}
        self.assertLessEqual({"stored", "alias"}, kinds)
        stored = [entry for entry in page_map if entry[3] == "stored" and entry[2] != 2**64 - 1]
        pairs = []  # (an address, another address of the same byte)
        for start, length, physical, kind in page_map:
            if kind != "alias":
                continue
            for at, size, its_physical, _ in stored:
                first = max(physical, its_physical)
                if first < min(physical + length, its_physical + size):
                    pairs.append((at + first - its_physical, start + first - physical))
        self.assertGreater(len(pairs), 10)
        pairs = pairs[:200]
        one, other = (json.loads(output_of(READER, dump, *(f"{pair[side]:x}" for pair in pairs))) for side in (0, 1))
        self.assertEqual(one, other)
        self.assertNotIn(None, one)
        unknown = [f"{start:x}" for start, _, _, kind in page_map if kind in ("reserved", "dropped", "device")][:200]
        if unknown:
            self.assertEqual(set(json.loads(output_of(READER, dump, *unknown))), {None})
        untouched = [f"{start:x}" for start, _, _, kind in page_map if kind == "untouched"][:200]
        if untouched:
            self.assertEqual(set(json.loads(output_of(READER, dump, *untouched))), {"00" * 16})
