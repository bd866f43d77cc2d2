# The inspector's core.
mortem_unit_test(expression LIBRARIES mortem_inspector dump_builder)
mortem_unit_test(recursion LIBRARIES mortem_inspector)
mortem_unit_test(location LIBRARIES mortem_inspector dump_builder)
mortem_unit_test(expression_parser LIBRARIES mortem_inspector)
find_package(fmt REQUIRED)
mortem_unit_test(disassembly LIBRARIES mortem_inspector dump_builder fmt::fmt)
mortem_unit_test(tail_calls LIBRARIES mortem_inspector)
mortem_unit_test(unwind LIBRARIES mortem_inspector dump_builder)
mortem_unit_test(go_line_table LIBRARIES mortem_inspector dump_builder)
mortem_unit_test(function_names LIBRARIES mortem_inspector dump_builder)
mortem_unit_test(symbols LIBRARIES mortem_inspector dump_builder)
mortem_unit_test(session WHOLE LIBRARIES mortem_model dump_builder)
target_compile_definitions(session_test PRIVATE SESSION_PROGRAMS="${CMAKE_CURRENT_SOURCE_DIR}/session_programs")
mortem_unit_test(live_session WHOLE LIBRARIES mortem_model dump_builder fmt::fmt)
target_compile_definitions(live_session_test PRIVATE SESSION_PROGRAMS="${CMAKE_CURRENT_SOURCE_DIR}/session_programs"
  STUB_PROGRAM="$<TARGET_FILE_DIR:live_session_test>/stub_program" DEBUG_REGISTERS_WORK=${DEBUG_REGISTERS_WORK})
mortem_unit_test(contained_call LIBRARIES mortem_model)

