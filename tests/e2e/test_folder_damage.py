"""Folders of clones and recordings of which a file was cut, changed or lost on the way: one line that names it, when it
is opened or started, or when all of it is compared."""
import json
import re
import shutil
import subprocess
import unittest

from mortem_test import GUESTS, MortemTest, wait_until

BLOCK = 64 << 10  # snapshot/folder_checksums.h
SMALL = 16 << 20
DESCRIPTION = 0x110000  # snapshot/format/guest_description.h


class Damaged(MortemTest):
    def damage(self, path, how):
        """Does it and gives what undoes it."""
        size = path.stat().st_size
        if how == "missing":
            moved = self.place / "moved-away"
            path.rename(moved)
            return lambda: moved.rename(path)
        if how == "cut":
            with path.open("rb+") as file:
                file.seek(size - 1)
                last = file.read()
                file.truncate(size - 1)
            def mend():
                with path.open("rb+") as file:
                    file.seek(size - 1)
                    file.write(last)
            return mend
        place = size // 2
        return self.flip(path, place)

    def flip(self, path, place):
        def change():
            with path.open("rb+") as file:
                file.seek(place)
                (byte,) = file.read(1)
                file.seek(place)
                file.write(bytes([byte ^ 0x10]))
        change()
        return change

    def clone_of(self, guest, says, *arguments):
        """The folder; the guest is gone."""
        self.mortem("run", GUESTS / guest, "--name", "original", "--detach", "--", *arguments)
        self.addCleanup(self.mortem, "stop", "original", status=None)
        wait_until(lambda: says in self.mortem("logs", "original").stdout, "the program", 60)
        self.mortem("clone", "original", "-o", "moment")
        self.mortem("stop", "original", status=None)
        self.wait_for_ends()
        return self.files / "moment"

    def check_whole(self, folder, status=0):
        return self.mortem("info", folder, "--check", status=status)

    def assert_each_is_named(self, folder, description, *verbs):
        """Every file of the folder, in each way that it can be damaged."""
        names = sorted(path.name for path in folder.iterdir())
        self.assertIn("checksums", names)
        for name in names:
            path = folder / name
            for how in ("missing", "cut", "changed"):
                if name == description and how != "cut":
                    continue  # which is what says that it is one; it has no checksum
                if name == description:
                    whole = path.read_bytes()
                    path.write_bytes(whole[:-10])
                    def mend(path=path, whole=whole):
                        path.write_bytes(whole)
                else:
                    mend = self.damage(path, how)
                small = path.exists() and path.stat().st_size <= SMALL
                with self.subTest(file=name, how=how):
                    for verb in verbs:
                        # A large file is compared where it is read, or when that is asked for.
                        if how != "changed" or small:
                            line = self.assert_refused(*verb, naming=[path if how != "missing" else name])
                            self.assertRegex(line, "missing|No such file|cut short|changed|not a .* description", line)
                    done = self.check_whole(folder, status=None)
                    self.assertIn(done.returncode, (1, 2), done.stdout)
                    self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                    self.assertIn(name, done.stderr)
                    self.assertEqual(done.stdout, "")
                mend()
        self.check_whole(folder)

    def test_clone(self):
        folder = self.clone_of("sleeper", "sleeping")
        said = self.mortem("info", folder, "--check", "--json").stdout
        facts = json.loads(said)
        self.assertEqual(facts["schema"], "mortem.info-check/1")
        sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.name not in ("clone.json", "checksums")}
        self.assertEqual(facts["bytes"], sum(sizes.values()))
        self.assertLessEqual({"memory", "state", "kernel.elf"}, set(sizes))
        self.assertTrue(any(name.startswith("module-") for name in sizes))
        self.assert_each_is_named(folder, "clone.json", ("bt", folder), ("resume", folder))

    def test_memory_that_is_read(self):
        """A changed byte in what is shown is told beside what is still known; one that nobody reads is not."""
        folder = self.clone_of("dirties_memory", "writing", "1")
        memory = folder / "memory"
        self.assertEqual(self.mortem("print", folder, "rounds").stderr, "")
        before = self.facts("print", folder, "rounds")["value"]["value"]
        # Where the variable is in the guest's memory: by its virtual and its physical address of the core.
        self.mortem("core", folder, "-o", "plain.core")
        said = self.mortem("gdb", folder, "--", "-nx", "-batch", "-ex", "print &rounds").stdout
        address = int(re.search(r"\$1 = .* (0x[0-9a-f]+)", said)[1], 16)
        headers = subprocess.run(["readelf", "-lW", "plain.core"], cwd=self.files, capture_output=True, text=True,
                                 check=True).stdout
        (offset,) = [int(words[1], 16) + address - int(words[2], 16) for words in map(str.split, headers.splitlines())
                     if words[:1] == ["LOAD"] and int(words[2], 16) <= address < int(words[2], 16) + int(words[4], 16)]
        value = (self.files / "plain.core").read_bytes()[offset:offset + 4096 - address % 4096]
        content = memory.read_bytes()
        places = []
        at = content.find(value)
        while at >= 0:
            places.append(at)
            at = content.find(value, at + 1)
        (place,) = places
        mend = self.flip(memory, place)
        done = self.mortem("print", folder, "rounds", status=None)
        self.assertIn(f"mortem: {memory}: bytes {place // BLOCK * BLOCK:#x}+{BLOCK:#x} are not what was written there",
                      done.stderr)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotRegex(done.stdout, r"rounds = \d")
        done = self.check_whole(folder, status=1)
        self.assertIn(f"bytes {place // BLOCK * BLOCK:#x}+", done.stderr)
        mend()
        self.assertEqual(self.facts("print", folder, "rounds")["value"]["value"], before)
        # A page of zeros that the guest does not use.
        free = content.rfind(bytes(2 * BLOCK)) // BLOCK * BLOCK + BLOCK
        self.assertEqual(content[free:free + BLOCK], bytes(BLOCK))
        mend = self.flip(memory, free)
        self.assertEqual(self.mortem("print", folder, "rounds").stderr, "")
        self.assertIn(f"bytes {free:#x}+", self.check_whole(folder, status=1).stderr)
        mend()
        # The guest's description block, by which all else is found: one line.
        self.flip(memory, DESCRIPTION)
        self.assert_refused("bt", folder, naming=[memory, f"bytes {DESCRIPTION // BLOCK * BLOCK:#x}+"])

    def test_recording(self):
        self.mortem("run", GUESTS / "overwritten_pointer", "--record", "crash.rec", "--no-dump", status=None)
        folder = self.files / "crash.rec"
        for path in list(self.files.iterdir()):
            if path != folder:
                path.unlink()
        self.check_whole(folder)
        self.assertLessEqual({"log", "disk.img", "kernel.elf"}, {path.name for path in folder.iterdir()})
        self.assert_each_is_named(folder, "recording.json", ("replay", folder))
        # The comparison of the run begins with that of the files.
        disk = folder / "disk.img"
        mend = self.damage(disk, "changed")
        self.assert_refused("replay", folder, "--check", naming=[disk, "changed"])
        mend()
        # Marks are set later, and are not compared.
        name = self.facts("replay", folder)["name"]
        self.mortem("gdb", name, "--", "-nx", "-batch", "-ex", "monitor mark here")
        self.mortem("stop", name)
        self.check_whole(folder)

    def test_recording_that_begins_with_a_dump(self):
        moment = self.clone_of("sleeper", "sleeping")
        name = self.facts("resume", moment, "--record", "late.rec")["name"]
        self.mortem("stop", name)
        self.wait_for_ends()
        shutil.rmtree(moment)
        folder = self.files / "late.rec"
        self.assertLessEqual({"memory", "trampoline"}, {path.name for path in folder.iterdir()})
        self.assertTrue(any(path.name.startswith("module-") for path in folder.iterdir()))
        self.check_whole(folder)
        for file in ("memory", "trampoline"):
            for how in ("missing", "cut"):
                mend = self.damage(folder / file, how)
                self.assert_refused("replay", folder, naming=[file])
                mend()
            mend = self.damage(folder / file, "changed")
            self.assertIn(str(folder / file), self.check_whole(folder, status=1).stderr)
            mend()

    def test_what_is_no_folder(self):
        (self.files / "folder").mkdir()
        (self.files / "file").write_text("x")
        for name in ("folder", "file", "nothing"):
            self.assert_refused("info", name, "--check", naming=[f"--check: {name}"])

    def test_of_an_older_mortem(self):
        folder = self.clone_of("sleeper", "sleeping")
        facts = json.loads((folder / "clone.json").read_text())
        for key in ("checksums", "processor", "processor_flags"):
            del facts[key]
        (folder / "clone.json").write_text(json.dumps(facts))
        (folder / "checksums").unlink()
        self.assertIn("main", self.mortem("bt", folder).stdout)
        self.assert_refused("info", folder, "--check", naming=[folder, "nothing to compare with"])
        self.facts("resume", folder, "--name", "again")
        self.mortem("stop", "again")


if __name__ == "__main__":
    unittest.main()
