#include "kernel/fs/tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kernel/fs/device_files.h"
#include "tests/unit/kernel_device_fakes.h"

namespace {

using namespace kernel;

std::span<const char> text(const std::string& value) {
  return {value.data(), value.size()};
}

std::string read_all(Inode* inode, size_t piece) {
  std::string result, buffer(piece, '\0');
  while (true) {
    auto count = inode->read(result.size(), {reinterpret_cast<uint8_t*>(buffer.data()), buffer.size()});
    EXPECT_TRUE(count);
    if (!count || count.value() == 0) return result;
    result.append(buffer, 0, count.value());
  }
}

std::vector<std::string> names(Inode* directory, size_t at_once) {
  std::vector<std::string> result;
  uint64_t cursor = 0;
  while (true) {
    struct Context {
      std::vector<std::string>* result;
      uint64_t* cursor;
      size_t left;
    } context{&result, &cursor, at_once};
    EXPECT_TRUE(directory->list(
        cursor,
        [](const DirectoryEntry& entry, void* pointer) {
          auto* context = static_cast<Context*>(pointer);
          context->result->push_back({entry.name, entry.name_length});
          *context->cursor = entry.next_cursor;
          return --context->left > 0;
        },
        &context));
    if (context.left > 0) return result;
  }
}

TEST(Tree, GeneratedTextIsReadInPieces) {
  auto* tree = make_tree(7).release_value();
  TreeOperations operations;
  operations.generate = [](TreeText& out, void* context) -> Result<void> {
    for (int line = 0; line < 200; ++line) out.append("line %d of %s\n", line, static_cast<const char*>(context));
    return {};
  };
  Inode* file = tree->add_file("maps", 0444, operations, const_cast<char*>("it")).release_value();
  const std::string whole = read_all(file, 1 << 20);
  EXPECT_EQ(std::count(whole.begin(), whole.end(), '\n'), 200);
  EXPECT_TRUE(whole.ends_with("line 199 of it\n"));
  for (size_t piece : {1u, 7u, 100u, 4096u}) EXPECT_EQ(read_all(file, piece), whole);
}

TEST(Tree, NamesAreFoundListedAndRemoved) {
  auto* tree = make_tree(7).release_value();
  auto* self = tree->add_directory("self").release_value();
  ASSERT_TRUE(self->add_text("comm", "redis\n"));
  ASSERT_TRUE(tree->add_symlink("exe", "/bin/redis"));
  ASSERT_TRUE(tree->add_text("last", ""));
  for (size_t at_once : {1u, 2u, 100u})
    EXPECT_EQ(names(tree, at_once), (std::vector<std::string>{".", "..", "self", "exe", "last"}));
  EXPECT_EQ(read_all(self->lookup(text("comm")).value(), 3), "redis\n");
  EXPECT_EQ(self->lookup(text("..")).value(), tree);
  EXPECT_EQ(self->lookup(text("none")).error(), Error::NoEntry);
  EXPECT_EQ(tree->add_text("exe", "").error(), Error::Exists);
  EXPECT_EQ(tree->add_text("a/b", "").error(), Error::Invalid);

  char target[64];
  Inode* link = tree->lookup(text("exe")).value();
  EXPECT_EQ(std::string(target, link->read_link(target).value()), "/bin/redis");
  EXPECT_EQ(link->read_link({target, 4}).value(), 4u);

  tree->remove("last");
  tree->remove("exe");
  tree->remove("exe");
  ASSERT_TRUE(tree->add_text("new", ""));
  EXPECT_EQ(names(tree, 1), (std::vector<std::string>{".", "..", "self", "new"}));
}

TEST(Tree, DeviceFiles) {
  auto* devices = make_device_files().release_value();
  const auto device = [&](const char* name) { return devices->lookup({name, strlen(name)}).value(); };
  uint8_t bytes[16] = {1, 2, 3};
  EXPECT_EQ(device("null")->read(0, bytes).value(), 0u);
  EXPECT_EQ(device("null")->write(0, bytes).value(), 16u);
  EXPECT_EQ(device("zero")->read(5, bytes).value(), 16u);
  EXPECT_EQ(bytes[0] | bytes[1] | bytes[2], 0);
  EXPECT_EQ(device("full")->write(0, bytes).error(), Error::NoSpace);
  EXPECT_EQ(device("urandom")->read(0, bytes).value(), 16u);
  EXPECT_EQ(device("null")->status().value().device_number, 0x103u);
  EXPECT_EQ(device("null")->status().value().type, FileType::CharacterDevice);
  kernel_fakes::g_console.clear();
  const std::string hello = "hello";
  EXPECT_EQ(device("console")->write(0, {reinterpret_cast<const uint8_t*>(hello.data()), 5}).value(), 5u);
  EXPECT_EQ(kernel_fakes::g_console, "hello");
  EXPECT_EQ(device("tty")->read(0, bytes).error(), Error::Again);
  char target[64];
  EXPECT_EQ(std::string(target, device("stdout")->read_link(target).value()), "/proc/self/fd/1");
}

}  // namespace
