// Settings for the guest: /etc/mortem.manifest of an image and the kernel command line, both KEY=VALUE with
// percent-encoded values (kernel/library/command_line.h has the keys).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tools/image/image_request.h"

namespace mortem::tools {

inline constexpr const char* kManifestPath = "/etc/mortem.manifest";

std::string percent_encode(const std::string& value);
Result<std::string> percent_decode(const std::string& text);

std::string manifest_text(const ImageRequest& request);

// A manifest as it stands in an image: values by key, in order.
using Manifest = std::map<std::string, std::vector<std::string>>;
Result<Manifest> parse_manifest(const std::string& text);

}  // namespace mortem::tools
