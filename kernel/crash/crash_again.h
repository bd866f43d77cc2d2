// For a guest that goes on after its dump, here or resumed: the crash path can be gone again.
#pragma once

namespace kernel {

void crash_forget();         // all that the crash path remembers of its way
void crash_prepare_again();  // as crash_prepare(), with the memory that is reserved already
void dump_forget();          // dump_run.cpp's part

}  // namespace kernel
