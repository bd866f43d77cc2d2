// The debug information of one module, opened in LLVM over sections of our own.
#pragma once

#include <memory>
#include <string>

#include "inspector/elf/elf_image.h"

namespace llvm {
class DWARFContext;
namespace object {
class ObjectFile;
}
}  // namespace llvm

namespace mortem::inspector {

class DebugFile {
 public:
  // `package`: the .dwp file with what .dwo files held; empty: the file's name and `.dwp`, or .dwo files where the
  // compiler put them. `alternate`: what dwz moved parts of it to; null: none. Nothing is read yet but the ELF headers.
  // Fails if LLVM can make nothing of the file.
  static Result<std::unique_ptr<DebugFile>> open(std::shared_ptr<const ElfImage> image, std::string package = {},
                                                 std::shared_ptr<const ElfImage> alternate = nullptr);
  virtual ~DebugFile() = default;

  // What the two contexts give out lives as long as this. Entries of one mean nothing to the other.
  // All of DWARF, for variables and types. Sections are inflated when LLVM asks for them.
  virtual llvm::DWARFContext& context() = 0;
  // Without location lists, which LLVM would have inflated for every stack: for functions, lines and inlining.
  virtual llvm::DWARFContext& places() = 0;

  virtual const ElfImage& image() const = 0;
  virtual const llvm::object::ObjectFile& object() const = 0;
};

}  // namespace mortem::inspector
