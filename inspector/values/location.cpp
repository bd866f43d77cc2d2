#include "inspector/values/location.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "inspector/unwind/constant_operators.h"
#include "inspector/values/expression_arithmetic.h"

namespace mortem::inspector {
namespace {

using Kind = LocationPiece::Kind;

constexpr size_t kMaximumDepth = 256;    // of the stack
constexpr size_t kMaximumSteps = 10000;  // DW_OP_bra can loop
constexpr size_t kMaximumPieces = 4096;
constexpr int kMaximumCalls = 16;  // DW_OP_call* in one another

class Evaluation {
 public:
  Evaluation(LocationContext& context, MemoryCache& memory, const LocationInput& input)
      : context_(context), memory_(memory), input_(input) {
    for (const uint64_t value : input.stack) push({value, {}, true});
  }

  bool run(std::span<const uint8_t> bytes, int depth = 0) {
    const ByteCursor saved = std::exchange(cursor_, ByteCursor(bytes, 0));
    depth_ = depth;
    while (!broken_ && !cursor_.at_end()) {
      if (++steps_ > kMaximumSteps) {
        fail("its location loops");
        break;
      }
      step();
    }
    cursor_ = saved;
    depth_ = depth - 1;
    return !broken_;
  }

  Found<std::vector<LocationPiece>> pieces() {
    if (broken_) return tl::unexpected(failure_);
    if (pieces_.empty()) pieces_.push_back(current());  // what follows the last piece belongs to none
    return std::move(pieces_);
  }

  Found<uint64_t> number() {
    if (broken_) return tl::unexpected(failure_);
    if (!pieces_.empty()) return not_known("a number is put together of pieces");
    if (pending_) {
      if (pending_->kind == Kind::Bytes) {
        if (pending_->bytes.empty()) return not_known("a value without bytes is no number");
        uint64_t value = 0;
        std::memcpy(&value, pending_->bytes.data(), std::min<size_t>(pending_->bytes.size(), 8));
        return value;
      }
      if (pending_->kind == Kind::Register) return register_value(pending_->register_number);
      if (pending_->kind == Kind::Missing) return tl::unexpected(pending_->missing);
      return not_known("an implicit pointer is no number");
    }
    if (stack_.empty()) return is_optimized_out();
    if (!stack_.back().known) return tl::unexpected(why_);
    return stack_.back().bits;
  }

 private:
  // --- the stack
  void fail(std::string why) {
    if (!broken_) failure_ = {false, std::move(why)};
    broken_ = true;
  }
  void push(ExpressionValue value) {
    if (stack_.size() >= kMaximumDepth) return fail("its location is too deep");
    stack_.push_back(value);
  }
  void push_number(uint64_t bits) { push({bits, {}, true}); }
  void push_unknown(Missing why, ExpressionType type = {}) {
    why_ = std::move(why);
    push({0, type, false});
  }
  void push_found(const Found<uint64_t>& value, uint64_t offset = 0) {
    value ? push_number(*value + offset) : push_unknown(value.error());
  }
  ExpressionValue pop() {
    if (stack_.empty()) return fail("its location is broken"), ExpressionValue{};
    const ExpressionValue value = stack_.back();
    stack_.pop_back();
    return value;
  }
  void pick(uint64_t depth) {
    if (depth >= stack_.size()) return fail("its location is broken");
    push(stack_[stack_.size() - 1 - depth]);
  }

  // --- operands
  template <typename T>
  T fixed() {
    const T value = cursor_.fixed<T>();
    check_operand();
    return value;
  }
  uint64_t leb(bool is_signed) {
    const uint64_t value = is_signed ? static_cast<uint64_t>(cursor_.sleb()) : cursor_.uleb();
    check_operand();
    return value;
  }
  std::span<const uint8_t> block(uint64_t length) {
    const auto result = cursor_.block(length);
    check_operand();
    return result;
  }
  void check_operand() {
    if (cursor_.bad()) fail("its location is cut off");
  }
  uint64_t reference() { return context_.offset_size() == 8 ? fixed<uint64_t>() : fixed<uint32_t>(); }

