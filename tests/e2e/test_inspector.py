"""The inspector: scripts of tests/gui without a display, pictures without a display, and a window under Xvfb that
xdotool's clicks and keys reach. All on dumps of the test guests."""
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import unittest

from elf_core import Core
from mortem_test import GUESTS, MORTEM, ROOT, MortemTest, wait_until

SCRIPTS = ROOT / "tests" / "gui"
DEBIANS_PYTHON = "/usr/bin/python3"  # has Debian's python3-xlib
GOLDENS = SCRIPTS / "golden"


class InspectorTest(MortemTest):
    dumps = {}

    @classmethod
    def tearDownClass(cls):
        for dump in cls.dumps.values():
            shutil.rmtree(dump.parent)
        cls.dumps = {}

    def setUp(self):
        super().setUp()
        self.environment["XDG_CONFIG_HOME"] = str(self.place / "config")

    def dump_of(self, guest, name, status=139):
        """Of a guest that dies; one run serves all tests of the class."""
        if guest not in self.dumps:
            made = self.crash(GUESTS / guest, status=status)[1]
            kept = pathlib.Path(tempfile.mkdtemp(prefix="mortem-gui.")) / name
            shutil.move(made, kept)
            shutil.copy(GUESTS / guest, kept.parent)  # its path is in pictures: one that says nothing of the checkout
            type(self).dumps = {**self.dumps, guest: kept}
        return self.dumps[guest]

    def symbols(self):
        """Options: the store that the run filled went with the test that made the dump."""
        return [part for guest, dump in self.dumps.items() for part in ("--symbols", dump.parent / guest)]

    def inspect(self, *arguments, **more):
        return self.mortem("open", *arguments, *self.symbols(), deadline=120, **more)


