// Any bytes as the state of a clone: an error, or devices that can be asked for everything.
#include <cstdlib>

#include "snapshot/clone/cpu_state.h"
#include "snapshot/clone/device_states.h"

using namespace mortem;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto check = [](const Error& error) {
    if (error.message.empty() || error.message.find('\n') != std::string::npos) abort();
  };
  auto states = snapshot::DeviceStates::parse({data, data + size}, "state");
  if (!states) return check(states.error()), 0;
  for (const snapshot::DeviceState& device : states->all()) {
    (void)states->find(device.name, device.instance);
    for (const snapshot::DeviceField& field : device.fields)
      for (const size_t index : {size_t{0}, size_t(field.count), SIZE_MAX}) {
        (void)device.number(field.name, index);
        for (const snapshot::DeviceField& part : field.fields) (void)device.number(field.name, index, part.name);
        const auto bytes = device.element(field.name, index);
        if (!bytes.empty() && (bytes.data() < device.bytes.data() ||
                               bytes.data() + bytes.size() > device.bytes.data() + device.bytes.size()))
          abort();
      }
  }
  if (const auto cpu = snapshot::read_cpu_state(*states, "state"); !cpu) check(cpu.error());
  return 0;
}
