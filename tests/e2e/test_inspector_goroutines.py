"""The goroutines in the inspector: on the crash of a Go program in a VM, by a script without a window and as a picture.
`tests/run programs` installs the compiler."""
import os
import subprocess
import unittest

from mortem_test import ROOT, MortemTest

GOLDEN = ROOT / "tests" / "gui" / "golden" / "goroutines.png"


class InspectorGoroutines(MortemTest):
    def test_goroutines(self):
        program, script = self.files / "goroutines", self.files / "steps.script"
        subprocess.run(["go", "build", "-o", program, ROOT / "tests" / "programs" / "go_goroutines.go"], check=True,
                       timeout=280, capture_output=True,
                       env={**self.environment, "GOCACHE": str(self.place / "cache" / "go"), "CGO_ENABLED": "0"})
        _, dump = self.crash(program, arguments=["index"], status=2)
        facts = self.facts("goroutines", dump, "--symbols", program)["goroutines"]
        waiting = next(one["id"] for one in facts
                       if any(frame["function"] == "main.waitForMessages" for frame in one["frames"]))
        panicking = next(one["thread"] for one in facts if one["id"] == 1)
        picture = f"picture {GOLDEN}" if os.environ.get("MORTEM_GOLDENS") else f"check-picture {GOLDEN} 0.5"
        script.write_text(f"""
            settle
            command view.goroutines
            check-fact focus goroutines
            command tile.maximise
            wait "goroutine 1 " in goroutines
            check "panic: runtime error: index out of range [6] with length 3" in goroutines
            check "main.serve" in goroutines
            {picture}
            click "Filter" in goroutines
            type "chan receive"
            wait-not "main.serve" in goroutines
            check "goroutine {waiting}" in goroutines
            click "goroutine {waiting}" in goroutines
            wait "created by main.main" in goroutines
            click "go_goroutines.go:" in goroutines
            command tile.maximise
            wait "for m := range messages" in source
            check-fact focus source
            command view.goroutines
            command tile.maximise
            key Ctrl+F
            key Ctrl+A
            type "running"
            wait "goroutine 1 " in goroutines
            click "thread {panicking}" in goroutines
            check-fact thread {panicking}
            check-fact jobs-failed 0
            """)
        self.mortem("open", dump, "--symbols", program, "--egl", "--script", script, "--no-settings", "--size", "900x560",
                    deadline=120)


if __name__ == "__main__":
    unittest.main()