  Found<uint64_t> register_value(uint64_t number) {
    const auto bytes = context_.register_bytes(number);
    if (!bytes) return tl::unexpected(bytes.error());
    if (bytes->empty()) return not_known("a register without bytes");
    uint64_t value = 0;
    std::memcpy(&value, bytes->data(), std::min<size_t>(bytes->size(), 8));
    return value;
  }

  // --- pieces
  LocationPiece current() {
    if (pending_) {
      LocationPiece piece = std::move(*pending_);
      pending_.reset();
      stack_.clear();
      return piece;
    }
    LocationPiece piece;
    if (stack_.empty()) {
      piece.missing = {true, "optimized out"};
      return piece;
    }
    const ExpressionValue top = stack_.back();
    stack_.clear();
    if (top.known) {
      piece.kind = Kind::Memory;
      piece.address = top.bits;
    } else {
      piece.missing = why_;
    }
    return piece;
  }
  void add_piece(uint64_t bit_size, uint64_t bit_offset) {
    if (broken_) return;
    if (pieces_.size() >= kMaximumPieces) return fail("its location has too many pieces");
    LocationPiece piece = current();
    piece.bit_size = bit_size;
    piece.bit_offset = bit_offset;
    if (bit_size == 0) return;
    pieces_.push_back(std::move(piece));
  }
  void pend(LocationPiece piece) {
    if (pending_) return fail("its location is broken");
    pending_ = std::move(piece);
  }
  void pend_register(uint64_t number) {
    LocationPiece piece;
    piece.kind = Kind::Register;
    piece.register_number = number;
    pend(std::move(piece));
  }
  void pend_stack_value() {
    const ExpressionValue value = pop();
    LocationPiece piece;
    if (value.known) {
      piece.kind = Kind::Bytes;
      piece.bytes.resize(value.type.size);
      if (!piece.bytes.empty()) std::memcpy(piece.bytes.data(), &value.bits, std::min<size_t>(value.type.size, 8));
    } else {
      piece.missing = why_;
    }
    pend(std::move(piece));
  }

  // --- operators
  void dereference(size_t size, ExpressionType type = {}) {
    const ExpressionValue address = pop();
    if (size == 0 || size > 8) return push_unknown({false, fmt::format("a value of {} bytes is computed", size)}, type);
    if (!address.known) return push_unknown(why_, type);
    uint64_t bits = 0;
    if (memory_.read(address.bits, {reinterpret_cast<uint8_t*>(&bits), size}) != size)
      return push_unknown({false, fmt::format("memory {:#x} is not in the dump", address.bits)}, type);
    push({extended(bits, type), type, true});
  }

  void jump(int16_t distance) {
    cursor_.seek(cursor_.offset() + static_cast<uint64_t>(int64_t{distance}));  // negative: beyond the end
    if (cursor_.bad()) fail("its location is broken");
  }

  ExpressionType type_at(uint64_t unit_offset) {
    const auto type = context_.base_type(unit_offset);
    if (type) return *type;
    fail(type.error().why);
    return {};
  }

  void step() {
    const uint8_t operation = fixed<uint8_t>();
    if (const auto number = read_constant(operation, cursor_)) {
      check_operand();
      return push_number(*number);
    }
    if (operation >= DW_OP_reg0 && operation <= DW_OP_reg31) return pend_register(operation - DW_OP_reg0);
    if (operation >= DW_OP_breg0 && operation <= DW_OP_breg31) {
      const uint64_t offset = leb(true);
      return push_found(register_value(operation - DW_OP_breg0), offset);
    }
    if (address(operation) || stack_operation(operation) || place(operation) || typed(operation)) return;
    if (is_arithmetic(operation)) return arithmetic(operation);
    fail(fmt::format("its location has the unknown operator {:#x}", operation));
  }

  bool address(uint8_t operation) {
    switch (operation) {
      case DW_OP_addr:
        push_number(fixed<uint64_t>() + context_.load_bias());
        return true;
      case DW_OP_addrx:
      case DW_OP_GNU_addr_index:
        push_found(context_.indexed(leb(false)), context_.load_bias());
        return true;
      case DW_OP_constx:
      case DW_OP_GNU_const_index:
        push_found(context_.indexed(leb(false)));
        return true;
      default:
        return false;
    }
  }

