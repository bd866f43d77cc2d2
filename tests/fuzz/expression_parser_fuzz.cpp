// Any bytes as an expression of `mortem print`: a tree, or an error of one line that says where.
#include <cstdlib>

#include "inspector/values/expression_tree.h"

using namespace mortem::inspector;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto tree = parse_expression(text, [](const std::string& name) { return name.size() % 2 == 0; });
  if (!tree && (tree.error().message.empty() || tree.error().message.find('\n') != std::string::npos)) abort();
  if (tree && !*tree) abort();
  return 0;
}
