// Where symbols are found, and where they must not be: real files made by gcc and objcopy.
#include <gtest/gtest.h>

#include <algorithm>

#include "inspector/elf/elf_image.h"
#include "inspector/symbols/symbol_files.h"
#include "tests/unit/dump_builder.h"

namespace mortem::inspector {
namespace {

namespace fs = std::filesystem;

class Symbols : public testing::Test {
 protected:
  void SetUp() override {
    std::string source = "int helper(int x) { return x + 1; }\nint main(void) { return helper(41); }\n";
    test::write_file(folder_ / "a.c", {reinterpret_cast<const uint8_t*>(source.data()), source.size()});
    shell("gcc -g -O0 -o program a.c && cp program whole && objcopy --only-keep-debug whole program.debug");
    whole_ = ElfImage::map_file(folder_ / "whole").value();
    module_.path = (folder_ / "program").string();
    module_.id_kind = format::ModuleIdKind::GnuBuildId;
    module_.id = whole_->build_id();
    ASSERT_EQ(module_.id.size(), 20u);
    const std::string line = test::run_command("nm " + (folder_ / "whole").string() + " | grep ' helper$'");
    helper_ = std::stoull(line.substr(0, 16), nullptr, 16);
  }
  void shell(const std::string& command) {
    int status = 0;
    test::run_command("cd " + folder_.path().string() + " && " + command, &status);
    ASSERT_EQ(status, 0) << command;
  }
  SourceLocation helper_with(SymbolOptions options) {
    options.debug_folders = {folder_ / "debug"};
    symbolizer_ = Symbolizer::create(std::move(options));
    return symbolizer_->locate(module_, helper_ + 4).front();
  }
  std::string missing() {
    const auto all = symbolizer_->missing_symbols();
    return all.empty() ? "" : all.front();
  }

  test::TemporaryFolder folder_;
  std::shared_ptr<const ElfImage> whole_;
  snapshot::CoreModule module_;
  uint64_t helper_ = 0;
  std::unique_ptr<Symbolizer> symbolizer_;
};

TEST_F(Symbols, AtTheModulesPath) {
  const auto place = helper_with({});
  EXPECT_EQ(place.function, "helper");
  EXPECT_EQ(place.line, 1u);
  EXPECT_EQ(fs::path(place.file).filename(), "a.c");
  EXPECT_EQ(missing(), "");
}

TEST_F(Symbols, StrippedKeepsNoName) {
  shell("strip program");
  const auto place = helper_with({});
  EXPECT_EQ(place.function, "");
  EXPECT_EQ(place.line, 0u);
  EXPECT_NE(missing().find("no debug information"), std::string::npos) << missing();
}

TEST_F(Symbols, SymbolTableWithoutDebugInformation) {
  shell("strip -g program");
  const auto place = helper_with({});
  EXPECT_EQ(place.function, "helper");
  EXPECT_EQ(place.line, 0u);
  EXPECT_EQ(place.file, "");
}

TEST_F(Symbols, DebugLink) {
  shell("strip program && objcopy --add-gnu-debuglink=program.debug program");
  EXPECT_EQ(helper_with({}).line, 1u);
  EXPECT_EQ(symbolizer_->files(module_).debug, folder_ / "program.debug");
  // Another content under the same name: the checksum tells.
  shell("printf x >> program.debug");
  EXPECT_EQ(helper_with({}).line, 0u);
  EXPECT_NE(missing().find("another checksum"), std::string::npos) << missing();
}

TEST_F(Symbols, BuildIdFolderAndStore) {
  const std::string id = hexadecimal(module_.id);
  const std::string place = ".build-id/" + id.substr(0, 2);
  shell("strip program && mkdir -p debug/" + place + " && mv program.debug debug/" + place + "/" + id.substr(2) +
        ".debug");
  EXPECT_EQ(helper_with({}).line, 1u);
  shell("rm -r debug && mkdir -p store/build-id/" + id.substr(0, 2) + " && mv whole store/build-id/" + id.substr(0, 2) +
        "/" + id.substr(2));
  SymbolOptions options;
  options.store = folder_ / "store";
  EXPECT_EQ(helper_with(options).line, 1u);
}

TEST_F(Symbols, GivenFile) {
  shell("rm program");
  EXPECT_EQ(helper_with({}).function, "");
  EXPECT_NE(missing().find("--symbols"), std::string::npos) << missing();
  SymbolOptions options;
  options.extra_files = {folder_ / "whole"};
  EXPECT_EQ(helper_with(options).line, 1u);
}

TEST_F(Symbols, AnotherBuildIsNeverUsed) {
  shell("echo '// changed' >> a.c && echo 'int more;' >> a.c && gcc -g -O1 -o program a.c");
  EXPECT_EQ(helper_with({}).function, "");
  EXPECT_NE(missing().find("is another build"), std::string::npos) << missing();
  SymbolOptions options;
  options.extra_files = {folder_ / "program"};
  EXPECT_EQ(helper_with(options).function, "");
}

TEST_F(Symbols, WithoutAnIdThePathIsUnverified) {
  module_.id_kind = format::ModuleIdKind::None;
  module_.id.clear();
  EXPECT_EQ(helper_with({}).line, 1u);
  EXPECT_NE(missing().find("unverified"), std::string::npos) << missing();
}

TEST_F(Symbols, BrokenFilesAreNoCrash) {
  const test::Bytes good = test::read_file(folder_ / "whole");
  for (size_t length = 0; length < good.size(); length += 97)
    if (auto image = ElfImage::from_bytes("cut", {good.begin(), good.begin() + length})) {
      (*image)->build_id();
      (*image)->debug_link();
      for (const ElfSection& section : (*image)->sections()) (*image)->content(section);
      symbolizer_ = Symbolizer::create({});
      snapshot::CoreModule vdso = module_;
      vdso.kind = format::ModuleKind::Vdso;
      symbolizer_->add_image(vdso, {good.begin(), good.begin() + length});
      symbolizer_->locate(vdso, helper_);
    }
}

}  // namespace
}  // namespace mortem::inspector
