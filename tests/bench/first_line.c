// One line as soon as main runs.
#include <unistd.h>

int main(void) { return write(1, "first line\n", 11) != 11; }
