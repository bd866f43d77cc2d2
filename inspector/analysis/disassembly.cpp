#include "inspector/analysis/disassembly.h"

#include <llvm-c/Disassembler.h>
#include <llvm-c/Target.h>

#include <algorithm>

namespace mortem::inspector {

std::vector<Instruction> disassemble(uint64_t address, std::span<const uint8_t> code, size_t count) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86Disassembler();
  LLVMDisasmContextRef context = LLVMCreateDisasm("x86_64-unknown-linux-gnu", nullptr, 0, nullptr, nullptr);
  std::vector<Instruction> result;
  if (context == nullptr) return result;
  LLVMSetDisasmOptions(context, LLVMDisassembler_Option_AsmPrinterVariant | LLVMDisassembler_Option_PrintImmHex);
  size_t at = 0;
  while (result.size() < count && at < code.size()) {
    char text[160];
    auto* bytes = const_cast<uint8_t*>(code.data() + at);  // the C interface reads only
    const size_t length = LLVMDisasmInstruction(context, bytes, code.size() - at, address + at, text, sizeof text);
    if (length == 0) break;
    std::string line = text;
    std::replace(line.begin(), line.end(), '\t', ' ');
    line.erase(0, line.find_first_not_of(' '));
    result.push_back({address + at, code.subspan(at, length), std::move(line)});
    at += length;
  }
  LLVMDisasmDispose(context);
  return result;
}

}  // namespace mortem::inspector
