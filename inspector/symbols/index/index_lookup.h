// Addresses looked up in an index.
#pragma once

#include "inspector/symbols/index/address_lookup.h"
#include "inspector/symbols/index/index_file.h"
#include "inspector/symbols/symbol_table.h"

namespace mortem::inspector::index {

class IndexLookup final : public AddressLookup {
 public:
  explicit IndexLookup(IndexFile& file) : file_(file) {}
  void locate(uint64_t address, bool declarations, std::vector<LookedUpFrame>& to) override;
  std::optional<Symbol> symbol_at(uint64_t address, IndexSection table);

 private:
  const SourceFile* source_file(uint32_t number);
  void set_position(uint32_t number, LookedUpFrame& frame);

  IndexFile& file_;
  std::vector<std::unique_ptr<SourceFile>> files_;
};

}  // namespace mortem::inspector::index
