"""Clones and recordings on a machine that knows nothing of the program: what is shown there is what was shown where it
ran."""
import json
import re
import shlex
import shutil
import subprocess
import unittest

from mortem_test import MORTEM, MortemTest, wait_until

LIBRARY = """\
#include <stdio.h>
#include <unistd.h>

struct state {
  int count;
  const char *name;
};

void work(struct state *state, int dies) {
  state->count += 41;
  printf("%s at work\\n", state->name);
  fflush(stdout);
  if (dies) *(volatile int *)0 = state->count;
  for (;;) sleep(1000);
}
"""
PROGRAM = """\
struct state {
  int count;
  const char *name;
};
void work(struct state *state, int dies);

int main(int count, char **arguments) {
  (void)arguments;
  struct state state = {1, "carried"};
  work(&state, count > 1);
  return state.count;
}
"""


class Elsewhere(MortemTest):
    def setUp(self):
        super().setUp()
        self.here = self.place / "built"
        self.here.mkdir()
        self.environment["XDG_CONFIG_HOME"] = str(self.place / "config")
        self.environment["XDG_DATA_HOME"] = str(self.place / "data")
        (self.here / "part.c").write_text(LIBRARY)
        (self.here / "program.c").write_text(PROGRAM)
        self.tool("gcc", "-g", "-O0", "-fPIC", "-shared", "-Wl,--build-id=sha1", "part.c", "-o", "libpart.so")
        self.tool("gcc", "-g", "-O0", "-Wl,--build-id=sha1", "program.c", "-o", "program", "-L.", "-lpart",
                  "-Wl,-rpath,$ORIGIN")
        # The library's debug information is a file of its own, where only this machine's settings lead.
        notes = self.tool("readelf", "-n", "libpart.so")
        (self.library_id,) = [line.split()[-1] for line in notes.splitlines() if "Build ID" in line]
        debug = self.here / "debug" / ".build-id" / self.library_id[:2] / (self.library_id[2:] + ".debug")
        debug.parent.mkdir(parents=True)
        self.tool("objcopy", "--only-keep-debug", "libpart.so", str(debug))
        self.tool("strip", "libpart.so")
        config = self.place / "config" / "mortem"
        config.mkdir(parents=True)
        (config / "symbols.json").write_text(json.dumps({"DebugFolders": [str(self.here / "debug")]}))

    def tool(self, *words):
        return subprocess.run(words, cwd=self.here, check=True, capture_output=True, text=True).stdout

    def carry(self, folder):
        """The folder on another machine: without the program, its sources, and all that was kept here."""
        shutil.move(self.here, self.place / "gone")
        for name in ("cache", "config", "data", "run"):
            if (self.place / name).exists():
                shutil.move(self.place / name, self.place / f"gone-{name}")
            (self.place / name).mkdir(mode=0o700)
        carried = self.place / "laptop" / "carried"
        carried.parent.mkdir()
        shutil.move(folder, carried)
        return carried

    def frames(self, target):
        """Of the program: what the kernel does below is another thing in a guest that stands still."""
        (thread,) = self.facts("bt", target)["threads"]
        keys = ("function", "file", "line")
        frames = [tuple(frame.get(key) for key in keys) for frame in thread["frames"]]
        return frames[[frame[0] for frame in frames].index("work"):]

    def assert_from(self, folder, target):
        modules = [one for one in self.facts("info", target)["modules"] if one["kind"] != "vdso"]
        names = {one["path"].rsplit("/", 1)[-1] for one in modules if one["path"]}
        self.assertLessEqual({"program", "libpart.so", "libc.so.6"}, names)
        for one in modules:
            if one["kind"] != "kernel":
                self.assertEqual(one["symbols"]["executable"], f"{folder}/module-{one['id']}")
        (part,) = [one for one in modules if one["path"].endswith("libpart.so")]
        self.assertEqual(part["symbols"]["debug"], f"{folder}/module-{self.library_id}.debug")

    def gdb_frames(self, *words):
        done = subprocess.run(words, cwd=self.files, env=self.environment, capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL)
        return done.stdout

    def assert_gdb_sees(self, said):
        self.assertRegex(said, r"work \(state=0x[0-9a-f]+, dies=[01]\) at part.c:\d+")
        self.assertRegex(said, r"main \(count=[12], arguments=0x[0-9a-f]+\) at program.c:\d+")

    def complaints(self, target):
        """Of modules whose symbols are not all there; the C library's may not be on this machine either."""
        lines = self.mortem("bt", target).stderr.splitlines()
        return [line for line in lines if not re.match(r"mortem: /\S*/(libc|ld-linux-x86-64)\.so", line)]

    def test_clone(self):
        self.mortem("run", self.here / "program", "--name", "web", "--detach")
        self.addCleanup(self.mortem, "stop", "web", status=None)
        wait_until(lambda: "at work" in self.mortem("logs", "web").stdout, "the program", 60)
        before = self.frames("web")
        self.assertEqual([(name, file.rsplit("/")[-1]) for name, file, _ in before[:2]],
                         [("work", "part.c"), ("main", "program.c")])
        self.assertEqual(before[0][2], 1 + LIBRARY.splitlines().index("  for (;;) sleep(1000);"))
        self.mortem("clone", "web", "-o", "web.clone")
        self.mortem("stop", "web")
        self.wait_for_ends()
        folder = self.carry(self.files / "web.clone")

        self.assertEqual(self.frames(folder), before)
        self.assertEqual(self.complaints(folder), [])
        self.assert_from(folder, folder)
        found = self.facts("print", folder, "state->count", "--frame", self.frame_of("work", folder))
        self.assertEqual(found["value"]["value"], "42")
        self.assertIn("program", self.mortem("threads", folder).stdout)
        self.assert_gdb_sees(self.mortem("gdb", folder, "--", "-nx", "-batch", "-ex", "bt").stdout)
        serve = f"target remote | {shlex.quote(str(MORTEM))} serve {shlex.quote(str(folder))} --stdio"
        self.assert_gdb_sees(self.gdb_frames("gdb", "-nx", "-batch", "-ex", serve, "-ex", "bt"))
        script = self.files / "a.script"
        script.write_text(f'wait "work part.c:{before[0][2]}" in stack\n')
        self.mortem("open", folder, "--null", script, deadline=120)
        # Started there, too; and a copy of that carries on what came with it.
        self.facts("resume", folder, "--name", "again")
        self.addCleanup(self.mortem, "stop", "again", status=None)
        self.assertEqual(self.frames("again"), before)
        self.assert_gdb_sees(self.mortem("gdb", "again", "--", "-nx", "-batch", "-ex", "bt").stdout)
        self.mortem("open", "again", "--null", script, deadline=120)
        self.mortem("clone", "again", "-o", "second")
        self.mortem("stop", "again")
        self.wait_for_ends()
        shutil.move(folder, self.place / "gone" / "carried")
        self.assertEqual(self.frames("second"), before)
        self.assert_from("second", "second")

    def frame_of(self, function, target):
        (thread,) = self.facts("bt", target)["threads"]
        return str([frame["function"] for frame in thread["frames"]].index(function))

    def test_recording(self):
        self.mortem("run", self.here / "program", "--record", "crash.rec", "--dump", "crash.dump", "--", "die",
                    status=139)
        before = self.frames("crash.dump")
        self.assertEqual(before[0][2], 1 + LIBRARY.splitlines().index("  if (dies) *(volatile int *)0 = state->count;"))
        (self.files / "crash.dump").unlink()
        folder = self.carry(self.files / "crash.rec")
        name = self.facts("replay", folder)["name"]
        self.addCleanup(self.mortem, "stop", name, status=None)
        self.assertEqual(self.frames(name), before)
        self.assert_from(folder, name)
        self.assertEqual(self.complaints(name), [])
        said = self.mortem("gdb", name, "--", "-nx", "-batch", "-ex", "bt", "-ex", "print *state", "-ex",
                           "break part.c:10", "-ex", "reverse-continue", "-ex", "print *state").stdout
        self.assert_gdb_sees(said)
        self.assertRegex(said, r'\$1 = \{count = 42, name = 0x[0-9a-f]+ "carried"\}')
        self.assertIn("$2 = {count = 1, name = ", said)
        script = self.files / "a.script"
        script.write_text('wait "work part.c:10" in stack\n')  # where gdb has left it
        self.mortem("open", name, "--null", script, deadline=120)
        self.mortem("stop", name)
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
