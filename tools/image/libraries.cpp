#include "tools/image/libraries.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <elf.h>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "tools/elf_file.h"
#include "tools/files.h"
#include "tools/image/guest_files.h"
#include "tools/image/loader_cache.h"
#include "tools/interrupt.h"
#include "tools/output.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

enum class LoaderKind { Glibc, Musl };

// Where glibc looks when nothing else says where: Debian's own folders, then those of others.
constexpr const char* kGlibcFolders[] = {
    "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib", "/lib64", "/usr/lib64"};
constexpr const char* kMuslPathFile = "/etc/ld-musl-x86_64.path";
constexpr const char* kMuslFolders = "/lib:/usr/local/lib:/usr/lib";
// glibc opens it when a thread is cancelled or a stack is printed, and ends the program if it is not there.
constexpr const char* kOpenedByGlibc = "libgcc_s.so.1";

std::vector<std::string> split(const std::string& text, std::string_view separators) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find_first_of(separators, at), text.size());
    if (end > at) parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

// musl's loader is its C library; names of its former parts mean the same (ldso/dynlink.c, load_library).
bool is_part_of_musl(const std::string& name) {
  for (const char* part : {"libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."})
    if (name.starts_with(part)) return true;
  return false;
}

// One file on both sides.
struct Candidate {
  fs::path host;
  std::string guest;
};

struct Object {
  Candidate place;
  ElfFacts facts;
  const Object* loader = nullptr;  // who asked for it; null: the program
  bool optional = false;           // found in a folder of the request: what it lacks is only noted
};

class LibraryFinder {
 public:
  LibraryFinder(const ImageRequest& request, const fs::path& host_cache)
      : request_(request), packed_(request), host_cache_(host_cache) {}

  Result<Libraries> find() {
    TRY_VOID(add_program());
    if (interpreter_.empty()) return std::move(found_);  // a static program opens no libraries
    for (const HostToGuest& file : request_.files) TRY_VOID(add_packed(file.host, file.guest, false));
    for (const HostToGuest& folder : request_.folders) TRY_VOID(add_folder(folder));
    for (size_t index = 0; index < objects_.size(); ++index) {
      const Object& object = objects_[index];
      for (const std::string& name : object.facts.needed) TRY_VOID(add_needed(name, object));
    }
    if (kind_ == LoaderKind::Glibc) {
      if (!known_.contains(kOpenedByGlibc)) TRY_VOID(add_needed(kOpenedByGlibc, objects_.front(), true));
      if (!cached_.empty() && !packed_.host_file("/etc/ld.so.cache")) found_.loader_cache = loader_cache_bytes(cached_);
    }
    return std::move(found_);
  }

 private:
  Result<void> add_program() {
    Object program;
    program.facts = TRY(check_program(request_.program));
    program.place = {request_.program, plain_guest_path(request_.guest_program)};
    std::error_code ignored;  // /proc/self/exe, which $ORIGIN is taken from, is the file behind all links
    if (const fs::path real = fs::canonical(request_.program, ignored); !ignored) program.place.host = real;
    found_.modules.push_back({request_.program, program.place.guest});
    interpreter_ = program.facts.interpreter;
    for (const std::string& variable : request_.environment) {
      if (variable.starts_with("LD_LIBRARY_PATH=")) library_path_ = split(variable.substr(16), ":;");
      if (variable.starts_with("LD_PRELOAD="))
        for (const std::string& name : split(variable.substr(11), ": ")) program.facts.needed.push_back(name);
    }
    objects_.push_back(std::move(program));
    if (interpreter_.empty()) return {};
    return add_interpreter();
  }

  Result<void> add_interpreter() {
    const fs::path host = packed_.host_file(interpreter_).value_or(interpreter_);
    std::error_code ignored;
    if (!fs::exists(host, ignored))
      return failure(ErrorKind::NotFound, fmt::format("{}: its interpreter {} is not on this machine",
                                                      request_.program.string(), printable(interpreter_)));
    const ElfFacts facts = TRY(read_elf(host));
    const std::string name = fs::path(interpreter_).filename().string();
    kind_ = name.starts_with("ld-musl") ? LoaderKind::Musl : LoaderKind::Glibc;
    known_.insert(name);
    if (!facts.soname.empty()) known_.insert(facts.soname);
    const std::string guest = plain_guest_path(TRY(guest_path(interpreter_, "the interpreter")));
    seen_.insert(guest);
    if (!packed_.host_file(guest)) found_.files.push_back({host, guest});
    found_.modules.push_back({host, guest});
    prepare_search();
    return {};
  }

