#include "tools/qemu/uart_messages.h"

#include <unistd.h>

namespace mortem::tools {

void UartMessages::tell(std::string bytes) {
  waiting_.push_back(std::move(bytes));
  tell_next();
}

void UartMessages::was_taken() {
  is_told_ = false;
  tell_next();
}

void UartMessages::tell_next() {
  if (is_told_ || waiting_.empty()) return;
  const std::string bytes = std::move(waiting_.front());
  waiting_.pop_front();
  is_told_ = true;
  (void)!write(pipe_.get(), bytes.data(), bytes.size());
}

}  // namespace mortem::tools
