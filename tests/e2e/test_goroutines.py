"""The goroutines of a Go program out of its memory, compared with the traceback that Go's own runtime prints of the same
moment, and with Debian's delve. `tests/run programs` installs the compiler and delve."""
import pathlib
import re
import resource
import subprocess
import unittest

from mortem_test import ROOT, MortemTest

SOURCE = ROOT / "tests" / "programs" / "go_goroutines.go"


def runtime_traceback(text):
    """Goroutine → (state, [(function, file, line)], created by) of what Go prints with GOTRACEBACK=system."""
    found = {}
    for block in re.split(r"\n\n+", text):
        lines = block.splitlines()
        heading = re.match(r"goroutine (\d+)[^\[]* \[([^,\]]*)", lines[0]) if lines else None
        if not heading:
            continue
        frames, created = [], None
        for call, place in zip(lines[1::2], lines[2::2]):
            at = re.match(r"\t(.*):(\d+)", place)
            if not at:
                break
            created_by = call.removeprefix("created by ")
            if created_by != call:
                created = (created_by.split(" in goroutine")[0], at[1], int(at[2]))
                break
            name = re.sub(r"\([^()]*(\{[^()]*\}[^()]*)*\)$", "", call)
            frames.append(({"panic": "runtime.gopanic"}.get(name, name), at[1], int(at[2])))
        found[int(heading[1])] = (heading[2], frames, created)
    return found


def without_interrupted_line(frames):
    """Up to Go 1.20 the runtime looked for the line of an interrupted instruction at the one before."""
    return [(function, file, None if below == "runtime.asyncPreempt" else line)
            for (function, file, line), below in zip(frames, [None] + [frame[0] for frame in frames])]


def frames_of(goroutine):
    return [(frame["function"], frame["file"], frame["line"]) for frame in goroutine["frames"]]


