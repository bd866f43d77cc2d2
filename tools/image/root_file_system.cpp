#include "tools/image/root_file_system.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/child_program.h"
#include "tools/image/guest_files.h"
#include "tools/image/manifest.h"
#include "tools/interrupt.h"
#include "tools/output.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kBlock = 4096;
constexpr uint64_t kJournalMebibytes = 4;
constexpr uint64_t kBytesPerInode = 8192;  // of the disk: room for many small files
constexpr uint64_t kInodeSize = 256;

// Just enough for getpwuid, gethostbyname and their like.
struct StandardFile {
  const char* path;
  const char* text;
};
constexpr StandardFile kStandardFiles[] = {
    {"etc/passwd", "root:x:0:0:root:/root:/bin/false\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
    {"etc/group", "root:x:0:\nnogroup:x:65534:\n"},
    {"etc/hosts", "127.0.0.1 localhost\n127.0.1.1 mortem\n::1 localhost\n"},
    {"etc/host.conf", "multi on\n"},  // as Debian: without it glibc takes the first line of /etc/hosts that fits only
    {"etc/hostname", "mortem\n"},
    {"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
};

// For programs that ask who they are.
std::string entry_of_user(std::string_view path, const UserAndGroup& user) {
  constexpr uint32_t kNobody = 65534;
  if (path == "etc/passwd" && user.user != 0 && user.user != kNobody)
    return fmt::format("user:x:{}:{}:user:/:/bin/false\n", user.user, user.group);
  if (path == "etc/group" && user.group != 0 && user.group != kNobody) return fmt::format("user:x:{}:\n", user.group);
  return {};
}

tl::unexpected<Error> cannot_stage(const std::string& guest, const std::string& why) {
  return failure(ErrorKind::BadInput, fmt::format("cannot put {} into the image: {}", printable(guest), why));
}

class Stage {
 public:
  explicit Stage(const fs::path& root) : root_(root) {}

  // From now on, what is put in is the user's.
  void begin_users_part() { is_users_part_ = true; }
  void end_users_part() { is_users_part_ = false; }
  std::set<std::string> take_users_paths() { return std::move(users_paths_); }

  // Where `guest` (absolute) stands in the stage, its folder made if it is not there. Symbolic links among the parents
  // are followed as the guest will follow them, never out of the stage.
  Result<fs::path> place(const std::string& guest) {
    const fs::path path(guest);
    const fs::path folder = TRY(resolve(path.parent_path(), guest));
    std::error_code error;
    fs::create_directories(root_ / folder, error);
    if (error) return cannot_stage(guest, error.message());
    note_owner(folder / path.filename());
    return root_ / folder / path.filename();
  }

  Result<void> add_folder(const std::string& guest, unsigned mode) {
    const fs::path folder = TRY(resolve(guest, guest)), target = root_ / folder;
    std::error_code error;
    fs::create_directories(target.parent_path(), error);
    if (mkdir(target.c_str(), 0755) != 0 && (errno != EEXIST || !fs::is_directory(target)))
      return system_failure("cannot make", target);
    // The owner keeps all rights for now, so that what is below can be written.
    if (chmod(target.c_str(), mode | 0700) != 0) return system_failure("cannot make", target);
    note_owner(folder);
    return {};
  }

  Result<void> add_text(const std::string& guest, std::string_view text) {
    const fs::path target = TRY(place(guest));
    TRY_VOID(write_file_atomically(target, text));
    if (chmod(target.c_str(), 0644) != 0) return system_failure("cannot write", target);
    return {};
  }

  // A later file of the same path wins, as people expect of `--file` after a folder.
  Result<void> add_file(const fs::path& host, const std::string& guest, bool executable) {
    TRY_VOID(not_interrupted());
    if (guest == "/") return cannot_stage(guest, "it is the root folder");
    struct stat facts;
    if (stat(host.c_str(), &facts) != 0) return system_failure("cannot read", host);
    if (S_ISDIR(facts.st_mode)) return failure(ErrorKind::BadInput, host.string() + ": is a folder: use --dir");
    if (!S_ISREG(facts.st_mode)) return failure(ErrorKind::BadInput, host.string() + ": not a regular file");
    const fs::path target = TRY(place(guest));
    if (fs::is_directory(target)) return cannot_stage(guest, "a folder of this name is there already");
    unlink(target.c_str());
    unsigned mode = (facts.st_mode & 07777) | 0400;
    if (executable) mode |= 0555;
    return copy_file_content(host, target, mode);
  }

  Result<void> add_tree(const fs::path& host, const std::string& guest) {
    struct stat facts;
    if (stat(host.c_str(), &facts) != 0) return system_failure("cannot read", host);
    if (!S_ISDIR(facts.st_mode)) return failure(ErrorKind::BadInput, host.string() + ": not a folder: use --file");
    if (guest != "/") TRY_VOID(add_folder(guest, facts.st_mode & 07777));
    std::error_code error;
    fs::directory_iterator entries(host, error), end;
    if (error) return failure(ErrorKind::System, fmt::format("cannot read {}: {}", host.string(), error.message()));
    for (; entries != end; entries.increment(error)) {
      const fs::path from = entries->path();
      const std::string to = (guest == "/" ? "" : guest) + "/" + from.filename().string();
      const fs::file_status status = fs::symlink_status(from, error);
      if (fs::is_symlink(status)) {
        TRY_VOID(copy_link(from, to));
      } else if (fs::is_directory(status)) {
        TRY_VOID(add_tree(from, to));
      } else if (fs::is_regular_file(status)) {
        TRY_VOID(add_file(from, to, false));
      } else {
        return failure(ErrorKind::BadInput,
                       from.string() + ": neither file, folder nor symbolic link; an image cannot hold it");
      }
    }
    if (error) return failure(ErrorKind::System, fmt::format("cannot read {}: {}", host.string(), error.message()));
    return {};
  }

  Result<void> add_link(const std::string& guest, const std::string& content) {
    const fs::path target = TRY(place(guest));
    unlink(target.c_str());
    if (symlink(content.c_str(), target.c_str()) == 0) return {};
    if (errno == EEXIST) return cannot_stage(guest, "a symbolic link, but a folder of this name is there already");
    return system_failure("cannot make", target);
  }

 private:
  // The last who puts something at a path owns it.
  void note_owner(const fs::path& relative) {
    const std::string path = "/" + relative.string();
    if (is_users_part_)
      users_paths_.insert(path);
    else
      users_paths_.erase(path);
  }

  Result<void> copy_link(const fs::path& from, const std::string& guest) {
    std::error_code error;
    const fs::path content = fs::read_symlink(from, error);
    if (error) return failure(ErrorKind::System, fmt::format("cannot read {}: {}", from.string(), error.message()));
    return add_link(guest, content.string());
  }

  // `path` without symbolic links, relative to the root; what is not there yet stays as it is.
  Result<fs::path> resolve(const fs::path& path, const std::string& guest) const {
    constexpr int kMaximumLinks = 40;
    fs::path done, left = path.relative_path();
    int links = 0;
    while (!left.empty()) {
      const fs::path part = *left.begin(), rest = left.lexically_relative(part);
      left = rest == "." ? fs::path() : rest;
      if (part == "." || part.empty()) continue;
      if (part == "..") {
        done = done.parent_path();
        continue;
      }
      std::error_code error;
      const fs::path content = fs::read_symlink(root_ / done / part, error);
      if (error) {  // no link
        done /= part;
        continue;
      }
      if (++links > kMaximumLinks) return cannot_stage(guest, "its symbolic links lead in a circle");
      if (content.is_absolute()) done.clear();
      left = content.relative_path() / left;
    }
    return done;
  }

  fs::path root_;
  bool is_users_part_ = false;
  std::set<std::string> users_paths_;
};

std::string at_offset(const fs::path& image, uint64_t offset) {
  return fmt::format("{}?offset={}", image.string(), offset);  // how libext2fs names a part of a file
}

Result<ProgramOutcome> run_e2fs_tool(const std::string& name, std::vector<std::string> arguments,
                                     std::string input = {}, std::vector<std::string> environment = {}) {
  auto program = find_program(name);
  if (!program) return failure(ErrorKind::NotFound, name + " is not installed: apt-get install e2fsprogs");
  arguments.insert(arguments.begin(), program->string());
  return run_program(
      {.arguments = std::move(arguments), .environment = std::move(environment), .input = std::move(input)});
}

}  // namespace

Result<RootFileSystem> RootFileSystem::stage(const ImageRequest& request, const Libraries& libraries) {
  RootFileSystem root(TRY(TemporaryFolder::create()));
  const fs::path content = root.folder_.path() / "root";
  if (mkdir(content.c_str(), 0755) != 0) return system_failure("cannot make", content);
  chmod(content.c_str(), 0755);  // whatever the umask
  Stage stage(content);
  for (const char* folder :
       {"/bin", "/dev", "/etc", "/proc", "/run", "/sys", "/usr/lib", "/usr/lib64", "/var/lib", "/var/log"})
    TRY_VOID(stage.add_folder(folder, 0755));
  TRY_VOID(stage.add_folder("/root", 0700));
  for (const char* folder : {"/tmp", "/var/tmp"}) TRY_VOID(stage.add_folder(folder, 01777));
  for (const LayoutLink& link : kLayoutLinks) TRY_VOID(stage.add_link(link.guest, link.target));
  for (const StandardFile& file : kStandardFiles)
    TRY_VOID(stage.add_text(std::string("/") + file.path, file.text + entry_of_user(file.path, request.user)));
  for (const auto* mappings : {&request.folders, &request.files})
    for (const HostToGuest& mapping : *mappings)
      if (const char* mount = hiding_mount(mapping.guest))
        return cannot_stage(mapping.guest,
                            fmt::format("{} is made anew at every start and hides it; give another place: {}:/GUEST",
                                        mount, mapping.host.string()));
  if (!request.user.is_root()) stage.begin_users_part();
  for (const HostToGuest& folder : request.folders) TRY_VOID(stage.add_tree(folder.host, folder.guest));
  for (const HostToGuest& file : request.files) TRY_VOID(stage.add_file(file.host, file.guest, false));
  stage.end_users_part();
  TRY_VOID(stage.add_file(request.program, request.guest_program, true));
  for (const HostToGuest& file : libraries.files) TRY_VOID(stage.add_file(file.host, file.guest, false));
  for (const GuestLink& link : libraries.links) TRY_VOID(stage.add_link(link.guest, link.target));
  if (!libraries.loader_cache.empty()) TRY_VOID(stage.add_text("/etc/ld.so.cache", libraries.loader_cache));
  // What DHCP or net= gave; one of the user's own stays.
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(content / "etc/resolv.conf", ignored)))
    TRY_VOID(stage.add_link("/etc/resolv.conf", "/proc/net/pnp"));
  TRY_VOID(stage.add_text(kManifestPath, manifest_text(request)));
  root.user_ = request.user;
  root.of_user_ = stage.take_users_paths();
  TRY_VOID(root.measure(request.root_size));
  return root;
}

