// Names as sentences and signatures want them; and Rust's and C++'s linkage names against the tools of others.
#include "inspector/analysis/function_names.h"

#include <gtest/gtest.h>

#include <sstream>

#include "inspector/analysis/noise.h"
#include "inspector/analysis/signature.h"
#include "inspector/symbols/demangle.h"
#include "tests/unit/dump_builder.h"

namespace mortem::inspector {
namespace {

TEST(FunctionNames, WithoutParameters) {
  EXPECT_EQ(plain_function_name("std::vector<int>::at(unsigned long)"), "std::vector<int>::at");
  EXPECT_EQ(plain_function_name("f(int (*)(char)) const"), "f");
  EXPECT_EQ(plain_function_name("main.(*connection).follow"), "main.(*connection).follow");
  EXPECT_EQ(plain_function_name("(anonymous namespace)::f(int)"), "(anonymous namespace)::f");
  EXPECT_EQ(plain_function_name("shape::operator()(int)"), "shape::operator()");
  EXPECT_EQ(plain_function_name("__gnu_cxx::__verbose_terminate_handler() (.cold)"),
            "__gnu_cxx::__verbose_terminate_handler");
  EXPECT_EQ(plain_function_name("main"), "main");
}

TEST(FunctionNames, StableInEveryBuild) {
  EXPECT_EQ(stable_function_name("parse.constprop.0"), "parse");
  EXPECT_EQ(stable_function_name("parse(char const*) [clone .cold]"), "parse");
  EXPECT_EQ(stable_function_name("f<int, std::vector<long>>::g(int)"), "f::g");
  EXPECT_EQ(stable_function_name("int get_value<int>(int*)"), "get_value");
  EXPECT_EQ(stable_function_name("__GI_raise"), "raise");
  EXPECT_EQ(stable_function_name("server::handle::h0123456789abcdef"), "server::handle");
  EXPECT_EQ(stable_function_name("text[abi:cxx11](int)"), "text");
  EXPECT_EQ(stable_function_name("main.main.func6"), stable_function_name("main.main.func2"));
  EXPECT_EQ(stable_function_name("f(int)::{lambda(int)#2}::operator()(int) const"),
            stable_function_name("f(int)::{lambda(int)#1}::operator()(int) const"));
  EXPECT_NE(stable_function_name("bool operator< <int>(a, b)"), stable_function_name("bool operator><int>(a, b)"));
  EXPECT_EQ(stable_function_name("<server::Connection as core::ops::Drop>::drop"),
            "<server::Connection as core::ops::Drop>::drop");
  EXPECT_EQ(stable_function_name(
                "std::backtrace::__rust_end_short_backtrace::<std::panicking::begin_panic<&str>::{closure#0}, !>"),
            "std::backtrace::__rust_end_short_backtrace");
  EXPECT_EQ(stable_function_name("server::parse::<u8>::inner"), "server::parse::inner");
}

TEST(FunctionNames, NoiseIsWhatEndsPrograms) {
  for (const char* name : {"abort", "__memmove_avx_unaligned_erms", "strlen", "std::terminate",
                           "core::panicking::panic", "runtime.gopanic", "operator new", "_Unwind_RaiseException"})
    EXPECT_TRUE(is_noise_function(name)) << name;
  for (const char* name : {"main", "memory_of", "string_length", "abort_transaction", "main.main", "freeze"})
    EXPECT_FALSE(is_noise_function(name)) << name;
}

TEST(FunctionNames, MessagesWithoutWhatChanges) {
  EXPECT_EQ(stable_message("index out of range [5] with length 3"), "index out of range [#] with length #");
  EXPECT_EQ(stable_message("bad pointer 0x7ffe12 in utf8"), "bad pointer # in utf8");
}

// Broken names come back as they are; nothing reads beyond them.
TEST(Demangle, OldRust) {
  EXPECT_EQ(demangle("_ZN4core6option13unwrap_failed17h0123456789abcdefE"), "core::option::unwrap_failed");
  EXPECT_EQ(
      demangle("_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar17h930b740aa94f1d3aE"),
      "<Test + 'static as foo::Bar<Test>>::bar");
  EXPECT_EQ(demangle("_ZN3foo3bar17h930b740aa94f1d3aE.llvm.123"), "foo::bar");
  EXPECT_EQ(demangle("_ZN3foo17h930b740aa94f1d3a"), "_ZN3foo17h930b740aa94f1d3a");
  EXPECT_EQ(demangle("_ZN9999999999foo17h930b740aa94f1d3aE"), "_ZN9999999999foo17h930b740aa94f1d3aE");
  EXPECT_EQ(demangle("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
  EXPECT_EQ(demangle("not_mangled"), "not_mangled");
}

TEST(FunctionNames, ClonesAreTheirFunctions) {
  EXPECT_EQ(without_clone_suffix("_Z1fv.constprop.0.cold"), "_Z1fv");
  EXPECT_EQ(without_clone_suffix("_Z1fv"), "_Z1fv");
  EXPECT_EQ(without_clone_suffix("f.part.0"), "f.part.0");
  // GCC 12 of `Task coro(int)`, a coroutine: its frame's name has a dot.
  const std::string_view coroutine = "_Z4coroPZ4coroiE14_Z4coroi.Frame.actor";
  EXPECT_EQ(without_clone_suffix(coroutine), "_Z4coroPZ4coroiE14_Z4coroi.Frame");
  EXPECT_EQ(demangle(without_clone_suffix(coroutine)), "coro(coro(int)::_Z4coroi.Frame*)");
}

// All exported names of libstdc++, and what llvm-cxxfilt makes of them.
TEST(Demangle, CppAsLlvmCxxfilt) {
  const std::string names = test::run_command(
      "nm -D --defined-only /usr/lib/x86_64-linux-gnu/libstdc++.so.6 | awk '{print $3}' | sed 's/@.*//' | grep '^_Z' | "
      "sort -u");
  test::TemporaryFolder folder;
  test::write_file(folder / "names", {reinterpret_cast<const uint8_t*>(names.data()), names.size()});
  const std::string theirs = test::run_command("llvm-cxxfilt-19 < " + (folder / "names").string());
  std::istringstream ours(names), expected(theirs);
  size_t count = 0;
  for (std::string name, text; std::getline(ours, name) && std::getline(expected, text); ++count)
    ASSERT_EQ(demangle(name), text) << name;
  EXPECT_GT(count, 3000u);
}

}  // namespace
}  // namespace mortem::inspector
