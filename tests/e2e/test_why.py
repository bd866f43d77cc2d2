"""What reports say of bugs that are known: the reason in a sentence, and the signature by which the same bug is known in
another build. The bugs stand in tests/guests/bugs; they are crashed natively (the cores of Linux are targets too), some
in a VM. usage: test_why.py [Reasons|AllReasons|Guests]"""
import pathlib
import re
import resource
import subprocess
import unittest

from mortem_test import GUEST_SOURCES, MortemTest

SOURCE = GUEST_SOURCES / "bugs" / "bugs.cpp"
FLAGS = ["-std=c++20", "-g", "-O2", "-w", "-pthread", "-fstack-protector-strong"]
# The same program after an unrelated edit, and at other addresses.
BUILDS = {"one": ["-fPIE", "-pie"], "other": ["-fno-pie", "-no-pie", "-DSHIFTED"]}

# Bug → what the sentence must say.
SAYS = {
    "null_first": r"SIGSEGV: read of 4 bytes at 0x0: null `conn` \+ offset 0 of `connection\.id`, in connection_id \(",
    "null_member": r"read of 8 bytes at 0x20: null `conn` \+ offset 32 of `connection\.peer\.host`, in connection_host",
    "null_write": r"write of 8 bytes to 0x10: null `conn` \+ offset 16 of `connection\.next`, in set_next \(bugs\.cpp:\d+\)",
    "null_chain": r"read of 4 bytes at 0x30: null `conn->next->next` \+ offset 48 of `connection\.counts\[2\]`",
    "member_port": r"null `conn` \+ offset 24 of `connection\.peer\.port`, in either_member",
    "member_counts": r"null `conn` \+ offset 40 of `connection\.counts\[0\]`, in either_member",
    "wild_text": r"wild `conn->next` \(0x4141414141414141, the text \"AAAAAAAA\", not canonical\) \+ offset 16",
    "index": r"`table` \(0x[0-9a-f]+\) \+ 4 \* `index` \(1000000000\), in table_get",
    "past_end": r"right behind the end of the mapping of 4 KiB that the pointer is in\): `page` \(0x[0-9a-f]+\) \+ 4 \* "
                r"`index` \(1024\)",
    "divide": r"SIGFPE: integer division by zero: `divisor` is 0, in divide",
    "null_call": r"SIGSEGV: call of 0x0: null `conn->handler`, called from call_handler",
    "null_result": r"read of 4 bytes at 0x34: null result of `find_connection` \+ offset 52 of `connection\.counts\[3\]`",
    "memcpy": r"write of \d+ bytes? to 0x[0-9a-f]+.*, in \S*mem(cpy|move)\S*, called from copy_name \(",
    "strlen": r"at 0x[0-9a-f]+.*, in \S*strlen\S*, called from length_of \(",
    "read_only": r"write of 1 byte to 0x[0-9a-f]+ \(memory of \S*/bugs_one, mapped r--\): `text` \(0x[0-9a-f]+\) \+ offset 1",
    "overflow_one": r"stack overflow at address 0x[0-9a-f]+, \d+ frames deep( or more)?, 1 frame repeated \d+ times \(descend\)",
    "overflow_two": r"stack overflow .*, 2 frames repeated \d+ times \((ping -> pong|pong -> ping)\)",
    "assert_first": r"SIGABRT: .*Assertion `value != 3 && \"the first\"' failed\., called from check_value \(",
    "free_inside": r"SIGABRT: free\(\): invalid pointer, called from free_inside",
    "free_twice": r"SIGABRT: free\(\): double free detected in tcache 2, called from free_twice",
    "smashed": r"SIGABRT: \*\*\* stack smashing detected \*\*\*: terminated, called from overrun",
    "throw_runtime": r"a C\+\+ exception that nobody catches: std::runtime_error \(value -?\d+\), called from throw_runtime",
    "throw_own": r"a C\+\+ exception that nobody catches: own_error( \(of my own\))?, called from throw_own",
    "throw_number": r"a C\+\+ exception that nobody catches: int \(42\), called from throw_number",
    "noexcept": r"std::runtime_error \(value 7\)",
    "vector_at": r"std::out_of_range \(vector::_M_range_check: .*\), called from ",
    "thread_left": r"std::terminate\(\) was called, called from ",
    "virtual_null": r"read of 8 bytes at 0x0: null `one`",
    "derived_null": r"null `one` \+ offset 16.*, in side_of",
    "trap": r"SIGILL: illegal instruction `ud2`: where compilers mark .*, in unreachable_place",
    "qsort": r"read of 4 bytes at 0x0: null \w+, in compare_connections",
    "thread": r"null `conn` \+ offset 0 of `connection\.id`, in connection_id",
    "shared": r"SIGSEGV: read of 4 bytes at 0x8: null \w+ \+ offset 8, in name_length",
    "freed": r"wild `conn->next` \(0x4242424242424242.* of `connection\.id`; `conn` points to freed memory, in follow_freed",
    "abort": r"SIGABRT: abort\(\) was called, called from give_up",
}
# One that each kind of reason stands for; the others are in AllReasons (label slow).
FEW = ["null_write", "null_chain", "index", "divide", "null_call", "overflow_two", "throw_runtime", "smashed"]