  bool stack_operation(uint8_t operation) {
    switch (operation) {
      case DW_OP_dup:
        pick(0);
        return true;
      case DW_OP_drop:
        pop();
        return true;
      case DW_OP_over:
        pick(1);
        return true;
      case DW_OP_pick:
        pick(fixed<uint8_t>());
        return true;
      case DW_OP_swap: {
        const auto top = pop(), second = pop();
        push(top), push(second);
        return true;
      }
      case DW_OP_rot: {
        const auto top = pop(), second = pop(), third = pop();
        push(top), push(third), push(second);
        return true;
      }
      case DW_OP_deref:
        dereference(8);
        return true;
      case DW_OP_deref_size:
        dereference(fixed<uint8_t>());
        return true;
      case DW_OP_skip:
        jump(fixed<int16_t>());
        return true;
      case DW_OP_bra: {
        const int16_t distance = fixed<int16_t>();
        const auto condition = pop();
        if (broken_) return true;
        if (!condition.known)
          fail(why_.why);  // where it goes on is not known
        else if (condition.bits != 0)
          jump(distance);
        return true;
      }
      case DW_OP_nop:
      case DW_OP_GNU_uninit:
        return true;
      default:
        return false;
    }
  }

  bool place(uint8_t operation) {
    switch (operation) {
      case DW_OP_regx:
        pend_register(leb(false));
        return true;
      case DW_OP_bregx: {
        const uint64_t number = leb(false), offset = leb(true);
        push_found(register_value(number), offset);
        return true;
      }
      case DW_OP_fbreg: {
        const uint64_t offset = leb(true);
        push_found(context_.frame_base(), offset);
        return true;
      }
      case DW_OP_call_frame_cfa:
        push_found(context_.cfa());
        return true;
      case DW_OP_push_object_address:
        input_.object_address ? push_number(*input_.object_address)
                              : push_unknown({false, "the object has no address in memory"});
        return true;
      case DW_OP_form_tls_address:
      case DW_OP_GNU_push_tls_address: {
        const auto offset = pop();
        offset.known ? push_found(context_.thread_local_address(offset.bits)) : push_unknown(why_);
        return true;
      }
      case DW_OP_entry_value:
      case DW_OP_GNU_entry_value: {
        const uint64_t length = leb(false);
        const auto inner = block(length);
        if (!broken_) push_found(context_.entry_value(inner));
        return true;
      }
      case DW_OP_GNU_parameter_ref:
        push_found(context_.parameter_at_entry(fixed<uint32_t>()));
        return true;
      case DW_OP_GNU_variable_value:
        push_found(context_.variable_value(reference()));
        return true;
      case DW_OP_call2:
      case DW_OP_call4:
      case DW_OP_call_ref: {
        const uint64_t offset = operation == DW_OP_call2   ? fixed<uint16_t>()
                                : operation == DW_OP_call4 ? fixed<uint32_t>()
                                                           : reference();
        if (broken_) return true;
        if (depth_ >= kMaximumCalls) return fail("its location calls too deep"), true;
        const auto inner = context_.called(offset, operation != DW_OP_call_ref);
        inner ? (void)run(*inner, depth_ + 1) : fail(inner.error().why);
        return true;
      }
      case DW_OP_stack_value:
        pend_stack_value();
        return true;
      case DW_OP_implicit_value: {
        LocationPiece piece;
        piece.kind = Kind::Bytes;
        const auto bytes = block(leb(false));
        piece.bytes.assign(bytes.begin(), bytes.end());
        pend(std::move(piece));
        return true;
      }
      case DW_OP_implicit_pointer:
      case DW_OP_GNU_implicit_pointer: {
        LocationPiece piece;
        piece.kind = Kind::ImplicitPointer;
        piece.entry_offset = reference();
        piece.byte_offset = static_cast<int64_t>(leb(true));
        pend(std::move(piece));
        return true;
      }
      case DW_OP_piece: {
        const uint64_t size = leb(false);
        if (size > UINT32_MAX) return fail("its location is broken"), true;
        add_piece(size * 8, 0);
        return true;
      }
      case DW_OP_bit_piece: {
        const uint64_t size = leb(false), offset = leb(false);
        if (size > UINT32_MAX || offset > UINT32_MAX) return fail("its location is broken"), true;
        add_piece(size, offset);
        return true;
      }
      default:
        return false;
    }
  }

