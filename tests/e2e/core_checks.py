"""What the expectations say about a core, checked with a reader of our own and with gdb, lldb and eu-stack."""
import re

import debuggers
import expectations as expected
from elf_core import Core, ElfFile
from json_frames import keys
from mortem_test import KERNEL, marked_lines


class CoreChecks:
    """Mixed into a TestCase. `check_core` alone works on any core of the guest, also one of Linux's own."""

    def open_core(self, name, program, core_path):
        self.name, self.program, self.core_path = name, program, core_path
        self.guest = expected.GUESTS[name]
        self.core = Core(core_path)
        elf = ElfFile(program)
        # AT_ENTRY holds the entry point where it was loaded.
        self.bias = self.core.auxiliary_vector()[9] - elf.entry
        self.symbols = elf.symbols()
        self.lines = marked_lines(self.guest.source or program.name + (".cpp" if "throw" in name else ".c"))

    def address_of(self, symbol):
        return self.symbols[symbol][0] + self.bias

    def value(self, rule):
        """Of a rule: numbers, registers, `&symbol`, 64-bit variables, + and -."""
        registers = self.core.registers()
        total, sign = 0, 1
        for word in rule.split():
            if word in "+-":
                sign = 1 if word == "+" else -1
                continue
            if word.startswith("&"):
                value = self.address_of(word[1:])
            elif word in registers:
                value = registers[word]
            elif word[0].isdigit():
                value = int(word, 0)
            else:
                value = self.core.word(self.address_of(word))
                self.assertIsNotNone(value, f"the variable {word} is not in the core")
            total += sign * value
        return total & expected.MASK

    def check_registers(self):
        registers, guest = self.core.registers(), self.guest
        if guest.registers == "all":
            self.assertEqual(hex(registers["rip"]), hex(self.value(guest.pc)), "rip")
            self.assertEqual(hex(registers["rsp"]), hex(self.value(guest.stack_pointer)), "rsp")
            wanted = {name: self.value(guest.changed[name]) if name in guest.changed else planted
                      for name, planted in expected.PLANTED.items()}
            found = {name: registers[name] for name in wanted}
            self.assertEqual({n: hex(v) for n, v in found.items()}, {n: hex(v) for n, v in wanted.items()})
            mask, value = guest.flags
            self.assertEqual(registers["eflags"] & mask, value, "eflags")
            self.check_vectors()
        if guest.signal == expected.SIGABRT:
            # The last thing was the SYSCALL instruction (Intel SDM vol. 2): rcx = rip, r11 = eflags.
            self.assertEqual((registers["rcx"], registers["r11"]), (registers["rip"], registers["eflags"]))
            self.assertEqual(registers["rdx"], expected.SIGABRT, "the third argument of tgkill")
        if guest.kind in ("signal", "exit"):
            self.assertEqual((registers["cs"] & 3, registers["ss"] & 3), (3, 3), "in ring 3")

    def check_vectors(self):
        lanes, mxcsr, x87 = self.core.vectors()
        has_avx = self.core.word(self.address_of("plant_has_avx")) & 0xFFFFFFFF
        width = 4 if has_avx else 2
        for number, (found, wanted) in enumerate(zip(lanes, expected.PLANTED_VECTORS)):
            self.assertEqual([hex(x) for x in found[:width]], [hex(x) for x in wanted[:width]], f"ymm{number}")
            self.assertEqual(len(found) >= width, True, f"the upper half of ymm{number} is not in the core")
        self.assertEqual(hex(mxcsr), hex(expected.PLANTED_MXCSR))
        self.assertEqual(x87.hex(), expected.PI_EXTENDED.hex())

    def check_signal(self):
        guest = self.guest
        if guest.kind != "signal":
            return
        number, code, address = self.core.signal_information()
        self.assertEqual((number, code), (guest.signal, guest.code))
        if guest.code > 0:
            self.assertEqual(hex(address), hex(self.value(guest.address) if guest.address else 0))

    # --- stacks ---
    def wanted_stack(self):
        return [*self.guest.top, *expected.CHAIN]

    def check_stack(self, frames, tool):
        """`frames`: keys of debuggers.py. The wanted stack must be matched from the first frame through main."""
        at = 0

        def is_frame(frame):
            return at < len(frames) and frames[at] == (frame.function, self.lines[frame.mark])

        wanted = self.wanted_stack()
        for index, item in enumerate(wanted):
            where = f"{tool}: frame {at} of {frames[max(0, at - 3):at + 6]}, expected {item}"
            if isinstance(item, expected.Frame):
                self.assertTrue(is_frame(item), where)
                at += 1
            elif isinstance(item, expected.Shared):
                behind = next(one for one in wanted[index:] if isinstance(one, expected.Frame))
                start = at
                while at < len(frames) and not is_frame(behind):
                    at += 1
                if not isinstance(wanted[index - 1], expected.Shared):
                    self.assertGreater(at, start, where)
            elif isinstance(item, expected.Unknown):
                self.assertTrue(at < len(frames) and frames[at] == ("pc", self.value(item.address)), where)
                at += 1
            elif isinstance(item, expected.Signals):
                self.assertTrue(at < len(frames) and frames[at] == ("signal",), where)
                at += 1
            elif isinstance(item, expected.Repeat):
                count = 0
                turn = [(frame.function, self.lines[frame.mark]) for frame in item.frames]
                while frames[at:at + len(turn)] == turn:
                    at += len(turn)
                    count += 1
                self.assertGreaterEqual(count, item.count, where)
                self.assertEqual(count, self.recursion_depth() - 1, f"{tool}: turns of the recursion")
            elif isinstance(item, expected.Library):
                start = at
                while at < len(frames) and frames[at][0] == "pc":
                    at += 1
                self.assertGreater(at, start, where)
                self.assertIn(self.function_at(frames[at - 1][1] - 1), self.aliases(item.function), where)
            else:
                raise AssertionError(f"no rule for {item}")
        return at

    def recursion_depth(self):
        return self.core.word(self.address_of("recursion_depth")) & 0xFFFFFFFF

    def function_at(self, address):
        address -= self.bias
        return next((name for name, (start, size) in self.symbols.items() if start <= address < start + size), None)

    def aliases(self, function):
        return [name for name, place in self.symbols.items() if place == self.symbols[function]]

    def is_deep(self):
        return any(isinstance(item, expected.Repeat) for item in self.guest.top)

    def check_debuggers(self, ours=None, of_tool=None):
        """The same stack by every tool. `ours`: keys of `mortem bt`, to agree frame by frame; `of_tool`: the lists
        that a tool of that name may show instead, if it does not know of every tail call."""
        if self.guest.kind not in ("signal", "exit"):
            return  # the stack starts in the kernel: check_kernel_stack
        limit = 100 if self.is_deep() else 0
        stacks = {
            "gdb": debuggers.stack_by_gdb(self.program, self.core_path, limit or ""),
            "lldb": debuggers.stack_by_lldb(self.program, self.core_path, f"-c {limit}" if limit else ""),
            "eu-stack": debuggers.stack_by_eu_stack(self.program, self.core_path, limit),
        }
        if limit:
            stacks["gdb, outermost"] = debuggers.stack_by_gdb(self.program, self.core_path, -50)
        for tool, frames in stacks.items():
            if tool in self.guest.without:
                continue
            self.assertGreater(len(frames), 3, f"{tool}: {frames}")
            if ours is None:
                if not limit:
                    self.check_stack(frames, tool)
            elif tool.endswith("outermost"):
                self.assertEqual(frames, ours[-len(frames):], tool)
            elif limit:
                self.assertEqual(frames[:limit - 1], ours[:limit - 1], tool)
            else:
                # Behind main only the number counts: eu-stack gives _start, which has no lines, the line of its
                # neighbour.
                def shown(stack):
                    return stack[:1 + max(at for at, frame in enumerate(stack) if frame[0] == "main")], len(stack)
                allowed = (of_tool or {}).get(tool, [ours])
                mine = next((one for one in allowed if len(one) == len(frames)), ours)
                self.assertEqual((frames[:len(shown(mine)[0])], len(frames)), shown(mine), tool)

    def check_kernel_stack(self, frames, kernel_bias):
        """From the kernel into the program, frame by frame as gdb and lldb go when they are given the kernel's symbols.
        eu-stack takes one program for a core. gdb's line may be another one where the line table's row for the place
        does not begin a statement (gdb takes no other rows: gdb/symtab.c, find_pc_sect_line); lldb's is the same."""
        ours = keys(frames)
        statements = debuggers.StatementStarts(KERNEL)
        stacks = {
            "gdb": debuggers.stack_by_gdb(self.program, self.core_path,
                                          first=[f"add-symbol-file {KERNEL} -o {kernel_bias:#x}"]),
            "lldb": debuggers.stack_by_lldb(self.program, self.core_path, first=[
                f"target modules add {KERNEL}", f"target modules load -f {KERNEL.name} -s {kernel_bias:#x}"]),
        }
        inside = 1 + max(at for at, frame in enumerate(ours) if frame[0] == "main")
        for tool, theirs in stacks.items():
            self.assertEqual(len(theirs), len(ours), tool)
            for mine, other, frame in zip(ours[:inside], theirs, frames):
                if tool == "lldb" and mine == ("signal",):
                    self.assertEqual(other[0], "syscall_entry")  # lldb names the function of a signal frame
                else:
                    # A function with C linkage has its bare name in the debug information; gdb and lldb put its
                    # namespace before it.
                    self.assertTrue(other[0] == mine[0] or str(other[0]).endswith(f"::{mine[0]}"), (tool, other, mine))
                    if tool == "gdb" and other[1:] != mine[1:] and frame["module"] == KERNEL.name:
                        self.assertFalse(statements.begins_statement(int(frame["pc"], 16) - kernel_bias - 1), frame)
                    else:
                        self.assertEqual(other[1:], mine[1:], tool)

    def check_gdb_registers(self):
        guest = self.guest
        if guest.registers == "all":
            text = debuggers.gdb(self.program, self.core_path, "info registers", "p $_siginfo.si_signo",
                                 "p $xmm15.v2_int64[1]")
            found = {name: int(value, 16) for name, value in re.findall(r"^(\w+) +(0x[0-9a-f]+)", text, re.M)}
            registers = self.core.registers()
            for name in [*expected.PLANT_ORDER, "rip", "rsp", "eflags"]:
                self.assertEqual(found[name], registers[name], f"gdb's {name}")
            values = [int(value) & expected.MASK for value in re.findall(r"^\$\d+ = (-?\d+)$", text, re.M)]
            self.assertEqual(values, [guest.signal, expected.PLANTED_VECTORS[15][1]])
        elif guest.registers == "preserved":
            text = debuggers.gdb(self.program, self.core_path, "frame function die",
                                 "info registers " + " ".join(expected.CALL_PRESERVED))
            found = {name: int(value, 16) for name, value in re.findall(r"^(\w+) +(0x[0-9a-f]+)", text, re.M)}
            for name in expected.CALL_PRESERVED:
                self.assertEqual(hex(found.get(name, 0)), hex(expected.PLANTED[name]), f"{name} of die, unwound\n{text}")

    def check_core(self):
        self.check_signal()
        self.check_registers()
        self.check_gdb_registers()
