// Split DWARF (DWARF 5, section 7.3.2; GNU's of DWARF 4): the entries of a unit stand in a .dwo file, or in the package
// of them, a .dwp file. What is read of either is checked against the id that the linked file's skeleton unit has.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "inspector/symbols/index/dwarf_file.h"
#include "inspector/symbols/path_rules.h"

namespace mortem::inspector::index {

class SplitParts final : public PartFinder {
 public:
  // `files`: of the program; its package is looked in first. `rules` must outlive this.
  SplitParts(const SymbolFiles& files, const PathRules& rules);

  std::unique_ptr<DwarfFile> find(const DwarfFile& linked, const Unit& skeleton) override;
  // .dwo files that were wanted and are not there, or are of another build.
  const std::set<std::string>& missing() const { return missing_; }

 private:
  const SymbolFiles files_;
  const PathRules& rules_;
  bool package_tried_ = false;
  std::shared_ptr<const ElfImage> package_;  // null: none
  std::set<std::string> missing_;
};

// The part of `skeleton` in a .dwo file or a package; null: it is not there, or of another build.
std::unique_ptr<DwarfFile> part_in(std::shared_ptr<const ElfImage> image, const DwarfFile& linked,
                                   const Unit& skeleton);

// "PROGRAM: 2 of its .dwo files were not found …": what to tell the user.
std::string missing_parts_text(const std::string& program, const std::set<std::string>& missing,
                               const std::string& consequence);

}  // namespace mortem::inspector::index
