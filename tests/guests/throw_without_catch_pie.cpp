// throw_without_catch as a static-PIE program: loaded at a random address.
#include "throw_without_catch.cpp"
