#!/usr/bin/env python3
"""`mortem search --value` on a core of a C++ program whose objects are known: gdb says where they are. And `mortem print`
of what Linux left out of that core.

usage: search_values.py MORTEM FOLDER
"""
import json
import os
import re
import shutil
import subprocess
import sys

SOURCE = r"""
#include <cstdlib>
#include <vector>
namespace shop {
struct Base { virtual ~Base() {} long number = 1; };
struct Other { virtual ~Other() {} long more = 2; };
struct Order : Base { int lines = 3; };
template <typename T> struct Box : virtual Base, Other { T content{}; };
}
enum State { OPEN, CLOSED = 0x51abc, BROKEN };
struct connection { char pad; State state; struct { short port, rest; } address; double load; };
struct plain { int one; };
std::vector<shop::Base *> orders;
shop::Box<int> *box;
shop::Order on_data;
connection *first, *second;
plain lonely;
double known = 1234.5625;
extern const long constants[3] = {11, 22, 33};
const char *words = "words that nobody writes";
int main() {
  for (int i = 0; i < 5; ++i) orders.push_back(new shop::Order);
  orders.push_back(new shop::Base);
  box = new shop::Box<int>;
  first = new connection{}, second = new connection{};
  first->state = CLOSED, first->address.port = 31234;
  second->state = OPEN, second->address.port = 31235;
  lonely.one = 5;
  abort();
}
"""
problems = []


def expect(name, found, wanted):
    if found != wanted:
        problems.append("%s: %s, not %s" % (name, found, wanted))


def main():
    mortem, folder = sys.argv[1:3]
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    source, program, core = (os.path.join(folder, name) for name in ("objects.cpp", "objects", "core"))
    with open(source, "w") as file:
        file.write(SOURCE)
    subprocess.run(["g++", "-g", "-O1", source, "-o", program], check=True)
    script = ["set debuginfod enabled off", "set startup-with-shell off", "run", "generate-core-file " + core]
    script += ["printf \"order %d %%lx\\n\", orders._M_impl._M_start[%d]" % (i, i) for i in range(6)]
    script += ["printf \"%s %%lx\\n\", %s" % (name, text) for name, text in
               (("data", "&on_data"), ("box", "box"), ("first", "first"), ("second", "second"), ("known", "&known"),
                ("constants", "&constants"), ("words", "words"), ("pointer", "&words"))]
    said = subprocess.run(["gdb", "-nx", "-batch"] + [word for line in script for word in ("-ex", line)] + [program],
                          capture_output=True, text=True).stdout
    place = {name: "0x" + address for name, address in re.findall(r"^(order \d|\w+) ([0-9a-f]+)$", said, re.M)}

    def search(value, status=0):
        done = subprocess.run([mortem, "search", core, "--json", "--value", value], capture_output=True, text=True)
        if done.returncode != status:
            problems.append("%s: status %d: %s" % (value, done.returncode, done.stderr))
            return set()
        if status != 0:
            expect(value + ", lines of its complaint", len(done.stderr.splitlines()), 1)
            return done.stderr
        # The address of a table stands on the stack too, where a constructor had it.
        return {hit["address"] for hit in json.loads(done.stdout)["hits"] if int(hit["address"], 16) < 0x7F0000000000}

    constants, words, pointer = (place.pop(name) for name in ("constants", "words", "pointer"))
    orders = {place["order %d" % i] for i in range(5)}
    expect("shop::Order", search("shop::Order"), orders | {place["data"]})
    expect("struct shop::Order", search("struct shop::Order"), orders | {place["data"]})
    base = search("shop::Base")
    expect("shop::Base, the object", base & set(place.values()), {place["order 5"]})  # not what is derived from it
    # Its address point is not the third word: an offset of the virtual base stands before.
    # And in the table of tables that classes with virtual bases have (VTT).
    expect("shop::Box<int>", search("shop::Box<int>") & set(place.values()), {place["box"]})
    expect("connection.state", search("connection.state=CLOSED"), {place["first"]})
    expect("connection.address.port", search("connection.address.port=31235") & set(place.values()), {place["second"]})
    expect("double", search("double=1234.5625"), {place["known"]})
    expect("a class without a table", "MEMBER=" in search("plain", 1), True)
    expect("no such type", "no type" in search("no_such_type=1", 1), True)
    expect("no such member", "no member" in search("connection.none=1", 1), True)
    expect("does not fit", "does not fit" in search("short=70000", 2), True)
    # Linux leaves pages of files that nobody wrote out of its cores: they are read from the file of that build id.
    def printed(expression):
        return subprocess.run([mortem, "print", core, expression], capture_output=True, text=True, stdin=subprocess.DEVNULL)

    expect("constants", printed("constants").stdout.split("=")[-1].strip(), "{11, 22, 33}")
    expect("words", "words that nobody writes" in printed("words").stdout, True)
    def hits(*options):
        done = subprocess.run([mortem, "search", core, "--json", *options], capture_output=True, text=True)
        return {hit["address"] for hit in json.loads(done.stdout)["hits"]}

    expect("words, as bytes", words in hits("--string", "words that nobody writes"), True)
    expect("who points at them", pointer in hits("--pointer", "words"), False)  # at the variable, as a symbol
    expect("who points at what an expression gives", pointer in hits("--pointer", "(long)words"), True)
    for wrong, said in (("first->no", "no member no"), ("", "is missing"), ("*lonely", "no pointer"), ("12z", "no address")):
        done = subprocess.run([mortem, "search", core, "--pointer", wrong], capture_output=True, text=True)
        expect("--pointer " + wrong, (said in done.stderr, done.stdout, len(done.stderr.splitlines())), (True, "", 1))
    shutil.move(program, program + ".gone")
    expect("words without the program's file", words in hits("--string", "words that nobody writes"), False)
    gone = printed("*(long *)%s" % constants)
    expect("constants without the program's file", "22" in gone.stdout or "11" in gone.stdout, False)
    expect("its complaint", "not in the dump" in gone.stdout + gone.stderr, True)
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


main()
