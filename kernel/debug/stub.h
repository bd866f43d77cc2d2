// The GDB stub: gdbstub's server over a port of the virtio-console, in a thread of its own.
#pragma once

namespace kernel::debug {

// The app is about to end: sends what is to be sent, within a bounded time. From the thread that ends it.
void flush_to_client();

// In a guest that was resumed from a dump: the stub's client is gone with the old host, and the app is to stop for the
// next one. Interrupts off.
void resume_stub();

// This machine has the port: not a recorded one that a dump is resumed on.
bool client_can_come();

}  // namespace kernel::debug
