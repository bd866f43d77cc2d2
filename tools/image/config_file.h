// CONFIG.json: an image described by the keys that people know from `ops`.
//
//   Program       path of the program on the host (required)
//   Args          its arguments after argv[0]
//   Env           object of strings
//   Files         files, at the same path below / in the guest
//   Dirs          folders, likewise
//   MapDirs       {"HOST/*" or "HOST": "/GUEST"}
//   BaseVolumeSz  size of the root partition at least
//   OnFault       "last-chance" (default) or "first-chance": a fault that the program handles itself leaves a dump, too
//   OnExec        "refuse" (default) or "crash": whether execve and fork end the program with a dump
//   DumpOnExit    "nonzero" (default) or "never": whether an exit status other than 0 leaves a dump
//   NewCode       "allow" (default; JITs and dlopen need it), "refuse" or "crash": what is done when memory becomes
//                 executable after the program's start
//   RunConfig     {"Memory": "256M", "Ports": ["80", "8080:80", "53/udp"]}: ports for `mortem run` to forward
//                  and UDPPorts, likewise for UDP; IPAddress, NetMask (255.255.255.0 where it is not given) and
//                  Gateway: the guest's own, instead of DHCP's; MTU in bytes
//   NameServers   up to three addresses, instead of DHCP's
//
// Other keys of ops (CloudConfig, Klibs, TapName, …) are read over with a note; any other key is an error.
// Paths on the host are relative to the folder of the file.
#pragma once

#include <filesystem>

#include "tools/image/image_request.h"

namespace mortem::tools {

Result<ImageRequest> read_config_file(const std::filesystem::path& path);
// The same from text; `path` names it in errors and is what paths are relative to.
Result<ImageRequest> parse_config(const std::string& text, const std::filesystem::path& path);

}  // namespace mortem::tools