class Scripts(InspectorTest):
    def run_script(self, name, guest="threads_null_read"):
        dump = self.dump_of(guest, "threads.dump")
        self.inspect(dump, "--null", SCRIPTS / f"{name}.script", "--size", "1440x900")

    def test_crash(self):
        self.run_script("crash")

    def test_commands(self):
        self.run_script("commands")

    def test_threads(self):
        self.run_script("threads")

    def test_layout(self):
        self.run_script("layout")

    def test_memory(self):
        self.run_script("memory")

    def test_memory_scrolls_exactly(self):
        """Anywhere in 64 bits: the rows that are drawn are those asked for, one after the other, and their bytes those
        of the core, read here by ourselves."""
        dump = self.dump_of("threads_null_read", "threads.dump")
        plain = self.files / "threads.core"
        subprocess.run(["zstd", "-q", "-d", dump, "-o", plain], check=True)
        core, chance = Core(plain), random.Random(1)
        ends = [0, 16 << 24, 2**47 - 1, 2**47, 2**52 + 3, 2**63 - 1, 2**63, 2**64 - 2**28 - 7, 2**64 - 1]
        places = ends + [chance.randrange(2**47) for _ in range(12)] + [chance.randrange(2**64) for _ in range(6)]
        places += [chance.choice(core.loads())[2] + chance.randrange(4096) for _ in range(12)]
        steps, expected = ["settle", "command view.memory", "command tile.maximise", "settle"], []
        for number, place in enumerate(places):
            top, notches = max(place // 16 - 3, 0), chance.randrange(1, 400)
            for name, row in (("shown", top), ("scrolled", min(top + 3 * notches, 2**60 - 1)), ("back", None)):
                expected.append((f"{number}.{name}", max(expected[-1][1] - 6, 0) if row is None else row))
            steps += [f"command go.address {place:#x}", "settle", f"command view.save_text {number}.shown",
                      f'wheel {-notches} "{top * 16:016x}" in memory', "settle",
                      f"command view.save_text {number}.scrolled",
                      f'wheel 2 "{expected[-2][1] * 16:016x}" in memory', "settle",
                      f"command view.save_text {number}.back"]
        script = self.files / "scroll.script"
        script.write_text("\n".join(steps) + "\n")
        self.inspect(dump, "--null", script, "--no-settings", "--size", "1440x900")
        known = 0
        for name, first in expected:
            rows = re.findall(r"(?m)^ *([0-9a-f]{16}) +((?:[0-9a-f]{2}\b *){16})?", (self.files / name).read_text())
            wanted = [16 * row for row in range(first, min(first + len(rows), 2**60))]
            self.assertEqual([int(row, 16) for row, _ in rows], wanted, name)
            self.assertGreater(len(rows), 30 if first < 2**60 - 40 else 0, name)
            for address, (_, text) in zip(wanted, rows):
                held = core.read(address, 16)
                if held is not None:  # else unknown, a module's file, or a page whose other address holds it
                    self.assertEqual(bytes.fromhex(text), held, f"{name}: {address:#x}")
                    known += 1
        self.assertGreater(known, 500)

    def test_fast_input(self):
        self.run_script("fast_input", "stack_overflow")

    def test_a_script_that_fails_names_line_and_screen(self):
        script = self.files / "wrong.script"
        script.write_text("settle\n# a comment\ncheck \"no such text anywhere\" in stack\n")
        done = self.inspect(self.dump_of("threads_null_read", "threads.dump"), "--null", script, status=1)
        self.assertIn("line 3", done.stderr)
        self.assertIn("no such text anywhere", done.stderr)
        self.assertIn("step_one", done.stderr)  # what there is
        script.write_text("clack \"Stack\"\n")
        done = self.inspect("--null", script, status=2)
        self.assertIn("'clack' is no step", done.stderr)

    def test_every_command_and_view_has_its_step(self):
        """Every command is run by a script's or a test's step or key; every view is looked into, not only opened."""
        script = self.files / "list.script"
        script.write_text("list-commands\n")
        table = dict(line.split("\t") for line in self.inspect("--null", script).stdout.splitlines())
        self.assertGreater(len(table), 60)
        of_keys = {key.lower(): name for name, keys in table.items() for key in keys.split()}
        done, seen = set(), set()
        for path in (*SCRIPTS.glob("*.script"), *pathlib.Path(__file__).parent.glob("test_inspector*.py")):
            text = path.read_text()
            done |= set(re.findall(r"(?:^ *|\"|\\n)command ([a-z_.]+)", text, re.M))
            for key in re.findall(r"(?:^ *|\"|\\n)(?:burst-key \d+|key) (\S+)|self\.keys\(\"([^\"]+)\"\)", text, re.M):
                done.add(of_keys.get("".join(key).lower()))
            seen |= set(re.findall(r"(?:wait|check)[a-z-]* .*\" in (\w+)", text))
        self.assertEqual(sorted(set(table) - done - {"file.open"}), [])  # that one is what the step open runs
        self.assertEqual(sorted({name.removeprefix("view.") for name in table if name.startswith("view.")}
                                - seen - {"find", "copy", "numbers", "save_text"}), [])

    def test_the_text_on_the_screen_is_saved(self):
        script = self.files / "save.script"
        script.write_text("wait \"step_one\" in stack\ncommand view.save_text seen.txt\ncommand view.stack\nsettle\n"
                          "command view.save_text /nowhere/seen.txt\nwait \"could not be written\"\n")
        self.inspect(self.dump_of("threads_null_read", "threads.dump"), "--null", script)
        self.assertRegex((self.files / "seen.txt").read_text(), r"step_one +threads_null_read.cpp:\d+")

    def test_settings_are_kept(self):
        script = self.files / "first.script"
        dump = self.dump_of("threads_null_read", "threads.dump")
        script.write_text("settle\ncommand watch.add worker\ncommand theme.toggle\ncommand view.memory\n"
                          "command tile.split_down\n")
        self.inspect(dump, "--null", script)
        kept = (self.place / "config" / "mortem" / "inspector.conf").read_text()
        self.assertIn(f"recent {dump}\n", kept)
        self.assertIn("watch worker\n", kept)
        self.assertIn("theme light\n", kept)
        script.write_text("settle\ncheck-fact shown memory\ncheck-fact shown summary\ncommand view.watch\n"
                          "wait \"worker\" in watch\n")
        self.inspect(dump, "--null", script)
        # A file that somebody has broken is no reason not to start.
        (self.place / "config" / "mortem" / "inspector.conf").write_text("layout.crash rows 7 nonsense\nzoom x\n\0\n")
        script.write_text("settle\ncheck-fact shown stack\n")
        self.inspect(dump, "--null", script)

    def test_bad_input(self):
        for arguments, naming in [(("--view", "nothing"), "there is no view 'nothing'"),
                                  (("--screenshot", "a.png"), "--screenshot needs --egl"),
                                  (("--egl",), "--egl needs --screenshot"),
                                  (("--null", "no.script"), "no.script")]:
            done = self.inspect(*arguments, status=2)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(naming, done.stderr)


class Pictures(InspectorTest):
    # View → (how many percent of its picture may differ, what is done before it is taken). Each alone in the window: what
    # else there is may change. What differs between runs and machines (times, addresses that are drawn by lot, the
    # checkout's path) is a part of each that was measured; a line of text is a tenth of a percent.
    VIEWS = {
        "summary": (1, ""), "threads": (0.3, ""), "stack": (0.3, ""), "source": (1, ""), "disassembly": (0.5, ""),
        "variables": (0.2, ""), "registers": (0.5, ""), "log": (1, ""), "breakpoints": (0.05, ""), "map": (2, ""),
        "memory": (0.5, "go.address 0x400000"),
        "marks": (0.1, 'memory.compare "0x400000, 0x400010, 16"'),
        "watch": (0.05, "watch.add plant_pointer->general"),
        "search": (0.3, 'search.bytes "7f 45 4c 46 02 01 ?? 03"\nwait " found in " in search'),
        "symbols": (0.1, 'view.symbols\nclick "A part of a function" in symbols\ntype "step_"\nwait "step_two" in symbols'),
        "jobs": (0.05, 'thread.select 99\nclick "Dismiss"'),
        "welcome": (0.2, "file.close"),
    }

    def compare(self, dump, views):
        script = self.files / "pictures.script"
        steps = ["settle"]
        # MORTEM_GOLDENS=1 makes them anew.
        step = "picture {}" if os.environ.get("MORTEM_GOLDENS") else "check-picture {} {}"
        for view, (percent, before) in views.items():
            steps += [f"command {before}" if before else "", f"command view.{view}", "settle", "command tile.maximise",
                      step.format(GOLDENS / f"{view}.png", percent), "command tile.maximise"]
        script.write_text("\n".join(steps) + "\n")
        self.inspect(dump, "--egl", "--script", script, "--size", "900x560", "--no-settings")

    def test_views_look_as_they_did(self):
        self.compare(self.dump_of("threads_null_read", "threads.dump"), self.VIEWS)

    def test_what_was_open_looks_as_it_did(self):
        self.compare(self.dump_of("open_files", "open.dump", status=134), {"network": (1, ""), "files": (0.1, "")})

    def test_light_and_twice_as_large(self):
        dump = self.dump_of("threads_null_read", "threads.dump")
        script = self.files / "picture.script"
        step = "picture {}" if os.environ.get("MORTEM_GOLDENS") else "check-picture {} 3"
        for name, options in (("light", ("--theme", "light", "--size", "1280x760")),
                              ("twice", ("--scale", "2", "--size", "1800x1120"))):
            picture = step.format(GOLDENS / f"{name}.png")
            script.write_text(f"settle\ncheck \"SIGSEGV: read\" in summary\n{picture}\n")
            self.inspect(dump, "--egl", "--script", script, "--no-settings", *options)

    def test_the_same_bytes_every_time(self):
        dump = self.dump_of("threads_null_read", "threads.dump")
        for name in ("one.png", "two.png"):
            self.inspect(dump, "--egl", "--screenshot", name, "--size", "800x500", "--no-settings", "--view", "stack")
        one, two = ((self.files / name).read_bytes() for name in ("one.png", "two.png"))
        self.assertEqual(one, two)
        self.assertTrue(one.startswith(b"\x89PNG"))

    def test_a_target_that_is_none(self):
        (self.files / "text.dump").write_text("no dump at all\n" * 50)
        done = self.inspect("./text.dump", "--egl", "--screenshot", "x.png", "--size", "640x400", status=2)
        self.assertIn("text.dump", done.stderr)
        self.assertFalse((self.files / "x.png").exists())


class Window(InspectorTest):
    def setUp(self):
        super().setUp()
        read_end, write_end = os.pipe()
        # -noreset: else it starts anew when xdotool, for a moment its only client, leaves, and who comes then is refused.
        self.display = subprocess.Popen(["Xvfb", "-noreset", "-displayfd", str(write_end), "-screen", "0",
                                         "1280x800x24"],
                                        pass_fds=[write_end], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(write_end)
        with os.fdopen(read_end) as numbers:
            self.environment["DISPLAY"] = ":" + numbers.readline().strip()
        self.addCleanup(self.end_display)

    def end_display(self):
        self.display.terminate()
        self.display.wait()

    def xdotool(self, *arguments):
        return subprocess.run(["xdotool", *map(str, arguments)], env=self.environment, capture_output=True, text=True,
                              timeout=60, check=False)

    def keys(self, *keys):
        self.xdotool("key", "--clearmodifiers", *keys)

    def command(self, letters, argument=None):
        """By the palette, as a person does it."""
        self.keys("F1")
        self.xdotool("type", letters)
        self.keys("Return")
        if argument is not None:
            self.xdotool("type", str(argument))
            self.keys("Return")

    def screen(self):
        """The text that is in the window now, by the command that saves it."""
        path = self.files / f"s{len(list(self.files.iterdir()))}"
        for deadline in (10, 30):
            self.command("save the text", path.name)  # it works in that folder; every letter costs a few frames
            try:
                wait_until(lambda: path.exists() and path.stat().st_size > 0, f"the screen's text in {path}", deadline)
                return path.read_text()
            except AssertionError:
                if deadline == 30:
                    raise
                # On a busy machine a key that comes before the window has the keyboard is lost.
                self.xdotool("windowfocus", "--sync", self.window)
                self.keys("Escape")
        return None

    def open_window(self, *arguments):
        process = self.start("open", *arguments, *self.symbols())
        def shown():
            if process.poll() is not None:
                self.fail(f"no window: {process.stderr.read().decode()}")
            return self.xdotool("search", "--onlyvisible", "--name", "Mortem").stdout.strip()
        window = wait_until(shown, "a window", 60).split()[0]
        # Without a window manager nobody gives it the keyboard.
        self.xdotool("windowfocus", "--sync", window)
        self.window = window
        return process

    def wait_for(self, text, deadline=60):
        seen = ""

        def shown():
            nonlocal seen
            seen = self.screen()
            return seen if text in seen else None

        try:
            return wait_until(shown, "", deadline)
        except AssertionError:
            self.fail(f"after {deadline} s {text!r} is not in the window:\n{seen}")

    def test_open_a_dump_and_read_it(self):
        process = self.open_window(self.dump_of("threads_null_read", "threads.dump"))
        self.wait_for("SIGSEGV: read of 8 bytes at 0x0: null rdi, in stop_here")
        self.keys("ctrl+Up")
        self.keys("ctrl+Up")
        self.keys("alt+4")
        seen = self.wait_for("sink = step_inlined(worker);")
        self.assertIn("thread 10, frame 2", seen)
        # Memory from a value: the stack pointer among the registers, by a click.
        self.command("go to address", "$rsp")
        self.wait_for('stack of thread 10 "crashes"')
        self.keys("ctrl+q")
        self.assertEqual(process.wait(30), 0)

    def test_a_file_dragged_onto_it_is_opened(self):
        dump = self.dump_of("threads_null_read", "threads.dump")
        named = self.files / "of höchster importance.dump"  # in a URI: percents
        shutil.copy(dump, named)
        process = self.open_window()
        self.wait_for("Open")
        for file in (self.files / "gone.dump", named):
            done = subprocess.run([DEBIANS_PYTHON, "-B", pathlib.Path(__file__).parent / "xdnd_source.py", self.window,
                                   file], env=self.environment, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.wait_for("gone.dump: No such file" if file != named else "SIGSEGV: read of 8 bytes at 0x0: null rdi")
        process.terminate()
        self.assertEqual(process.wait(30), 0, process.stderr.read())

    def test_what_is_done_is_recorded(self):
        dump, record = self.dump_of("threads_null_read", "threads.dump"), self.files / "did.script"
        process = self.open_window(dump, "--record", record, "--no-settings", "--size", "1000x640")
        self.wait_for("SIGSEGV: read of 8 bytes")
        self.keys("ctrl+Up")
        self.keys("ctrl+Up")
        self.command("go to address", "0x400000")
        self.wait_for("7f 45 4c 46")
        # Somewhere in the list of threads: the second row.
        for place in ((60, 165), (60, 165)):
            self.xdotool("mousemove", *place, "click", "1")
        self.wait_for(", frame 0")
        process.terminate()
        self.assertEqual(process.wait(30), 0, process.stderr.read())
        steps = record.read_text()
        # On a busy machine the second key comes before the first one's picture.
        self.assertRegex(steps, r"settle\nkey Ctrl\+Up\n(settle\n)?key Ctrl\+Up\n")
        self.assertIn('type "0x400000"\n', steps)
        self.assertRegex(steps, r'(?m)^(double-)?click ".*" in threads')
        # The same again, and it leads to the same.
        checks = "wait \"7f 45 4c 46\" in memory\ncheck-fact frame 0\ncheck-fact jobs-failed 0\n"
        record.write_text(steps.replace("click", "check-fact frame 2\ncheck-fact thread 10\nclick", 1)
                          .replace("double-check", "check") + checks)
        self.inspect(dump, "--null", record, "--no-settings", "--size", "1000x640")

    def test_attach_break_step_continue(self):
        self.mortem("run", GUESTS / "debuggee", "--name", "d", "--detach")
        self.addCleanup(self.mortem, "stop", "d", status=None)
        wait_until(lambda: "ready" in self.mortem("logs", "d").stdout, "the guest")
        process = self.open_window("d")
        self.wait_for("worker 0")
        self.command("break at", "step_place")
        self.keys("F5")
        self.wait_for("stopped: breakpoint 1: step_place")
        self.keys("F10")
        seen = self.wait_for("stopped: stepped")
        self.assertIn("step_place", seen)
        self.keys("F5")
        self.wait_for("stopped: breakpoint 1: step_place")
        self.keys("ctrl+q")
        self.assertEqual(process.wait(60), 0)
        self.assertIn("debuggee", self.mortem("ps").stdout)


if __name__ == "__main__":
    unittest.main()
