// The monitor of a QEMU that libvirt started: the socket is libvirt's, which passes commands and events on
// (virDomainQemuMonitorCommandWithFiles, virConnectDomainQemuMonitorEventRegister). A process of its own does that and
// speaks QMP with us: libvirt waits without a bound and has an event loop of its own, and a clone's guard, which was
// forked, needs it too.
#pragma once

#include <optional>
#include <string>

#include "snapshot/result.h"
#include "tools/qemu/qmp.h"

namespace mortem::tools {

struct LibvirtDomain {
  std::string connection;  // qemu:///system
  std::string name;
};

// qemu:///system/NAME, qemu:///session/NAME; with a driver's parameters (qemu+unix:///system/NAME?socket=PATH).
// Nothing: it does not begin so.
std::optional<Result<LibvirtDomain>> parse_libvirt_domain(const std::string& text);

// NotFound: there is no such domain, or it does not run.
Result<Qmp> connect_through_libvirt(const LibvirtDomain& domain, int timeout_ms);

}  // namespace mortem::tools
