"""Clones of guests whose QEMU somebody else started: taken by its QMP socket, and started under its own options."""
import hashlib
import json
import pathlib
import random
import re
import socket
import subprocess
import sys
import unittest

from mortem_test import GUESTS, KERNEL, ROOT, VM_DEADLINE, wait_until
from root_files import tool
from test_clone_harm import RECORD, RECORDS, Client, record
from test_clone import CloneTest
from test_network import free_port

sys.path.insert(0, str(ROOT / "tests" / "bench"))
import linux_guest  # noqa: E402


class ForeignTest(CloneTest):
    def setUp(self):
        super().setUp()
        self.port = free_port()

    def start_qemu(self, *options, image=True, defaults=False):
        """Of a server of ours, and its client."""
        if image:
            self.mortem("image", "create", GUESTS / "clone_load", "-o", self.files / "load.img", "--", "80", "16")
        self.start_guest_of(KERNEL, "on-crash=stop", *["-nodefaults"] * (not defaults), *(options or self.devices(
            "-drive", "if=none,id=d0,format=raw,file=load.img,auto-read-only=off")))

    def start_guest_of(self, kernel, words, *options):
        """Relative names, as people have them."""
        command = ["qemu-system-x86_64", "-M", "q35,accel=tcg", "-cpu", "max", "-smp", "1,maxcpus=2", "-m", "256M",
                   "-display", "none", "-kernel", kernel, "-append", words, "-qmp", "unix:qmp,server=on,wait=off",
                   "-serial", "file:log", "-device", "virtio-rng-pci", *options]
        self.qemu = subprocess.Popen(list(map(str, command)), cwd=self.files, stdin=subprocess.DEVNULL)
        self.addCleanup(self.qemu.wait)
        self.addCleanup(self.qemu.terminate)
        wait_until(lambda: (self.files / "log").exists() and "serving" in (self.files / "log").read_text(), "the guest",
                   deadline=VM_DEADLINE)
        self.socket = f"qmp:{self.files}/qmp"
        self.client = Client(self.port)
        self.client.goes_on()

    def devices(self, *drive, disk="virtio-blk-pci,drive=d0,disable-legacy=on"):
        return [*drive, *["-device", disk] * bool(disk), "-netdev",
                f"user,id=n0,hostfwd=tcp:127.0.0.1:{self.port}-:80", "-device",
                "virtio-net-pci,netdev=n0,disable-legacy=on"]

    def tearDown(self):
        for name in self.instances():  # of a test that failed
            self.mortem("stop", name, status=None)

    def instances(self):
        return [one["name"] for one in self.facts("ps")["instances"]]

    def answer(self, port):
        client = Client(port)
        client.goes_on()
        client.end()
        return client.rounds

    def checksum(self, folder):
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (self.files / folder).iterdir()}

    def monitor(self, *commands):
        """QEMU's answers to its monitor's lines."""
        answers = []
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.files / "qmp"))
            lines = connection.makefile()
            for line in ("qmp_capabilities", *commands):
                request = {"execute": "human-monitor-command", "arguments": {"command-line": line}}
                if line == "qmp_capabilities":
                    request = {"execute": line}
                connection.sendall(json.dumps(request).encode() + b"\n")
                while "return" not in (answer := json.loads(lines.readline())):
                    self.assertNotIn("error", answer)
                answers.append(answer["return"])
        return answers[1:]

    def registers(self, copy):
        """As gdb has them from a copy's QEMU."""
        shown = self.mortem("gdb", copy, "--", "-batch", "-ex", "info registers").stdout
        return {name: int(value, 16) for name, value in re.findall(r"(?m)^(r\w+) +(0x[0-9a-f]+)", shown)}

    def clone(self, *options):
        """Of a moment whose registers its QEMU tells: facts, registers."""
        _, told = self.monitor("stop", "info registers")
        facts = self.facts("clone", self.socket, "-o", "c", *options)
        self.monitor("cont")
        self.client.goes_on()
        return facts, {name.lower(): int(value, 16)
                       for name, value in re.findall(r"\b(R[A-Z0-9]{1,2}) *=([0-9a-f]{16})", told)}

    def check(self, folder, registers, again=False):
        """Stands still where its original was, goes on as a copy of its own, and leaves nothing."""
        before = self.checksum(folder)
        facts = self.facts("resume", folder, "--name", "copy")
        self.assertTrue(facts["holds_program"])
        self.assertEqual(len(registers), 17)
        self.assertEqual(self.registers("copy"), registers)
        self.assertEqual(self.facts("ps")["instances"][0]["accelerator"], "tcg")
        done = self.mortem("stop", "copy")
        self.assertEqual((done.stdout, done.stderr), ("", ""))
        port = free_port()
        self.facts("resume", folder, "--run", "--net", "isolated", "-p", f"{port}:80", "--name", "served")
        self.answer(port)
        self.client.goes_on()
        # It runs: QEMU's stub says that it stopped for us before we have asked anything.
        for _ in range(2):
            (only,) = self.facts("threads", "served")["threads"]
            self.assertEqual(only["id"], 1)
        if again:  # a copy of a copy, which has its own disk and its own memory
            self.facts("clone", "served", "-o", f"{folder}-again", "--method", "stop-and-copy")
            self.answer(port)
            self.mortem("stop", "served")
            self.facts("resume", f"{folder}-again", "--run", "--net", "isolated", "-p", f"{port}:80", "--name", "served")
            self.answer(port)
        self.mortem("stop", "served")
        self.assertEqual(self.checksum(folder), before)
        self.assertEqual(self.instances(), [])
        self.client.goes_on()