  bool typed(uint8_t operation) {
    switch (operation) {
      case DW_OP_const_type:
      case DW_OP_GNU_const_type: {
        const ExpressionType type = type_at(leb(false));
        const auto bytes = block(fixed<uint8_t>());
        if (broken_) return true;
        uint64_t bits = 0;
        if (bytes.size() > 8) return push_unknown({false, "a value of more than 8 bytes is computed"}, type), true;
        if (!bytes.empty()) std::memcpy(&bits, bytes.data(), bytes.size());
        push({extended(bits, type), type, true});
        return true;
      }
      case DW_OP_regval_type:
      case DW_OP_GNU_regval_type: {
        const uint64_t number = leb(false);
        const ExpressionType type = type_at(leb(false));
        if (broken_) return true;
        const auto bits = register_value(number);
        if (type.size > 8)
          push_unknown({false, "a value of more than 8 bytes is computed"}, type);
        else
          bits ? push({extended(*bits, type), type, true}) : push_unknown(bits.error(), type);
        return true;
      }
      case DW_OP_deref_type:
      case DW_OP_GNU_deref_type: {
        const uint8_t size = fixed<uint8_t>();
        dereference(size, type_at(leb(false)));
        return true;
      }
      case DW_OP_convert:
      case DW_OP_GNU_convert:
      case DW_OP_reinterpret:
      case DW_OP_GNU_reinterpret: {
        const uint64_t offset = leb(false);
        const ExpressionType type = offset == 0 ? ExpressionType{} : type_at(offset);
        const auto value = pop();
        if (broken_) return true;
        const bool same_bits = operation == DW_OP_reinterpret || operation == DW_OP_GNU_reinterpret;
        if (!value.known) return push({0, type, false}), true;
        const auto result = same_bits ? std::optional(extended(value.bits, type)) : converted(value, type);
        result ? push({*result, type, true})
               : push_unknown({false, fmt::format("a value of {} bytes is computed", type.size)}, type);
        return true;
      }
      default:
        return false;
    }
  }

  void arithmetic(uint8_t operation) {
    if (operation == DW_OP_plus_uconst) {
      auto value = pop();
      value.bits += leb(false);
      value.bits = extended(value.bits, value.type);
      return push(value);
    }
    const auto right = pop();
    const auto left = is_unary(operation) ? right : pop();
    if (broken_) return;
    if (!left.known || !right.known) return push({0, left.type, false});
    const auto result = computed(operation, left, right);
    if (!result) return fail("its location computes what has no result");
    push(*result);
  }

  LocationContext& context_;
  MemoryCache& memory_;
  const LocationInput& input_;
  ByteCursor cursor_;
  size_t steps_ = 0;
  int depth_ = 0;
  std::vector<ExpressionValue> stack_;
  std::vector<LocationPiece> pieces_;
  std::optional<LocationPiece> pending_;
  bool broken_ = false;
  Missing failure_, why_;  // why_: of the values on the stack that are not known, the last one's reason
};

}  // namespace

Found<std::vector<LocationPiece>> evaluate_location(std::span<const uint8_t> expression, LocationContext& context,
                                                    MemoryCache& memory, const LocationInput& input) {
  Evaluation evaluation(context, memory, input);
  evaluation.run(expression);
  return evaluation.pieces();
}

Found<uint64_t> evaluate_number(std::span<const uint8_t> expression, LocationContext& context, MemoryCache& memory,
                                const LocationInput& input) {
  Evaluation evaluation(context, memory, input);
  evaluation.run(expression);
  return evaluation.number();
}

}  // namespace mortem::inspector
