# Kernel code that is pure logic, compiled for the host.
mortem_unit_test(page_frames SOURCES ${CMAKE_SOURCE_DIR}/kernel/memory/page_frames.cpp)
mortem_unit_test(reclaim SOURCES ${CMAKE_SOURCE_DIR}/kernel/memory/reclaim.cpp)
mortem_unit_test(page_tree SOURCES ${CMAKE_SOURCE_DIR}/kernel/memory/page_frames.cpp
  ${CMAKE_SOURCE_DIR}/kernel/memory/page_tree.cpp)
mortem_unit_test(clock_arithmetic)
mortem_unit_test(chacha20 SOURCES ${CMAKE_SOURCE_DIR}/kernel/library/chacha20.cpp)
mortem_unit_test(format_text SOURCES ${CMAKE_SOURCE_DIR}/kernel/library/format_text.cpp)

# The crash path over a guest of bytes. libzstd is the host's; the kernel's own build of it is tested by the guests.
find_package(PkgConfig REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
set(CRASH ${CMAKE_SOURCE_DIR}/kernel/crash)
add_library(crash_path STATIC crash_fake_guest.cpp ${CRASH}/checked_memory.cpp ${CRASH}/core_notes.cpp
  ${CRASH}/core_writer.cpp ${CRASH}/deadline.cpp ${CRASH}/dump_plan.cpp ${CRASH}/dump_slot.cpp
  ${CRASH}/dump_slot_choice.cpp ${CRASH}/dump_windows.cpp ${CRASH}/frame_pointer_walk.cpp ${CRASH}/linux_notes.cpp
  ${CRASH}/modules.cpp ${CRASH}/memory_file_walk.cpp ${CRASH}/page_walk.cpp ${CRASH}/report.cpp
  ${CRASH}/seekable_compressor.cpp ${CRASH}/signature.cpp ${CRASH}/text.cpp ${CRASH}/threads.cpp
  ${CRASH}/trap_message.cpp)
target_link_libraries(crash_path PUBLIC mortem_common mortem_snapshot PkgConfig::ZSTD)
target_include_directories(crash_path PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
mortem_unit_test(crash_core LIBRARIES crash_path)
mortem_unit_test(heap SOURCES ${CMAKE_SOURCE_DIR}/kernel/memory/heap.cpp ${CMAKE_SOURCE_DIR}/kernel/memory/page_frames.cpp)

# Devices and file systems: no kernel below them but kernel_device_fakes.cpp.
set(KERNEL_SOURCE ${CMAKE_SOURCE_DIR}/kernel)
file(GLOB KERNEL_FILE_SYSTEM_SOURCES CONFIGURE_DEPENDS ${KERNEL_SOURCE}/fs/*.cpp)
list(FILTER KERNEL_FILE_SYSTEM_SOURCES EXCLUDE REGEX "disk_writer")  # a thread: kernel_disk_fakes.cpp stands for it
list(APPEND KERNEL_FILE_SYSTEM_SOURCES ${KERNEL_SOURCE}/drivers/partition_table.cpp
  ${KERNEL_SOURCE}/task/wait_queue.cpp kernel_device_fakes.cpp kernel_disk_fakes.cpp kernel_interrupt_fakes.cpp)
mortem_unit_test(command_line SOURCES ${KERNEL_SOURCE}/library/command_line.cpp kernel_device_fakes.cpp)
mortem_unit_test(control_frames SOURCES ${KERNEL_SOURCE}/drivers/control_frames.cpp kernel_device_fakes.cpp)
mortem_unit_test(tree SOURCES ${KERNEL_FILE_SYSTEM_SOURCES})
mortem_unit_test(virtqueue SOURCES ${KERNEL_SOURCE}/drivers/virtqueue.cpp kernel_device_fakes.cpp)
mortem_unit_test(serial SOURCES ${KERNEL_SOURCE}/drivers/serial.cpp)
mortem_unit_test(pci SOURCES ${KERNEL_SOURCE}/drivers/pci.cpp)
foreach(test ext2 ext3 ext3_power_cut page_cache path partition_table)
  mortem_unit_test(${test} SOURCES image_files.cpp ext3_images.cpp ${KERNEL_FILE_SYSTEM_SOURCES})
endforeach()
# Damaged images are read under the sanitizers: a wild access is a failed test, not luck.
mortem_unit_test(ext2_damage SOURCES image_files.cpp ${KERNEL_FILE_SYSTEM_SOURCES})
target_compile_options(ext2_damage_test PRIVATE -fsanitize=address,undefined -fno-sanitize-recover=all)
target_link_options(ext2_damage_test PRIVATE -fsanitize=address,undefined)
mortem_unit_test(crash_report LIBRARIES crash_path)
mortem_unit_test(area_list SOURCES ${CMAKE_SOURCE_DIR}/kernel/task/area_list.cpp)

# Who waits for what.
mortem_unit_test(timer_queue SOURCES ${KERNEL_SOURCE}/task/timer_queue.cpp)
mortem_unit_test(wait_queue SOURCES ${KERNEL_SOURCE}/task/wait_queue.cpp kernel_interrupt_fakes.cpp)
# (GNU C++ knows `linux` as a macro, the kernel as a namespace.)
mortem_unit_test(epoll SOURCES ${KERNEL_SOURCE}/linux/epoll.cpp ${KERNEL_SOURCE}/task/wait_queue.cpp
  kernel_interrupt_fakes.cpp)
target_compile_options(epoll_test PRIVATE -Ulinux)

mortem_unit_test(temporary_files SOURCES ${KERNEL_SOURCE}/linux/temporary_files.cpp ${KERNEL_SOURCE}/linux/memory_file.cpp
  ${KERNEL_SOURCE}/linux/memory_content.cpp ${KERNEL_SOURCE}/memory/page_frames.cpp ${KERNEL_SOURCE}/memory/page_tree.cpp)
target_compile_options(temporary_files_test PRIVATE -Ulinux)
