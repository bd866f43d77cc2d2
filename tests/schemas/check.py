"""Checks a JSON document against its schema in this folder, by the part of JSON Schema that they use: type, required,
properties, additionalProperties (false), items, enum, and $ref to a whole file of this folder.
usage: check.py < DOCUMENT"""
import functools
import json
import pathlib
import sys

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": float, "null": type(None)}


@functools.cache
def read(name):
    return json.loads((pathlib.Path(__file__).parent / name).read_text())


def problems(value, schema, place="document"):
    if "$ref" in schema:
        schema = read(schema["$ref"])
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    wanted = next((TYPES[name] for name in names if type(value) is TYPES[name]), None)
    if wanted is None:
        return [f"{place}: not of type {' or '.join(names)}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place}: {value!r} is none of {schema['enum']}")
    if wanted is dict:
        known = schema.get("properties", {})
        found += [f"{place}: {key} is missing" for key in schema.get("required", []) if key not in value]
        if schema.get("additionalProperties", True) is False:
            found += [f"{place}: {key} is not documented" for key in value if key not in known]
        for key in known.keys() & value.keys():
            found += problems(value[key], known[key], f"{place}.{key}")
    if wanted is list and "items" in schema:
        for index, item in enumerate(value):
            found += problems(item, schema["items"], f"{place}[{index}]")
    return found


def check(document):
    name, _ = document["schema"].removeprefix("mortem.").split("/")
    return problems(document, read(f"{name}.json"))


if __name__ == "__main__":
    found = check(json.load(sys.stdin))
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)
