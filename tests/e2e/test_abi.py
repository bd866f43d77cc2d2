"""The Linux ABI: the programs of tests/guests/abi print the same in a guest as on this machine's Linux."""
import subprocess
import sys
import unittest

from mortem_test import GUEST_SOURCES, GUESTS, MortemTest

SOURCES = sorted((GUEST_SOURCES / "abi").glob("*.c"))
PROGRAMS = [path.stem for path in SOURCES]
WITH_MUSL = [path.stem for path in SOURCES if "\n// Built with musl too.\n" in path.read_text()]  # CMakeLists.txt there


class Abi(MortemTest):
    def compare(self, name):
        program = GUESTS / "abi" / name
        linux = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)
        self.assertGreater(len(linux.stdout), 100)
        guest = self.mortem("run", program, text=False)
        self.assertEqual(guest.stdout.decode(errors="replace"), linux.stdout.decode(errors="replace"))


for program in WITH_MUSL:
    setattr(Abi, f"test_musl_{program}", lambda self, name=f"musl/{program}": self.compare(name))
for program in PROGRAMS:
    setattr(Abi, f"test_{program}", lambda self, name=program: self.compare(name))

if __name__ == "__main__":
    if not PROGRAMS:
        sys.exit("no programs in " + str(GUEST_SOURCES / "abi"))
    unittest.main()
