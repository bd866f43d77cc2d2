// /etc/ld.so.cache of glibc (sysdeps/generic/dl-cache.h, "glibc-ld.so.cache1.1"): names of libraries and where they
// are.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace mortem::tools {

using LoaderCache = std::map<std::string, std::string>;  // name as in DT_NEEDED → absolute path

// The x86-64 libraries of a cache; those for certain processors only (glibc-hwcaps) are left out. Empty when it is no
// such cache; a damaged entry is left out.
LoaderCache parse_loader_cache(std::string_view bytes);

// A cache that glibc's loader takes, with these libraries.
std::string loader_cache_bytes(const LoaderCache& libraries);

}  // namespace mortem::tools