class Foreign(ForeignTest):
    def test_by_drives(self):
        self.start_qemu()
        facts, registers = self.clone()
        self.assertEqual(facts["memory_bytes"], 256 << 20)
        # What its start needs from elsewhere went along.
        (kernel,) = json.loads((self.files / "c" / "clone.json").read_text())["boot_files"]
        self.assertEqual((self.files / "c" / kernel["file"]).read_bytes(), pathlib.Path(KERNEL).read_bytes())
        self.check("c", registers, again=True)
        # At once, without a folder.
        started = self.mortem("clone", self.socket, "--method", "stop-and-copy").stdout.strip()
        self.assertEqual(self.instances(), [started])
        self.assertRegex(self.mortem("gdb", started, "--", "-batch", "-ex", "x/i $rip").stdout, r"=> 0x[0-9a-f]+:\t\w+")
        self.mortem("stop", started)
        self.assertEqual(self.instances(), [])
        self.client.end()
        self.assertIsNone(self.qemu.poll())

    def test_by_nodes_and_a_named_memory(self):
        self.start_qemu("-object", "memory-backend-memfd,id=ram0,size=256M", "-machine", "memory-backend=ram0", "-name",
                        "guest=served,debug-threads=on", "-chardev", "null,id=extra,mux=on", "-mon", "chardev=extra",
                        *self.devices("-blockdev", json.dumps({"driver": "file", "filename": "load.img", "node-name": "s0",
                                                               "auto-read-only": False}),
                                      "-blockdev", json.dumps({"driver": "raw", "file": "s0", "node-name": "d0"})))
        facts, registers = self.clone()
        self.assertEqual(facts["name"], "served")
        self.check("c", registers)

    def test_with_all_that_a_machine_has_by_default(self):
        """A display, a CD drive, a floppy's controller, USB: names and places that QEMU chooses."""
        (self.files / "cd.img").write_bytes(b"CD" * (1 << 20))
        self.start_qemu("-M", "pc", *self.devices("-drive", "if=virtio,format=raw,file=load.img,auto-read-only=off", disk=""),
                        "-cdrom", "cd.img", "-usb", "-device", "usb-tablet", defaults=True)
        _, registers = self.clone()
        self.check("c", registers)

    def test_a_chain_of_images(self):
        """Longer and shorter than what is below: the copy is what qemu-img reads of the chain, and holds no more than
        was ever written."""
        for name, base, size in (("longer", "load.img", 700 << 20), ("shorter", "data.img", 40 << 20)):
            if name == "shorter":
                (self.files / base).write_bytes(random.Random(1).randbytes(48 << 20))
            else:
                self.mortem("image", "create", GUESTS / "clone_load", "-o", self.files / base, "--", "80", "16")
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", f"{name}.qcow2", str(size)],
                           cwd=self.files, check=True)
        subprocess.run(["qemu-io", "-c", "write -P 7 1M 3M", "-c", "write -z 9M 2M", "shorter.qcow2"], cwd=self.files,
                       check=True, stdout=subprocess.DEVNULL)
        self.start_qemu(*self.devices("-drive", "if=none,id=d0,file=longer.qcow2"), "-device", "ich9-ahci", "-drive",
                        "if=none,id=d1,file=shorter.qcow2", "-device", "ide-hd,drive=d1", image=False)
        self.monitor("stop")
        self.facts("clone", self.socket, "-o", "c")
        disks = {one["device"]: self.files / "c" / one["file"]
                 for one in json.loads((self.files / "c" / "clone.json").read_text())["disks"]}
        for disk, chain in (("d0", "longer.qcow2"), ("d1", "shorter.qcow2")):
            compared = subprocess.run(["qemu-img", "compare", "-U", disks[disk], chain], cwd=self.files, text=True,
                                      capture_output=True)
            self.assertEqual(compared.stdout, "Images are identical.\n", compared.stderr)
        self.assertLess(disks["d0"].stat().st_blocks * 512, 64 << 20)
        self.monitor("cont")
        # While the guest writes, with nothing of ours left in its graph.
        self.client.goes_on()
        (nodes,) = self.monitor("info block -n")
        self.mortem("clone", self.socket, "-o", "d", "--method", "stop-and-copy")
        self.client.goes_on()
        self.assertEqual(self.monitor("info block -n"), [nodes])
        port = free_port()
        self.facts("resume", "d", "--run", "--net", "isolated", "-p", f"{port}:80", "--name", "served")
        self.answer(port)
        self.mortem("stop", "served")

    def test_what_cannot_be_started(self):
        self.start_qemu("-fsdev", f"local,id=f,path={self.files},security_model=none",
                        *self.devices("-drive", "if=none,id=d0,format=raw,file=load.img,auto-read-only=off"))
        done = self.mortem("clone", self.socket, "-o", "c", "--method", "stop-and-copy")
        self.assertIn("it can be looked into (mortem bt), not started", done.stderr)
        self.assertIn("-fsdev", done.stderr)
        self.assertIn("clone_load.c", self.mortem("bt", "c").stdout)
        self.assert_refused("resume", "c", naming=["c", "not started"])
        # One that does not fit its options: QEMU's own words, and nothing is left.
        description = self.files / "c" / "clone.json"
        facts = json.loads(description.read_text())
        facts["command"] = ["-nodefaults", "-m", "256M", "-drive", "if=none,id=d0,file=load.img"]
        description.write_text(json.dumps(facts))
        self.assert_refused("resume", "c", naming=["does not take the clone"])
        self.assertEqual(self.instances(), [])
        for options, text in ((["--clock", "now"], "clock"), (["--net", "tap"], "--net tap"), (["-p", "1:2"], "-p goes")):
            self.assert_refused("resume", "c", *options, naming=[text])
        self.client.goes_on()


