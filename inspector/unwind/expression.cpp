#include "inspector/unwind/expression.h"

#include <vector>

#include "inspector/unwind/constant_operators.h"

namespace mortem::inspector {
namespace {

constexpr size_t kMaximumDepth = 64;
constexpr size_t kMaximumSteps = 1000;  // DW_OP_bra can loop

class Evaluation {
 public:
  Evaluation(std::span<const uint8_t> bytes, const FrameRegisters& registers, MemoryCache& memory)
      : cursor_(bytes, 0), registers_(registers), memory_(memory) {}

  std::optional<uint64_t> run(std::optional<uint64_t> initial) {
    if (initial) push(*initial);
    for (size_t steps = 0; good_ && !cursor_.at_end(); ++steps) {
      if (steps == kMaximumSteps) return std::nullopt;
      step();
    }
    if (!good_ || stack_.empty()) return std::nullopt;
    return stack_.back();
  }

 private:
  void push(uint64_t value) { stack_.size() < kMaximumDepth ? stack_.push_back(value) : fail(); }
  void fail() { good_ = false; }

  uint64_t pop() {
    if (stack_.empty()) return fail(), 0;
    const uint64_t value = stack_.back();
    stack_.pop_back();
    return value;
  }

  uint64_t pick(uint64_t depth) {
    if (depth >= stack_.size()) return fail(), 0;
    return stack_[stack_.size() - 1 - depth];
  }

  template <typename T>
  T fixed() {
    const T value = cursor_.fixed<T>();
    if (cursor_.bad()) fail();
    return value;
  }

  uint64_t leb(bool is_signed) {
    const uint64_t value = is_signed ? static_cast<uint64_t>(cursor_.sleb()) : cursor_.uleb();
    if (cursor_.bad()) fail();
    return value;
  }

  void push_register(unsigned number, uint64_t offset) {
    const auto value = registers_.get(number);
    value ? push(*value + offset) : fail();
  }

  void dereference(size_t size) {
    uint64_t value = 0;
    const uint64_t address = pop();
    if (size == 0 || size > 8 || !good_) return fail();
    if (memory_.read(address, {reinterpret_cast<uint8_t*>(&value), size}) != size) return fail();
    push(value);
  }

  void jump(int16_t distance) {
    const uint64_t target = cursor_.offset() + static_cast<uint64_t>(int64_t{distance});  // negative: beyond the end
    cursor_.seek(target);
    if (cursor_.bad()) fail();
  }

  void step() {
    const uint8_t operation = fixed<uint8_t>();
    if (const auto number = read_constant(operation, cursor_)) return cursor_.bad() ? fail() : push(*number);
    if (operation >= DW_OP_breg0 && operation <= DW_OP_breg31) return push_register(operation - DW_OP_breg0, leb(true));
    if (stack_operation(operation) || unary(operation)) return;
    switch (operation) {
      case DW_OP_addr:
        return push(fixed<uint64_t>());
      case DW_OP_bregx: {
        const uint64_t number = leb(false);
        return number < FrameRegisters::kCount ? push_register(static_cast<unsigned>(number), leb(true)) : fail();
      }
      case DW_OP_deref:
        return dereference(8);
      case DW_OP_deref_size:
        return dereference(fixed<uint8_t>());
      case DW_OP_skip:
        return jump(fixed<int16_t>());
      case DW_OP_bra: {
        const int16_t distance = fixed<int16_t>();
        if (pop() != 0) jump(distance);
        return;
      }
      case DW_OP_nop:
        return;
      default:
        return binary(operation);
    }
  }

  bool stack_operation(uint8_t operation) {
    switch (operation) {
      case DW_OP_dup:
        push(pick(0));
        return true;
      case DW_OP_drop:
        pop();
        return true;
      case DW_OP_over:
        push(pick(1));
        return true;
      case DW_OP_pick:
        push(pick(fixed<uint8_t>()));
        return true;
      case DW_OP_swap: {
        const uint64_t top = pop(), second = pop();
        push(top), push(second);
        return true;
      }
      case DW_OP_rot: {
        const uint64_t top = pop(), second = pop(), third = pop();
        push(top), push(third), push(second);
        return true;
      }
      default:
        return false;
    }
  }

  bool unary(uint8_t operation) {
    switch (operation) {
      case DW_OP_abs: {
        const auto value = static_cast<int64_t>(pop());
        push(value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value));
        return true;
      }
      case DW_OP_neg:
        push(0 - pop());
        return true;
      case DW_OP_not:
        push(~pop());
        return true;
      case DW_OP_plus_uconst: {
        const uint64_t value = pop();
        push(value + leb(false));
        return true;
      }
      default:
        return false;
    }
  }

  void binary(uint8_t operation) {
    const uint64_t right = pop(), left = pop();
    const auto signed_right = static_cast<int64_t>(right), signed_left = static_cast<int64_t>(left);
    switch (operation) {
      case DW_OP_and:
        return push(left & right);
      case DW_OP_or:
        return push(left | right);
      case DW_OP_xor:
        return push(left ^ right);
      case DW_OP_plus:
        return push(left + right);
      case DW_OP_minus:
        return push(left - right);
      case DW_OP_mul:
        return push(left * right);
      case DW_OP_div:
        if (right == 0 || (signed_left == INT64_MIN && signed_right == -1)) return fail();
        return push(static_cast<uint64_t>(signed_left / signed_right));
      case DW_OP_mod:
        return right == 0 ? fail() : push(left % right);
      case DW_OP_shl:
        return push(right < 64 ? left << right : 0);
      case DW_OP_shr:
        return push(right < 64 ? left >> right : 0);
      case DW_OP_shra:
        return push(static_cast<uint64_t>(signed_left >> (right < 64 ? right : 63)));
      case DW_OP_eq:
        return push(left == right);
      case DW_OP_ne:
        return push(left != right);
      case DW_OP_lt:
        return push(signed_left < signed_right);
      case DW_OP_le:
        return push(signed_left <= signed_right);
      case DW_OP_gt:
        return push(signed_left > signed_right);
      case DW_OP_ge:
        return push(signed_left >= signed_right);
      default:
        return fail();
    }
  }

  ByteCursor cursor_;
  const FrameRegisters& registers_;
  MemoryCache& memory_;
  std::vector<uint64_t> stack_;
  bool good_ = true;
};

}  // namespace

std::optional<uint64_t> evaluate_expression(std::span<const uint8_t> expression, const FrameRegisters& registers,
                                            MemoryCache& memory, std::optional<uint64_t> initial) {
  return Evaluation(expression, registers, memory).run(initial);
}

}  // namespace mortem::inspector
