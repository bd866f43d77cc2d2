"""Sockets and open descriptors in dumps and of live guests, compared with what the host's Linux says in /proc of the
same program."""
import os
import pathlib
import re
import subprocess
import unittest

from mortem_test import GUESTS, MortemTest, wait_until

STATES = {1: "ESTAB", 2: "SYN-SENT", 3: "SYN-RECV", 4: "FIN-WAIT-1", 5: "FIN-WAIT-2", 6: "TIME-WAIT", 7: "UNCONN",
          8: "CLOSE-WAIT", 9: "LAST-ACK", 10: "LISTEN", 11: "CLOSING"}


def roles_of(output):
    """Port → what the program calls it."""
    return {int(port): name for name, port in re.findall(r"^(\w+) (\d+)\r?$", output, re.M)}


def linux_sockets(process, roles):
    """(protocol, local role, remote role, state, bytes to be read) of the program's sockets, as its host tells them."""
    found = []
    for protocol in ("tcp", "udp"):
        for line in pathlib.Path(f"/proc/{process}/net/{protocol}").read_text().splitlines()[1:]:
            fields = line.split()
            local, remote = (int(part.split(":")[1], 16) for part in fields[1:3])
            if local not in roles and remote not in roles:
                continue
            sent, received = (int(part, 16) for part in fields[4].split(":"))
            state = STATES[int(fields[3], 16)]
            if protocol == "tcp" and state in ("CLOSE-WAIT", "LAST-ACK"):
                received = 0  # Linux counts the other side's end as a byte
            if protocol == "udp" and received:
                received = 5  # Linux counts the memory that it takes
            found.append((protocol, roles.get(local), roles.get(remote), state, sent, received))
    return sorted(found, key=str)


def our_sockets(facts, roles):
    found = []
    for one in facts["sockets"]:
        if one["protocol"] not in ("tcp", "udp"):
            continue
        local, remote = (one[side].rsplit(":", 1)[1] for side in ("local", "remote"))
        found.append((one["protocol"], roles.get(int(local)), roles.get(int(remote) if remote != "*" else 0),
                      one["state"], one["send_queue"] if one["state"] != "LISTEN" else 0, one["receive_queue"]))
    return sorted(found, key=str)


class OpenFiles(MortemTest):
    def host_facts(self):
        self.addCleanup(pathlib.Path("/tmp/mortem-open-files").unlink)
        with subprocess.Popen([GUESTS / "open_files", "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            output = ""
            while "ready" not in output:
                output += process.stdout.readline().decode()
            roles = roles_of(output)
            # An end that was sent last is not acknowledged at once on a host of many processors.
            def at_rest():
                found = linux_sockets(process.pid, roles)
                return found if not {one[3] for one in found} & {"FIN-WAIT-1", "LAST-ACK", "CLOSING"} else None

            sockets = wait_until(at_rest, "the last acknowledgement")
            links = {int(name): os.readlink(f"/proc/{process.pid}/fd/{name}")
                     for name in os.listdir(f"/proc/{process.pid}/fd")}
            flags = {number: int(re.search(r"flags:\s+(\d+)", pathlib.Path(
                f"/proc/{process.pid}/fdinfo/{number}").read_text()).group(1), 8) for number in links}
            positions = {number: int(re.search(r"pos:\s+(\d+)", pathlib.Path(
                f"/proc/{process.pid}/fdinfo/{number}").read_text()).group(1)) for number in links}
            process.stdin.close()
        return sockets, links, flags, positions

    def test_as_linux_says(self):
        expected, links, flags, positions = self.host_facts()
        done, dump = self.crash(GUESTS / "open_files", status=134)
        found = self.facts("net", dump)
        roles = roles_of(done.stdout)
        self.assertEqual(our_sockets(found, roles), expected)

        by_kind = {kind: [one for one in found["sockets"] if one["protocol"] == kind] for kind in ("unix stream", "tcp")}
        listener = next(one for one in by_kind["tcp"] if one["state"] == "LISTEN")
        self.assertEqual((listener["receive_queue"], listener["send_queue"]), (1, 7))
        waiting = [one for one in by_kind["tcp"] if one["awaits_accept"]]
        self.assertEqual([one["descriptors"] for one in waiting], [[]])
        for one in by_kind["tcp"]:
            self.assertEqual(one["mtu"], 65536, one)
        self.assertEqual(sorted(one["receive_queue"] for one in by_kind["unix stream"]), [0, 0, 3])
        named = [one for one in by_kind["unix stream"] if one["state"] == "LISTEN"]
        self.assertEqual([one["local"] for one in named], ["@mortem-open-files-1"])

        descriptors = {one["descriptor"]: one for one in self.facts("files", dump)["descriptors"]}
        # Standard streams are the host's own affair.
        links = {number: link for number, link in links.items() if number > 2}
        ours = {number: one for number, one in descriptors.items() if number > 2}
        self.assertEqual(set(ours), set(links))
        kind_of = lambda path: re.sub(r"\d+", "N", path)
        self.assertEqual({number: kind_of(one["path"]) for number, one in ours.items()},
                         {number: kind_of(link) for number, link in links.items()})
        close_on_exec, large = 0o2000000, 0o100000
        self.assertEqual({number: one["flags"] & ~large for number, one in ours.items()},
                         {number: flags[number] & ~(large | close_on_exec) for number in links})
        self.assertEqual({number: one["close_on_exec"] for number, one in ours.items()},
                         {number: (flags[number] & close_on_exec) != 0 for number in links})
        file = next(number for number, link in links.items() if link == "/tmp/mortem-open-files")
        self.assertEqual((ours[file]["position"], positions[file]), (6, 6))
        twice = [one for one in by_kind["tcp"] if len(one["descriptors"]) == 2]
        self.assertEqual(len(twice), 1)
        self.assertIn("LISTEN", self.mortem("net", dump).stdout)
        self.assertIn("eventfd", self.mortem("files", dump).stdout)

    def test_of_a_live_guest(self):
        self.mortem("run", GUESTS / "network_server", "--name", "web", "--detach")
        self.addCleanup(self.mortem, "stop", "web", status=None)
        listener = wait_until(lambda: [one for one in self.facts("net", "web")["sockets"] if one["state"] == "LISTEN"],
                              "it listens", 60)
        self.assertTrue(listener[0]["protocol"].startswith("tcp"))
        self.assertIn(listener[0]["descriptors"][0],
                      [one["descriptor"] for one in self.facts("files", "web")["descriptors"] if one["kind"] == "socket"])

    def test_a_clone_says_the_same_as_its_guest(self):
        self.mortem("run", GUESTS / "network_server", "--name", "web", "--detach")
        self.addCleanup(self.mortem, "stop", "web", status=None)
        wait_until(lambda: [one for one in self.facts("net", "web")["sockets"] if one["state"] == "LISTEN"],
                   "it listens", 60)
        self.mortem("clone", "web", "-o", "copy")
        for verb in ("net", "files"):
            self.assertEqual(self.facts(verb, "copy"), self.facts(verb, "web"))

    def test_a_core_of_linux_does_not_say(self):
        self.assert_refused("net", GUESTS / "open_files", naming=["open_files"])


if __name__ == "__main__":
    unittest.main()
