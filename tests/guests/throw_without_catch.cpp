// Throws an exception that nobody catches.
#include <stdexcept>

#include "chain.h"

void die(int argument) {
  chain_sink = argument;
  throw std::runtime_error("nobody catches this");  // frame: die
}
