#include "tools/qemu/libvirt_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace mortem::tools {

namespace {

constexpr const char* kFile = "libvirt-qemu.so.0";  // which needs libvirt.so.0

}  // namespace

Result<LibvirtLibrary> LibvirtLibrary::load() {
  void* const handle = dlopen(kFile, RTLD_NOW);
  if (handle == nullptr)
    return failure(ErrorKind::System, "libvirt's client library is not on this machine: apt-get install libvirt0");
  LibvirtLibrary library{};
  const char* missing = nullptr;
  auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
    if (function == nullptr) missing = name;
  };
  find(library.set_error_function, "virSetErrorFunc");
  find(library.last_error_message, "virGetLastErrorMessage");
  find(library.last_error_code, "virGetLastErrorCode");
  find(library.register_event_loop, "virEventRegisterDefaultImpl");
  find(library.run_event_loop_once, "virEventRunDefaultImpl");
  find(library.add_descriptor, "virEventAddHandle");
  find(library.open, "virConnectOpen");
  find(library.find_domain, "virDomainLookupByName");
  find(library.is_active, "virDomainIsActive");
  find(library.monitor_command, "virDomainQemuMonitorCommandWithFiles");
  find(library.register_monitor_events, "virConnectDomainQemuMonitorEventRegister");
  if (missing != nullptr)
    return failure(ErrorKind::Unsupported, fmt::format("libvirt here is too old: it has no {} (8.2 has)", missing));
  return library;
}

}  // namespace mortem::tools
