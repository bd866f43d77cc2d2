// Files from debuginfod servers, by build id, through elfutils' client library, which is loaded when it is needed: it
// brings an HTTP client with it. $DEBUGINFOD_URLS names the servers; where it is empty nobody is asked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace mortem::inspector {

class Debuginfod {
 public:
  Debuginfod() = default;
  ~Debuginfod();
  Debuginfod(const Debuginfod&) = delete;
  Debuginfod& operator=(const Debuginfod&) = delete;

  static bool has_servers();
  // Files in the client's cache. Nothing: no server has it, or trouble() says why none could be asked.
  std::optional<std::filesystem::path> debug_file(std::span<const uint8_t> build_id);
  std::optional<std::filesystem::path> executable(std::span<const uint8_t> build_id);
  std::optional<std::filesystem::path> source(std::span<const uint8_t> build_id, const std::string& path);
  // Why servers were not reached; after that they are not asked again. Empty: they answered.
  const std::string& trouble() const { return trouble_; }

 private:
  struct Library;
  template <typename Call>
  std::optional<std::filesystem::path> ask(std::span<const uint8_t> build_id, Call call);
  bool begin();

  Library* library_ = nullptr;
  void* client_ = nullptr;
  std::string trouble_;
};

}  // namespace mortem::inspector
