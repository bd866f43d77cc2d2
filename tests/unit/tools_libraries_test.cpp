// Which libraries are packed with a dynamic program, against what the system's own loader and ldconfig say.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <set>

#include "tools/child_program.h"
#include "tools/files.h"
#include "tools/image/guest_files.h"
#include "tools/image/libraries.h"
#include "tools/image/loader_cache.h"

namespace mortem::tools {
namespace {

namespace fs = std::filesystem;

class LibrariesTest : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryFolder::create();
    ASSERT_TRUE(folder) << folder.error().message;
    folder_ = std::make_unique<TemporaryFolder>(std::move(*folder));
    for (const char* name : {"bin", "lib", "more", "conf"}) fs::create_directories(path() / name);
  }
  fs::path path() const { return folder_->path(); }

  std::string run(std::vector<std::string> arguments) {
    arguments[0] = find_program(arguments[0]).value_or(arguments[0]).string();
    auto outcome = run_program({.arguments = arguments, .environment = {}, .input = {}});
    EXPECT_TRUE(outcome && outcome->exit_status == 0)
        << fmt::format("{}: {}", arguments[0], outcome ? outcome->errors : outcome.error().message);
    return outcome ? outcome->output : "";
  }
  void compile(const std::string& text, std::vector<std::string> arguments) {
    std::ofstream(path() / "source.c") << text;
    std::vector<std::string> words = {"cc", (path() / "source.c").string(), "-L" + (path() / "lib").string(),
                                      "-L" + (path() / "more").string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    run(words);
  }
  void library(const std::string& name, const std::string& text, std::vector<std::string> more = {}) {
    const std::string file = fs::path(name).filename().string();
    more.insert(more.begin(), {"-shared", "-fPIC", "-Wl,-soname," + file, "-o", (path() / name).string()});
    compile(text, more);
  }
  void program(std::vector<std::string> more) {
    more.insert(more.end(), {"-o", (path() / "bin" / "program").string()});
    compile("int first(void); int main(void) { return first(); }", more);
    set_program(request_, path() / "bin" / "program");
  }
  // Guest path → host path of everything that is packed.
  std::map<std::string, fs::path> packed(const Libraries& libraries) {
    std::map<std::string, fs::path> files;
    for (const HostToGuest& file : libraries.files) files[file.guest] = file.host;
    for (const GuestLink& link : libraries.links)
      files[link.guest] = files.at((fs::path(link.guest).parent_path() / link.target).string());
    return files;
  }

  std::unique_ptr<TemporaryFolder> folder_;
  ImageRequest request_;
};

TEST_F(LibrariesTest, SameFilesAsTheLoaderItself) {
  // What the loader would map, told by itself, of a program with many libraries.
  const fs::path program = *find_program("gdb");
  std::set<fs::path> wanted;
  std::istringstream lines(run({"ldd", program.string()}));
  for (std::string line; std::getline(lines, line);)
    if (const size_t at = line.find('/'); at != std::string::npos)
      wanted.insert(fs::canonical(line.substr(at, line.find(' ', at) - at)));
  ASSERT_GT(wanted.size(), 5u);
  set_program(request_, program);
  auto libraries = find_libraries(request_);
  ASSERT_TRUE(libraries) << libraries.error().message;
  std::set<fs::path> found;
  for (const PackedModule& module : libraries->modules) found.insert(fs::canonical(module.host));
  found.erase(fs::canonical(program));
  for (const fs::path& file : found)
    if (file.filename() == "libgcc_s.so.1") wanted.insert(file);  // glibc opens it later
  EXPECT_EQ(found, wanted);
}

TEST_F(LibrariesTest, RunPathWithOrigin) {
  library("more/libsecond.so", "int second(void) { return 2; }");
  library("lib/libfirst.so", "int second(void); int first(void) { return second(); }",
          {"-lsecond", "-Wl,--enable-new-dtags,-rpath,${ORIGIN}/../more"});
  program({"-lfirst", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib", "-Wl,--allow-shlib-undefined"});
  auto libraries = find_libraries(request_);
  ASSERT_TRUE(libraries) << libraries.error().message;
  // /bin/program: $ORIGIN/../lib is /lib, which is /usr/lib, there.
  auto files = packed(*libraries);
  EXPECT_EQ(files["/usr/lib/libfirst.so"], path() / "bin/../lib/libfirst.so");
  EXPECT_EQ(fs::canonical(files["/usr/more/libsecond.so"]), fs::canonical(path() / "more/libsecond.so"));
}

TEST_F(LibrariesTest, RunPathIsForTheObjectAloneAndRpathForAllBelow) {
  library("more/libsecond.so", "int second(void) { return 2; }");
  library("lib/libfirst.so", "int second(void); int first(void) { return second(); }", {"-lsecond"});
  const std::string both = fmt::format("{0}/lib:{0}/more", path().string());
  program({"-lfirst", "-Wl,--enable-new-dtags,-rpath," + both, "-Wl,--allow-shlib-undefined"});
  auto missing = find_libraries(request_);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("libsecond.so, needed by " + path().string()), std::string::npos)
      << missing.error().message;
  EXPECT_NE(missing.error().message.find("libfirst.so, is in none of "), std::string::npos) << missing.error().message;

  program({"-lfirst", "-Wl,--disable-new-dtags,-rpath," + both, "-Wl,--allow-shlib-undefined"});
  auto found = find_libraries(request_);
  ASSERT_TRUE(found) << found.error().message;
}

TEST_F(LibrariesTest, CacheOfTheHostAndOurOwn) {
  library("more/libfirst.so.1.2", "int first(void) { return 1; }", {"-Wl,-soname,libfirst.so.1"});
  fs::create_symlink("libfirst.so.1.2", path() / "more/libfirst.so");
  program({"-lfirst"});
  // As a distribution does it: a line in a file of ld.so.conf.d.
  std::ofstream(path() / "ld.so.conf") << "include " << (path() / "conf/*.conf").string() << "\n";
  std::ofstream(path() / "conf/more.conf") << (path() / "more").string() << "\n";
  EXPECT_FALSE(find_libraries(request_, path() / "no.cache"));
  run({"ldconfig", "-X", "-f", (path() / "ld.so.conf").string(), "-C", (path() / "ld.so.cache").string()});
  fs::create_symlink("libfirst.so.1.2", path() / "more/libfirst.so.1");
  auto libraries = find_libraries(request_, path() / "ld.so.cache");
  ASSERT_TRUE(libraries) << libraries.error().message;

  const LoaderCache cache = parse_loader_cache(libraries->loader_cache);
  ASSERT_TRUE(cache.contains("libfirst.so.1"));
  ASSERT_TRUE(cache.contains("libc.so.6"));
  EXPECT_TRUE(packed(*libraries).contains(cache.at("libfirst.so.1")));
  // ldconfig reads what we wrote.
  ASSERT_TRUE(write_file_atomically(path() / "ours.cache", libraries->loader_cache));
  const std::string listed = run({"ldconfig", "-p", "-C", (path() / "ours.cache").string()});
  for (const auto& [name, place] : cache)
    EXPECT_NE(listed.find(fmt::format("{} (libc6,x86-64) => {}", name, place)), std::string::npos) << listed;
}

TEST(LoaderCacheTest, TheHostsOwnComesBackInItsOrder) {
  auto bytes = read_text_file("/etc/ld.so.cache");
  ASSERT_TRUE(bool(bytes));  // ldconfig runs with every libc package
  const LoaderCache cache = parse_loader_cache(*bytes);
  ASSERT_GT(cache.size(), 10u);
  EXPECT_EQ(parse_loader_cache(loader_cache_bytes(cache)), cache);
  // The loader searches by halves: names must stand in the order that ldconfig gave them.
  auto names_in_order = [](const std::string& text) {
    auto word = [&](size_t at) {
      uint32_t value = 0;
      std::memcpy(&value, text.data() + at, sizeof value);
      return value;
    };
    std::vector<std::string> names;
    for (size_t at = 48; at < 48 + 24 * size_t(word(20)); at += 24)
      if (word(at) == 0x303 && word(at + 16) == 0 && word(at + 20) == 0) names.push_back(text.data() + word(at + 4));
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  };
  EXPECT_EQ(names_in_order(loader_cache_bytes(cache)), names_in_order(*bytes));
}

TEST(LoaderCacheTest, DamagedOnesAreEmptyOrShort) {
  EXPECT_TRUE(parse_loader_cache("").empty());
  EXPECT_TRUE(parse_loader_cache("glibc-ld.so.cache1.1").empty());
  const std::string whole = loader_cache_bytes({{"liba.so.1", "/lib/liba.so.1"}, {"libb.so.10", "/lib/libb.so.10"}});
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_LE(parse_loader_cache(whole.substr(0, length)).size(), 2u);
  std::string huge = whole;
  huge.replace(20, 4, "\xff\xff\xff\x7f");
  EXPECT_EQ(parse_loader_cache(huge).size(), 2u);
}

TEST(GuestPaths, FollowTheLayoutOfImages) {
  EXPECT_EQ(plain_guest_path("/lib/x86_64-linux-gnu/libc.so.6"), "/usr/lib/x86_64-linux-gnu/libc.so.6");
  EXPECT_EQ(plain_guest_path("/lib64/ld-linux-x86-64.so.2"), "/usr/lib64/ld-linux-x86-64.so.2");
  EXPECT_EQ(plain_guest_path("/library/x"), "/library/x");
  EXPECT_EQ(plain_guest_path("/bin/../lib/./x"), "/usr/lib/x");
  EXPECT_EQ(plain_guest_path("//a//b/"), "/a/b");
  EXPECT_EQ(plain_guest_path("/var/run/x"), "/run/x");
  EXPECT_EQ(plain_guest_path("/"), "/");
}

}  // namespace
}  // namespace mortem::tools
