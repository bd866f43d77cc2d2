# zstd's compressor for the dump writer, from the sources that tools/setup fetches, with the kernel's flags. Without
# threads, assembly, run-time dispatch on BMI2 and formats of before 1.0; -O3 as its authors build it; warnings are their
# business.
set(ZSTD_FOLDER ${MORTEM_THIRD_PARTY}/zstd/lib)
if(NOT EXISTS ${ZSTD_FOLDER}/zstd.h)
  message(FATAL_ERROR "third_party/zstd is missing: run tools/setup")
endif()
set(ZSTD_FILES)
foreach(file common/debug common/entropy_common common/error_private common/fse_decompress common/xxhash
    common/zstd_common compress/fse_compress compress/hist compress/huf_compress compress/zstd_compress
    compress/zstd_compress_literals compress/zstd_compress_sequences compress/zstd_compress_superblock
    compress/zstd_double_fast compress/zstd_fast compress/zstd_lazy compress/zstd_ldm compress/zstd_opt)
  list(APPEND ZSTD_FILES ${ZSTD_FOLDER}/${file}.c)
endforeach()
add_library(mortem_kernel_zstd STATIC ${ZSTD_FILES})
set_target_properties(mortem_kernel_zstd PROPERTIES EXPORT_COMPILE_COMMANDS OFF)
target_compile_options(mortem_kernel_zstd PRIVATE ${KERNEL_FLAGS} -g1 -O3 -w -Wno-error)
# Strategies of higher levels than the dump's (kCompressionLevel): linked, never run, and half of the compiler's work.
foreach(file double_fast lazy ldm opt)
  set_property(SOURCE ${ZSTD_FOLDER}/compress/zstd_${file}.c APPEND PROPERTY COMPILE_OPTIONS -O0)
endforeach()
target_compile_definitions(mortem_kernel_zstd PRIVATE DYNAMIC_BMI2=0 ZSTD_DISABLE_ASM=1 ZSTD_LEGACY_SUPPORT=0
  ZSTD_NO_INTRINSICS=1 ZSTD_TRACE=0 XXH_NAMESPACE=ZSTD_ NDEBUG)
target_include_directories(mortem_kernel_zstd BEFORE PRIVATE ${CMAKE_SOURCE_DIR}/kernel/library/freestanding)
target_include_directories(mortem_kernel_zstd SYSTEM INTERFACE ${ZSTD_FOLDER})
target_link_libraries(mortem-kernel PRIVATE mortem_kernel_zstd)
