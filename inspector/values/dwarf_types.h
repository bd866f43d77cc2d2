// Makes types of debug information entries; each entry gives one type, made once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "inspector/values/dwarf_module.h"
#include "inspector/values/type.h"

namespace mortem::inspector {

class DwarfTypes final : public TypeSource {
 public:
  // Finds the definition of a type that is only declared where it is used; an empty entry if there is none.
  using FindDefinition = std::function<llvm::DWARFDie(const llvm::DWARFDie& declaration)>;
  explicit DwarfTypes(FindDefinition find_definition) : find_definition_(std::move(find_definition)) {}

  // Null for an empty entry: void.
  const Type* at(const llvm::DWARFDie& die);
  // The DW_AT_type of an entry.
  const Type* of(const llvm::DWARFDie& die);
  void complete(const Type& type, TypeDetails& to) override;

  // Types that no entry describes.
  const Type* pointer_to(const Type* target, Language language = Language::C);
  const Type* array_of(const Type* element, uint64_t count, bool vector = false);
  const Type* base(const std::string& name, TypeKind kind, uint64_t size);
  const Type* function_returning(const Type* result);
  const Type* made(Type type);  // whole, its details filled in; one for each name

  // `type` with the lengths that only a frame knows: `bound` computes one from a DW_TAG_subrange_type's attribute.
  using Bound = std::function<std::optional<int64_t>(const llvm::DWARFDie& range, llvm::dwarf::Attribute attribute)>;
  const Type* in_frame(const Type* type, const Bound& bound, int depth = 0);

 private:
  Type* add(Type type);
  const Type* make(const llvm::DWARFDie& die);
  const Type* make_array(const llvm::DWARFDie& die);
  void complete_struct(const Type& type, const llvm::DWARFDie& die, TypeDetails& to);
  Member member_of(const llvm::DWARFDie& die);
  void read_variants(const llvm::DWARFDie& part, TypeDetails& to);

  FindDefinition find_definition_;
  std::vector<std::unique_ptr<Type>> all_;
  std::vector<EntryReference> entries_;  // by Type::source_key
  std::map<EntryReference, const Type*> by_entry_;
  std::map<const Type*, const Type*> pointers_;
  std::map<std::pair<const Type*, uint64_t>, const Type*> arrays_;
  std::map<std::string, const Type*> bases_;
  std::map<const Type*, EntryReference> ranges_;  // of arrays whose length is computed: their DW_TAG_subrange_type
  int depth_ = 0;
};

}  // namespace mortem::inspector