Result<void> RootFileSystem::measure(uint64_t least) {
  uint64_t blocks = 0, files = 1;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder_.path() / "root", error), end; at != end; at.increment(error)) {
    if (error) break;
    ++files;
    struct stat facts;
    if (lstat(at->path().c_str(), &facts) != 0) return system_failure("cannot read", at->path());
    const uint64_t content = (uint64_t(facts.st_size) + kBlock - 1) / kBlock;
    blocks += 1 + content + content / 1024 + 3;  // with its indirect blocks
  }
  if (error) return failure(ErrorKind::System, "cannot read the staged files: " + error.message());
  inodes_ = files + files / 4 + 1024;
  const uint64_t content = (blocks * kBlock) + inodes_ * kInodeSize + (kJournalMebibytes << 20);
  // Free space for what the program writes later; it costs nothing in a sparse file.
  const uint64_t wanted = std::max(content + content / 4 + (32 << 20), least);
  size_ = (wanted + (1 << 20) - 1) >> 20 << 20;
  inodes_ = std::max(inodes_, size_ / kBytesPerInode);
  return {};
}

Result<void> RootFileSystem::write(const fs::path& image, uint64_t offset) const {
  // Our own configuration: the features must not depend on what the machine's mke2fs.conf says. They are those of
  // ext3, without resize_inode (nobody grows an image) and dir_index (the guest reads and writes directories linearly).
  const fs::path configuration = folder_.path() / "mke2fs.conf";
  TRY_VOID(write_file_atomically(
      configuration,
      "[defaults]\n\tbase_features = none\n\tblocksize = 4096\n[fs_types]\n\text3 = {\n\t}\n\tsmall = {\n\t}\n"
      "\tfloppy = {\n\t}\n\tbig = {\n\t}\n\thuge = {\n\t}\n"));
  const auto made = TRY(run_e2fs_tool(
      "mke2fs",
      {"-q",
       "-F",
       "-t",
       "ext3",
       "-b",
       std::to_string(kBlock),
       "-I",
       std::to_string(kInodeSize),
       "-m",
       "0",
       "-N",
       std::to_string(inodes_),
       "-J",
       fmt::format("size={}", kJournalMebibytes),
       "-O",
       "none,has_journal,ext_attr,filetype,sparse_super,large_file",
       "-L",
       "mortem-root",
       "-E",
       fmt::format(
           "offset={},root_owner=0:0,hash_seed=6d6f7274-656d-4000-8000-000000000000,lazy_itable_init=0,nodiscard",
           offset),
       "-d",
       (folder_.path() / "root").string(),
       image.string(),
       std::to_string(size_ / kBlock)},
      {}, {"MKE2FS_CONFIG=" + configuration.string()}));
  TRY_VOID(not_interrupted());
  if (made.exit_status != 0)
    return failure(ErrorKind::System,
                   fmt::format("cannot make the root file system in {}: {}", image.string(), last_line(made.errors)));
  return set_owners(image, offset);
}

