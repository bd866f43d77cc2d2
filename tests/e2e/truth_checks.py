"""Values that `mortem print` shows against the known ones (the comments of tests/guests/truth) and against gdb's."""
import json
import math
import pathlib
import re
import struct
import tempfile

import debuggers

HERE = pathlib.Path(__file__).parent
# Functions that a numbered frame calls on the way to the next one: they have that one's number, or their caller's.
HELPERS = {"run": 0, "with_type": 0, "inlined_into": -1}


def plain_name(function):
    """The last part of a function's name: no scope, template, parameters or clone."""
    name = re.sub(r"::h[0-9a-f]{16}$|<.*>|\(.*$|\.(constprop|isra|part|cold).*$", "", function or "")
    return re.split(r"::|\.", name)[-1]


def known_values(*sources):
    """Function → [(expression, text of its value)], and the same list of globals."""
    functions, global_values, function = {}, [], None
    for source in sources:
        for line in source.read_text().splitlines():
            begins = re.match(r"(?!return|else|#|//)\S.*?(c_\w+|\w+)(?:\[.*\])?\((?!\().*\{$|.* (c_parameters)\(int depth", line)
            if begins:
                function = begins[1] or begins[2]
            for expression, value in re.findall(r"// known: ([^=]+?) = (.*)$", line):
                functions.setdefault(function, []).append((expression, value))
            for expression, value in re.findall(r"// global: ([^=]+?) = (.*)$", line):
                global_values.append((expression, value))
    return functions, global_values


def numbered(frames, functions):
    """(frame, function's plain name, its number) of the chain's frames, outermost first."""
    number, result = 0, []
    for frame in reversed(frames):
        name = plain_name(frame["function"])
        if name not in functions:
            continue
        result.append((frame, name, number + HELPERS.get(name, 0)))
        if name not in HELPERS:
            number += 1
    return result


def same(node, expected):
    """Whether a described value is the expected one; None: it says that it is not known."""
    if not node["known"]:
        return None
    text = re.sub(r"^@0x[0-9a-f]+(: )?|^\([\w.*{}]+\) ?", "", node["value"] or "")  # a reference; Go's dynamic type
    if isinstance(expected, dict):
        found = {child["name"][1:-1]: child for child in node["children"]}
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        if not node["elements"] and any(not child["known"] for child in node["children"]):
            return None  # a slice of which the length is known, and the pointer is not
        return (node["elements"] and node["count"] == len(expected) and node["first"] == 0
                and all(same(child, value) for child, value in zip(node["children"], expected[:len(node["children"])])))
    if isinstance(expected, bool):
        matches = text == str(expected).lower()
    elif isinstance(expected, int):
        number = re.match(r"-?(0x[0-9a-f]+|\d+)", text)
        matches = bool(number) and int(number[0], 0) == expected and "." not in text
    elif isinstance(expected, float):
        rounded = struct.unpack("f", struct.pack("f", expected))[0] if abs(expected) < 1e38 else None
        try:
            matches = float(text) in (expected, rounded)
        except ValueError:
            matches = False
    elif expected.startswith("<"):
        matches = expected in text
    else:
        matches = text == expected or text.endswith(f'"{expected}"') or text.endswith("::" + expected)
    # An enum's content, what a smart pointer points to: one step inwards.
    if not matches and len(node["children"]) == 1 and not node["elements"]:
        return same(node["children"][0], expected)
    return matches or (None if any(not child["known"] for child in node["children"]) else False)


def find(frame, expression):
    """A variable or a member of one in a printed frame; None: it takes an evaluation."""
    if not re.fullmatch(r"\w+(\.\w+)*", expression):
        return None
    first, *members = expression.split(".")
    nodes = [one for one in frame["variables"] if one["name"] == first and not one["shadowed"]]
    for member in members:
        inner = []
        for node in nodes:
            inner += node["children"]
            inner += [deeper for child in node["children"] if not child["name"] or child["name"].startswith("<")
                      for deeper in child["children"]]
        nodes = [one for one in inner if one["name"] == member]
    return nodes[0] if len(nodes) == 1 else None


class Truth:
    """Checks of one program's dump. `mortem`: a function that runs the command and returns what it printed as JSON.
    `names`: the variables that a function's debug information has at all; None: all of its source's."""

    def __init__(self, mortem, dump, *options, names=None):
        self.mortem, self.dump, self.options, self.names = mortem, dump, options, names
        self.frames = mortem("print", dump, "--all-frames", *options)["frames"]
        self.equal, self.unknown, self.wrong = 0, [], []

    def evaluated(self, expression, frame):
        """The value of an expression in a frame, as JSON."""
        return self.mortem("print", self.dump, expression, "--frame", frame["number"], *self.options)["value"]

    def check(self, functions, global_values, last, evaluations=2):
        """Compares all known values. `last`: number of the frame that has not begun. Expressions that take a run of the
        command each are evaluated in the first frames of their function only."""
        runs = {}
        for frame, name, number in numbered(self.frames, functions):
            if number == last:
                continue
            for expression, value in functions[name]:
                expected = eval(value, {"d": number})  # noqa: S307 (our own sources)
                node = find(frame, expression)
                if node is None and self.names and re.search(r"[A-Za-z_]\w*", expression)[0] not in self.names(name):
                    self.unknown.append(f"frame {frame['number']} {name}({number}): {expression}: not in the program")
                    continue
                if node is None:
                    if runs.setdefault((name, expression), 0) >= evaluations:
                        continue
                    runs[(name, expression)] += 1
                    node = self.evaluated(expression, frame)
                self.count(same(node, expected), f"frame {frame['number']} {name}({number}): {expression}", node, expected)
        for expression, value in global_values:
            frame = numbered(self.frames, functions)[-1][0]
            self.count(same(self.evaluated(expression, frame), eval(value, {})),  # noqa: S307
                       f"global {expression}", self.evaluated(expression, frame), value)

    def count(self, result, what, node, expected):
        if result:
            self.equal += 1
        elif result is None:
            self.unknown.append(f"{what}: {node['value']}")
        else:
            self.wrong.append(f"{what}: {node['value']} {node['children']}, expected {expected!r}")


