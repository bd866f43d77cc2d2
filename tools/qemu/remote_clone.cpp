#include "tools/qemu/remote_clone.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <sstream>

#include "tools/child_program.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/qemu/clone_guard.h"
#include "tools/qemu/new_folder.h"

namespace mortem::tools {

namespace fs = std::filesystem;

namespace {

// What runs there, a POSIX shell's: $1 mortem, then its words. Its standard input ends with the connection, and the
// clone with it; the folder goes whatever happens.
constexpr const char* kThere = R"(umask 077
exec 3<&0
d=$(mktemp -d "${TMPDIR:-/tmp}/mortem-clone.XXXXXX") || exit 2
trap 'rm -rf "$d"' EXIT
trap 'exit 2' HUP INT TERM PIPE
"$@" -o "$d/clone" >/dev/null &
p=$!
(cat >/dev/null; kill "$p") <&3 2>/dev/null &
w=$!
wait "$p" || { s=$?; kill "$w"; exit "$s"; }
kill "$w"
tar -C "$d/clone" -cSf - .)";

struct Ends {
  Descriptor read, write;
};
Result<Ends> make_ends() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return system_failure("cannot make", "a pipe");
  return Ends{Descriptor(ends[0]), Descriptor(ends[1])};
}

class Child {
 public:
  static Result<Child> start(const std::vector<std::string>& words, int input, int output, int errors) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const pid_t parent = getpid(), id = fork();
    if (id < 0) return system_failure("cannot start", words[0]);
    if (id == 0) {
      setsid();  // Ctrl-C is for us
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(127);
      std::signal(SIGPIPE, SIG_DFL);
      dup2(input, 0), dup2(output, 1), dup2(errors, 2);
      execvp(arguments[0], arguments.data());
      dprintf(2, "cannot start %s: %s\n", arguments[0], std::strerror(errno));
      _exit(127);
    }
    return Child(id);
  }
  Child(Child&& other) noexcept : id_(std::exchange(other.id_, 0)) {}
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (id_ > 0) kill(id_, SIGKILL), wait();
  }
  // 128 + signal when it was killed.
  int wait() {
    int status = 0;
    while (waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    id_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  explicit Child(pid_t id) : id_(id) {}
  pid_t id_;
};

std::vector<std::string> ssh_words(const RemoteClone& remote) {
  std::vector<std::string> words;
  std::stringstream command(remote.ssh);
  for (std::string word; command >> word;) words.push_back(word);
  // No questions that nobody answers; a dead connection is noticed.
  for (const char* option : {"BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3"})
    words.insert(words.end(), {"-o", option});
  if (!remote.port.empty()) words.insert(words.end(), {"-p", remote.port});
  words.insert(words.end(), {"--", remote.host});
  std::string line = "sh -c " + shell_quoted(kThere) + " sh";
  for (const std::string& word : {remote.mortem, std::string("clone"), remote.source, std::string("--method"),
                                  remote.method, std::string("--patience"), fmt::format("{}", remote.patience_seconds)})
    line += " " + shell_quoted(word);
  words.push_back(line);
  return words;
}

// Nothing but plain files may have come: what reads the folder later follows no links out of it.
Result<void> check_files(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (!fs::is_regular_file(at->symlink_status(error)) || error)
      return failure(ErrorKind::BadInput, fmt::format("{} came over, which is no file of a clone",
                                                      printable(at->path().filename().string())));
  if (error) return failure(ErrorKind::System, fmt::format("{}: {}", folder.string(), error.message()));
  return {};
}

Result<snapshot::CloneDescription> check_whole(const fs::path& folder) {
  TRY_VOID(check_files(folder));
  auto clone = TRY(snapshot::read_clone_description(folder));
  if (TRY(snapshot::file_checksum(folder / clone.state_file)) != clone.state_checksum)
    return failure(ErrorKind::BadInput, "the state that came over is not the one that was sent");
  std::error_code error;
  if (fs::file_size(folder / clone.memory_file, error) != clone.memory_bytes || error)
    return failure(ErrorKind::BadInput, "the memory that came over is cut short");
  return clone;
}

// Until both are through; what they say meanwhile.
Result<std::string> listen(Descriptor errors) {
  std::string said;
  while (true) {
    TRY_VOID(not_interrupted());
    pollfd wait{errors.get(), POLLIN, 0};
    if (poll(&wait, 1, 200) <= 0) continue;
    char part[4096];
    const ssize_t got = read(errors.get(), part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      std::erase(said, '\r');  // ssh's own lines end as on a terminal
      return said;
    }
    constexpr size_t kMost = 1 << 16;
    said.append(part, size_t(got));
    if (said.size() > kMost) said.erase(0, said.size() - kMost);
  }
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// The lines of mortem there.
std::vector<std::string> notes_in(const std::string& said) {
  std::vector<std::string> lines;
  std::stringstream text(said);
  const std::string mark = "mortem: ";
  for (std::string line; std::getline(text, line);)
    if (line.starts_with(mark)) lines.push_back(printable(line.substr(mark.size())));
  return lines;
}

Result<void> fetch(const RemoteClone& remote, const fs::path& folder) {
  Ends content = TRY(make_ends()), errors = TRY(make_ends()), tar_errors = TRY(make_ends()), life = TRY(make_ends());
  const Descriptor nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  Child ssh = TRY(Child::start(ssh_words(remote), life.read.get(), content.write.get(), errors.write.get()));
  Child tar = TRY(Child::start({"tar", "-C", folder.string(), "--no-same-owner", "--no-same-permissions", "-xSf", "-"},
                               content.read.get(), nothing.get(), tar_errors.write.get()));
  tar_errors.write.reset();
  content.read.reset(), content.write.reset(), errors.write.reset(), life.read.reset();
  const std::string said = TRY(listen(std::move(errors.read)));
  const int unpacked = tar.wait(), sent = ssh.wait();
  const auto notes = notes_in(said);
  if (sent == 0 && unpacked == 0) {
    for (const std::string& line : notes) note(fmt::format("{}: {}", remote.host, line));
    return {};
  }
  std::string why = !notes.empty() && sent != 255 ? notes.back() : printable(last_line(said));
  if (why.empty()) why = printable(first_line(TRY(listen(std::move(tar_errors.read)))));
  if (why.empty()) why = "the connection broke";
  return failure(sent == 1 ? ErrorKind::NotFound : ErrorKind::System, fmt::format("{}: {}", remote.host, why));
}

}  // namespace

std::optional<Result<RemoteClone>> parse_remote_clone(const std::string& text) {
  const std::string scheme = "ssh://";
  if (!text.starts_with(scheme)) return std::nullopt;
  const size_t slash = text.find('/', scheme.size());
  RemoteClone remote;
  remote.host = text.substr(scheme.size(), slash == std::string::npos ? slash : slash - scheme.size());
  if (slash != std::string::npos) remote.source = text.substr(slash + 1);
  if (const size_t colon = remote.host.rfind(':'); colon != std::string::npos && remote.host.back() != ']') {
    remote.port = remote.host.substr(colon + 1);
    remote.host.erase(colon);
  }
  const bool is_port = remote.port.size() <= 5 && remote.port.find_first_not_of("0123456789") == std::string::npos;
  if (remote.host.empty() || remote.host[0] == '-' || remote.source.empty() || remote.source[0] == '-' || !is_port)
    return failure(ErrorKind::BadInput, fmt::format("{}: ssh://[USER@]HOST[:PORT]/NAME", printable(text)));
  return remote;
}

Result<snapshot::CloneDescription> clone_from_afar(const RemoteClone& remote, const fs::path& folder) {
  NewFolder made = TRY(NewFolder::create(folder));
  // The guest there is another guard's; this one is for the folder here.
  CloneGuard guard = TRY(CloneGuard::start(
      []() -> Result<Qmp> { return failure(ErrorKind::NotFound, "no guest here"); }, {}, made.path(), {}));
  auto clone = [&]() -> Result<snapshot::CloneDescription> {
    std::error_code error;
    fs::create_directory(made.path(), error);
    fs::permissions(made.path(), fs::perms::owner_all, error);
    if (error) return failure(ErrorKind::System, fmt::format("cannot make {}: {}", folder.string(), error.message()));
    TRY_VOID(fetch(remote, made.path()));
    auto description = check_whole(made.path());
    if (!description)
      return failure(description.error().kind, fmt::format("{}: {}", remote.host, description.error().message));
    TRY_VOID(made.commit());
    return description;
  }();
  guard.dismiss();
  return clone;
}

}  // namespace mortem::tools
