#!/usr/bin/env python3
"""Expressions of `mortem print` on a core, beside gdb's answers: registers of all kinds and their parts, enumerators,
C++'s casts between classes, variables of other modules, wide texts.

usage: print_expressions.py MORTEM FOLDER COMPILER...
"""
import os
import re
import shutil
import subprocess
import sys
from fractions import Fraction

PROGRAM = r"""
#include <stdint.h>
#include <uchar.h>
#include <unistd.h>
#include <string>
enum Colour { Red, Green = 5, Blue };
Colour colour = Green;
enum class Shade { Dark = 2, Light };
enum { kMost = 77, kLeast = -3 } limit = kLeast;
namespace paint { enum Kind { Oil = 4, Water }; Kind kind = Water; struct Tin { enum Size { Small = 9, Large }; int x; int open(); }; }
struct First { int a = 1; virtual ~First() {} };
struct Second { int b = 2; virtual ~Second() {} };
struct Both : First, Second { int c = 3; };
struct Base { int v = 4; virtual ~Base() {} };
struct Left : virtual Base { int l = 5; };
struct Right : virtual Base { int r = 6; };
struct Diamond : Left, Right { int d = 7; };
template <class T> struct Holder { T held; };
struct Hidden : private First { int h = 8; };
namespace { struct Inner : Second { int i = 9; }; }
template <class T> struct Kind : Second { T t = {}; };
struct TwoFirst : Left, First { int t = 10; };
struct OtherFirst : First { int o = 11; };
struct TwiceFirst : TwoFirst, OtherFirst { int w = 12; };
struct Plain { int p = 13; } plain;
Hidden hidden; Inner inner; Kind<Holder<int>> kind_of; TwiceFirst twice;
First* hidden_first = (First*)&hidden; Second* inner_second = &inner; Second* kind_second = &kind_of; Left* twice_left = &twice;
__int128 wide_number = -((__int128)1 << 100); unsigned __int128 widest = ~(unsigned __int128)0;
std::u8string utf8 = u8"eight \u00e9"; char8_t letter8 = u8'x'; std::nullptr_t nothing = nullptr;
Both both; Diamond diamond; Holder<Holder<int>> held = {{41}};
Both* both_at = &both; Second* second = &both; First* first = &both; Base* base = &diamond; Right* right = &diamond;
Both* none = nullptr;
CASTS
const wchar_t* wide = L"wide \x00e9 text"; const char16_t* utf16 = u"sixteen \U0001F600"; const char32_t* utf32 = U"thirty";
wchar_t wide_array[8] = L"abc"; char16_t one = u'\u00e9'; wchar_t letter = L'x'; char32_t zero = 0;
std::u16string long_text = u"a text that is too long to stand in the object"; std::wstring short_text = L"sh\"ort";
long double most = 1e4000L, tenth = 0.1L, least = 3.6e-4951L, minus = -123456789.123456789L, infinite = -__builtin_infl();
long double whole = 18446744073709551615.0L; float single = 0.1f; double twice_tenth = 0.2;
int number = -7; double real = 2.75; unsigned char byte = 200;
Shade shade = Shade::Light;
extern "C" char** environ;
int paint::Tin::open() {
  volatile int kept = Large;
  const double x87 = 2.5;
  static const float lanes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  static const double wide_lanes[4] = {1.5, -2, 0.25, 8};
  asm volatile(
      "fldl %0\n vmovups %1, %%ymm3\n vmovupd %2, %%ymm4\n movabs $0x1122334455667788, %%rax\n movabs $0x8877665544332211, %%r9\n"
      "mov $-2, %%rbx\n mov $0xfedcba98, %%esi\n stc\n std\n ud2" : : "m"(x87), "m"(lanes), "m"(wide_lanes)
      : "rax", "rbx", "r9", "rsi", "st", "xmm3", "xmm4");
  return kept;
}
int main() { return paint::Tin().open() + environ[0][0] + Oil_or(paint::Water); }
"""
# What the program itself says of each: cast0, cast1, ... (gdb 13 gives the address of a table where the object is whole.)
CASTS = [
    "dynamic_cast<Both*>(second)", "dynamic_cast<First*>(second)", "dynamic_cast<void*>(second)", "dynamic_cast<Both*>(first)",
    "dynamic_cast<Second*>(both_at)", "dynamic_cast<Both*>(none)", "dynamic_cast<Both*>(both_at)", "dynamic_cast<Left*>(right)",
    "dynamic_cast<Diamond*>(base)", "dynamic_cast<Base*>(right)", "dynamic_cast<Both*>(base)", "dynamic_cast<void*>(base)",
    "dynamic_cast<Hidden*>(hidden_first)", "dynamic_cast<Inner*>(inner_second)", "dynamic_cast<Kind<Holder<int> >*>(kind_second)",
    "dynamic_cast<TwiceFirst*>(twice_left)", "dynamic_cast<First*>(twice_left)", "dynamic_cast<OtherFirst*>(twice_left)",
    "&dynamic_cast<Both&>(*second)", "&dynamic_cast<First&>(*second)",
]
PROGRAM = PROGRAM.replace("CASTS", " ".join(f"void* cast{number} = (void*){cast};" for number, cast in enumerate(CASTS)))
PROGRAM = PROGRAM.replace(" + Oil_or(paint::Water)", "")
QUESTIONS = [
    "$rax", "$eax", "$ax", "$al", "$ah", "$rbx", "$ebx", "$bl", "$r9", "$r9d", "$r9w", "$r9l", "$esi", "$si", "$sil",
    "$cs", "$ss", "$ds", "$es", "$fs", "$gs", "$fs_base", "$gs_base", "$orig_rax", "$st0", "$fctrl", "$ftag",
    "$xmm3.v4_float", "$xmm4.v2_double", "$xmm3.v16_int8", "$xmm3.v8_int16", "$xmm3.v4_int32[2]", "$xmm3.v2_int64",
    "$ymm3.v8_float", "$ymm4.v4_double", "$ymm3.v4_int64[3]", "$ymm3.v8_float[7] + 1", "$pc", "$sp == $rsp",
    "(int)($eflags & 0x401)", "(int)$mxcsr", "$rax + 1", "$al == 0x88",
    "Red", "Green", "Blue + 1", "kMost", "kLeast", "paint::Oil", "Oil", "Small", "Large", "paint::Tin::Large", "Tin::Small",
    "Shade::Dark", "shade == Shade::Light",
    "(Second*)&both", "*(Second*)&both", "(Both*)second", "((Both*)second)->c",
    "static_cast<Both*>(second)->a", "static_cast<Second*>(both_at)->b", "*static_cast<Second*>(both_at)",
    "(First*)both_at", "(Second*)none", "static_cast<Second*>(none)",
    "(Base*)&diamond", "((Base*)right)->v", "static_cast<Base*>(&diamond)->v", "((Right*)&diamond)->r",
    "const_cast<Both*>(both_at)->c", "reinterpret_cast<long>(both_at) != 0",
    "static_cast<int>(real)", "static_cast<Holder<Holder<int> >*>(&held)->held", "(Colour)6", "(double)number",
    "static_cast<unsigned char>(number)",
    "wide_number", "widest", "utf8", "letter8",
    "environ[0]", "environ == 0", "wide", "utf16", "utf32", "wide_array", "one", "letter", "zero", "long_text", "short_text",
    "byte",
]
# long double: gdb writes 21 digits, ours is the shortest number that reads back as the same.
REALS = [
    "most", "tenth", "minus", "infinite", "whole", "most * 2", "tenth + twice_tenth", "single * tenth", "most / 3",
    "(long double)twice_tenth", "1.1l", "0.1l - twice_tenth", "number * tenth",
]
# What gdb 13 does not know or has otherwise than C++ (7.6.1.9 and 7.6.1.10 of C++20).
KNOWN = {
    "((Second&)both).b": "2", "static_cast<Base&>(diamond).v": "4", "((Both&)*second).c": "3",
    "reinterpret_cast<Second*>(both_at) == (long)both_at": "1", "int(real)": "2", "Colour(5)": "Green",
    "double(number)": "-7", "static_cast<Holder<Holder<int>>*>(&held)->held": "{held = 41}",
    "((Holder<Holder<int>>*)&held)->held.held": "41", "(int&)real": "0", "((int*)&real)[1]": str(0x40060000),
    "(short&)number": "-7", "dynamic_cast<Kind<Holder<int>>*>(kind_second)->t.held": "0",
    "nothing": "nullptr", "most > 1e300": "1", "most == most": "1", "!tenth": "0", "(int)minus": "-123456789",
    "least": "4e-4951", "(double)tenth": "0.1", "(float)tenth": "0.1", "twice_tenth / 3": "0.06666666666666667", "single * 3": "0.3",
}
REFUSED = {
    "$zmm0": "there is no register $zmm0", "static_cast<Left*>(base)": "virtual base", "Dark": "there is no Dark",
    "dynamic_cast<Both*>(number)": "wants a pointer", "dynamic_cast<int*>(second)": "to a class",
    "dynamic_cast<Both*>(&plain)": "no virtual functions", "dynamic_cast<Both&>(*base)": "dynamic_cast fails",
    "dynamic_cast<Both>(both)": "to a class", "static_cast(second)": "a type is missing",
    "static_cast<Both*(second)": '">" is missing', "(int&&)number": '")" is missing', "(int&*)number": "nothing is made of references",
    "static_cast<Nothing*>(second)": "there is no type Nothing", "open(1)": "functions cannot be called",
}
# A variable of the program, and one that is local to a file of the library in which it dies.
LINKED = {
    "linked.cpp": "extern \"C\" void die(); int seen_by_all = 5; int main() { die(); }",
    "local.cpp": "static const double seen_by_all = 0.5; static int local = 6; double use_local() { return seen_by_all + local++; }",
    "dies.cpp": "double use_local(); extern \"C\" void die() { use_local(); __builtin_trap(); }",
}
# Pointers and references that the optimizer took away, while what they lead to is known.
OPTIMIZED = r"""
int sink;
__attribute__((noinline)) void die(int number) { sink = number; __builtin_trap(); }
struct Holds { int a; char text[4]; };
static inline __attribute__((always_inline)) int use(int& ref, char& letter, const Holds* holds, int (*rows)[3]) {
  die(ref);
  return ref + letter + holds->a + rows[0][1];
}
int main() {
  int all[2][3] = {{1, 2, 3}, {4, 5, 6}};
  Holds holds = {7, {'a', 'b'}};
  return use(all[1][1], holds.text[1], &holds, all);
}
"""
OF_OPTIMIZED = ["ref", "letter"]  # of more gdb 13 dies
KNOWN_OPTIMIZED = {"ref + 1": "6", "*rows": "{1, 2, 3}", "holds->text[1]": "98 'b'", "holds->a": "7"}


