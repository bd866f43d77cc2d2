// The interpreter and the shared libraries that a dynamic program needs, found on this machine by reading ELF headers
// in the order of the loader's own search (ld.so(8); musl: ldso/dynlink.c). Nothing is run.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tools/image/image_request.h"

namespace mortem::tools {

struct GuestLink {
  std::string guest;   // absolute
  std::string target;  // as the symbolic link says it
};

struct PackedModule {  // an ELF file that will be in the guest
  std::filesystem::path host;
  std::string guest;
};

struct Libraries {
  std::vector<HostToGuest> files;
  std::vector<GuestLink> links;
  std::string loader_cache;           // content of /etc/ld.so.cache; empty: none is needed
  std::vector<PackedModule> modules;  // program, interpreter, libraries, and ELF files of --file and --dir
  std::vector<std::string> notes;     // one line each: a library that a file of --dir needs and nobody has
};

// Also follows the shared objects among the request's files and folders. A library that is not on this machine is an
// error that names who needs it. `host_cache`: the host's ld.so.cache.
Result<Libraries> find_libraries(const ImageRequest& request,
                                 const std::filesystem::path& host_cache = "/etc/ld.so.cache");

}  // namespace mortem::tools
