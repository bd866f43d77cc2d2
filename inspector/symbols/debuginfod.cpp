#include "inspector/symbols/debuginfod.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace mortem::inspector {

// elfutils/debuginfod.h, version 0.180 and later: each returns a descriptor or a negative errno; the build id is bytes,
// the path is malloc'ed.
struct Debuginfod::Library {
  void* (*begin)() = nullptr;
  void (*end)(void*) = nullptr;
  int (*find_debuginfo)(void*, const unsigned char*, int, char**) = nullptr;
  int (*find_executable)(void*, const unsigned char*, int, char**) = nullptr;
  int (*find_source)(void*, const unsigned char*, int, const char*, char**) = nullptr;

  bool load() {
    void* handle = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!handle) return false;
    auto get = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
      return function != nullptr;
    };
    return get(begin, "debuginfod_begin") && get(end, "debuginfod_end") &&
           get(find_debuginfo, "debuginfod_find_debuginfo") && get(find_executable, "debuginfod_find_executable") &&
           get(find_source, "debuginfod_find_source");
  }
};

bool Debuginfod::has_servers() {
  const char* servers = std::getenv("DEBUGINFOD_URLS");
  return servers != nullptr && std::strspn(servers, " ") != std::strlen(servers);
}

Debuginfod::~Debuginfod() {
  if (client_) library_->end(client_);
  delete library_;
}

bool Debuginfod::begin() {
  if (client_) return true;
  if (!trouble_.empty() || !has_servers()) return false;
  // Seconds without progress; the client's own 90 are too long to wait for each of many modules.
  setenv("DEBUGINFOD_TIMEOUT", "10", 0);
  library_ = new Library;
  if (!library_->load())
    trouble_ = "DEBUGINFOD_URLS is set, but libdebuginfod.so.1 is not there; install libdebuginfod1";
  else if ((client_ = library_->begin()) == nullptr)
    trouble_ = "the debuginfod client does not start";
  return client_ != nullptr;
}

template <typename Call>
std::optional<std::filesystem::path> Debuginfod::ask(std::span<const uint8_t> build_id, Call call) {
  if (build_id.empty() || !trouble_.empty() || !begin()) return std::nullopt;
  char* found = nullptr;
  const int result = call(static_cast<int>(build_id.size()), &found);
  std::optional<std::filesystem::path> path;
  if (result >= 0) {
    if (found) path = found;
    close(result);
  } else if (result != -ENOENT) {
    trouble_ = std::string("the servers of DEBUGINFOD_URLS do not answer: ") + std::strerror(-result);
  }
  std::free(found);
  return path;
}

std::optional<std::filesystem::path> Debuginfod::debug_file(std::span<const uint8_t> build_id) {
  return ask(build_id,
             [&](int size, char** found) { return library_->find_debuginfo(client_, build_id.data(), size, found); });
}
std::optional<std::filesystem::path> Debuginfod::executable(std::span<const uint8_t> build_id) {
  return ask(build_id,
             [&](int size, char** found) { return library_->find_executable(client_, build_id.data(), size, found); });
}
std::optional<std::filesystem::path> Debuginfod::source(std::span<const uint8_t> build_id, const std::string& path) {
  return ask(build_id, [&](int size, char** found) {
    return library_->find_source(client_, build_id.data(), size, path.c_str(), found);
  });
}

}  // namespace mortem::inspector
