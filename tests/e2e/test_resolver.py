"""Names in a guest, found by the program's own resolver (glibc's): /etc/hosts, and a name server of this test's on a tap
device, by UDP, and by TCP where an answer is too long."""
import socket
import socketserver
import struct
import threading
import unittest

from mortem_test import GUESTS, VM_DEADLINE, MortemTest
from namespaces import Namespace

TAP, HOST, GUEST = "mortemnames0", "10.87.0.1", "10.87.0.2"
A, AAAA = 1, 28
MANY = [f"192.0.2.{number}" for number in range(1, 101)]
NAMES = {"four.test": {A: ["192.0.2.7"]}, "six.test": {AAAA: ["2001:db8::6"]},
         "both.test": {A: ["192.0.2.9"], AAAA: ["2001:db8::9"]}, "many.test": {A: MANY},
         "hosts-first.test": {A: ["192.0.2.66"]}}


def answer(question, most):
    """RFC 1035, section 4.1. Cut to the question, with TC, where it is longer than `most`."""
    number, _, questions = struct.unpack_from("!HHH", question)
    labels, at = [], 12
    while question[at] != 0:
        labels.append(question[at + 1:at + 1 + question[at]].decode())
        at += 1 + question[at]
    kind, = struct.unpack_from("!H", question, at + 1)
    asked, name = question[12:at + 5], ".".join(labels).lower()
    known = NAMES.get(name)
    records = b""
    addresses = (known or {}).get(kind, [])
    for address in addresses:
        packed = socket.inet_pton(socket.AF_INET6 if kind == AAAA else socket.AF_INET, address)
        records += struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(packed)) + packed
    flags = 0x8580 | (0 if known is not None else 3)  # an answer of who knows; 3: no such name
    count = len(addresses)
    if 12 + len(asked) + len(records) > most:
        flags, count, records = flags | 0x0200, 0, b""
    return struct.pack("!6H", number, flags, questions, count, 0, 0) + asked + records


class ByUdp(socketserver.BaseRequestHandler):
    def handle(self):
        question, channel = self.request
        self.server.asked.append("udp")
        channel.sendto(answer(question, 512), self.client_address)


class ByTcp(socketserver.StreamRequestHandler):
    def handle(self):
        while head := self.rfile.read(2):
            question = self.rfile.read(struct.unpack("!H", head)[0])
            self.server.asked.append("tcp")
            text = answer(question, 65535)
            self.wfile.write(struct.pack("!H", len(text)) + text)


class Resolver(MortemTest):
    def setUp(self):
        super().setUp()
        network = Namespace()
        self.addCleanup(network.close)
        network.__enter__()
        self.addCleanup(network.__exit__)
        network.ip(f"tuntap add dev {TAP} mode tap", f"link set {TAP} up", f"addr add {HOST}/24 dev {TAP}")
        self.asked = []
        for kind, handler in ((socketserver.ThreadingUDPServer, ByUdp), (socketserver.ThreadingTCPServer, ByTcp)):
            server = kind((HOST, 53), handler)
            server.daemon_threads, server.asked = True, self.asked
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.addCleanup(server.server_close)
            self.addCleanup(server.shutdown)

    def resolve(self, *names):
        """The addresses that the guest's program found, by name; a text where there are none."""
        (self.files / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n198.51.100.1 hosts-first.test alias\n"
                                          "2001:db8::aa six-of-hosts\n")
        done = self.mortem("run", GUESTS / "resolves", "--file", "hosts:/etc/hosts", "--net",
                           f"tap={TAP},address={GUEST}/24,gateway={HOST},dns={HOST}", "--", *names,
                           deadline=VM_DEADLINE)
        found = {}
        for line in done.stdout.splitlines():
            name, _, rest = line.partition(": ")
            found[name] = rest
        self.assertEqual(list(found), list(names), done.stdout)
        return found

    def test_names(self):
        found = self.resolve("four.test", "six.test", "both.test", "many.test", "hosts-first.test", "alias",
                             "six-of-hosts", "localhost", "nowhere.test", "192.0.2.200", "2001:db8::200")
        self.assertEqual(found["four.test"], "192.0.2.7")
        self.assertEqual(found["six.test"], "2001:db8::6")
        self.assertEqual(sorted(found["both.test"].split()), ["192.0.2.9", "2001:db8::9"])
        self.assertEqual(sorted(found["many.test"].split()), sorted(MANY))
        self.assertIn("tcp", self.asked)  # 100 addresses are more than a datagram holds
        self.assertEqual(found["hosts-first.test"], "198.51.100.1")
        self.assertEqual(found["alias"], "198.51.100.1")
        self.assertEqual(found["six-of-hosts"], "2001:db8::aa")
        self.assertEqual(sorted(found["localhost"].split()), ["127.0.0.1", "::1"])
        self.assertEqual(found["nowhere.test"], "Name or service not known")
        self.assertEqual(found["192.0.2.200"], "192.0.2.200")
        self.assertEqual(found["2001:db8::200"], "2001:db8::200")

    def test_a_name_server_that_does_not_answer(self):
        """The resolver's own patience (resolv.conf(5): 5 s, twice) ends it."""
        (self.files / "resolv.conf").write_text("nameserver 10.87.0.77\noptions timeout:1 attempts:2\n")
        done = self.mortem("run", GUESTS / "resolves", "--file", "resolv.conf:/etc/resolv.conf", "--net",
                           f"tap={TAP},address={GUEST}/24,gateway={HOST}", "--", "four.test")
        self.assertEqual(done.stdout, "four.test: Temporary failure in name resolution\n")


if __name__ == "__main__":
    unittest.main()
