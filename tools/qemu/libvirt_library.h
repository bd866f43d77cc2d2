// libvirt's client library, loaded where it is needed: the command starts without it, and is built without it. Declared
// here as its reference has them (https://libvirt.org/html); its ABI does not change.
#pragma once

#include "snapshot/result.h"

namespace mortem::tools {

struct LibvirtLibrary {
  using Connection = void*;
  using Domain = void*;
  using OnDescriptor = void (*)(int watch, int descriptor, int events, void* context);
  using OnEvent = void (*)(Connection, Domain, const char* event, long long seconds, unsigned microseconds,
                           const char* details, void* context);
  using OnError = void (*)(void* context, void* error);
  using Release = void (*)(void* context);

  static constexpr int kReadable = 1, kHangup = 8;  // virEventHandleType
  static constexpr int kNoDomain = 42;              // VIR_ERR_NO_DOMAIN

  void (*set_error_function)(void* context, OnError);
  const char* (*last_error_message)();
  int (*last_error_code)();
  int (*register_event_loop)();
  int (*run_event_loop_once)();
  int (*add_descriptor)(int descriptor, int events, OnDescriptor, void* context, Release);
  Connection (*open)(const char* name);
  Domain (*find_domain)(Connection, const char* name);
  int (*is_active)(Domain);
  // The answer is from malloc().
  int (*monitor_command)(Domain, const char* command, unsigned file_count, int* files, unsigned* answered_file_count,
                         int** answered_files, char** answer, unsigned flags);
  int (*register_monitor_events)(Connection, Domain, const char* event, OnEvent, void* context, Release,
                                 unsigned flags);

  static Result<LibvirtLibrary> load();
};

}  // namespace mortem::tools