# Stacks of real programs, frame by frame against gdb, lldb and eu-stack.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
file(GLOB STACK_PROGRAMS CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/stack_programs/*.c*)
foreach(program ${STACK_PROGRAMS})
  get_filename_component(name ${program} NAME_WE)
  foreach(optimisation O0 O2)
    add_test(NAME unit.stack.${name}.${optimisation}
      COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/compare_stacks.py $<TARGET_FILE:mortem> ${program}
        ${optimisation} ${CMAKE_CURRENT_BINARY_DIR}/stacks/${name}.${optimisation})
    set_tests_properties(unit.stack.${name}.${optimisation} PROPERTIES LABELS unit TIMEOUT 300)
  endforeach()
endforeach()
add_test(NAME unit.symbolize
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/compare_symbols.py $<TARGET_FILE:locate_addresses>
    ${CMAKE_CURRENT_SOURCE_DIR}/stack_programs ${CMAKE_CURRENT_BINARY_DIR}/symbols)
set_tests_properties(unit.symbolize PROPERTIES LABELS unit TIMEOUT 300)
add_test(NAME unit.debug_files
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/compare_debug_files.py $<TARGET_FILE:locate_addresses>
    ${CMAKE_CURRENT_BINARY_DIR}/debug_files)
set_tests_properties(unit.debug_files PROPERTIES LABELS unit TIMEOUT 300)
add_test(NAME unit.debuginfod
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/debuginfod_server.py $<TARGET_FILE:mortem>
    ${CMAKE_CURRENT_BINARY_DIR}/debuginfod)
set_tests_properties(unit.debuginfod PROPERTIES LABELS unit TIMEOUT 300)
add_test(NAME unit.broken_debug_files
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/broken_debug_files.py $<TARGET_FILE:mortem>
    ${CMAKE_CURRENT_SOURCE_DIR}/stack_programs/tail_calls.c ${CMAKE_CURRENT_BINARY_DIR}/broken_debug_files 1)
set_tests_properties(unit.broken_debug_files PROPERTIES LABELS unit TIMEOUT 300)
add_test(NAME slow.broken_debug_files
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/broken_debug_files.py $<TARGET_FILE:mortem>
    ${CMAKE_CURRENT_SOURCE_DIR}/stack_programs/tail_calls.c ${CMAKE_CURRENT_BINARY_DIR}/slow_broken_debug_files 60)
set_tests_properties(slow.broken_debug_files PROPERTIES LABELS slow TIMEOUT 3600)
add_executable(locate_addresses locate_addresses.cpp)
set_target_properties(locate_addresses PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(locate_addresses PRIVATE mortem_inspector)
# The reader and the index of our own, against llvm-symbolizer.
add_test(NAME unit.symbolize_index
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/compare_symbolize.py $<TARGET_FILE:mortem>
    ${CMAKE_CURRENT_SOURCE_DIR}/stack_programs ${CMAKE_CURRENT_BINARY_DIR}/symbolize_index)
set_tests_properties(unit.symbolize_index PROPERTIES LABELS unit TIMEOUT 300)
# The filter as others call it: its options, its lines, AddressSanitizer's runtime.
add_test(NAME unit.symbolize_filter
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/compare_symbolize_filter.py $<TARGET_FILE:mortem>
    ${CMAKE_CURRENT_SOURCE_DIR}/symbolize_filter.cpp ${CMAKE_CURRENT_BINARY_DIR}/symbolize_filter)
set_tests_properties(unit.symbolize_filter PROPERTIES LABELS unit TIMEOUT 600)
add_test(NAME slow.symbolize_filter
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/compare_symbolize_filter.py $<TARGET_FILE:mortem>
    ${CMAKE_CURRENT_SOURCE_DIR}/symbolize_filter.cpp ${CMAKE_CURRENT_BINARY_DIR}/slow_symbolize_filter all)
set_tests_properties(slow.symbolize_filter PROPERTIES LABELS slow TIMEOUT 1200)
add_test(NAME unit.search_values
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/search_values.py $<TARGET_FILE:mortem>
    ${CMAKE_CURRENT_BINARY_DIR}/search_values)
set_tests_properties(unit.search_values PROPERTIES LABELS unit TIMEOUT 300)
add_test(NAME unit.print_dwz
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/print_dwz.py $<TARGET_FILE:mortem>
    ${CMAKE_CURRENT_BINARY_DIR}/print_dwz)
set_tests_properties(unit.print_dwz PROPERTIES LABELS unit TIMEOUT 300)
add_test(NAME unit.print_kinds
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/print_kinds.py $<TARGET_FILE:mortem>
    ${CMAKE_CURRENT_BINARY_DIR}/print_kinds g++)
set_tests_properties(unit.print_kinds PROPERTIES LABELS unit TIMEOUT 300)
add_test(NAME unit.print_expressions
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/print_expressions.py $<TARGET_FILE:mortem>
    ${CMAKE_CURRENT_BINARY_DIR}/print_expressions g++)
set_tests_properties(unit.print_expressions PROPERTIES LABELS unit TIMEOUT 300)
add_test(NAME unit.print_containers
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/print_containers.py $<TARGET_FILE:mortem>
    ${CMAKE_CURRENT_BINARY_DIR}/print_containers g++)
set_tests_properties(unit.print_containers PROPERTIES LABELS unit TIMEOUT 300)
add_test(NAME e2e.program.print_containers_libcxx
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/print_containers.py $<TARGET_FILE:mortem>
    ${CMAKE_CURRENT_BINARY_DIR}/print_containers_libcxx clang++ -stdlib=libc++)
# Without the parts of std::string that clang leaves to the library's debug information: more of them in C++17.
foreach(standard 17 20)
  add_test(NAME e2e.program.print_containers_clang${standard}
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/print_containers.py $<TARGET_FILE:mortem>
      ${CMAKE_CURRENT_BINARY_DIR}/print_containers_clang${standard} clang++ -std=c++${standard})
  list(APPEND clang_tests e2e.program.print_containers_clang${standard})
endforeach()
set_tests_properties(e2e.program.print_containers_libcxx ${clang_tests} PROPERTIES LABELS programs TIMEOUT 300)
add_test(NAME slow.print_kinds_clang
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/print_kinds.py $<TARGET_FILE:mortem>
    ${CMAKE_CURRENT_BINARY_DIR}/print_kinds_clang clang++)
set_tests_properties(slow.print_kinds_clang PROPERTIES LABELS slow TIMEOUT 300)