// mke2fs copies the owner of the staged files, which is us.
Result<void> RootFileSystem::set_owners(const fs::path& image, uint64_t offset) const {
  std::string commands;
  // Inodes are given out in order from 11 on (lost+found), so they can be named by number.
  if (geteuid() != 0 || getegid() != 0)
    for (uint64_t inode = 11; inode <= inodes_; ++inode)
      commands += fmt::format("sif <{0}> uid 0\nsif <{0}> gid 0\n", inode);
  for (const std::string& path : of_user_) {
    // One command a line; a quote is doubled between quotes (ss_parse of libss).
    if (path.find('\n') != std::string::npos)
      return cannot_stage(path, "a name with a line end cannot be given to a user; pack it without --user");
    std::string quoted;
    for (char character : path) quoted += character == '"' ? std::string("\"\"") : std::string(1, character);
    commands += fmt::format("sif \"{0}\" uid {1}\nsif \"{0}\" gid {2}\n", quoted, user_.user, user_.group);
  }
  if (commands.empty()) return {};
  const auto owned = TRY(run_e2fs_tool("debugfs", {"-w", "-f", "/dev/stdin", at_offset(image, offset)}, commands));
  TRY_VOID(not_interrupted());
  // It tells a file that it does not find only on stderr, behind the line with its version.
  const std::string complaint = last_line(owned.errors);
  if (owned.exit_status != 0 || !(complaint.empty() || complaint.starts_with("debugfs ")))
    return failure(ErrorKind::System, fmt::format("cannot set owners in {}: {}", image.string(), complaint));
  return {};
}

Result<std::string> read_root_file(const fs::path& image, uint64_t offset, const std::string& path) {
  const auto shown = TRY(run_e2fs_tool("debugfs", {"-R", "cat " + path, at_offset(image, offset)}));
  // debugfs tells an unreadable file system or file only on stderr, after its version.
  if (shown.output.empty())
    return failure(ErrorKind::NotFound,
                   fmt::format("{}: no {} in its root file system: {}", image.string(), path, last_line(shown.errors)));
  return shown.output;
}

}  // namespace mortem::tools
