"""Runs inside gdb: every variable of every frame of the selected thread, as leaves that can be compared.

gdb -batch -ex "python output='FILE'" -x gdb_values.py PROGRAM CORE

FILE: JSON, a list of frames, each {"function": NAME, "variables": {NAME: LEAF}}; a leaf is a text, or {"member": LEAF},
or [LEAF…]. What gdb does not know is "<optimized out>" or "<error: …>".
"""
import json

import gdb

INTEGERS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR)
LIMIT = 300


def leaf(value, depth=0):
    try:
        kind = value.type.strip_typedefs()
        code = kind.code
        if depth > 40:
            return "<deep>"
        if code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
            members = {}
            for field in kind.fields():
                if not hasattr(field, "bitpos"):  # static
                    continue
                name = f"<{field.name}>" if field.is_base_class else field.name or ""
                members[name] = leaf(value[field], depth + 1)
            return members
        if value.is_optimized_out:
            return "<optimized out>"
        if code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
            return leaf(value.referenced_value(), depth + 1)
        if code == gdb.TYPE_CODE_ARRAY:
            first, last = kind.range()
            return [leaf(value[index], depth + 1) for index in range(first, min(last, first + LIMIT - 1) + 1)]
        if code == gdb.TYPE_CODE_BOOL:
            return "true" if int(value) else "false"
        if code in INTEGERS and not kind.sizeof:
            return "()"  # Rust's, for gdb an integer
        if code in INTEGERS:
            return str(int(value)) if kind.sizeof <= 8 else str(value)
        if code == gdb.TYPE_CODE_FLT:
            return repr(float(value))
        if code == gdb.TYPE_CODE_PTR:
            return hex(int(value) & 0xFFFFFFFFFFFFFFFF)
        if code == gdb.TYPE_CODE_ENUM:
            return str(value)
        return str(value)
    except Exception as error:  # gdb.error, ValueError of a NaN, …
        return f"<error: {error}>"


frames = []
frame = gdb.newest_frame()
while frame is not None:
    variables = {}
    try:
        block = frame.block()
    except RuntimeError:
        block = None
    while block is not None:
        for symbol in block:
            if (symbol.is_variable or symbol.is_argument) and symbol.name not in variables:
                try:
                    variables[symbol.name] = leaf(symbol.value(frame))
                except Exception as error:
                    variables[symbol.name] = f"<error: {error}>"
        if block.function is not None:
            break
        block = block.superblock
    frames.append({"function": frame.name(), "variables": variables})
    frame = frame.older()
with open(output, "w") as file:  # noqa: F821 (set on gdb's command line)
    json.dump(frames, file)
