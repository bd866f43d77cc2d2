// The files of modules in the folder of a clone or recording: its program and libraries with their debug information,
// by build id, for machines that do not have them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "inspector/symbols/symbolizer.h"
#include "snapshot/result.h"

namespace mortem::tools {

// Copies what is found of them into `folder` (module_file_name() says under which names); a file that is there stays.
// Of a module that was not found nothing is copied. An error leaves no part of a file.
Result<void> keep_module_files(const std::vector<snapshot::CoreModule>& modules, inspector::SymbolOptions where,
                               const std::filesystem::path& folder);

// For the modules of a target: a clone's folder, or the guest of that name that was started from a clone's folder or a
// recording. Of another one nothing is added.
void add_module_folder(const std::string& target, inspector::SymbolOptions& to);
// The same of what a guest was started from, as its instance says it.
void add_module_folder_of_source(const std::filesystem::path& source, inspector::SymbolOptions& to);

// Links to the files in `source` that have only debug information, in the folder `place`, laid out as gdb's
// debug-file-directory is: .build-id/XX/REST.debug. False: there are none.
bool link_debug_files(const std::filesystem::path& source, const std::filesystem::path& place);

}  // namespace mortem::tools
