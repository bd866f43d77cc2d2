#include "kernel/library/command_line.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/kernel_device_fakes.h"

namespace {

using kernel::setting;
using kernel_fakes::g_log;
using kernel_fakes::logged;

kernel::Result<void> manifest(const std::string& text) {
  return kernel::manifest_initialize({text.data(), text.size()});
}

std::vector<std::string> all(const char* key) {
  std::vector<std::string> values;
  for (size_t index = 0; const char* value = kernel::repeated_setting(key, index); ++index) values.push_back(value);
  return values;
}

using Strings = std::vector<std::string>;

class CommandLine : public testing::Test {
 protected:
  void SetUp() override { g_log.clear(); }
};

TEST_F(CommandLine, ValuesAreDecoded) {
  kernel::command_line_initialize("  program=/bin/a%20b on-crash=stop\targ=%25%3d%0A=x  empty= ");
  EXPECT_STREQ(setting("program"), "/bin/a b");
  EXPECT_STREQ(setting("arg"), "%=\n=x");
  EXPECT_STREQ(setting("empty"), "");
  EXPECT_EQ(setting("other"), nullptr);
  EXPECT_TRUE(kernel::setting_is("on-crash", "stop"));
  EXPECT_FALSE(kernel::setting_is("on-crash", "sto"));
  EXPECT_FALSE(kernel::setting_is("other", ""));
  EXPECT_TRUE(g_log.empty());
}

TEST_F(CommandLine, BadWordsAreLoggedAndLeftOut) {
  kernel::command_line_initialize("nothing =value a=%4 b=%zz c=%00 d=%41%4");
  for (const char* key : {"nothing", "", "a", "b", "c", "d"}) EXPECT_EQ(setting(key), nullptr) << key;
  EXPECT_EQ(g_log.size(), 6u);
  EXPECT_TRUE(logged("'nothing' ignored: no '='"));
  EXPECT_TRUE(logged("'b=%zz' ignored: '%' without two hexadecimal digits"));
}

TEST_F(CommandLine, TheLastOfTwoHolds) {
  kernel::command_line_initialize("cwd=/a cwd=/b");
  ASSERT_TRUE(manifest("cwd=/c\n"));
  EXPECT_STREQ(setting("cwd"), "/b");
}

TEST_F(CommandLine, ManifestFillsWhatTheCommandLineLeavesOpen) {
  kernel::command_line_initialize("cwd=/a");
  ASSERT_TRUE(manifest("program=/bin/p\n\ncwd=/c\narg=1\narg=2%203"));
  EXPECT_STREQ(setting("program"), "/bin/p");
  EXPECT_STREQ(setting("cwd"), "/a");
  EXPECT_EQ(all("arg"), (Strings{"1", "2 3"}));
}

TEST_F(CommandLine, ArgumentsOfTheCommandLineReplaceTheManifests) {
  kernel::command_line_initialize("arg=x arg=y");
  ASSERT_TRUE(manifest("arg=1\narg=2\n"));
  EXPECT_EQ(all("arg"), (Strings{"x", "y"}));
  kernel::command_line_initialize("args=");
  ASSERT_TRUE(manifest("arg=1\narg=2\n"));
  EXPECT_EQ(all("arg"), Strings{});
}

TEST_F(CommandLine, NetworksOfTheCommandLineReplaceTheManifests) {
  kernel::command_line_initialize("net=dhcp");
  ASSERT_TRUE(manifest("net=10.0.0.5/24\n"));
  EXPECT_EQ(all("net"), Strings{"dhcp"});
  kernel::command_line_initialize("");
  ASSERT_TRUE(manifest("net=10.0.0.5/24\n"));
  EXPECT_EQ(all("net"), Strings{"10.0.0.5/24"});
}

TEST_F(CommandLine, EnvironmentIsAddedOrReplaced) {
  kernel::command_line_initialize("env=B=cmd env=C=cmd env=C=again");
  ASSERT_TRUE(manifest("env=A=1\nenv=B=2\nenv=BB=3\nenv=A=4\n"));
  EXPECT_EQ(all("env"), (Strings{"BB=3", "A=4", "B=cmd", "C=again"}));
}

TEST_F(CommandLine, ABadManifestLineIsNamedAndNothingOfItHolds) {
  kernel::command_line_initialize("cwd=/a");
  auto result = manifest("program=/bin/p\nwhat is this\narg=1\n");
  ASSERT_TRUE(result.is_error());
  EXPECT_EQ(result.error(), kernel::Error::Invalid);
  EXPECT_TRUE(logged("manifest: line 2 'what is this': no '='"));
  EXPECT_EQ(setting("program"), nullptr);
  EXPECT_STREQ(setting("cwd"), "/a");
  EXPECT_TRUE(manifest(std::string("a=b\0c\n", 6)).is_error());
  EXPECT_TRUE(logged("NUL"));
}

TEST_F(CommandLine, LimitsHold) {
  std::string many, large = "a=";
  for (int index = 0; index < 600; ++index) many += "k" + std::to_string(index) + "=v ";
  kernel::command_line_initialize(many.c_str());
  EXPECT_STREQ(setting("k511"), "v");
  EXPECT_EQ(setting("k512"), nullptr);
  EXPECT_TRUE(logged("too many settings"));

  large += std::string(40'000, 'x');
  kernel::command_line_initialize(large.c_str());
  EXPECT_TRUE(logged("only its first"));
  kernel::command_line_initialize("");
  EXPECT_TRUE(manifest(large).is_error());
  EXPECT_TRUE(logged("too much text"));
  kernel::command_line_initialize(nullptr);
  EXPECT_EQ(setting("a"), nullptr);
}

}  // namespace
