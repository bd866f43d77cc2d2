# The host snapshot library. dump_builder makes dumps for the tests of other parts too.
find_package(PkgConfig REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
add_library(dump_builder STATIC dump_builder.cpp pattern_matches.cpp)
target_include_directories(dump_builder PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(dump_builder PUBLIC mortem_snapshot PRIVATE PkgConfig::ZSTD)

mortem_unit_test(seekable_zstd LIBRARIES dump_builder)
mortem_unit_test(core_file LIBRARIES dump_builder)
mortem_unit_test(plain_core LIBRARIES dump_builder)
mortem_unit_test(dump_boot LIBRARIES dump_builder)
mortem_unit_test(slots LIBRARIES dump_builder)
mortem_unit_test(folder_checksums LIBRARIES dump_builder)
mortem_unit_test(foreign_core LIBRARIES dump_builder)
