"""A small guest whose memory everybody wants at once: connections with all their windows full, files, the program. Each
gets what there is or an error; nothing is lost that was promised, and afterwards everything works as before."""
import socket
import unittest

from mortem_test import wait_until
from test_network import NetworkTest, PORT, free_port

CONNECTIONS = 60


class FullWindows(NetworkTest):
    def setUp(self):
        super().setUp()
        self.ports = free_port(), free_port()
        tcp, udp = self.ports
        self.dump = self.files / "dump.zst"
        self.serve("--memory", "16M", "--on-crash", "stop", "--dump", self.dump, "-p", f"{tcp}:{PORT}", "-p", f"{udp}:{PORT}/udp")

    def hoard(self):
        """A connection that takes no answer, with as much sent on it as it took."""
        connection = self.connect("127.0.0.1", self.ports[0])
        self.addCleanup(connection.close)
        connection.sendall(b"!hoard")
        connection.setblocking(False)
        return connection

    def fill(self, connections):
        """As much as they take now; QEMU and the guest take more while it goes on."""
        sent = 0
        for connection in connections:
            try:
                while True:
                    sent += connection.send(bytes(65536))
            except BlockingIOError:
                pass
            except ConnectionError:
                pass  # the guest had no room for it
        return sent

    def ask(self, what):
        return self.datagram(what, "127.0.0.1", self.ports[1]).decode()

    def test_beside_files(self):
        before = int(self.ask(b"memory"))
        self.assertEqual(self.ask(b"file"), "0 bytes wrong")
        connections, sent = [], 0
        for number in range(CONNECTIONS):
            connections.append(self.hoard())
            sent += self.fill(connections)
            if number % 20 == 19:
                self.assertEqual(self.ask(b"file"), "0 bytes wrong", f"with {number + 1} connections")
        sent += self.fill(connections)
        print(f"{sent >> 10} KiB sent to {CONNECTIONS} connections; {self.ask(b'memory')} of {before} KiB are available")
        # Again and again: a connection that the guest had no room for until now says "!hoard" only then.
        wait_until(lambda: self.ask(b"release") and self.ask(b"status").split()[1] == "0", "the end of connections",
                   deadline=60)
        wait_until(lambda: int(self.ask(b"memory")) > before - 2048, "the memory of connections", deadline=60)
        self.assertEqual(self.ask(b"file"), "0 bytes wrong")
        self.assertEqual(self.echo(b"hello", address="127.0.0.1", port=self.ports[0]), b"hello")
        self.process.terminate()
        output, errors = (part.decode() for part in self.process.communicate(timeout=30))
        self.assertNotIn("panic", output + errors)
        self.assertNotIn("out of memory", output + errors)

    def test_the_program_wants_it_all(self):
        connections = []
        for _ in range(CONNECTIONS // 2):
            connections.append(self.hoard())
            self.fill(connections)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            wait_until(lambda: asking.sendto(b"eat", ("127.0.0.1", self.ports[1])) and self.process.poll() is not None,
                       "the program's end", deadline=60)
        self.assertEqual(self.process.returncode, 137)
        message = self.facts("info", self.dump)["reason"]["message"]
        self.assertRegex(message, r"out of memory: .* kernel heap \d+, device buffers \d+$")
        self.assertGreater(int(message.split()[-1]), 1024, "what connections hold is told")


if __name__ == "__main__":
    unittest.main()
