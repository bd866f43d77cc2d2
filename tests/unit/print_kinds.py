#!/usr/bin/env python3
"""What stands outside of functions, however its debug information is kept: types in units of their own, entries in .dwo
files and in a package. `mortem print` finds it by name as gdb does, and says the same of it.

usage: print_kinds.py MORTEM FOLDER COMPILER
"""
import os
import re
import shutil
import subprocess
import sys

FIRST = """
namespace shapes {
int counter = 12;
struct Box { static int made; static const int most = 4; static const int placed = 6; int x; };
int Box::made = 8;
const int Box::placed;
Box box = {1};
struct Derived : Box { static double rate; } derived;
double Derived::rate = 2.5;
template <class T> struct Pair { T a, b; };
Pair<int> both = {1, 2};
enum Kind { Round = 3 };
Kind kind = Round;
}
struct Part { static int made; };
int Part::made = 9;
namespace { int hidden = 99; struct Inner { static int made; } inner; int Inner::made = 4; }
extern int other;
struct Later;
extern Later* later;
int main() {
  struct Part { int x; } local = {3};  // another one, without static members
  return local.x + Part().x + sizeof(inner) + Inner::made + *(volatile int*)8 + hidden + other + *&shapes::Box::placed +
         (later != nullptr);
}
"""
SECOND = "int other = 77; struct Later { int value = 5; }; Later object; Later* later = &object;\n"
KINDS = ["-gdwarf-5", "-gdwarf-5 -fdebug-types-section", "-gdwarf-4 -fdebug-types-section", "-gdwarf-5 -gsplit-dwarf",
         "-gdwarf-4 -gsplit-dwarf", "package"]
QUESTIONS = ["shapes::counter", "shapes::Box::made", "shapes::Box::most", "shapes::Box::placed", "shapes::box.made",
             "shapes::box.most", "shapes::derived.made", "shapes::derived.rate", "shapes::Derived::rate", "shapes::both",
             "shapes::kind", "hidden", "local.x", "other", "later->value",
             "(shapes::Kind)3", "sizeof(shapes::Pair<int>)"]


def value_of(line):
    """Of `TYPE NAME = VALUE`, or gdb's `$1 = VALUE`. gdb writes an enumerator's scope."""
    return re.sub(r"\bshapes::", "", line.split(" = ", 1)[-1])


def main():
    mortem, folder, compiler = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3]
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name, text in (("first.cpp", FIRST), ("second.cpp", SECOND)):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)

    if compiler == "g++":  # of clang's programs gdb does not find it
        QUESTIONS.append("inner.made")

    def run(*command):
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120).stdout

    wrong = 0
    for kind in KINDS:
        if kind == "package":
            run("llvm-dwp-19", "-e", "program", "-o", "program.dwp")
            for name in os.listdir(folder):
                if name.endswith(".dwo"):
                    os.remove(os.path.join(folder, name))
        else:
            subprocess.run([compiler, "-w", "-O0", *kind.split(), "first.cpp", "second.cpp", "-o", "program"], cwd=folder,
                           check=True)
            asked = [part for one in QUESTIONS for part in ("-ex", "print " + one)]
            text = run("gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set startup-with-shell off",
                       "-ex", "run", "-ex", "generate-core-file core", *asked, "program")
            theirs = [value_of(line) for line in text.splitlines() if re.match(r"\$\d+ = ", line)]
            if len(theirs) != len(QUESTIONS):
                sys.exit("gdb: " + text)
        for question, wanted in zip(QUESTIONS, theirs):
            ours = value_of(run(mortem, "print", "core", question).strip())
            if ours != wanted:
                wrong += 1
                print("%s: %s is %r, gdb: %r" % (kind, question, ours, wanted))
        if run(mortem, "print", "core", "local.made"):
            wrong += 1
            print(kind + ": a static member of another class of that name")
        print("%s: %d questions" % (kind, len(QUESTIONS)))
    sys.exit(1 if wrong else 0)


main()