class Goroutines(MortemTest):
    def build(self, name, *flags, source=SOURCE):
        program = self.files / name
        subprocess.run(["go", "build", *flags, "-o", program, source], check=True, timeout=280, capture_output=True,
                       env={**self.environment, "GOCACHE": str(self.place / "cache" / "go"), "CGO_ENABLED": "0"})
        return program

    def compare(self, traceback, facts):
        """Every goroutine of the runtime's text is there, with the same frames, lines and creator."""
        self.assertGreater(len(traceback), 8, traceback)
        ours = {one["id"]: one for one in facts["goroutines"]}
        compared = 0
        is_old = int(facts["version"].split(".")[1]) <= 20
        for number, (state, frames, created) in traceback.items():
            one = ours[number]
            if created:
                self.assertEqual((one["created_by"]["function"], one["created_by"]["file"], one["created_by"]["line"]),
                                 created)
            if state == "running":
                # The runtime starts at the panic; it was on its way to the end when the dump was written.
                self.assertEqual(frames_of(one)[-len(frames):], frames, number)
                self.assertEqual(one["state"], "running")
            else:
                self.assertIn(state, (one["wait_reason"], one["state"]))
                same = without_interrupted_line if is_old else list
                self.assertEqual(same(frames_of(one)), same(frames), number)
            self.assertEqual(one["end"], "thread start", number)
            compared += 1
        return compared

    def test_in_a_vm(self):
        program = self.build("goroutines")
        done, dump = self.crash(program, "--env", "GOTRACEBACK=system", arguments=["index"], status=2)
        facts = self.facts("goroutines", dump, "--symbols", program)
        self.assertRegex(facts["version"], r"^go1\.")
        self.compare(runtime_traceback((done.stderr + done.stdout).replace("\r", "")), facts)
        waits = {one["wait_reason"] for one in facts["goroutines"]}
        self.assertLessEqual({"sleep", "chan receive", "select (no cases)"}, waits)
        self.assertTrue(waits & {"semacquire", "sync.Mutex.Lock"}, waits)  # until Go 1.19; from 1.20
        report = self.facts("report", dump, "--symbols", program)
        self.assertEqual(report["goroutine"]["id"], 1)
        self.assertEqual(report["panic"], "panic: runtime error: index out of range [6] with length 3")
        self.assertEqual(report["goroutine"]["panic"], "runtime error: index out of range [6] with length 3")
        self.assertIn("main.serve (go_goroutines.go:", report["reason"])
        self.assertEqual(report["signature_frames"], ["main.serve", "main.main"])
        self.assertEqual(report["signature_kind"], "panic: runtime error: index out of range [#] with length #")
        text = self.mortem("report", dump, "--symbols", program).stdout
        self.assertIn("Goroutine 1 [running] on thread", text)
        self.assertIn("return values[index]", text)
        self.assert_colours_on_a_terminal_only("goroutines", dump, "--symbols", program)
        # Who runs which: the panicking one is on the thread that ended the program.
        crashed = next(thread["id"] for thread in report["threads"] if thread["crashed"])
        self.assertIn({"id": crashed, "goroutine": 1}, [{"id": one["id"], "goroutine": one["goroutine"]}
                                                      for one in facts["threads"]])

    def core_of(self, program, *how, folder=""):
        place = self.files / f"core.{program.name}{folder}"
        place.mkdir(exist_ok=True)
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        done = subprocess.run([program, *how], cwd=place, capture_output=True, text=True, timeout=60,
                              env={**self.environment, "GOTRACEBACK": "crash"},
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)))
        found = list(place.glob("core*"))
        self.assertTrue(found, "no core: /proc/sys/kernel/core_pattern leads elsewhere")
        return found[0], done.stderr

    def test_core_of_linux_and_delve(self):
        program = self.build("goroutines")
        core, said = self.core_of(program, "nil")
        facts = self.facts("goroutines", core)
        self.compare(runtime_traceback(said), facts)
        # Where the instruction before the one that failed has another frame.
        first, said = self.core_of(program, "first", folder="first")
        self.compare(runtime_traceback(said), self.facts("goroutines", first))
        listed = subprocess.run(["dlv", "core", program, core, "--allow-non-terminal-interactive", "--check-go-version=false"],
                                input="goroutines -r\nexit\n", capture_output=True, text=True, timeout=120,
                                env=self.environment).stdout
        # Delve's line of a frame that goes on is the next statement's: pc and function are compared.
        theirs = {int(number): (function, pc) for number, function, pc in re.findall(
            r"Goroutine (\d+) - Runtime: \S+ (\S+) \((0x[0-9a-f]+)\)", listed)}
        self.assertEqual(set(theirs), {one["id"] for one in facts["goroutines"]}, listed)
        for one in facts["goroutines"]:
            if one["state"] == "waiting":
                top = one["frames"][0]
                self.assertEqual(theirs[one["id"]], (top["function"], top["pc"]), listed)

    def test_panic_values(self):
        """Of a program that is killed while its deferred functions run, when the value is not text yet: the text that
        Go's runtime makes of it."""
        source = ROOT / "tests" / "programs" / "go_panics.go"
        program = self.build("panics", source=source)
        for kind in re.findall(r'case "(\w+)"', source.read_text()):
            said = subprocess.run([program, kind], capture_output=True, text=True, timeout=60).stderr
            wanted = re.match(r"panic: (.*)", said)[1].split(" [recovered]")[0]
            core, _ = self.core_of(program, kind, "killed")
            ours = next(one["panic"] for one in self.facts("goroutines", core)["goroutines"] if one["id"] == 1)
            core.unlink()
            if kind in ("struct", "pointer"):  # type and address; the address is another one in another run
                wanted, ours = (re.sub(r"0x[0-9a-f]+$", "ADDRESS", one) for one in (wanted, ours))
            with self.subTest(kind=kind):
                self.assertEqual(ours, wanted)

    def test_objects_of_a_type(self):
        """search finds a structure by the value of a member, where gdb says that it stands."""
        program = self.build("values", source=ROOT / "tests" / "programs" / "go_values.go")
        core, _ = self.core_of(program)
        path, asked = "'main.head'", ["-ex", "set language c"]
        for _ in range(5):
            asked += ["-ex", f"print/x (long){path}", "-ex", f"print {path}->id"]
            path += "->next"
        text = subprocess.run(["gdb", "-nx", "-batch", "-iex", "set auto-load no", *asked, program, core],
                              capture_output=True, text=True, timeout=60).stdout
        values = [int(value, 0) for value in re.findall(r"^\$\d+ = (\S+)$", text, re.M)]
        self.assertEqual(values[1::2], [100004, 100003, 100002, 100001, 100000], text)
        for address, number in zip(values[::2], values[1::2]):
            found = self.facts("search", core, "--value", f"main.connection.id={number}")["hits"]
            self.assertIn(hex(address), [one["address"] for one in found])

    def test_stripped(self):
        """Without DWARF and symbols Go's own table gives functions, lines and inlining, and where frames end."""
        program = self.build("stripped", "-ldflags=-s -w")
        core, said = self.core_of(program, "nil")
        frames = runtime_traceback(said)[1][1]
        stacks = self.facts("bt", core)["threads"]
        crashed = next(stack for stack in stacks if stack["crashed"])
        self.assertEqual(frames_of(crashed)[-len(frames):], frames)
        self.assertTrue(any(frame["inlined"] for frame in crashed["frames"]))
        done = self.mortem("goroutines", core, status=1)
        self.assertIn("-ldflags=-s", done.stderr)

    def test_without_debug_information(self):
        """-ldflags=-w leaves the symbols: the goroutines are found by the release's layout, and shown with lines."""
        program = self.build("no_dwarf", "-ldflags=-w")
        core, said = self.core_of(program, "index")
        facts = self.facts("goroutines", core)
        self.compare(runtime_traceback(said), facts)
        self.assertEqual(next(one["panic"] for one in facts["goroutines"] if one["id"] == 1),
                         "runtime error: index out of range [6] with length 3")
        # Of a release that nobody knows nothing is guessed.
        changed = re.sub(rb"go1\.\d\d(?=\.\d)", b"go1.99", program.read_bytes())
        self.assertNotEqual(changed, program.read_bytes())
        program.write_bytes(changed)
        self.assertIn("go1.99", self.mortem("goroutines", core, status=1).stderr)

    def test_no_go_program(self):
        source = self.files / "a.c"
        source.write_text("int main() { __builtin_trap(); }\n")
        subprocess.run(["gcc", "-o", self.files / "a", source], check=True)
        (self.files / "core.a").mkdir()
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        subprocess.run([self.files / "a"], cwd=self.files / "core.a",
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)))
        core = next((self.files / "core.a").glob("core*"))
        done = self.mortem("goroutines", core, status=1)
        self.assertIn("holds no Go program", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