class Programs(ForeignTest):
    def test_linux(self):
        """Debian's kernel, of which mortem knows nothing."""
        (self.files / "initrd").write_bytes(linux_guest.network_archive([GUESTS / "clone_load", "80", "16", "/dev/vda"],
                                                                        "10.0.2.15", ["virtio_blk"]))
        with open(self.files / "disk", "wb") as disk:
            disk.truncate(RECORD * RECORDS)
        self.start_guest_of(linux_guest.kernel(), linux_guest.KERNEL_ARGUMENTS, "-nodefaults", "-initrd", "initrd",
                            *self.devices("-drive", "if=none,id=d0,format=raw,file=disk"))
        wait_until(lambda: self.client.answered > 20, "the guest's answers")
        synced = self.client.answered
        _, registers = self.clone()
        description = json.loads((self.files / "c" / "clone.json").read_text())
        self.assertEqual(len(description["boot_files"]), 2)
        (disk,) = description["disks"]
        tool("qemu-img", "convert", "-O", "raw", self.files / "c" / disk["file"], self.files / "copied")
        copied = (self.files / "copied").read_bytes()
        self.assertLess(synced, RECORDS)
        for number in range(1, synced + 1):
            self.assertEqual(copied[number * RECORD:][:RECORD], record(number), number)
        self.check("c", registers, again=True)


if __name__ == "__main__":
    unittest.main()
