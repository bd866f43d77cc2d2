// What the tools read from text and bytes: CONFIG.json, sizes, paths, control messages, the KVM probe's verdict.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "tools/image/config_file.h"
#include "tools/image/manifest.h"
#include "tools/image/static_network.h"
#include "tools/output.h"
#include "tools/qemu/accelerator.h"
#include "tools/qemu/control_channel.h"
#include "tools/qemu/instance.h"
#include "tools/sha256.h"

namespace mortem::tools {
namespace {

std::string config_error(const std::string& text) {
  auto request = parse_config(text, "dir/c.json");
  return request ? "no error" : request.error().message;
}

TEST(ConfigFile, TakesTheKeysOfOps) {
  auto request =
      parse_config(R"({"Program":"app","Args":["-x","a b"],"Env":{"K":"v"},"Files":["f"],"MapDirs":{"www/*":"/srv"},
                                  "RunConfig":{"Memory":"1G"},"DumpOnExit":"never","NewCode":"refuse"})",
                   "dir/c.json");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->program, "dir/app");
  EXPECT_EQ(request->guest_program, "/bin/app");
  EXPECT_EQ(request->arguments, (std::vector<std::string>{"-x", "a b"}));
  EXPECT_EQ(request->environment, std::vector<std::string>{"K=v"});
  EXPECT_EQ(request->files.at(0).host, "dir/f");
  EXPECT_EQ(request->files.at(0).guest, "/f");
  EXPECT_EQ(request->folders.at(0).host, "dir/www");
  EXPECT_EQ(request->folders.at(0).guest, "/srv");
  EXPECT_EQ(request->memory, 1ull << 30);
  EXPECT_EQ(request->dump_on_exit, DumpOnExit::Never);
  EXPECT_EQ(request->new_code, NewCode::Refuse);
  EXPECT_NE(manifest_text(*request).find("\nnew-code=refuse\n"), std::string::npos);
}

TEST(ConfigFile, UserSaysWhoTheProgramIs) {
  const auto user_of = [](const std::string& value) {
    auto request = parse_config(R"({"Program":"x","User":)" + value + "}", "c.json");
    return request ? request->user : UserAndGroup{~0u, ~0u};
  };
  const auto expect_user = [&](const char* value, uint32_t user, uint32_t group) {
    const UserAndGroup found = user_of(value);
    EXPECT_EQ(found.user, user) << value;
    EXPECT_EQ(found.group, group) << value;
  };
  expect_user("101", 101, 101);
  expect_user(R"("101")", 101, 101);
  expect_user(R"("101:104")", 101, 104);
  expect_user("0", 0, 0);
  expect_user("4294967294", 4294967294, 4294967294);
  for (const char* bad : {"-1", "1.5", R"("")", R"("postgres")", R"("1:")", R"(":1")", R"("1:2:3")", R"("1 ")",
                          "4294967295", R"("1:4294967295")", "99999999999999999999", "true", "[1]"})
    EXPECT_NE(config_error(std::string(R"({"Program":"x","User":)") + bad + "}").find("c.json: User"),
              std::string::npos)
        << bad << ": " << config_error(std::string(R"({"Program":"x","User":)") + bad + "}");
}

TEST(ConfigFile, KeysOfOpsWithoutAMeaningHereAreNoted) {
  auto request = parse_config(R"({"Program":"x","CloudConfig":{"Zone":"a"},"Klibs":["tls"],
                                  "RunConfig":{"CPUs":2,"Ports":["80"],"UDPPorts":["53"]}})",
                              "c.json");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->notes.size(), 3u);
  EXPECT_EQ(request->notes.at(0), "c.json: CloudConfig has no effect here");
  EXPECT_EQ(request->notes.at(2), "c.json: RunConfig.CPUs has no effect here");
  ASSERT_EQ(request->ports.size(), 2u);
  EXPECT_NE(request->ports.at(1).find("/udp"), std::string::npos) << request->ports.at(1);
}

TEST(ConfigFile, StaticNetworkBecomesTheGuestsSetting) {
  const auto setting = [](const std::string& keys) {
    auto request = parse_config(R"({"Program":"x",)" + keys + "}", "c.json");
    return request ? fmt::format("{}", fmt::join(request->network, " ")) : request.error().message;
  };
  EXPECT_EQ(setting(R"("Args":[])"), "");
  EXPECT_EQ(setting(R"("RunConfig":{"IPAddress":"10.1.2.3"})"), "10.1.2.3/24");
  EXPECT_EQ(setting(R"("NameServers":["9.9.9.9","fd00::1"],
                       "RunConfig":{"IPAddress":"10.1.2.3","NetMask":"255.255.0.0","Gateway":"10.1.9.1","MTU":1400})"),
            "10.1.2.3/16,gateway=10.1.9.1,dns=9.9.9.9,dns=fd00::1,mtu=1400");
  EXPECT_EQ(setting(R"("NameServer":"1.1.1.1")"), "dhcp,dns=1.1.1.1");
  EXPECT_EQ(setting(R"("RunConfig":{"MTU":9000})"), "dhcp,mtu=9000");
  EXPECT_EQ(setting(R"("RunConfig":{"IPv6Address":"fd00::5"})"), "dhcp fd00::5/64");
  EXPECT_EQ(setting(R"("RunConfig":{"IPAddress":"10.1.2.3","IPv6Address":"2001:DB8::7/48","MTU":1400})"),
            "10.1.2.3/24,mtu=1400 2001:DB8::7/48");
  for (auto [keys, words] : {
           std::pair(R"("RunConfig":{"IPAddress":"10.1.2"})", "c.json: RunConfig.IPAddress '10.1.2' is not an IPv4"),
           std::pair(R"("RunConfig":{"IPAddress":"10.1.2.3/24"})", "RunConfig.IPAddress '10.1.2.3/24' is not"),
           std::pair(R"("RunConfig":{"IPAddress":5})", "RunConfig.IPAddress must be a string"),
           std::pair(R"("RunConfig":{"IPAddress":"10.1.2.0"})",
                     "no address of a host in a network of mask 255.255.255.0"),
           std::pair(R"("RunConfig":{"IPAddress":"10.1.2.255"})", "no address of a host"),
           std::pair(R"("RunConfig":{"IPAddress":"127.0.0.1"})", "no address of a host"),
           std::pair(R"("RunConfig":{"IPAddress":"10.1.2.3","NetMask":"255.0.255.0"})", "NetMask '255.0.255.0' is not"),
           std::pair(R"("RunConfig":{"IPAddress":"10.1.2.3","Gateway":"x"})", "RunConfig.Gateway 'x' is not an IPv4"),
           std::pair(R"("RunConfig":{"IPAddress":"10.1.2.3","Gateway":"10.1.3.1"})",
                     "another host of the network 10.1.2.0/24"),
           std::pair(R"("RunConfig":{"IPAddress":"10.1.2.3","Gateway":"10.1.2.3"})", "another host of the network"),
           std::pair(R"("RunConfig":{"Gateway":"10.1.2.1"})", "go with RunConfig.IPAddress"),
           std::pair(R"("RunConfig":{"IPv6Address":"10.1.2.3"})", "RunConfig.IPv6Address '10.1.2.3' is not an IPv6"),
           std::pair(R"("RunConfig":{"IPv6Address":"fd00::5/65"})", "RunConfig.IPv6Address 'fd00::5/65' is not"),
           std::pair(R"("RunConfig":{"IPv6Address":"fd00::5/6x"})", "RunConfig.IPv6Address 'fd00::5/6x' is not"),
           std::pair(R"("RunConfig":{"IPv6Address":"ff02::1"})", "RunConfig.IPv6Address 'ff02::1' is not"),
           std::pair(R"("RunConfig":{"IPv6Address":"::1"})", "RunConfig.IPv6Address '::1' is not"),
           std::pair(R"("RunConfig":{"MTU":100})", "RunConfig.MTU 100 is not from 576"),
           std::pair(R"("RunConfig":{"MTU":"1400"})", "RunConfig.MTU must be a number"),
           std::pair(R"("NameServers":"1.1.1.1")", "NameServers must be a list"),
           std::pair(R"("NameServers":["one"])", "NameServers: 'one' is not an IPv4 or IPv6 address"),
           std::pair(R"("NameServers":["1.1.1.1","1.1.1.2","1.1.1.3","1.1.1.4"])", "NameServers: 4 are given"),
       }) {
    EXPECT_NE(setting(keys).find(words), std::string::npos) << keys << ": " << setting(keys);
    EXPECT_EQ(setting(keys).find('\n'), std::string::npos);
  }
}

TEST(ConfigFile, QemusOwnNetworkFollowsAStaticOne) {
  const auto options = [](const std::string& setting) {
    auto made = user_network_options({setting}, "c.json");
    return made ? *made : made.error().message;
  };
  EXPECT_EQ(options(""), "");
  EXPECT_EQ(options("dhcp,mtu=1400"), "");
  EXPECT_EQ(options("fd00::5/64"), "");
  EXPECT_EQ(options("10.1.2.3/16,gateway=10.1.9.1,dns=9.9.9.9"),
            ",net=10.1.0.0/16,host=10.1.9.1,dns=10.1.0.1,dhcpstart=10.1.2.3");
  EXPECT_EQ(options("10.1.2.1/24"), ",net=10.1.2.0/24,host=10.1.2.2,dns=10.1.2.3,dhcpstart=10.1.2.1");
  EXPECT_NE(options("10.1.2.1/31").find("c.json: 10.1.2.1/31: QEMU's own network cannot be that small"),
            std::string::npos);
}

TEST(ConfigFile, NamesWhatIsWrong) {
  EXPECT_NE(config_error(R"({"Progam":"x"})").find("unknown key Progam; known: Args, "), std::string::npos);
  EXPECT_NE(config_error(R"({"Program":"x","RunConfig":{"Cpus":1}})").find("RunConfig.Cpus"), std::string::npos);
  EXPECT_NE(config_error(R"({"Program":"x","Args":[1]})").find("Args[0] must be a string"), std::string::npos);
  EXPECT_NE(config_error("{\n\"Program\" 1}").find("line 2"), std::string::npos);
  EXPECT_NE(config_error("{}").find("Program is missing"), std::string::npos);
  EXPECT_NE(
      config_error(R"({"Program":"x","NewCode":"no"})").find("NewCode must be \"allow\", \"refuse\" or \"crash\""),
      std::string::npos);
  EXPECT_NE(config_error("[]").find("must be a JSON object"), std::string::npos);
}

TEST(Sizes, AreReadOrRefused) {
  EXPECT_EQ(parse_size("64M", "x").value(), 64u << 20);
  EXPECT_EQ(parse_size("1GiB", "x").value(), 1u << 30);
  EXPECT_EQ(parse_size("4096", "x").value(), 4096u);
  for (const char* bad : {"", "much", "-1", "1X", "1MM", "99999999999999999999", "99999999999G"})
    EXPECT_FALSE(parse_size(bad, "x")) << bad;
  EXPECT_FALSE(parse_memory("1M", "x"));
}

TEST(PercentEncoding, ComesBack) {
  std::string all;
  for (int byte = 1; byte < 256; ++byte) all += char(byte);
  const std::string encoded = percent_encode(all);
  EXPECT_EQ(encoded.find_first_of(" \n\t"), std::string::npos);
  EXPECT_EQ(percent_decode(encoded).value(), all);
  EXPECT_FALSE(percent_decode("50%"));
  EXPECT_FALSE(percent_decode("%zz"));
}

TEST(Paths, StayInTheGuest) {
  EXPECT_EQ(guest_path("/a//./b/", "x").value(), "/a/b");
  EXPECT_FALSE(guest_path("/a/../b", "x"));
  EXPECT_FALSE(guest_path("a", "x"));
  EXPECT_EQ(parse_mapping("../up/f", "x")->guest, "/f");
  EXPECT_EQ(parse_mapping("f:/etc/g", "x")->guest, "/etc/g");
}

TEST(InstanceNames, AreSafe) {
  EXPECT_TRUE(is_instance_name("web-1.a_b"));
  for (const char* bad : {"", ".", "..", "a/b", "a b", "-x", "\xc3\xa4"}) EXPECT_FALSE(is_instance_name(bad)) << bad;
  EXPECT_TRUE(is_instance_name(instance_name_from("../my prog")));
}

TEST(ControlChannel, SurvivesCutsAndNonsense) {
  const std::string bytes =
      encode({format::ControlType::Ready, {}}) + encode({format::ControlType::ExitStatus, std::string("\3\0\0\0", 4)});
  ControlDecoder decoder;
  std::vector<ControlMessage> got;
  for (char byte : bytes) {
    decoder.add({&byte, 1});
    auto message = decoder.next();
    ASSERT_TRUE(message);
    if (*message) got.push_back(**message);
  }
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].type, format::ControlType::Ready);
  EXPECT_EQ(got[1].exit_status()->status, 3);
  decoder.add(std::string_view("\xff\xff\xff\xff\1\0\1\0", 8));
  EXPECT_FALSE(decoder.next());
}

TEST(KvmProbe, IsJudged) {
  EXPECT_EQ(judge_selftest("selftest ok 1800\n", false), "");
  EXPECT_NE(judge_selftest("selftest ok 180000\n", false).find("too slow"), std::string::npos);
  EXPECT_NE(judge_selftest("selftest failed: no single step\n", false).find("no single step"), std::string::npos);
  EXPECT_NE(judge_selftest("", true).find("does not end"), std::string::npos);
  EXPECT_NE(judge_selftest("", false).find("without a verdict"), std::string::npos);
}

TEST(Sha256, KnowsTheStandardsExamples) {  // FIPS 180-4 examples: "abc"
  Sha256 sum;
  const uint8_t text[] = {'a', 'b', 'c'};
  sum.add(text);
  const auto digest = sum.finish();
  EXPECT_EQ(digest[0], 0xba);
  EXPECT_EQ(digest[1], 0x78);
  EXPECT_EQ(digest[31], 0xad);
}

TEST(Printable, EscapesWhatTerminalsObey) {
  EXPECT_EQ(printable("a\x1b[1m\xc3\xa4\xff"), "a\\x1b[1m\xc3\xa4\\xff");
  EXPECT_EQ(printable_source("\tif (a)\tb;\x1b"), "    if (a)    b;\\x1b");
}

}  // namespace
}  // namespace mortem::tools
