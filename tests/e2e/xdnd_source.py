"""Drags files onto a window and drops them, as a file manager does: the source's side of XDND, version 5
(https://freedesktop.org/wiki/Specifications/XDND).
usage: xdnd_source.py WINDOW FILE...     status 0 when the window has taken them"""
import pathlib
import select
import sys
import time

from Xlib import X, display
from Xlib.protocol import event

DEADLINE = 30


class Source:
    def __init__(self, target):
        self.display = display.Display()
        self.root = self.display.screen().root
        self.window = self.root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
        self.target = self.display.create_resource_object("window", target)
        self.offered = b""
        aware = self.target.get_full_property(self.atom("XdndAware"), X.AnyPropertyType)
        if aware is None or aware.value[0] < 5:
            sys.exit("the window takes no drops")

    def atom(self, name):
        return self.display.intern_atom(name)

    def send(self, kind, *numbers):
        words = [self.window.id, *numbers, 0, 0, 0, 0][:5]
        self.target.send_event(event.ClientMessage(window=self.target, client_type=self.atom(kind), data=(32, words)))

    def answer(self, kind):
        """The words of the window's next message of that kind; hands out the files' names meanwhile."""
        end = time.monotonic() + DEADLINE
        while (left := end - time.monotonic()) > 0:
            if not self.display.pending_events():
                select.select([self.display], [], [], left)
                continue
            got = self.display.next_event()
            if got.type == X.SelectionRequest:
                self.hand_out(got)
            if got.type == X.ClientMessage and got.client_type == self.atom(kind):
                return got.data[1]
        sys.exit(f"no {kind} within {DEADLINE} s")

    def hand_out(self, request):
        request.requestor.change_property(request.property, request.target, 8, self.offered)
        request.requestor.send_event(event.SelectionNotify(
            time=request.time, requestor=request.requestor, selection=request.selection, target=request.target,
            property=request.property))

    def drop(self, files):
        self.offered = "".join(pathlib.Path(file).resolve().as_uri() + "\r\n" for file in files).encode()
        self.window.set_selection_owner(self.atom("XdndSelection"), X.CurrentTime)
        size = self.target.get_geometry()
        middle = self.root.translate_coords(self.target, size.width // 2, size.height // 2)
        self.send("XdndEnter", 5 << 24, self.atom("text/uri-list"), X.NONE, X.NONE)
        self.send("XdndPosition", 0, middle.x << 16 | middle.y, X.CurrentTime, self.atom("XdndActionCopy"))
        if not self.answer("XdndStatus")[1] & 1:
            sys.exit("the window refuses the drop")
        self.send("XdndDrop", 0, X.CurrentTime)
        if not self.answer("XdndFinished")[2]:  # the action; GLFW 3.3 puts a length where the flag belongs
            sys.exit("the window did not take the drop")


if __name__ == "__main__":
    Source(int(sys.argv[1])).drop(sys.argv[2:])
