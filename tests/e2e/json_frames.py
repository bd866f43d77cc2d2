"""Frames of `mortem bt --json` as keys that compare with those of debuggers.py."""
from debuggers import key


def number(value):
    """Of JSON: addresses may be numbers or hexadecimal text."""
    return int(value, 0) if isinstance(value, str) else value


def keys(frames):
    return [("signal",) if frame.get("signal_frame") else key(number(frame["pc"]), frame["function"], frame["line"])
            for frame in frames]
