#include "inspector/analysis/x86_disassembler.h"

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
class LlvmDisassembler final : public X86Disassembler {
 public:
  LlvmDisassembler() {
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

  std::optional<Instruction> read(uint64_t address, std::span<const uint8_t> code) const override {
    llvm::MCInst instruction;
    const uint64_t length = decode(address, code, instruction);
    if (length == 0) return std::nullopt;
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

  std::optional<InstructionFacts> facts(uint64_t address, std::span<const uint8_t> code) const override {
    llvm::MCInst instruction;
    const uint64_t length = decode(address, code, instruction);
    if (length == 0) return std::nullopt;
    InstructionFacts facts;
    facts.address = address;
    facts.length = static_cast<uint8_t>(length);
    if (auto text = read(address, code)) {
      facts.text = std::move(text->text);
      facts.target = text->target;
    }
    const llvm::MCInstrDesc& description = instructions_->get(instruction.getOpcode());
    facts.reads = description.mayLoad();
    facts.writes = description.mayStore();
    add_operands(instruction, description, facts);
    classify(instruction, description, facts);
    return facts;
  }

 private:
  // The instruction's length; 0: the bytes are none.
  uint64_t decode(uint64_t address, std::span<const uint8_t> code, llvm::MCInst& instruction) const {
    if (!disassembler_ || !printer_) return 0;
    uint64_t length = 0;
    const llvm::ArrayRef<uint8_t> bytes(code.data(), code.size());
    const bool good = disassembler_->getInstruction(instruction, length, bytes, address, llvm::nulls()) ==
                      llvm::MCDisassembler::Success;
    return good ? length : 0;
  }

  // The DWARF number of the 64-bit register that `part` belongs to; -1: none (flags, vectors, rip).
  int whole_register(llvm::MCRegister part) const {
    if (!part) return -1;
    for (const llvm::MCPhysReg one : registers_->superregs_inclusive(part))
      if (const int number = registers_->getDwarfRegNum(one, false); number >= 0 && number < kGeneralRegisters)
        return number;
    return -1;
  }

  void add_operands(const llvm::MCInst& instruction, const llvm::MCInstrDesc& description,
                    InstructionFacts& facts) const {
    for (unsigned index = 0; index < description.getNumDefs() && index < instruction.getNumOperands(); ++index)
      if (instruction.getOperand(index).isReg()) add_change(instruction.getOperand(index).getReg(), facts);
    for (const llvm::MCPhysReg one : description.implicit_defs()) add_change(one, facts);
    // LLVM does not call an address that is only computed memory.
    if (instructions_->getName(instruction.getOpcode()).starts_with("LEA64") && instruction.getNumOperands() >= 6) {
      facts.memory = five_operands(instruction, 1, facts);
      return;
    }
    for (unsigned index = 0; index < instruction.getNumOperands() && index < description.getNumOperands();) {
      if (description.operands()[index].OperandType != llvm::MCOI::OPERAND_MEMORY) {
        ++index;
        continue;
      }
      // Five operands: base, scale, index, displacement, segment; of a string instruction one register, and for its
      // source a segment (LLVM, X86InstrOperands.td).
      MemoryOperand memory;
      if (index + 4 < instruction.getNumOperands() && instruction.getOperand(index + 1).isImm() &&
          instruction.getOperand(index + 2).isReg()) {
        memory = five_operands(instruction, index, facts);
        index += 5;
      } else if (instruction.getOperand(index).isReg()) {
        memory.base = whole_register(instruction.getOperand(index).getReg());
        ++index;
        while (index < description.getNumOperands() &&
               description.operands()[index].OperandType == llvm::MCOI::OPERAND_MEMORY &&
               index < instruction.getNumOperands() && instruction.getOperand(index).isReg() &&
               whole_register(instruction.getOperand(index).getReg()) < 0)
          ++index;
      } else {
        return;  // an absolute address of `movabs`
      }
      facts.memory = memory;
      if (facts.reads || facts.writes) facts.accesses.push_back(memory);
    }
    facts.access_size = size_in(facts.text);
  }

  MemoryOperand five_operands(const llvm::MCInst& instruction, unsigned first, const InstructionFacts& facts) const {
    MemoryOperand memory;
    const llvm::MCRegister base = instruction.getOperand(first).getReg();
    memory.base = whole_register(base);
    memory.scale = static_cast<unsigned>(instruction.getOperand(first + 1).getImm());
    memory.index = whole_register(instruction.getOperand(first + 2).getReg());
    if (const auto& displacement = instruction.getOperand(first + 3); displacement.isImm())
      memory.displacement = displacement.getImm();
    memory.thread_local_base =
        first + 4 < instruction.getNumOperands() && instruction.getOperand(first + 4).getReg() != 0;
    if (memory.base < 0 && base && llvm::StringRef(registers_->getName(base)) == "RIP")
      memory.displacement += static_cast<int64_t>(facts.address + facts.length);
    return memory;
  }

  void add_change(llvm::MCRegister part, InstructionFacts& facts) const {
    if (const int number = whole_register(part); number >= 0) facts.changed |= 1u << number;
  }

  // The size of a memory operand, as Intel's syntax writes it.
  static unsigned size_in(const std::string& text) {
    static constexpr std::pair<const char*, unsigned> kSizes[] = {
        {"xmmword ptr", 16}, {"ymmword ptr", 32}, {"zmmword ptr", 64}, {"tbyte ptr", 10}, {"xword ptr", 10},
        {"qword ptr", 8},    {"dword ptr", 4},    {"word ptr", 2},     {"byte ptr", 1}};
    for (const auto& [name, size] : kSizes)
      if (text.find(name) != std::string::npos) return size;
    return 0;
  }

  int general_operand(const llvm::MCInst& instruction, unsigned index) const {
    return index < instruction.getNumOperands() && instruction.getOperand(index).isReg()
               ? whole_register(instruction.getOperand(index).getReg())
               : -1;
  }

  void classify(const llvm::MCInst& instruction, const llvm::MCInstrDesc& description, InstructionFacts& facts) const {
    using Kind = InstructionFacts::Kind;
    const llvm::StringRef name = instructions_->getName(instruction.getOpcode());
    auto stack_access = [&](int64_t displacement, bool writes) {
      MemoryOperand memory;
      memory.base = kStackPointer;
      memory.displacement = displacement;
      facts.accesses.push_back(memory);
      (writes ? facts.writes : facts.reads) = true;
      if (facts.access_size == 0) facts.access_size = 8;
    };
    if (description.isCall()) {
      facts.kind = Kind::Call;
      facts.changed |= kClobberedByCalls;
      if (!facts.memory) facts.source = general_operand(instruction, 0);
      return stack_access(-8, true);
    }
    if (description.isReturn()) {
      facts.kind = Kind::Return;
      return stack_access(0, false);
    }
    if (name.starts_with("PUSH")) return stack_access(-8, true);
    if (name.starts_with("POP") && !name.starts_with("POPCNT")) return stack_access(0, false);
    if (description.isBranch()) {
      facts.kind = description.isIndirectBranch() ? Kind::IndirectJump : Kind::Jump;
      return;
    }
    if (name == "CDQE") {
      facts.kind = Kind::ExtendSigned;
      facts.source = facts.destination = kAccumulator;
      return;
    }
    if (name.starts_with("IDIV") || name.starts_with("DIV")) {
      const size_t digits = name.find_first_of("0123456789");
      unsigned bits = 0;
      if (digits == llvm::StringRef::npos || name.substr(digits).consumeInteger(10, bits)) return;
      facts.kind = Kind::Divide;
      facts.source = facts.memory ? -1 : general_operand(instruction, 0);
      facts.access_size = bits / 8;
      return;
    }
    facts.destination = general_operand(instruction, 0);
    if (facts.destination < 0) return;
    if (name == "MOV64rm" || name == "MOV32rm") {
      facts.kind = Kind::Load;
    } else if (name == "MOVSX64rm32") {
      facts.kind = Kind::LoadSigned;
    } else if (name == "MOV64rr" || name == "MOV32rr" || name == "MOV64rr_REV" || name == "MOV32rr_REV") {
      facts.kind = Kind::Move;
      facts.source = general_operand(instruction, 1);
    } else if (name == "MOVSX64rr32") {
      facts.kind = Kind::ExtendSigned;
      facts.source = general_operand(instruction, 1);
    } else if (name == "LEA64r") {
      facts.kind = Kind::LoadAddress;
    } else if (name == "ADD64ri8" || name == "ADD64ri32" || name == "ADD64i32" || name == "SUB64ri8" ||
               name == "SUB64ri32") {
      const auto& constant = instruction.getOperand(instruction.getNumOperands() - 1);
      if (!constant.isImm()) return;
      facts.kind = Kind::AddConstant;
      facts.constant = name.starts_with("SUB") ? -constant.getImm() : constant.getImm();
    } else if (name == "ADD64rr" || name == "ADD64rr_REV") {
      facts.kind = Kind::Add;
      facts.source = general_operand(instruction, 2);
    } else if (name == "SHL64ri") {
      const auto& constant = instruction.getOperand(instruction.getNumOperands() - 1);
      if (!constant.isImm() || constant.getImm() > 6) return;
      facts.kind = Kind::ShiftLeft;
      facts.constant = constant.getImm();
    } else if ((name.starts_with("XOR32rr") || name.starts_with("XOR64rr")) &&
               general_operand(instruction, 1) == general_operand(instruction, 2)) {
      facts.kind = Kind::Zero;
    }
  }

  static constexpr int kGeneralRegisters = 16, kAccumulator = 0, kStackPointer = 7;
  // rax, rdx, rcx, rsi, rdi, r8-r11 (psABI 3.2.1).
  static constexpr uint32_t kClobberedByCalls = 0x0F37;

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
}  // namespace mortem::inspector

extern "C" __attribute__((visibility("default"))) const mortem::inspector::X86Disassembler* mortem_x86_disassembler() {
  static const mortem::inspector::LlvmDisassembler disassembler;
  return &disassembler;
}
