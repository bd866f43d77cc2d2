"""`mortem print` of containers whose elements stand at other places than most (small, over-aligned and packed ones), and
of their elements by number and by key. The program is killed with these values in it; what is expected is written here.

usage: print_containers.py MORTEM FOLDER COMPILER [OPTION...]"""
import json
import os
import pathlib
import resource
import subprocess
import sys

PROGRAM = r"""
#include <any>
#include <array>
#include <atomic>
#include <bitset>
#include <csignal>
#include <filesystem>
#include <forward_list>
#include <list>
#include <map>
#include <queue>
#include <set>
#if __cplusplus > 201703
#include <span>
#endif
#include <stack>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>
struct alignas(16) Wide {
  int a;
  bool operator==(const Wide& other) const { return a == other.a; }
};
struct Hash {
  size_t operator()(const Wide& wide) const { return wide.a; }
};
struct __attribute__((packed)) Packed {
  char c;
  int i;
  bool operator<(const Packed& other) const { return i < other.i; }
};
struct Virtual {
  virtual ~Virtual() {}
  short s = 4;
  bool operator<(const Virtual& other) const { return s < other.s; }
};
int main() {
  std::set<int> ints{3, 1, 2};
  std::map<int, int> int_map{{1, 2}, {3, 4}};
  std::map<short, int> short_map{{7, 8}};
  std::set<char> characters{'a', 'b'};
  std::set<bool> booleans{true};
  std::map<std::pair<short, char>, int> pair_map{{{1, 2}, 3}};
  std::set<Packed> packed{{'x', 77}};
  std::set<Virtual> virtuals{Virtual()};
  std::set<__int128> large{5};
  std::multimap<int, int> twice{{1, 1}, {1, 2}};
  std::map<char, Wide> wide_map{{'k', {9}}};
  std::unordered_map<int, Wide> wide_hashed{{1, {6}}};
  std::unordered_set<Wide, Hash> wide_set{{7}};
  std::unordered_map<long double, int> long_double_map{{3.5L, 4}};
  std::forward_list<Wide> wide_forward{{3}};
  std::forward_list<char> character_forward{'q'};
  std::list<Wide> wide_list{{5}};
  std::unordered_map<int, std::string> names{{2, "two"}, {1, "one"}};
  std::map<std::string, std::vector<int>> numbers{{"a", {1, 2}}, {"b", {3}}};
  std::vector<bool> bits{true, false, true};
  std::vector<std::string> words{"x", "y"};
  std::bitset<70> wide_bits(0x15);
  wide_bits[69] = true;
  std::bitset<5> few_bits(0x12);
  std::any any_number = 77, any_structure = Packed{'y', 5}, any_text = std::string("a text in an any"), any_none;
  std::any any_large = std::vector<std::array<int, 2>>{{1, 2}}, any_huge = std::map<int, char>{{6, 'f'}};
  std::array<int, 3> array{7, 8, 9};
  std::array<int, 0> empty_array;
#if __cplusplus > 201703
  std::span<int> span(array.data() + 1, 2);
  std::span<int, 3> fixed_span(array);
#endif
  std::stack<int> stack;
  stack.push(4);
  std::queue<int> queue;
  queue.push(6), queue.push(2);
  std::priority_queue<int> highest;
  highest.push(1), highest.push(3);
  std::atomic<int> atomic = 31;
  std::atomic<bool> atomic_flag = true;
  std::filesystem::path path = "/tmp/somewhere";
  std::raise(SIGABRT);
}
"""
VALUES = {
    "ints": "{1, 2, 3}", "int_map": "{[1] = 2, [3] = 4}", "short_map": "{[7] = 8}", "characters": "{97 'a', 98 'b'}",
    "booleans": "{true}", "packed": "{{c = 120 'x', i = 77}}", "large": "{5}",
    "twice": "{[1] = 1, [1] = 2}", "wide_map": "{[107 'k'] = {a = 9}}", "wide_hashed": "{[1] = {a = 6}}",
    "wide_set": "{{a = 7}}", "long_double_map": "{[3.5] = 4}", "wide_forward": "{{a = 3}}",
    "character_forward": "{113 'q'}", "wide_list": "{{a = 5}}", "bits": "{true, false, true}",
    "words": '{"x", "y"}', "numbers": '{["a"] = {1, 2}, ["b"] = {3}}',
    "wide_bits": "1" + "0" * 64 + "10101", "few_bits": "10010", "any_number": "77 (a int)", "any_none": "(empty)",
    "any_structure": "{c = 121 'y', i = 5} (a Packed)", "array": "{7, 8, 9}", "empty_array": "{}",
    "stack": "{4}", "queue": "{6, 2}", "highest": "{3, 1}", "atomic": "31",
    "atomic_flag": "true", "path": '"/tmp/somewhere"',
}
SPANS = {"span": "{8, 9}", "fixed_span": "{7, 8, 9}"}
HELD = {"any_text": ('"a text in an any"', "string<char"), "any_large": ("{{1, 2}}", "vector<std::"),
        "any_huge": ("{[6] = 102 'f'}", "map<int, char")}
