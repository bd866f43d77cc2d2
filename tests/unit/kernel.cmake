# Kernel code that is pure logic, compiled for the host.
mortem_unit_test(page_frames SOURCES ${CMAKE_SOURCE_DIR}/kernel/memory/page_frames.cpp)
mortem_unit_test(format_text SOURCES ${CMAKE_SOURCE_DIR}/kernel/library/format_text.cpp)

# The crash path over a guest of bytes. libzstd is the host's; the kernel's own build of it is tested by the guests.
find_package(PkgConfig REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
set(CRASH ${CMAKE_SOURCE_DIR}/kernel/crash)
add_library(crash_path STATIC crash_fake_guest.cpp ${CRASH}/checked_memory.cpp ${CRASH}/core_notes.cpp
  ${CRASH}/core_writer.cpp ${CRASH}/deadline.cpp ${CRASH}/dump_plan.cpp ${CRASH}/dump_slot.cpp ${CRASH}/dump_windows.cpp
  ${CRASH}/frame_pointer_walk.cpp ${CRASH}/linux_notes.cpp ${CRASH}/modules.cpp ${CRASH}/page_walk.cpp
  ${CRASH}/report.cpp ${CRASH}/seekable_compressor.cpp ${CRASH}/text.cpp ${CRASH}/threads.cpp ${CRASH}/trap_message.cpp)
target_link_libraries(crash_path PUBLIC mortem_common mortem_snapshot PkgConfig::ZSTD)
target_include_directories(crash_path PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
mortem_unit_test(crash_core LIBRARIES crash_path)
mortem_unit_test(heap SOURCES ${CMAKE_SOURCE_DIR}/kernel/memory/heap.cpp ${CMAKE_SOURCE_DIR}/kernel/memory/page_frames.cpp)
