#include "inspector/analysis/disassembly.h"

#include <llvm/MC/MCAsmInfo.h>
#include <llvm/MC/MCContext.h>
#include <llvm/MC/MCDisassembler/MCDisassembler.h>
#include <llvm/MC/MCInst.h>
#include <llvm/MC/MCInstPrinter.h>
#include <llvm/MC/MCInstrAnalysis.h>
#include <llvm/MC/MCInstrInfo.h>
#include <llvm/MC/MCRegisterInfo.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <memory>

namespace mortem::inspector {
namespace {

constexpr unsigned kIntelSyntax = 1;  // X86's assembler dialects

// What LLVM needs to take instructions of one machine apart. LLVM's C interface is shorter and prints the targets of
// jumps as distances.
class Disassembler {
 public:
  Disassembler() {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86Disassembler();
    const llvm::Triple triple("x86_64-unknown-linux-gnu");
    std::string error;
    const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple.str(), error);
    if (!target) return;
    registers_.reset(target->createMCRegInfo(triple.str()));
    assembly_.reset(target->createMCAsmInfo(*registers_, triple.str(), options_));
    instructions_.reset(target->createMCInstrInfo());
    machine_.reset(target->createMCSubtargetInfo(triple.str(), "", ""));
    analysis_.reset(target->createMCInstrAnalysis(instructions_.get()));
    context_ = std::make_unique<llvm::MCContext>(triple, assembly_.get(), registers_.get(), machine_.get());
    disassembler_.reset(target->createMCDisassembler(*machine_, *context_));
    printer_.reset(target->createMCInstPrinter(triple, kIntelSyntax, *assembly_, *instructions_, *registers_));
    if (!printer_) return;
    printer_->setPrintImmHex(true);
    printer_->setPrintBranchImmAsAddress(true);
  }

  // Nothing: the bytes are no instruction.
  std::optional<Instruction> read(uint64_t address, std::span<const uint8_t> code) const {
    if (!disassembler_ || !printer_) return std::nullopt;
    llvm::MCInst instruction;
    uint64_t length = 0;
    const llvm::ArrayRef<uint8_t> bytes(code.data(), code.size());
    if (disassembler_->getInstruction(instruction, length, bytes, address, llvm::nulls()) !=
            llvm::MCDisassembler::Success ||
        length == 0)
      return std::nullopt;
    Instruction result{address, code.first(length), {}, {}};
    llvm::raw_string_ostream text(result.text);
    printer_->printInst(&instruction, address + length, "", *machine_, text);  // distances count from its end
    text.flush();
    std::replace(result.text.begin(), result.text.end(), '\t', ' ');
    result.text.erase(0, result.text.find_first_not_of(' '));
    uint64_t target = 0;
    if (analysis_ && analysis_->evaluateBranch(instruction, address, length, target)) result.target = target;
    return result;
  }

 private:
  llvm::MCTargetOptions options_;
  std::unique_ptr<llvm::MCRegisterInfo> registers_;
  std::unique_ptr<llvm::MCAsmInfo> assembly_;
  std::unique_ptr<llvm::MCInstrInfo> instructions_;
  std::unique_ptr<llvm::MCSubtargetInfo> machine_;
  std::unique_ptr<llvm::MCInstrAnalysis> analysis_;
  std::unique_ptr<llvm::MCContext> context_;
  std::unique_ptr<llvm::MCDisassembler> disassembler_;
  std::unique_ptr<llvm::MCInstPrinter> printer_;
};

}  // namespace

std::vector<Instruction> disassemble(uint64_t address, std::span<const uint8_t> code, size_t count) {
  const Disassembler disassembler;
  std::vector<Instruction> result;
  for (size_t at = 0; result.size() < count && at < code.size();) {
    auto instruction = disassembler.read(address + at, code.subspan(at));
    if (!instruction) break;
    at += instruction->bytes.size();
    result.push_back(std::move(*instruction));
  }
  return result;
}

}  // namespace mortem::inspector
