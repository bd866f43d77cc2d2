// A program optimized while it is linked, which calls what was compiled apart (OUTSIDE): its debug information tells of
// a call to an entry that only leads to a declaration. At -O2 the function outside leaves no frame.
#define KEEP __attribute__((noinline, noclone))

int outside(int value);
extern int *volatile nowhere;

#ifdef OUTSIDE
int *volatile nowhere;
KEEP int crash(int value) { return *nowhere + value; }
int outside(int value) { return crash(value + 1); }
#else
KEEP int calls(int value) { return outside(value + 2) + 1; }

int main(void) { return calls(3) + 5; }
#endif
