// An ELF file's DWARF sections as LLVM wants them, each inflated when LLVM first asks for it: its own reader inflates
// all of them at once, by zlib.
#pragma once

#include <llvm/DebugInfo/DWARF/DWARFObject.h>

#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "inspector/elf/elf_image.h"
#include "inspector/symbols/merged_sections.h"

namespace mortem::inspector {

// A section without relocations, in the shape of llvm::DWARFObjInMemory's own (lib/DebugInfo/DWARF/DWARFContext.cpp,
// DWARFSectionMap): the object of a .dwo file, which is LLVM's, asks a section of ours for its relocations when an
// address stands in the linked file's .debug_addr.
struct SectionWithoutRelocations : llvm::DWARFSection {
  llvm::RelocAddrMap relocations;
};

// LLVM asks for location lists together with the first entry of any unit, needed or not.
enum class LocationLists { Read, LeaveOut };

class DebugSections final : public llvm::DWARFObject {
 public:
  // `object`: the same file opened by LLVM. Both must outlive this.
  // `merged` (null: none) holds sections that are taken instead of the file's own.
  DebugSections(const ElfImage& image, const llvm::object::ObjectFile& object, LocationLists lists,
                const MergedSections* merged)
      : image_(image), object_(object), lists_(lists), merged_(merged) {}

  llvm::StringRef getFileName() const override { return image_.name(); }
  const llvm::object::ObjectFile* getFile() const override { return &object_; }
  bool isLittleEndian() const override { return true; }
  uint8_t getAddressSize() const override { return 8; }
  // The debug information of linked files has no relocations.
  std::optional<llvm::RelocAddrEntry> find(const llvm::DWARFSection&, uint64_t) const override { return std::nullopt; }

  using Section = llvm::DWARFSection;
  using Visit = llvm::function_ref<void(const Section&)>;
  void forEachInfoSections(Visit visit) const override { visit_all("info", visit); }
  void forEachTypesSections(Visit visit) const override { visit_all("types", visit); }
  llvm::StringRef getAbbrevSection() const override { return text("abbrev"); }
  llvm::StringRef getArangesSection() const override { return text("aranges"); }
  llvm::StringRef getStrSection() const override { return text("str"); }
  llvm::StringRef getLineStrSection() const override { return text("line_str"); }
  llvm::StringRef getMacinfoSection() const override { return text("macinfo"); }
  const Section& getMacroSection() const override { return load("macro"); }
  const Section& getLineSection() const override { return load("line"); }
  const Section& getAddrSection() const override { return load("addr"); }
  const Section& getStrOffsetsSection() const override { return load("str_offsets"); }
  const Section& getRangesSection() const override { return load("ranges"); }
  const Section& getRnglistsSection() const override { return load("rnglists"); }
  const Section& getLocSection() const override { return lists("loc"); }
  const Section& getLoclistsSection() const override { return lists("loclists"); }
  const Section& getNamesSection() const override { return load("names"); }

  void forEachInfoDWOSections(Visit visit) const override { visit_all("info.dwo", visit); }
  void forEachTypesDWOSections(Visit visit) const override { visit_all("types.dwo", visit); }
  llvm::StringRef getAbbrevDWOSection() const override { return text("abbrev.dwo"); }
  llvm::StringRef getStrDWOSection() const override { return text("str.dwo"); }
  llvm::StringRef getMacinfoDWOSection() const override { return text("macinfo.dwo"); }
  llvm::StringRef getMacroDWOSection() const override { return text("macro.dwo"); }
  const Section& getLineDWOSection() const override { return load("line.dwo"); }
  const Section& getStrOffsetsDWOSection() const override { return load("str_offsets.dwo"); }
  // Split DWARF 4 keeps its range lists in the file that was linked.
  const Section& getRangesDWOSection() const override { return load("ranges"); }
  const Section& getRnglistsDWOSection() const override { return load("rnglists.dwo"); }
  const Section& getLocDWOSection() const override { return lists("loc.dwo"); }
  const Section& getLoclistsDWOSection() const override { return lists("loclists.dwo"); }
  llvm::StringRef getCUIndexSection() const override { return text("cu_index"); }
  llvm::StringRef getTUIndexSection() const override { return text("tu_index"); }

 private:
  const Section& load(std::string_view name) const;  // without `.debug_`
  const Section& lists(std::string_view name) const { return lists_ == LocationLists::Read ? load(name) : none_; }
  llvm::StringRef text(std::string_view name) const { return load(name).Data; }
  // Type units make several sections of one name.
  void visit_all(std::string_view name, Visit visit) const;

  const ElfImage& image_;
  const llvm::object::ObjectFile& object_;
  const LocationLists lists_;
  const MergedSections* const merged_;
  const SectionWithoutRelocations none_;
  mutable std::map<std::string_view, SectionWithoutRelocations> loaded_;
  mutable std::vector<std::unique_ptr<SectionWithoutRelocations>> visited_;
};

}  // namespace mortem::inspector