EXPRESSIONS = {
    "names[1]": '"one"', "names[2]": '"two"', 'numbers["a"]': "{1, 2}", 'numbers["a"][1]': "2", "bits[1]": "false",
    "bits[2]": "true", "words[1]": '"y"', "int_map[3]": "4", "int_map[3] + 1": "5", "ints[1]": "2",
    "wide_hashed[1].a": "6", "wide_map['k'].a": "9", "virtuals[0].s": "4", "pair_map": "= 3}",
}
REFUSED = {"int_map[words]": "a key is a number or a text here", "names[3]": "no element [3]",
           'numbers["c"]': 'no element ["c"]', "bits[7]": "there are 3 elements", "words[-1]": "below 0"}


def main(mortem, folder, *compiler):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("core*"):
        old.unlink()
    (folder / "program.cpp").write_text(PROGRAM)
    problems = []
    program = folder / "program"
    subprocess.run([compiler[0], "-std=c++20", *compiler[1:], "-g", folder / "program.cpp", "-o", program], check=True)
    subprocess.run([program], cwd=folder, check=False,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2))
    (core,) = folder.glob("core*")
    environment = dict(os.environ, XDG_CACHE_HOME=str(folder / "cache"))

    def run(*words):
        return subprocess.run([mortem, *map(str, words)], env=environment, capture_output=True, text=True)
    frames = json.loads(run("bt", core, "--json").stdout)["threads"][0]["frames"]
    place = next(index for index, frame in enumerate(frames) if frame["function"] == "main")

    def shown(expression):
        done = run("print", core, expression, "--frame", place)
        return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()
    known = {**VALUES, **EXPRESSIONS, **({} if "-std=c++17" in compiler else SPANS)}
    for expression, text in known.items():
        said = shown(expression)
        if not said.endswith(f" = {text}" if expression != "pair_map" else text):
            problems.append(f"{expression}: {said}, expected {text}")
    for name, (value, held) in HELD.items():  # its type's name is the library's
        said = " ".join(shown(name).partition(" = ")[2].split()).replace("{ ", "{").replace(", }", "}")
        if not said.startswith(f"{value} (a std::") or held not in said:
            problems.append(f"{name}: {said}, expected {value}, a {held}…")
    for expression, text in REFUSED.items():
        if text not in shown(expression):
            problems.append(f"{expression}: {shown(expression)}, expected: {text}")
    for frame in ("-1", "99"):
        done = run("print", core, "--frame", frame)
        if done.returncode == 0 or done.stdout or len(done.stderr.splitlines()) != 1 or frame not in done.stderr:
            problems.append(f"--frame {frame}: {done.returncode}, {done.stdout}{done.stderr}")
    core.unlink()
    sys.exit("\n".join(problems) or 0)


main(*sys.argv[1:])
