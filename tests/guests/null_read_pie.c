// null_read as a static-PIE program: loaded at a random address.
#include "null_read.c"
