// Images that the builder makes, judged by readers that are not ours: sfdisk, e2fsck, debugfs; and by the host's slot
// reader.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "snapshot/slots.h"
#include "tools/child_program.h"
#include "tools/files.h"
#include "tools/image/image_builder.h"
#include "tools/image/manifest.h"
#include "tools/image/root_file_system.h"

namespace mortem::tools {
namespace {

class Image : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryFolder::create();
    ASSERT_TRUE(folder) << folder.error().message;
    folder_ = std::make_unique<TemporaryFolder>(std::move(*folder));
    setenv("XDG_CACHE_HOME", (path() / "cache").c_str(), 1);
    write("start.s", ".globl _start\n_start: mov $60,%eax\nsyscall\n");
    auto built = run_program(
        {.arguments = {"cc", "-nostdlib", "-static", "-Wl,--build-id", "-o", path() / "a program", path() / "start.s"},
         .environment = {},
         .input = {}});
    ASSERT_TRUE(built && built->exit_status == 0) << (built ? built->errors : built.error().message);
    set_program(request_, path() / "a program");
  }
  const std::filesystem::path& path() const { return folder_->path(); }
  void write(const std::string& name, const std::string& text) { std::ofstream(path() / name) << text; }
  ProgramOutcome run(std::vector<std::string> arguments) {
    arguments[0] = find_program(arguments[0])->string();
    auto outcome = run_program({.arguments = std::move(arguments), .environment = {}, .input = {}});
    return outcome ? *outcome
                   : ProgramOutcome{
                         .exit_status = 255, .timed_out = false, .output = {}, .errors = outcome.error().message};
  }

  std::unique_ptr<TemporaryFolder> folder_;
  ImageRequest request_;
};

TEST_F(Image, IsWhatOtherToolsTakeItFor) {
  write("a file", "content\n");
  request_.files = {{path() / "a file", "/deep/in/it"}};
  request_.slots = 3;
  const auto image = path() / "disk.img";
  auto facts = build_image(request_, image);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_LT(facts->allocated, facts->size / 10) << "free space is holes";

  const auto verified = run({"sfdisk", "--verify", image});
  EXPECT_EQ(verified.exit_status, 0);
  EXPECT_NE((verified.output + verified.errors).find("No errors detected"), std::string::npos)
      << verified.output << verified.errors;

  auto disk = snapshot::DiskImage::open(image);
  ASSERT_TRUE(disk) << disk.error().message;
  EXPECT_FALSE(disk->from_backup_table());
  auto root = disk->root_partition();
  ASSERT_TRUE(root);
  const std::string at = fmt::format("{}?offset={}", image.string(), root->offset);
  const auto checked = run({"e2fsck", "-fn", at});
  EXPECT_EQ(checked.exit_status, 0) << checked.output;
  const auto listed = run({"debugfs", "-R", "stat \"/bin/a program\"", at});
  EXPECT_NE(listed.output.find("Mode:  0755"), std::string::npos) << listed.output;
  EXPECT_NE(listed.output.find("User:     0   Group:     0"), std::string::npos) << listed.output;
  EXPECT_EQ(read_root_file(image, root->offset, "/deep/in/it").value_or("nothing"), "content\n");

  auto slots = snapshot::read_dump_slots(*disk);
  ASSERT_TRUE(slots) << slots.error().message;
  ASSERT_EQ(slots->slots.size(), 3u);
  for (const auto& slot : slots->slots) {
    EXPECT_EQ(slot.condition, snapshot::SlotCondition::Empty);
    EXPECT_GT(slot.dump_capacity, request_.memory);
  }
}

TEST_F(Image, LeavesNothingWhenItFails) {
  request_.files = {{path() / "missing", "/missing"}};
  auto facts = build_image(request_, path() / "out" / "disk.img");
  ASSERT_FALSE(facts);
  std::filesystem::create_directory(path() / "out");
  facts = build_image(request_, path() / "out" / "disk.img");
  ASSERT_FALSE(facts);
  EXPECT_NE(facts.error().message.find("missing"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(path() / "out"));
}

TEST_F(Image, ManifestComesBackAsItWas) {
  request_.arguments = {"two words", "", "50%", "a=b", "\n", "\xc3\xa4"};
  request_.environment = {"KEY=a value"};
  const auto image = path() / "disk.img";
  ASSERT_TRUE(build_image(request_, image));
  auto disk = snapshot::DiskImage::open(image);
  auto text = read_root_file(image, disk->root_partition()->offset, kManifestPath);
  ASSERT_TRUE(text) << text.error().message;
  auto manifest = parse_manifest(*text);
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ((*manifest)["arg"], request_.arguments);
  EXPECT_EQ((*manifest)["env"], request_.environment);
  EXPECT_EQ((*manifest)["program"], std::vector<std::string>{"/bin/a program"});
}

}  // namespace
}  // namespace mortem::tools
