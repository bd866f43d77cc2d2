// Called once by kernel_main, in this order.
#pragma once

namespace kernel {

void physical_initialize();
void page_tables_initialize();  // drops the boot identity map, chooses the stack and device regions

}  // namespace kernel