  void prepare_search() {
    if (kind_ == LoaderKind::Glibc) {
      for (const char* folder : kGlibcFolders) folders_.emplace_back(folder);
      if (auto bytes = read_text_file(packed_.host_file("/etc/ld.so.cache").value_or(host_cache_)))
        host_libraries_ = parse_loader_cache(*bytes);
      return;
    }
    const auto packed = packed_.host_file(kMuslPathFile);
    auto text = read_text_file(packed.value_or(kMuslPathFile));
    if (text && !packed) found_.files.push_back({kMuslPathFile, kMuslPathFile});
    folders_ = split(text ? *text : kMuslFolders, ":\n");
  }

  // A file of the request: a shared object's needs are followed, a program's are not (only one program runs).
  Result<void> add_packed(const fs::path& host, const std::string& guest, bool optional) {
    char magic[SELFMAG] = {};
    std::error_code ignored;
    if (!fs::is_regular_file(host, ignored)) return {};
    std::ifstream(host, std::ios::binary).read(magic, sizeof magic);
    if (std::memcmp(magic, ELFMAG, SELFMAG) != 0) return {};
    auto facts = read_elf(host);
    if (!facts || facts->type != ET_DYN || (!facts->interpreter.empty() && facts->soname.empty())) return {};
    const std::string place = plain_guest_path(guest);
    if (!seen_.insert(place).second) return {};
    found_.modules.push_back({host, place});
    objects_.push_back({{host, place}, std::move(*facts), &objects_.front(), optional});
    return {};
  }

  Result<void> add_folder(const HostToGuest& folder) {
    std::error_code error;
    fs::recursive_directory_iterator at(folder.host, error), end;
    for (; !error && at != end; at.increment(error)) {
      TRY_VOID(not_interrupted());
      if (!at->is_regular_file(error) || at->is_symlink(error)) continue;
      TRY_VOID(add_packed(at->path(), folder.guest + "/" + at->path().lexically_relative(folder.host).string(), true));
    }
    return {};  // what cannot be read is told when it is copied
  }

  // $ORIGIN, $LIB and $PLATFORM (ld.so(8), "Dynamic string tokens") as they are for `object` on the host or the guest.
  static std::string expanded(const std::string& path, const std::string& origin) {
    std::string text;
    for (size_t at = 0; at < path.size();) {
      bool replaced = false;
      for (const auto& [token, value] : {std::pair<std::string, std::string>{"ORIGIN", origin},
                                         {"LIB", "lib/x86_64-linux-gnu"},
                                         {"PLATFORM", "x86_64"}})
        for (const std::string& form : {"$" + token, "${" + token + "}"})
          if (!replaced && path.compare(at, form.size(), form) == 0) {
            text += value;
            at += form.size();
            replaced = true;
          }
      if (!replaced) text += path[at++];
    }
    return text;
  }

  static Candidate in_folder(const std::string& folder, const std::string& name, const Object& object) {
    return {fs::path(expanded(folder, object.place.host.parent_path().string())) / name,
            expanded(folder, fs::path(object.place.guest).parent_path().string()) + "/" + name};
  }

  // Where the loader would look for `name`, in its order.
  std::vector<Candidate> candidates(const std::string& name, const Object& object) const {
    if (name.find('/') != std::string::npos) return {in_folder(name, "", object)};
    std::vector<Candidate> places;
    auto search_path = [&](const std::string& path, const Object& owner) {
      for (const std::string& folder : split(path, ":")) places.push_back(in_folder(folder, name, owner));
    };
    auto library_path = [&] {
      for (const std::string& folder : library_path_) places.push_back(in_folder(folder, name, objects_.front()));
    };
    if (kind_ == LoaderKind::Musl) {
      library_path();
      for (const Object* owner = &object; owner != nullptr; owner = owner->loader)
        search_path(owner->facts.runpath.empty() ? owner->facts.rpath : owner->facts.runpath, *owner);
    } else {
      if (object.facts.runpath.empty())
        for (const Object* owner = &object; owner != nullptr; owner = owner->loader)
          if (owner->facts.runpath.empty()) search_path(owner->facts.rpath, *owner);
      library_path();
      search_path(object.facts.runpath, object);
      if (auto cached = host_libraries_.find(name); cached != host_libraries_.end())
        places.push_back({cached->second, cached->second});
    }
    for (const std::string& folder : folders_) places.push_back({fs::path(folder) / name, folder + "/" + name});
    return places;
  }

