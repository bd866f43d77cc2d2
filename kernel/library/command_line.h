// The kernel command line: space-separated KEY=VALUE, values percent-encoded (%20 is a space). And the manifest, the
// file /etc/mortem.manifest of the root file system: one `KEY=VALUE` a line, percent-encoded in the same way.
//
//   program=/usr/bin/redis-server   path in the guest
//   arg=…        one argument after argv[0]; may be repeated. If the command line has `args=` or any `arg=`, all of
//                the manifest's are left out (`args=` alone: no arguments)
//   env=K=V      may be repeated; the command line's are added to, or replace, the manifest's
//   cwd=/        working directory
//   user=UID[:GID]                  who the program is (not given: root); for programs that refuse to run as root
//   new-code=allow|refuse|crash     what is done about code that appears after the start (kernel/linux/new_code.h)
//   dump-on-exit=nonzero|never
//   net=dhcp|none|ADDRESS/PREFIX[,gateway=ADDRESS][,dns=ADDRESS][,mtu=BYTES]
//                                   may be repeated, for IPv4 and IPv6; not given: dhcp. IPv6 also listens to routers.
//                                   Where the command line has any, the manifest's are left out
//   on-exec=refuse|crash            crash: execve, fork and their like end the program with a dump
//   on-fault=last-chance|first-chance
//                                   first-chance: a fault that the program has a handler for leaves a dump, too, before
//                                   the handler runs; once for each instruction
//   memory=BYTES                    manifest only, read by `mortem run`: RAM that the slots were made for
//   port=HOST:GUEST                manifest only, read by `mortem run`: ports to forward
//   on-crash=stop|reboot|gdb        command line only; gdb: the app waits for a debugger before its dump is written
//   wait=gdb                        command line only: the app waits for a debugger at its entry
//   provoke-crash=on                command line only: /sys/kernel/debug/provoke-crash/DIRECT exists
//   provoke-crash=boot              command line only: the kernel panics before the program starts
//   crash-path-trap=STAGE,…         command line only, with provoke-crash=on: these stages of the crash path
//                                   (kernel/crash/stages.h) trap once, to test what comes after
//   path-mtu-lifetime=SECONDS       command line only, for tests: how long a way's MTU is believed (600)
//   log=console                     command line only
//   control=serial                  command line only: the control port is the second UART (of recorded guests)
//   idle=poll|halt                  command line only; poll: before the CPU halts it looks for work for a while
//                                   (task/poll_window.h). Not given: poll under QEMU's TCG, else halt
//   wall-clock-ns=N                 command line only; not given: CMOS clock
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/library/result.h"

namespace kernel {

void command_line_initialize(const char* text);  // keeps a copy (at most 16 KiB)
// The manifest's text, once the root is mounted; Invalid with a log line that names the bad line.
Result<void> manifest_initialize(std::span<const char> text);

// Value of the last KEY= on the command line, else in the manifest; null: not given. Decoded, NUL-terminated, kept.
const char* setting(const char* key);
bool setting_is(const char* key, const char* value);
// All values of a key that may be repeated, in order, after the rules above; index 0, 1, …; null: no more.
const char* repeated_setting(const char* key, size_t index);

}  // namespace kernel