def our_leaf(node):
    """A described value (--raw) in the form of gdb_values.py."""
    text = node["value"] or ""
    if not node["known"]:
        return text
    text = re.sub(r"^@0x[0-9a-f]+(: )?", "", text)
    if node["elements"]:
        return [our_leaf(child) for child in node["children"]]
    if node["children"] or not text:
        return {child["name"] or "": our_leaf(child) for child in node["children"]}
    if re.match(r"0x[0-9a-f]+", text) and node["type"] != "char":
        return text.split()[0]
    if re.fullmatch(r"-?\d+ [LuU]?'.*'", text):
        return text.split()[0]
    return text


def by_place(members):
    """Base classes by their order: gdb writes their names anew ("short int" becomes "short")."""
    return {f"<{index}>" if name.startswith("<") else name: value for index, (name, value) in enumerate(members.items())}


def differences(ours, theirs, place):
    """(place, ours, gdb's) of every leaf that differs."""
    if isinstance(theirs, dict) and ours == "<optimized out>":  # said once of the whole
        return [one for key in theirs for one in differences(ours, theirs[key], f"{place}.{key}")]
    if isinstance(theirs, dict) and isinstance(ours, dict):
        ours, theirs = by_place(ours), by_place(theirs)
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if theirs.keys() - ours.keys() == {""}:  # the discriminant of a Rust enumeration
            theirs = {key: value for key, value in theirs.items() if key}
        if ours.keys() != theirs.keys():
            return [(place, sorted(map(str, ours)), sorted(map(str, theirs)))]
        return [one for key in theirs for one in differences(ours[key], theirs[key], f"{place}.{key}")]
    if isinstance(theirs, list) and isinstance(ours, list):
        count = min(len(ours), len(theirs))
        return [one for index in range(count) for one in differences(ours[index], theirs[index], f"{place}[{index}]")]
    if isinstance(theirs, list) and isinstance(ours, str) and ours.startswith('"'):
        return []  # characters: gdb's are numbers; test_truth compares texts with the known ones
    if ours == theirs or (theirs == "true" and re.fullmatch(r"\d+", str(ours))):  # a bool of no good value
        return []
    if str(ours).startswith("<unavailable") and theirs == "<optimized out>":
        return []  # both do not know it; gdb gives no other reason
    if isinstance(ours, str) and isinstance(theirs, str):
        if ours.split("::")[-1] == theirs.split("::")[-1].strip("()"):
            return []  # an enumerator, with and without its scope
        try:
            if float(ours) == float(theirs) or (math.isnan(float(ours)) and math.isnan(float(theirs))):
                return []
            if struct.pack("f", float(ours)) == struct.pack("f", float(theirs)):
                return []  # a float: gdb's number has more digits than it
        except (ValueError, OverflowError):
            pass
    return [(place, ours, theirs)]


def compare_with_gdb(mortem, dump, program, core):
    """((frames compared, leaves' differences), all as gdb_values.py walks them)."""
    frames = mortem("print", dump, "--all-frames", "--raw", "--limit", 300)["frames"]
    with tempfile.TemporaryDirectory() as place:
        output = pathlib.Path(place) / "gdb.json"
        said = debuggers.output_of(["gdb", "-nx", "-q", "-batch", "-ex", f"python output='{output}'", "-x",
                                    str(HERE / "gdb_values.py"), str(program), str(core)])
        if not output.exists():
            raise AssertionError(f"gdb says:\n{said}")
        theirs = json.loads(output.read_text())
    found, compared = [], 0
    for ours, gdb in zip(frames, theirs):
        variables = {one["name"]: our_leaf(one) for one in ours["variables"] if not one["shadowed"]}
        name = f"#{ours['number']} {plain_name(gdb['function'])}"
        # We also show those of which only the abstract function tells, or a constant.
        if not variables.keys() >= gdb["variables"].keys():
            found.append((name, sorted(variables), sorted(gdb["variables"])))
        for key in gdb["variables"].keys() & variables.keys():
            compared += 1
            found += differences(variables[key], gdb["variables"][key], f"{name}: {key}")
    return compared, found
