"""The Linux ABI: the programs of tests/guests/abi print the same in a guest as on this machine's Linux."""
import subprocess
import sys
import unittest

from mortem_test import GUEST_SOURCES, GUESTS, VM_DEADLINE, MortemTest

SOURCES = sorted((GUEST_SOURCES / "abi").glob("*.c"))
PROGRAMS = [path.stem for path in SOURCES]
WITH_MUSL = [path.stem for path in SOURCES if "\n// Built with musl too.\n" in path.read_text()]  # CMakeLists.txt there


WAITING = [path.stem for path in SOURCES if "\n// Waits most of its time.\n" in path.read_text()]


class Abi(MortemTest):
    def compare(self, *names):
        """All at the same time: give several of those only that wait."""
        runs = []
        for name in names:
            program = GUESTS / "abi" / name
            linux = subprocess.Popen([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            self.addCleanup(linux.stdout.close)
            self.addCleanup(linux.kill)
            runs.append((name, linux, self.start("run", program)))
        for name, linux, guest in runs:
            with self.subTest(name):
                expected = linux.communicate(timeout=VM_DEADLINE)[0].decode(errors="replace")
                output, errors = guest.communicate(timeout=VM_DEADLINE)
                self.assertEqual((linux.returncode, guest.returncode), (0, 0), errors)
                self.assertGreater(len(expected), 100)
                self.assertEqual(output.decode(errors="replace"), expected)


for program in WAITING:
    setattr(Abi, f"test_{program}", lambda self, names=[program] + [f"musl/{program}"] * (program in WITH_MUSL):
            self.compare(*names))
for program in set(WITH_MUSL) - set(WAITING):
    setattr(Abi, f"test_musl_{program}", lambda self, name=f"musl/{program}": self.compare(name))
for program in set(PROGRAMS) - set(WAITING):
    setattr(Abi, f"test_{program}", lambda self, name=program: self.compare(name))

if __name__ == "__main__":
    if not PROGRAMS:
        sys.exit("no programs in " + str(GUEST_SOURCES / "abi"))
    unittest.main()
