mortem_unit_test(tools_qmp LIBRARIES mortem_tools)
mortem_unit_test(tools_unseen_writes LIBRARIES mortem_tools)
mortem_unit_test(tools_foreign_command LIBRARIES mortem_tools)
mortem_unit_test(tools_files LIBRARIES mortem_tools)
mortem_unit_test(tools_image LIBRARIES mortem_tools mortem_snapshot)
mortem_unit_test(tools_libraries LIBRARIES mortem_tools)
mortem_unit_test(tools_text LIBRARIES mortem_tools)
# A source of the program, not of a library: verbs register themselves.
mortem_unit_test(contained SOURCES ${CMAKE_SOURCE_DIR}/tools/verbs/contained.cpp LIBRARIES mortem_tools mortem_inspector)

# The command itself, as a user meets it: bad input, help, JSON against its schemas. No VM.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME unit.command_line COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/command_line_test.py
  $<TARGET_FILE:mortem>)
set_tests_properties(unit.command_line PROPERTIES LABELS unit TIMEOUT 120)
