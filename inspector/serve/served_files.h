// The files that a debugger asks a target for (vFile): the ELF files of its modules, found on this machine by build id,
// and what /proc says of the process. No other file of this machine is given out.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "gdbstub/target.h"
#include "inspector/elf/elf_image.h"
#include "inspector/symbols/symbolizer.h"
#include "inspector/target/target.h"

namespace mortem::inspector {

class ServedFiles {
 public:
  ServedFiles(const Target& target, Symbolizer& symbolizer, uint32_t process)
      : target_(target), symbolizer_(symbolizer), process_(process) {}

  // As the methods of gdbstub::Target: negative results are -errno.
  int64_t open(std::string_view path);
  int64_t close(uint64_t number);
  int64_t read(uint64_t number, uint64_t offset, std::span<uint8_t> to) const;
  int64_t status(uint64_t number, gdbstub::FileStatus& status) const;
  int64_t path_status(std::string_view path, gdbstub::FileStatus& status) const;
  int64_t read_link(std::string_view path, std::span<char> to) const;

  bool local(std::string_view path, gdbstub::LocalFile& file) const;

  const CoreModule* program() const;  // null: none is known

  // Another name of a module's file: the dynamic linker knows it by the link that it opened.
  void add_name(const std::string& path, const CoreModule& module) { names_[path] = &module; }
  const std::map<std::string, const CoreModule*>& names() const { return names_; }

 private:
  struct File {
    std::shared_ptr<const ElfImage> image;  // null: `text` is the content
    std::string text;
    std::span<const uint8_t> bytes() const {
      return image ? image->bytes() : std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size());
    }
  };

  const CoreModule* module_of(std::string_view path) const;  // null: none has that file
  // Null: there is no such file.
  std::unique_ptr<File> find(std::string_view path) const;
  std::unique_ptr<File> find_of_process(std::string_view name) const;
  std::unique_ptr<File> find_debug_file(std::string_view path) const;
  std::unique_ptr<File> file_of(const CoreModule& module) const;
  std::string mappings() const;

  const Target& target_;
  Symbolizer& symbolizer_;
  const uint32_t process_;
  std::array<std::unique_ptr<File>, 64> files_;
  std::map<std::string, const CoreModule*> names_;
};

}  // namespace mortem::inspector
