__thread int in_library = 40;
int library_value(void) { return in_library + 2; }