  Result<void> add_needed(const std::string& name, const Object& object, bool optional = false) {
    if (known_.contains(name)) return {};
    if (kind_ == LoaderKind::Musl && is_part_of_musl(name)) return {};
    std::vector<std::string> looked, refused;
    for (Candidate& place : candidates(name, object)) {
      std::string guest = plain_guest_path(place.guest);
      const auto packed = packed_.host_file(guest);
      const fs::path host = packed.value_or(place.host);
      std::error_code ignored;
      if (!fs::is_regular_file(host, ignored)) {
        const std::string folder = fs::path(place.guest).parent_path().string();
        if (std::find(looked.begin(), looked.end(), folder) == looked.end()) looked.push_back(folder);
        continue;
      }
      auto facts = read_elf(host);
      if (!facts || facts->type != ET_DYN) {  // the loader goes on, too, when a file is for another machine
        refused.push_back(facts ? host.string() + " is no shared library" : facts.error().message);
        continue;
      }
      known_.insert(name);
      if (!facts->soname.empty()) known_.insert(facts->soname);
      // A program that was built in /tmp: the guest's loader goes on to the default folders.
      if (hiding_mount(guest))
        guest = fmt::format("/usr/lib{}/{}", kind_ == LoaderKind::Glibc ? "/x86_64-linux-gnu" : "", name);
      if (name.find('/') == std::string::npos && kind_ == LoaderKind::Glibc) cached_.emplace(name, guest);
      if (!seen_.insert(guest).second) return {};
      if (!packed) guest = place_library(host, guest);
      found_.modules.push_back({host, guest});
      objects_.push_back({{host, guest}, std::move(*facts), &object, object.optional || optional});
      return {};
    }
    std::string why = fmt::format("{}, needed by {}, is in none of {}", printable(name), object.place.host.string(),
                                  fmt::join(looked, ", "));
    if (!refused.empty()) why += fmt::format("; {}", fmt::join(refused, "; "));
    if (!object.optional && !optional) return failure(ErrorKind::NotFound, why + "; install it or pack it with --file");
    known_.insert(name);
    found_.notes.push_back(why + "; packed without it");
    return {};
  }

  // Where the content goes: under the file's own name, with the name the loader asks for as a link, when both are in
  // one folder on the host. Returns the path the loader opens.
  std::string place_library(const fs::path& host, const std::string& guest) {
    std::error_code error;
    const fs::path real = fs::canonical(host, error), folder = fs::canonical(host.parent_path(), error);
    if (error || real.parent_path() != folder || real.filename() == host.filename()) {
      found_.files.push_back({host, guest});
      return guest;
    }
    const std::string own = (fs::path(guest).parent_path() / real.filename()).string();
    if (seen_.insert(own).second && !packed_.host_file(own)) found_.files.push_back({real, own});
    found_.links.push_back({guest, real.filename().string()});
    return guest;
  }

  const ImageRequest& request_;
  GuestFiles packed_;
  fs::path host_cache_;
  LoaderKind kind_ = LoaderKind::Glibc;
  std::string interpreter_;
  std::vector<std::string> library_path_, folders_;
  LoaderCache host_libraries_, cached_;
  std::deque<Object> objects_;          // the program first; addresses stay
  std::set<std::string> known_, seen_;  // names that are loaded; paths in the guest
  Libraries found_;
};

}  // namespace

Result<Libraries> find_libraries(const ImageRequest& request, const fs::path& host_cache) {
  return LibraryFinder(request, host_cache).find();
}

}  // namespace mortem::tools
