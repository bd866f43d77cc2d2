"""A small reader of ELF cores and symbol tables, independent of everything that is tested here.

ELF-64, little-endian (System V gABI); the notes' layouts are Linux's (elf_prstatus, siginfo_t, user_fxsr_struct).
"""
import struct

# Order of user_regs_struct.
GENERAL = ["r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi",
           "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"]
PT_LOAD, PT_NOTE = 1, 4
NT_PRSTATUS, NT_FPREGSET, NT_PRPSINFO, NT_AUXV = 1, 2, 3, 6
NT_FILE, NT_SIGINFO, NT_X86_XSTATE = 0x46494C45, 0x53494749, 0x202
PN_XNUM = 0xFFFF
MORTEM_KERNEL_CONTEXTS = 0x4D540010


class ElfFile:
    """Program headers and symbols of a file of any type."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path}: not a 64-bit little-endian ELF file")
        (self.type, self.machine, _, self.entry, program_offset, section_offset, _, _, program_size, program_count,
         section_size, section_count, _) = struct.unpack_from("<HHIQQQIHHHHHH", self.data, 16)
        if program_count == PN_XNUM:  # gABI: the real number stands in sh_info of section 0
            program_count = struct.unpack_from("<I", self.data, section_offset + 44)[0]
        self.segments = []  # (type, flags, offset, address, physical, file size, memory size)
        for i in range(program_count):
            kind, flags, *rest = struct.unpack_from("<IIQQQQQQ", self.data, program_offset + i * program_size)
            self.segments.append((kind, flags, *rest[:5]))
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", self.data, section_offset + i * section_size)
                         for i in range(section_count)]

    def symbols(self):
        """Name → (address in the file, size) of every defined symbol of .symtab."""
        found = {}
        for section in self.sections:
            if section[1] != 2:  # SHT_SYMTAB
                continue
            strings = self.sections[section[6]]
            names = self.data[strings[4]:strings[4] + strings[5]]
            for offset in range(section[4], section[4] + section[5], 24):
                name, _, _, index, value, size = struct.unpack_from("<IBBHQQ", self.data, offset)
                if index != 0:
                    found[names[name:names.index(b"\0", name)].decode()] = (value, size)
        return found


class CoreThread:
    def __init__(self, notes):
        self.notes = notes
        status = self.note("CORE", NT_PRSTATUS)
        self.signal = struct.unpack_from("<h", status, 12)[0]  # pr_cursig
        self.id = struct.unpack_from("<i", status, 32)[0]

    def note(self, owner, kind):
        return next((text for name, number, text in self.notes if (name, number) == (owner, kind)), None)

    def registers(self):
        return dict(zip(GENERAL, struct.unpack_from("<27Q", self.note("CORE", NT_PRSTATUS), 112)))

    def vectors(self):
        """Sixteen tuples of 64-bit lanes: four where the core says that the upper halves are in use or all zero is
        known (XSTATE_BV), two where only NT_FPREGSET is there. And mxcsr, and the x87 top of stack's ten bytes."""
        area = self.note("LINUX", NT_X86_XSTATE)
        legacy = area if area is not None else self.note("CORE", NT_FPREGSET)
        lanes = [list(struct.unpack_from("<2Q", legacy, 160 + 16 * i)) for i in range(16)]
        if area is not None and len(area) >= 832:
            features = struct.unpack_from("<Q", area, 512)[0]  # XSTATE_BV; bit 2: the upper halves are stored
            for i in range(16):
                upper = struct.unpack_from("<2Q", area, 576 + 16 * i) if features & 4 else (0, 0)
                lanes[i] += list(upper)
        return [tuple(one) for one in lanes], struct.unpack_from("<I", legacy, 24)[0], legacy[32:42]


class Core(ElfFile):
    def __init__(self, path):
        super().__init__(path)
        if self.type != 4:
            raise ValueError(f"{path}: not a core")
        self.notes = []  # (owner, type, descriptor)
        for kind, _, offset, _, _, size, _ in self.segments:
            if kind == PT_NOTE:
                self._read_notes(offset, size)

    def _read_notes(self, offset, size):
        end = offset + size
        while offset + 12 <= end:
            name_size, descriptor_size, kind = struct.unpack_from("<III", self.data, offset)
            name = self.data[offset + 12:offset + 12 + name_size].rstrip(b"\0").decode()
            start = offset + 12 + (name_size + 3 & ~3)
            self.notes.append((name, kind, self.data[start:start + descriptor_size]))
            offset = start + (descriptor_size + 3 & ~3)

    def note(self, owner, kind):
        """The first note of that owner and type, None: not there."""
        return next((text for name, number, text in self.notes if (name, number) == (owner, kind)), None)

    def threads(self):
        """The threads in the file's order. A thread's notes begin with its NT_PRSTATUS; Linux puts the process's own
        notes among those of the first one."""
        found = []
        for name, kind, text in self.notes:
            if (name, kind) == ("CORE", NT_PRSTATUS):
                found.append([])
            if found:
                found[-1].append((name, kind, text))
        return [CoreThread(notes) for notes in found]

    def registers(self):
        """Name → value of the first thread's general registers."""
        return self.threads()[0].registers()

    def signal_information(self):
        """(signal, code, address or None) of NT_SIGINFO, None: no such note."""
        text = self.note("CORE", NT_SIGINFO)
        if text is None:
            return None
        number, _, code = struct.unpack_from("<iii", text)
        return number, code, struct.unpack_from("<Q", text, 16)[0]

    def auxiliary_vector(self):
        text = self.note("CORE", NT_AUXV)
        return dict(struct.iter_unpack("<QQ", text[:len(text) & ~15]))

    def vectors(self):
        """Of the first thread."""
        return self.threads()[0].vectors()

    def kernel_contexts(self):
        """Thread → address of what the kernel's context switch left on its stack (snapshot/format/notes.h)."""
        text = self.note("MORTEM", MORTEM_KERNEL_CONTEXTS)
        return {thread: address for thread, _, address in struct.iter_unpack("<IIQ", text[8:])}

    def with_registers(self, values):
        """This file with other values in the first thread's NT_PRSTATUS."""
        status = self.note("CORE", NT_PRSTATUS)
        data = bytearray(self.data)
        start = self.data.index(status)
        for name, value in values.items():
            struct.pack_into("<Q", data, start + 112 + 8 * GENERAL.index(name), value)
        return bytes(data)

    def loads(self):
        return [segment[1:] for segment in self.segments if segment[0] == PT_LOAD]

    def read(self, address, length):
        """The bytes, or None when one of them is not in the core."""
        found = b""
        while len(found) < length:
            here = address + len(found)
            for _, offset, start, _, file_size, _ in self.loads():
                if start <= here < start + file_size:
                    found += self.data[offset + here - start:offset + min(file_size, here - start + length - len(found))]
                    break
            else:
                return None
        return found

    def word(self, address):
        text = self.read(address, 8)
        return None if text is None else struct.unpack("<Q", text)[0]
