# The GDB protocol server: over a target of bytes, and over a real process with real clients.
add_executable(stub_program stub_program.cpp ptrace_target.cpp)
set_target_properties(stub_program PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(stub_program PRIVATE mortem_gdbstub)

mortem_unit_test(gdbstub_packets LIBRARIES mortem_gdbstub)
mortem_unit_test(gdbstub_server LIBRARIES mortem_gdbstub)
