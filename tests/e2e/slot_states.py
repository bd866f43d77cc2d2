"""The states of an image's dump slots, read from its bytes while a guest writes them (snapshot/format/slot.h)."""
import uuid

BLOCK = 4096
EMPTY, WRITING, PARTIAL, COMPLETE = range(4)
DUMP_PARTITION = uuid.UUID("9E4F1D6B-C752-4A33-9D60-2E8A7715B4D8")


class SlotStates:
    def slots(self, image):
        """(offset in the image, header's bytes) of each slot: the dump partition of the GPT (UEFI 2.10, 5.3.3)."""
        with open(image, "rb") as file:
            file.seek(1024)
            entries = (file.read(128) for _ in range(128))
            start = next(int.from_bytes(entry[32:40], "little") * 512 for entry in entries
                         if entry[:16] == DUMP_PARTITION.bytes_le)
            file.seek(start)
            header = file.read(48)
            count, size = int.from_bytes(header[12:16], "little"), int.from_bytes(header[16:24], "little")
            found = []
            for index in range(count):
                file.seek(start + BLOCK + index * size)
                block = bytearray(file.read(BLOCK))
                if block[1024:1032] == b"MORTFREE" and block[1032:1040] == block[16:24]:  # released
                    block[12:16] = EMPTY.to_bytes(4, "little")
                found.append((start + BLOCK + index * size, bytes(block[:88])))
            return found

    def slot_states(self, image):
        return [int.from_bytes(header[12:16], "little") if header[:8] == b"MORTSLOT" else EMPTY
                for _, header in self.slots(image)]