def value_of(value):
    """Without gdb's `(TYPE) `. gdb writes an enumerator's scope."""
    value = re.sub(r"^\((?:[\w:<>, ]+[*&]+|void \(\*\)\(void\))\) ?", "", value)
    value = re.sub(r"\bpaint::(Tin::)?", "", value)
    value = re.sub(r"^(0x[0-9a-f]+) <.*?>(?= |$)", r"\1", value)
    value = re.sub(r"(0x[0-9a-f]+) <vtable for [^>]*>", r"\1", value)
    value = re.sub(r"^(\d+) '\\\d{3}'$", r"\1", value)  # characters past ASCII
    value = value.removeprefix("<synthetic pointer>: ")
    return {"true": "1", "false": "0"}.get(value, value).replace("Shade::", "").replace("\\000", "")


def is_same_real(ours, theirs):
    """Of two texts: as a long double, whose fractions have 64 bits."""
    if not (ours and theirs) or "inf" in theirs:
        return ours == theirs
    one, other = Fraction(ours), Fraction(theirs)
    return abs(one - other) <= abs(other) / 2**64


def main(mortem, folder, *compiler):
    mortem = os.path.abspath(mortem)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(os.path.join(folder, "program.cpp"), "w") as file:
        file.write(PROGRAM)
    environment = dict(os.environ, XDG_CACHE_HOME=os.path.abspath(os.path.join(folder, "cache")))

    def run(*command):
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    subprocess.run([*compiler, "-std=c++20", "-g", "-O0", "-mavx", "program.cpp", "-o", "program"], cwd=folder, check=True)
    problems = []

    def compare(program, frame, questions, is_same=lambda ours, theirs: ours == theirs):
        asked = [part for one in questions for part in ("-ex", f"echo [{one}]", "-ex", "print " + one)]
        text = run("gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set startup-with-shell off",
                   "-ex", "set print vtbl off", "-ex", "set width 0", "-ex", "set print repeats 0", "-ex", "run",
                   "-ex", "generate-core-file core", "-ex", f"frame {frame}", *asked, program).stdout
        for question in questions:
            theirs = re.search(re.escape(f"[{question}]") + r"\$\d+ = (.*)", text)
            done = run(mortem, "print", "core", question, "--frame", frame)
            ours = value_of(done.stdout.strip().split(f" {question} = ", 1)[-1]) if done.returncode == 0 else done.stderr.strip()
            theirs = value_of(theirs[1]) if theirs else None
            if not is_same(ours, theirs):
                problems.append(f"{question}: {ours!r}, gdb: {theirs!r}")
    with open(os.path.join(folder, "optimized.cpp"), "w") as file:
        file.write(OPTIMIZED)
    subprocess.run([*compiler, "-g", "-O2", "optimized.cpp", "-o", "optimized"], cwd=folder, check=True)

    def check(frame, known):
        for question, wanted in known.items():
            done = run(mortem, "print", "core", question, "--frame", frame)
            if not done.stdout.strip().endswith(f" {question} = {wanted}"):
                problems.append(f"{question}: {done.stdout}{done.stderr}, is {wanted!r}")
    compare("optimized", "1", OF_OPTIMIZED)
    check("1", KNOWN_OPTIMIZED)
    for name, text in LINKED.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    subprocess.run([*compiler, "-g", "-fPIC", "-shared", "local.cpp", "dies.cpp", "-o", "libdies.so"], cwd=folder, check=True)
    subprocess.run([*compiler, "-g", "linked.cpp", "-L.", "-ldies", "-Wl,-rpath,$ORIGIN", "-o", "linked"], cwd=folder, check=True)
    compare("linked", "0", ["seen_by_all", "local"])
    compare("program", "0", REALS, is_same_real)
    compare("program", "0", QUESTIONS)
    check("0", KNOWN)
    check("0", {f"{cast} == cast{number}": "1" for number, cast in enumerate(CASTS)})
    for question, wanted in REFUSED.items():
        done = run(mortem, "print", "core", question)
        if wanted not in done.stdout + done.stderr or len(done.stderr.splitlines()) > 1:
            problems.append(f"{question}: {done.stdout}{done.stderr}")
    os.remove(os.path.join(folder, "core"))
    sys.exit("\n".join(problems) or 0)


main(*sys.argv[1:])
