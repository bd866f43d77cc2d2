// What an attribute refers to, also where that is a type in a unit of its own (DWARF 5, section 7.32; DW_FORM_ref_sig8,
// which llvm::DWARFDie::getAttributeValueAsReferencedDie does not follow).
#pragma once

#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/DebugInfo/DWARF/DWARFDie.h>
#include <llvm/DebugInfo/DWARF/DWARFTypeUnit.h>

namespace mortem::inspector {

inline llvm::DWARFDie referenced_entry(const llvm::DWARFDie& die, const llvm::DWARFFormValue& value) {
  if (value.getForm() != llvm::dwarf::DW_FORM_ref_sig8) {
    const llvm::DWARFDie entry = die.getAttributeValueAsReferencedDie(value);
    return entry ? entry.resolveTypeUnitReference() : entry;  // GCC's entries of nothing but DW_AT_signature
  }
  llvm::DWARFUnit* unit = die.getDwarfUnit();
  llvm::DWARFTypeUnit* types =
      unit->getContext().getTypeUnitForHash(unit->getVersion(), value.getRawUValue(), unit->isDWOUnit());
  return types ? types->getDIEForOffset(types->getOffset() + types->getTypeOffset()) : llvm::DWARFDie();
}

}  // namespace mortem::inspector
