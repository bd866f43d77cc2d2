# Kernel code that is pure logic, compiled for the host.
mortem_unit_test(page_frames SOURCES ${CMAKE_SOURCE_DIR}/kernel/memory/page_frames.cpp)
mortem_unit_test(format_text SOURCES ${CMAKE_SOURCE_DIR}/kernel/library/format_text.cpp)
