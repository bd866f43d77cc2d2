# The GDB protocol server: over a target of bytes, and over a real process with real clients.
mortem_unit_test(gdbstub_packets LIBRARIES mortem_gdbstub)
mortem_unit_test(gdbstub_server LIBRARIES mortem_gdbstub)

find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME unit.gdbstub.freestanding
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/gdbstub_freestanding_test.py
    $<TARGET_OBJECTS:mortem_gdbstub_freestanding>
  COMMAND_EXPAND_LISTS)
set_tests_properties(unit.gdbstub.freestanding PROPERTIES LABELS unit)

add_executable(stub_program stub_program.cpp ptrace_target.cpp)
set_target_properties(stub_program PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(stub_program PRIVATE mortem_gdbstub)
foreach(test gdb_session gdb_watches gdb_dynamic gdb_interrupt gdb_vanishes gdb_quits gdb_kill gdb_many_threads gdb_description
    lldb_session lldb_watches lldb_dynamic lldb_interrupt)
  add_test(NAME unit.gdbstub.${test}
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/gdbstub_clients_test.py $<TARGET_FILE:stub_program>
      ${CMAKE_CURRENT_SOURCE_DIR}/stub_session ${CMAKE_CURRENT_BINARY_DIR}/stub_session/${test} ${test})
  set_tests_properties(unit.gdbstub.${test} PROPERTIES LABELS unit TIMEOUT 300)
endforeach()
if(NOT DEBUG_REGISTERS_WORK)
  set_tests_properties(unit.gdbstub.gdb_watches unit.gdbstub.lldb_watches PROPERTIES DISABLED TRUE)
endif()
