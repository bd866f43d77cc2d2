"""Every value that `mortem print` shows equals the known one or says that it is unavailable: in 50 frames over C and C++
with and without optimization (tests/guests/truth), and of Rust and Go; and against gdb's answers on the same core."""
import functools
import json
import re
import struct
import subprocess
import unittest

import elf_core
import truth_checks
from mortem_test import GUEST_SOURCES, GUESTS, MORTEM, MortemTest, check

SOURCES = GUEST_SOURCES / "truth"
PLANT_FACTOR = 0x0123456789ABCDEF
PLANTED = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"]


class TruthTest(MortemTest):
    def printed(self, *arguments):
        """What `mortem … --json` prints, its schema checked; a value that is not known is status 1."""
        done = self.mortem(*arguments, "--json", status=None)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual(check.check(found), [])
        return found

    def check_known(self, dump, sources, last, *options, evaluations=1, names=None):
        functions, global_values = truth_checks.known_values(*[SOURCES / name for name in sources])
        truth = truth_checks.Truth(self.printed, dump, *options, names=names)
        truth.check(functions, global_values, last, evaluations)
        self.assertEqual(truth.wrong, [], "\n".join(truth.wrong))
        return truth


class CAndCpp(TruthTest):
    def dump_of(self, optimisation):
        program = GUESTS / "truth" / f"truth_{optimisation}"
        _, dump = self.crash(program, status=139)
        core = self.files / "plain.core"
        self.mortem("core", dump, "-o", core)
        return program, dump, core

    def check_registers(self, dump):
        for index, name in enumerate(PLANTED):
            if name == "rdi":
                continue
            found = self.printed("print", dump, f"(unsigned long)${name}", "--frame", 0)["value"]
            self.assertEqual(found["value"], str(PLANT_FACTOR * (index + 1) % 2**64), name)

    def check_gdb(self, program, dump, core, explained):
        compared, found = truth_checks.compare_with_gdb(self.printed, dump, program, core)
        self.assertGreater(compared, 400)
        self.assertEqual([one for one in found if not explained(one)], [])

    def test_unoptimized(self):
        program, dump, core = self.dump_of("O0")
        truth = self.check_known(dump, ["c_frames.c", "cpp_frames.cpp"], last=50)
        self.assertEqual(truth.unknown, [])
        self.assertGreater(truth.equal, 400)
        self.check_registers(dump)
        self.check_gdb(program, dump, core, lambda one: False)

    def test_optimized(self):
        program, dump, core = self.dump_of("O2")
        truth = self.check_known(dump, ["c_frames.c", "cpp_frames.cpp"], last=50)
        self.assertGreater(truth.equal, 5 * len(truth.unknown))
        self.check_gdb(program, dump, core, self.explained)

    def explained(self, difference):
        """Values at entry that the caller's call site tells: gdb leaves these two out. c_parameters' `a` is among the
        known values that were compared; the last c_integers was called with 50."""
        place, ours, theirs = difference
        if theirs != "<optimized out>":
            return False
        return place.endswith("c_parameters: a") or (place, ours) == ("#1 c_integers: depth", "50")

    def test_what_is_asked_wrongly(self):
        _, dump, _ = self.dump_of("O0")
        frame = ["--frame", 2]
        for expression, status, texts in [
                ("doubled +", 2, ["ends too early", "at the end of"]),
                ("nowhere", 2, ["no nowhere", "at character 1"]),
                ("doubled->x", 2, ["no pointer", "at character 8"]),
                ("label.x", 2, ["no members", "at character 6"]),
                ("*doubled", 2, ["no pointer"]),
                ("doubled / 0", 2, ["division by zero", "at character 9"]),
                ("$nothing", 2, ["no register $nothing"]),
                ("(struct absent *)label", 2, ["no type absent"]),
                ("*(long *)16", 1, [])]:
            done = self.mortem("print", dump, expression, *frame, status=status)
            for text in texts:
                self.assertIn(text, done.stderr)
            self.assertLessEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("<unavailable: memory 0x10 is not in the dump>",
                      self.mortem("print", dump, "*(long *)16", *frame, status=1).stdout)
        self.mortem("print", dump, "--frame", 9999, status=1)
        self.mortem("print", dump, "--thread", 9999, status=1)

    def test_containers_are_paged(self):
        _, dump, _ = self.dump_of("O0")
        frames = self.printed("bt", dump)["threads"][0]["frames"]
        frame = next(index for index, one in enumerate(frames) if one["function"] == "cpp_containers")
        page = self.printed("print", dump, "queue", "--frame", frame, "--offset", 10, "--limit", 3)["value"]
        self.assertEqual((page["count"], page["first"], [one["name"] for one in page["children"]]),
                         (300, 10, ["[10]", "[11]", "[12]"]))
        text = self.mortem("print", dump, "queue", "--frame", frame, "--limit", 2).stdout
        self.assertIn("… 298 more", text)
        element = self.printed("print", dump, "words[1]", "--frame", frame)["value"]
        self.assertEqual(element["value"], '"two"')


    def test_broken_use_count(self):
        """No weak count beside a use count: said so, not counted to minus one."""
        program, dump, core = self.dump_of("O0")
        frames = self.printed("bt", dump)["threads"][0]["frames"]
        frame = next(index for index, one in enumerate(frames) if one["function"] == "cpp_containers")

        def shared():
            return self.printed("print", core, "shared", "--frame", frame, "--symbols", program)["value"]
        self.assertEqual(shared()["note"], "use count 1, weak count 0")
        weak_count = int(re.match("0x[0-9a-f]+", shared()["value"])[0], 16) - 4  # in front of the object (libstdc++)
        (place,) = [offset + weak_count - start for _, offset, start, _, size, _ in elf_core.Core(core).loads()
                    if start <= weak_count < start + size]
        with open(core, "r+b") as file:
            file.seek(place)
            self.assertEqual(file.read(4), struct.pack("<I", 1))
            file.seek(place)
            file.write(bytes(4))
        self.assertEqual(shared()["note"], "broken: use count 1, but no weak count")


