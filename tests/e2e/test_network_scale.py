"""Many connections at once, and clients that mean no good: slow ones, floods of connections that are never finished,
segments without sense. Others are served meanwhile, and afterwards the kernel's memory is what it was."""
import os
import subprocess
import unittest

from mortem_test import BUILD, wait_until
from namespaces import Namespace
from test_network import NetworkTest, PORT

CLIENT = BUILD / "tests" / "network_client"
TAP, HOST, GUEST = "mortemscale0", "10.83.0.1", "10.83.0.2"
KEPT = 4096  # KiB that the kernel may keep for later: lwIP's lists (a 256th of the RAM), tables that grew, pages with room
REPEATED = 512  # KiB, from one time to the next


class ScaleTest(NetworkTest):
    def setUp(self):
        super().setUp()
        self.network = Namespace()
        self.addCleanup(self.network.close)
        self.network.__enter__()
        self.addCleanup(self.network.__exit__)
        # A queue that holds them all: a reset that the tap drops is not sent again, and the guest cannot know of it.
        self.network.ip(f"tuntap add dev {TAP} mode tap", f"link set {TAP} txqueuelen 30000 up",
                        f"addr add {HOST}/24 dev {TAP}")
        self.network.set("net.ipv4.tcp_tw_reuse", 1)
        self.network.set("net.ipv4.ip_local_port_range", "1024 65535")
        self.serve("--net", f"tap={TAP},address={GUEST}/24,gateway={HOST}", "--memory", "256M")
        (self.qemu,) = self.qemu_processes()

    def client(self, mode, *numbers, **more):
        process = subprocess.Popen([CLIENT, mode, GUEST, str(PORT), *map(str, numbers)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True, **more)

        def end():
            process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def run_client(self, mode, *numbers, deadline=600.0):
        process = self.client(mode, *numbers)
        output, _ = process.communicate(timeout=deadline)
        self.assertEqual(process.returncode, 0)
        return output

    def free_memory(self):
        return int(self.datagram(b"memory", address=GUEST))

    def open_connections(self):
        return int(self.datagram(b"status", address=GUEST).split()[1])

    def wait_until_closed(self):
        wait_until(lambda: self.open_connections() == 0, "all connections closed", deadline=60.0)

    def wait_for_memory(self, before, tolerance, deadline=90.0):
        wait_until(lambda: self.free_memory() >= before - tolerance, f"{before} KiB free but for {tolerance}, "
                   f"it is {self.free_memory()}", deadline=deadline)

    def processor_time(self):
        fields = open(f"/proc/{self.qemu}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def order(self, client, line):
        client.stdin.write(line + "\n")
        client.stdin.flush()
        return client.stdout.readline()

    def cost_of_requests(self, client, count=4000):
        """Processor seconds of the VM for that many echoes on one connection."""
        begin = self.processor_time()
        self.assertEqual(self.order(client, f"requests {count}"), f"answered {count}\n")
        return self.processor_time() - begin

    def check_many(self, count):
        """Open at once, idle while one is used, and gone; twice."""
        few = self.client("hold", 1)
        self.assertEqual(few.stdout.readline(), "held 1\n")
        self.cost_of_requests(few, 1000)  # what is done once
        alone = self.cost_of_requests(few)
        before = self.free_memory()
        left = []
        for how in ("close", "reset"):
            many = self.client("hold", count)
            self.assertEqual(many.stdout.readline(), f"held {count}\n")
            self.assertEqual(self.open_connections(), count + 1)
            among_many = self.cost_of_requests(few)
            taken = before - self.free_memory()
            self.order(many, how)
            wait_until(lambda: self.open_connections() == 1, "the many to be closed", deadline=60.0)
            # The last words of some are still on their way.
            self.wait_for_memory(before if how == "close" else left[0], KEPT if how == "close" else REPEATED)
            left.append(self.free_memory())
            print(f"{count} connections: {taken} KiB; 4000 requests {alone:.2f} s alone, {among_many:.2f} s among them; "
                  f"{before - left[-1]} KiB kept", flush=True)
            self.assertLess(among_many, alone * 1.5 + 0.1)
        self.order(few, "close")
        self.wait_until_closed()

    def check_flood(self, count):
        self.run_client("requests", 500, 1, 8)
        before = self.free_memory()
        flood = self.client("flood", count)
        served = 0
        while flood.poll() is None or served < 50:
            self.assertEqual(self.echo(b"meanwhile", address=GUEST), b"meanwhile")
            served += 1
        self.assertEqual(flood.returncode, 0)
        taken = before - self.free_memory()
        print(f"flood of {count}: {served} others served, {taken} KiB at its end", flush=True)
        self.assertLess(taken, 8192)
        return before

    def check_slow(self, count, long_time):
        slow = self.client("slow", count, long_time)
        self.assertEqual(slow.stdout.readline(), f"held {count}\n")
        for _ in range(20):
            self.assertEqual(self.echo(b"meanwhile", address=GUEST), b"meanwhile")
        output, _ = slow.communicate(timeout=long_time * 10 + 60)
        self.assertEqual(output, f"sent {count * long_time}\n")
        self.wait_until_closed()


class Quick(ScaleTest):
    def test_thousand(self):
        self.check_many(1000)
        self.check_flood(5000)
        self.run_client("garbage", 3000)
        self.check_slow(500, 2)


class TenThousand(ScaleTest):
    def test_many(self):
        self.check_many(10000)

    def test_opened_and_dropped(self):
        self.run_client("requests", 1000, 1, 100)
        before = self.free_memory()
        print(self.run_client("requests", 10000, 1, 1000).strip(), flush=True)
        self.wait_until_closed()
        self.wait_for_memory(before, KEPT)

    def test_flood(self):
        before = self.check_flood(200000)
        self.wait_for_memory(before, KEPT)
        self.check_flood(1000)

    def test_garbage(self):
        self.run_client("requests", 500, 1, 8)
        before = self.free_memory()
        self.run_client("garbage", 100000)
        self.assertEqual(self.echo(b"still there", address=GUEST), b"still there")
        self.wait_for_memory(before, KEPT)

    def test_slow_clients(self):
        self.check_slow(3000, 5)


class Leaks(ScaleTest):
    """MORTEM_REQUESTS: how many, if not a million."""

    def test_memory_stays(self):
        total = int(os.environ.get("MORTEM_REQUESTS", "1000000"))
        self.run_client("requests", 5000, 1000, 8)
        self.run_client("requests", 5000, 1, 8)
        self.wait_until_closed()
        before = self.free_memory()
        part = total // 20
        for _ in range(10):
            self.run_client("requests", part, 1000, 32, deadline=3000)
            print(self.run_client("requests", part, 1, 32, deadline=3000).strip(), self.free_memory(), flush=True)
        self.wait_until_closed()
        self.wait_for_memory(before, REPEATED)


if __name__ == "__main__":
    unittest.main()
