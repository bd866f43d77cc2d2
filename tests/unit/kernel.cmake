# Kernel code that is pure logic, compiled for the host: once, for all tests. The linker takes what a test needs.
set(KERNEL_SOURCE ${CMAKE_SOURCE_DIR}/kernel)
file(GLOB KERNEL_DISK_SOURCES CONFIGURE_DEPENDS ${KERNEL_SOURCE}/fs/*.cpp)
list(FILTER KERNEL_DISK_SOURCES EXCLUDE REGEX "disk_writer")  # a thread: kernel_disk_fakes.cpp stands for it
list(APPEND KERNEL_DISK_SOURCES ${KERNEL_SOURCE}/drivers/partition_table.cpp ${KERNEL_SOURCE}/task/wait_queue.cpp)
set(KERNEL_LOGIC ${KERNEL_DISK_SOURCES})
foreach(source drivers/control_frames drivers/pci drivers/pci_memory drivers/serial drivers/uart drivers/virtqueue
    library/chacha20
    library/command_line library/format_text linux/epoll linux/memory_content linux/memory_file linux/temporary_files
    memory/page_frames memory/page_tree memory/pressure memory/reclaim task/area_list task/timer_queue)
  list(APPEND KERNEL_LOGIC ${KERNEL_SOURCE}/${source}.cpp)
endforeach()
add_library(kernel_logic STATIC ${KERNEL_LOGIC})
target_link_libraries(kernel_logic PUBLIC mortem_host)
target_compile_options(kernel_logic PRIVATE -Ulinux)

# These bring along what is below them.
foreach(test area_list chacha20 clock_arithmetic format_text page_frames page_tree pci poll_window pressure reclaim serial temporary_files timer_queue)
  mortem_unit_test(${test} LIBRARIES kernel_logic)
endforeach()
mortem_unit_test(heap SOURCES ${KERNEL_SOURCE}/memory/heap.cpp LIBRARIES kernel_logic)
mortem_unit_test(tcp_timeouts SOURCES ${KERNEL_SOURCE}/net/tcp_timeouts.cpp)
target_include_directories(tcp_timeouts_test SYSTEM PRIVATE ${CMAKE_BINARY_DIR}/kernel/lwip/src/include
  ${KERNEL_SOURCE}/net/lwip)
# Below these there is no kernel but the fakes.
set(KERNEL_FAKES kernel_device_fakes.cpp kernel_disk_fakes.cpp kernel_interrupt_fakes.cpp)
add_library(kernel_fakes OBJECT ${KERNEL_FAKES})
target_link_libraries(kernel_fakes PUBLIC kernel_logic)
target_compile_options(kernel_fakes PRIVATE ${TEST_OPTIONS})
mortem_unit_test(epoll SOURCES kernel_interrupt_fakes.cpp LIBRARIES kernel_logic)
foreach(test command_line control_frames tree virtqueue wait_queue)
  mortem_unit_test(${test} LIBRARIES kernel_fakes)
endforeach()

# File systems, on images that mke2fs makes.
add_library(image_files STATIC image_files.cpp ext3_images.cpp)
target_link_libraries(image_files PUBLIC kernel_fakes)
target_compile_options(image_files PRIVATE ${TEST_OPTIONS})
foreach(test ext2 ext3 ext3_power_cut page_cache path partition_table)
  mortem_unit_test(${test} LIBRARIES image_files kernel_fakes)
endforeach()
add_test(NAME slow.ext3_power_cut COMMAND ext3_power_cut_test)
set_tests_properties(slow.ext3_power_cut PROPERTIES LABELS slow TIMEOUT 1200 ENVIRONMENT MORTEM_ALL_WORKLOADS=1)
# Damaged images are read under the sanitizers: a wild access is a failed test, not luck.
set(SANITIZERS -fsanitize=address,undefined -fno-sanitize-recover=all)
add_library(kernel_disk_sanitized STATIC ${KERNEL_DISK_SOURCES})
target_link_libraries(kernel_disk_sanitized PUBLIC mortem_host)
target_compile_options(kernel_disk_sanitized PRIVATE -Ulinux -O1 ${SANITIZERS})
set_target_properties(kernel_disk_sanitized PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
mortem_unit_test(ext2_damage SANITIZED SOURCES image_files.cpp ${KERNEL_FAKES} LIBRARIES kernel_disk_sanitized)
target_compile_options(ext2_damage_test PRIVATE ${TEST_OPTIONS} ${SANITIZERS})
target_link_options(ext2_damage_test PRIVATE ${SANITIZERS})

# The crash path over a guest of bytes. libzstd is the host's; the kernel's own build of it is tested by the guests.
find_package(PkgConfig REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
set(CRASH ${KERNEL_SOURCE}/crash)
add_library(crash_path STATIC crash_fake_guest.cpp ${CRASH}/checked_memory.cpp ${CRASH}/core_notes.cpp
  ${CRASH}/core_writer.cpp ${CRASH}/deadline.cpp ${CRASH}/dump_plan.cpp ${CRASH}/dump_slot.cpp
  ${CRASH}/dump_slot_choice.cpp ${CRASH}/dump_windows.cpp ${CRASH}/frame_pointer_walk.cpp ${CRASH}/linux_notes.cpp
  ${CRASH}/modules.cpp ${CRASH}/open_files.cpp ${CRASH}/memory_file_walk.cpp ${CRASH}/page_walk.cpp ${CRASH}/report.cpp
  ${CRASH}/seekable_compressor.cpp ${CRASH}/signature.cpp ${CRASH}/text.cpp ${CRASH}/threads.cpp
  ${CRASH}/trap_message.cpp)
target_link_libraries(crash_path PUBLIC mortem_host mortem_snapshot PkgConfig::ZSTD)
target_include_directories(crash_path PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
set_target_properties(crash_path PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
mortem_unit_test(crash_core LIBRARIES crash_path)
mortem_unit_test(crash_report LIBRARIES crash_path)
# The kernel's writer against the snapshot library's reader.
mortem_unit_test(kernel_dump_slot LIBRARIES crash_path dump_builder)