class OtherLanguages(TruthTest):
    """Programs of other languages; `tests/run programs` installs their compilers."""

    def build(self, source, *command):
        program = self.place / "program"
        subprocess.run([*command, "-o", str(program), str(SOURCES / source)], cwd=self.files, check=True, timeout=400,
                       capture_output=True,
                       env={**self.environment, "GOCACHE": str(self.place / "go-cache"), "CGO_ENABLED": "0"})
        return program

    def is_gdbs_mistake(self, place, ours, theirs):
        """All in Go's programs. gdb takes the C ABI's registers for saved, where Go saves none; the place of an
        interface's first word for that of both; shows a function's variable as its own address; and does not know what
        "&name" is."""
        if isinstance(ours, list) and isinstance(theirs, list):
            return ours == sorted(name.lstrip("&") for name in theirs)
        if not isinstance(ours, str):
            return False
        if re.search("^<unavailable: .*(was not saved|not which part)>$", ours):
            return True
        return isinstance(theirs, str) and bool(re.match(r"\{.*\} 0x", theirs) and re.match("nil$|0x[0-9a-f]+", ours))

    def check_language(self, program, source, status, known_share, names=None):
        _, dump = self.crash(program, status=status)
        core = self.files / "plain.core"
        self.mortem("core", dump, "-o", core)
        compared, found = truth_checks.compare_with_gdb(
            lambda *words: self.printed(*words, "--symbols", program), dump, program, core)
        self.assertGreater(compared, 300)
        self.assertEqual([one for one in found if not self.is_gdbs_mistake(*one)], [])
        truth = self.check_known(dump, [source], None, "--symbols", program, names=names)
        self.assertGreater(truth.equal, 80)
        self.assertGreaterEqual(truth.equal, known_share * (truth.equal + len(truth.unknown)), truth.unknown)

    def libcxx_program(self, optimisation):
        """The C and C++ chain by clang with LLVM's C++ library."""
        objects = []
        for name in ("c_frames.c", "die.c"):
            objects.append(self.place / f"{name}.o")
            subprocess.run(["clang", optimisation, "-g", "-w", "-D_GNU_SOURCE", "-c", SOURCES / name, "-o", objects[-1]],
                           check=True, timeout=200)
        return self.build("cpp_frames.cpp", "clang++", "-std=c++20", "-stdlib=libc++", optimisation, "-g", "-w",
                          "-static", "-pthread", *map(str, objects))

    def check_libcxx(self, program, least):
        _, dump = self.crash(program, status=139)
        truth = self.check_known(dump, ["c_frames.c", "cpp_frames.cpp"], 50, evaluations=1)
        self.assertGreater(truth.equal, least, truth.unknown)
        containers = truth_checks.known_values(SOURCES / "cpp_frames.cpp")[0]["cpp_containers"]
        return [one for one in truth.unknown if any(name.split(" ")[0] in one for name, _ in containers)]

    def test_libcxx_unoptimized(self):
        self.assertEqual(self.check_libcxx(self.libcxx_program("-O0"), 400), [])

    def test_libcxx_optimized(self):
        self.check_libcxx(self.libcxx_program("-O2"), 200)

    def test_rust_unoptimized(self):
        self.check_language(self.build("truth.rs", "rustc", "-g", "-C", "target-feature=+crt-static", "-C",
                                       "relocation-model=static"), "truth.rs", 134, 0.99)

    def test_rust_optimized(self):
        self.check_language(self.build("truth.rs", "rustc", "-g", "-O", "-C", "target-feature=+crt-static", "-C",
                                       "relocation-model=static"), "truth.rs", 134, 0.5)

    def test_go_unoptimized(self):
        self.check_language(self.build("truth.go", "go", "build", "-gcflags=all=-N -l"), "truth.go", 2, 1)

    def test_go_optimized(self):
        program = self.build("truth.go", "go", "build")

        @functools.cache
        def names(function):
            """The compiler leaves some variables out of the debug information; gdb says which are there."""
            text = subprocess.run(["gdb", "-nx", "-batch", "-iex", "set auto-load no", "-ex", f"info scope main.{function}",
                                   program], capture_output=True, text=True, check=True, timeout=60).stdout
            self.assertIn(f"Scope for main.{function}:", text)
            return set(re.findall(r"^(?:Scope for \S+:\n)?Symbol (\S+) is ", text, re.M))
        self.check_language(program, "truth.go", 2, 0.2, names)


if __name__ == "__main__":
    assert MORTEM.exists()
    unittest.main()
