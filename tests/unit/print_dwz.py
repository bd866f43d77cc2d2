#!/usr/bin/env python3
"""What dwz moved to an alternate file is shown as before: variables, expressions, lines, with and without an index.

usage: print_dwz.py MORTEM FOLDER
"""
import os
import re
import shutil
import subprocess
import sys

SOURCE = r"""
#include <cstdlib>
#include <map>
#include <string>
#include <vector>
namespace shop {
enum class State : char { open, closed = 'c' };
struct Order { std::string name; std::vector<int> lines; State state = State::open; Order *next = nullptr; };
struct Store { std::map<int, Order> orders; static int opened; virtual ~Store() {} };
int Store::opened = 7;
}
std::vector<shop::Order> all;
double factor = 0.25;
__attribute__((noinline)) int die(shop::Store &store, const shop::Order *first, unsigned long count) {
  shop::State state = first->state;
  short small[3] = {1, -2, 3};
  if (count > 1 && state == shop::State::closed && small[1] < 0 && store.orders.size() > 1) abort();
  return small[0];
}
int main() {
  shop::Store store;
  store.orders[3] = {"three", {1, 2, 3}, shop::State::closed, nullptr};
  store.orders[5] = {"five", {}, shop::State::open, &store.orders[3]};
  all.push_back(store.orders[5]);
  return die(store, &store.orders[3], 2);
}
"""
EXPRESSIONS = ["store", "*first", "store.orders", "all", "first->lines[1]", "shop::Store::opened", "factor * 2",
               "(shop::State)99", "all[0].next->name", "sizeof(shop::Order)", "small"]
problems = []


def run(*command, cache):
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, XDG_CACHE_HOME=cache))
    return done.returncode, done.stdout, done.stderr


def main():
    mortem, folder = sys.argv[1:3]
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    place = lambda name: os.path.join(folder, name)  # noqa: E731
    with open(place("program.cpp"), "w") as file:
        file.write(SOURCE)
    for version in ("4", "5"):
        program, twin, core, common = (place(name + version) for name in ("program", "twin", "core", "common.debug"))
        subprocess.run(["g++", "-gdwarf-" + version, "-O0", place("program.cpp"), "-o", program], check=True)
        # Parts of both programs move to the file that they have in common.
        shutil.copy(program, twin)
        subprocess.run(["gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set startup-with-shell off",
                        "-ex", "run", "-ex", "generate-core-file " + core, program], capture_output=True)
        symbols = subprocess.run(["nm", program], capture_output=True, text=True).stdout
        start = int(re.search(r"(\w+) T main", symbols).group(1), 16)
        addresses = ["%#x" % address for address in range(start, start + 300, 7)]

        def answers(cache):
            frame = re.search(r"#(\d+) .* in die\b", run(mortem, "bt", core, cache=cache)[1]).group(1)
            questions = [["print", core, "--frame", frame]] + [["print", core, text, "--frame", frame] for text in EXPRESSIONS]
            questions += [["symbolize", "--obj", program] + addresses, ["bt", core], ["search", core, "--value", "shop::Store"]]
            return {" ".join(words): run(mortem, *words, cache=cache)[:2] for words in questions}

        before = answers(place("cache"))
        for question, (status, text) in before.items():
            if status != 0 or not text:
                problems.append("DWARF %s, %s: status %d" % (version, question, status))
        options = ["-5"] if version == "5" else []
        subprocess.run(["dwz"] + options + ["-m", common, "-M", common, program, twin], check=True)
        if not os.path.exists(common):
            sys.exit("dwz made no alternate file")
        for name in ("no index", "index"):
            after = answers(place("cache"))
            for question in before:
                if before[question] != after[question]:
                    problems.append("DWARF %s, %s, %s:\n%s\nnot\n%s" % (version, name, question, after[question][1], before[question][1]))
            status, _, errors = run(mortem, "index", program, cache=place("cache"))
            if status != 0:
                problems.append("index: " + errors)
        print("DWARF %s: %d questions, %d bytes in the alternate file" % (version, len(before), os.path.getsize(common)))
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


main()