class Bugs(MortemTest):
    def build(self, name, *flags):
        program = self.files / f"bugs_{name}"
        subprocess.run(["g++", *FLAGS, *flags, "-o", program, SOURCE], check=True, timeout=280)
        return program

    def core_of(self, program, bug):
        """Linux's core of the crash: the kernel's own, or gdb's where that goes elsewhere."""
        place = self.files / f"{program.name}.{bug}"
        place.mkdir()
        unlimited = resource.getrlimit(resource.RLIMIT_CORE)[1]
        subprocess.run([program, bug], cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (unlimited, unlimited)))
        found = list(place.glob("core*"))
        if found:
            return found[0]
        core = place / "core"
        subprocess.run(["gdb", "-nx", "-q", "-batch", "-ex", "set disable-randomization off", "-ex", f"run {bug}", "-ex",
                        f"generate-core-file {core}", program], capture_output=True, timeout=120, cwd=place)
        return core

    def report(self, program, bug):
        core = self.core_of(program, bug)
        facts = self.facts("report", core)
        core.unlink()
        return facts

    def check_sentence(self, bug, report):
        self.assertRegex(report["reason"], SAYS[bug], bug)


class Reasons(Bugs):
    def test_few(self):
        program = self.build("one", *BUILDS["one"])
        signatures = set()
        for bug in FEW:
            report = self.report(program, bug)
            self.check_sentence(bug, report)
            signatures.add(report["signature"])
            if bug == "null_write":
                self.check_null_write(report)
        self.assertEqual(len(signatures), len(FEW))

    def check_null_write(self, report):
        access = report["access"]
        self.assertEqual((access["verb"], access["size"], access["address"]), ("write", 8, "0x10"))
        self.assertEqual((access["pointer"], access["pointer_value"], access["pointer_kind"]), ("conn", "0x0", "null"))
        self.assertEqual((access["type"], access["member"], access["offset"]), ("connection", "next", 16))
        source = report["source"]
        text = SOURCE.read_text().splitlines()
        self.assertEqual(source["lines"], text[source["first_line"] - 1:source["line"] + 3])
        self.assertIn("conn->next = to", text[source["line"] - 1])


class AllReasons(Bugs):
    """Every bug in two builds: one signature a bug, no two bugs the same one."""

    def test_pairs(self):
        programs = {name: self.build(name, *flags) for name, flags in BUILDS.items()}
        bugs = subprocess.run([programs["one"], "list"], capture_output=True, text=True, check=True).stdout.split()
        self.assertGreaterEqual(len(bugs), 30)
        self.assertEqual(sorted(SAYS.keys() - set(bugs)), [])
        signatures = {}
        for bug in bugs:
            one, other = (self.report(program, bug) for program in programs.values())
            with self.subTest(bug=bug):
                if bug in SAYS:
                    self.check_sentence(bug, one)
                self.assertEqual((one["signature_kind"], one["signature_frames"]),
                                 (other["signature_kind"], other["signature_frames"]))
                self.assertEqual(one["signature"], other["signature"])
                self.assertNotIn(one["signature"], signatures, f"{bug} is taken for {signatures.get(one['signature'])}")
            signatures[one["signature"]] = bug


class Guests(Bugs):
    def test_the_same_in_a_vm(self):
        """Static, at other addresses, in a dump: the same signatures as natively."""
        native = self.build("one", *BUILDS["one"])
        static = self.build("static", "-static", "-DSHIFTED")
        for bug in ("null_chain", "throw_own"):
            _, dump = self.crash(static, arguments=[bug], status=128 + (11 if bug == "null_chain" else 6))
            there = self.facts("report", dump)
            here = self.report(native, bug)
            self.check_sentence(bug, there)
            if bug == "throw_own":  # only the runtime knows it, and printed it
                self.assertEqual(there["exception_text"], "of my own")
            self.assertEqual((there["signature_kind"], there["signature_frames"]),
                             (here["signature_kind"], here["signature_frames"]))
            text = self.mortem("report", dump).stdout
            self.assertIn(f"signature  {there['signature']} (", text)
            known = self.facts("info", dump)["signature"]
            self.assertEqual((known["id"], known["kind"], known["frames"]),
                             (there["signature"], there["signature_kind"], there["signature_frames"]))
            self.assertIn(f"signature   {known['id']} (", self.mortem("info", dump).stdout)
            self.assertIn("=> ", text)
            dump.unlink()


if __name__ == "__main__":
    unittest.main()
