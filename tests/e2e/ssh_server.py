"""An sshd of a test's own on loopback, for what goes to another machine."""
import getpass
import os
import shutil
import socket
import subprocess

from mortem_test import MORTEM, wait_until
from test_network import free_port

SSHD = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")


class SshServer:
    """Beside MortemTest: ssh://… is self.host, with self.options(); what runs there finds this test's guests."""

    def start_sshd(self):
        self.assertTrue(SSHD, "there is no sshd; run tools/setup programs")
        place = self.place / "ssh"
        place.mkdir(mode=0o700)
        for key in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / key], check=True)
        shutil.copy(place / "client.pub", place / "authorized")
        self.port = free_port()
        variables = " ".join(f"{name}={self.environment[name]}" for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "TMPDIR"))
        (place / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nAuthorizedKeysFile {place}/authorized\n"
            f"PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
            f"SetEnv {variables}\n")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        self.sshd = subprocess.Popen([SSHD, "-D", "-e", "-f", place / "sshd_config"], stderr=(place / "log").open("w"))
        self.addCleanup(self.sshd.wait)
        self.addCleanup(self.sshd.terminate)
        (place / "known").write_text(f"[127.0.0.1]:{self.port} {(place / 'host.pub').read_text()}")
        self.ssh = f"ssh -F none -i {place}/client -o UserKnownHostsFile={place}/known"
        self.host = f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"
        wait_until(self.listens, "sshd", 30)

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def options(self):
        return ["--ssh", self.ssh, "--remote-mortem", str(MORTEM)]
