"""Dynamic programs: packed with what they need, and running as on this machine's Linux."""
import json
import shutil
import subprocess
import unittest

from mortem_test import GUESTS, MortemTest, wait_until

DYNAMIC = GUESTS / "dynamic"


class Dynamic(MortemTest):
    def compare(self, program, *options):
        linux = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                               check=True)
        self.assertGreater(len(linux.stdout), 100)
        guest = self.mortem("run", program, *options)
        self.assertEqual(guest.stdout, linux.stdout)
        return guest

    def plugin(self, name="libplugin.so"):
        return ["--file", f"{DYNAMIC / 'plugins' / name}:/plugins/{name}"]

    def test_position_independent(self):
        self.compare(DYNAMIC / "bin" / "calls", *self.plugin())

    def test_fixed_address(self):
        self.compare(DYNAMIC / "bin" / "calls_no_pie", *self.plugin())

    def test_musl(self):
        self.compare(DYNAMIC / "bin" / "calls_musl")

    def test_program_from_path(self):
        done = self.mortem("run", "env", "--env", "A=b c")
        self.assertEqual(done.stdout, "A=b c\n")

    def test_library_path_and_preload(self):
        """LD_LIBRARY_PATH and LD_PRELOAD of the guest's environment are followed at pack time."""
        self.build("library.c", "int answer(void) { return 42; }", "-shared", "-fPIC", "-o", "libanswer.so")
        self.build("preload.c", "int answer(void) { return 43; }", "-shared", "-fPIC", "-o", "libpreload.so")
        self.build("program.c", "int answer(void); int main(void) { return answer(); }", "-o", "program", "-L.",
                   "-lanswer")
        self.assert_refused("run", "program", naming=["libanswer.so, needed by", "program", "--file"])
        path = ["--env", f"LD_LIBRARY_PATH={self.files}"]
        self.mortem("run", "program", *path, "--dump-on-exit", "never", status=42)
        self.mortem("run", "program", *path, "--env", "LD_PRELOAD=libpreload.so", "--dump-on-exit", "never", status=43)
        # A library that is packed by hand serves, too, and comes before the host's.
        self.mortem("run", "program", "--env", "LD_LIBRARY_PATH=/own", "--file", "libpreload.so:/own/libanswer.so",
                    "--dump-on-exit", "never", status=43)

    def test_library_of_a_packed_folder(self):
        """Shared objects of --dir get their libraries; one that nobody has is a note, not an error."""
        folder = self.files / "modules"
        folder.mkdir()
        self.build("gone.c", "int gone(void) { return 1; }", "-shared", "-fPIC", "-o", "libgone.so")
        self.build("module.c", "int gone(void); int run(void) { return gone(); }", "-shared", "-fPIC", "-o",
                   "modules/module.so", "-L.", "-lgone", "-lz", "-Wl,--no-as-needed", "-lz")
        (self.files / "libgone.so").unlink()
        done = self.mortem("image", "create", DYNAMIC / "bin" / "calls", "--dir", "modules:/modules", "-o", "a.img",
                           "--json")
        paths = [module["path"] for module in json.loads(done.stdout)["modules"]]
        self.assertIn("/modules/module.so", paths)
        self.assertTrue(any(path.endswith("/libz.so.1") for path in paths), paths)
        self.assertIn("libgone.so, needed by modules/module.so, is in none of", done.stderr)

    def test_closed_library(self):
        """A library that was closed is no module any more; one that stays is."""
        for name in ("stays", "goes"):
            self.build(f"{name}.c", f"int {name}(void) {{ return 1; }}", "-shared", "-fPIC", "-o", f"lib{name}.so")
        self.build("program.c", "#include <dlfcn.h>\n#include <stdlib.h>\nint main(void) {\n"
                   "  void* goes = dlopen(\"/libgoes.so\", RTLD_NOW);\n  if (!dlopen(\"/libstays.so\", RTLD_NOW)) return 3;\n"
                   "  for (int times = 0; times < 50; times++) {\n    if (!goes || dlclose(goes) != 0) return 4;\n"
                   "    if (times < 49) goes = dlopen(\"/libgoes.so\", RTLD_NOW);\n  }\n  abort();\n}\n", "-o", "program")
        _, dump = self.crash("program", "--file", "libgoes.so:/libgoes.so", "--file", "libstays.so:/libstays.so",
                             status=134)
        paths = [module["path"] for module in self.facts("info", dump)["modules"]]
        self.assertEqual([path for path in paths if path.startswith("/lib") and path.count("/") == 1], ["/libstays.so"])
        self.assertEqual(len(paths), len(set(paths)))

    def test_what_the_guest_would_hide(self):
        self.assert_refused("run", DYNAMIC / "bin" / "calls", "--file", "/etc/hosts:/tmp/hosts",
                            naming=["cannot put /tmp/hosts into the image", "/tmp is made anew at every start"])

    def test_missing_interpreter(self):
        shutil.copy(DYNAMIC / "bin" / "calls_musl", self.files / "program")
        data = (self.files / "program").read_bytes()
        (self.files / "program").write_bytes(data.replace(b"/lib/ld-musl-x86_64", b"/lib/ld-nope-x86_64"))
        self.assert_refused("run", "program", naming=["program: its interpreter /lib/ld-nope-x86_64.so.1"])

    def test_script(self):
        script = self.files / "tool"
        script.write_text("#!/usr/bin/env  python3\nprint(1)\n")
        script.chmod(0o755)
        for verb in (["run"], ["image", "create"]):
            self.assert_refused(*verb, "tool", naming=["a script", "python3 --file tool:/tool -- /tool"])

    def test_live_gdb_in_a_library(self):
        """gdb reads the libraries out of the guest, and stops in one."""
        self.build("ticks.c", "#include <stdio.h>\n#include <unistd.h>\n"
                   "int main(void) { for (;;) { usleep(20000); puts(\"tick\"); fflush(stdout); } }\n", "-g", "-o", "ticks")
        self.mortem("run", "ticks", "--name", "clock", "--detach")
        self.addCleanup(self.mortem, "stop", "clock", status=None)
        wait_until(lambda: "tick" in self.mortem("logs", "clock").stdout, "the program's first line")
        shown = self.mortem("gdb", "clock", "--", "-nx", "-batch", "-ex", "info sharedlibrary", "-ex", "break puts",
                            "-ex", "continue", "-ex", "bt", status=None, deadline=120).stdout
        self.assertRegex(shown, r"0x[0-9a-f]+ +0x[0-9a-f]+ +Yes.* target:/usr/lib/x86_64-linux-gnu/libc\.so\.6")
        self.assertRegex(shown, r"Breakpoint 1, .*puts")
        self.assertRegex(shown, r"#1 .* in main \(\) at ticks\.c:3")
        self.mortem("stop", "clock")
        self.assert_nothing_left()

    def build(self, name, text, *arguments):
        (self.files / name).write_text(text)
        subprocess.run(["cc", "-O2", name, *arguments], cwd=self.files, check=True)


if __name__ == "__main__":
    unittest.main()
