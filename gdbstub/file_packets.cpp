// vFile: files of the target's side, read-only (GDB manual, nodes "Host I/O Packets" and "File-I/O Remote Protocol
// Extension"). gdb reads the program, its libraries and /proc through these.
#include "gdbstub/session.h"

namespace mortem::gdbstub {

namespace {

constexpr int kReadOnlyFileSystem = 30;

// Linux errno → the protocol's (node "Errno Values"; include/gdb/fileio.h).
uint64_t protocol_error(int64_t error) {
  constexpr int kSame[] = {1, 2, 4, 5, 9, 13, 14, 16, 17, 19, 20, 21, 22, 23, 24, 27, 28, 29, 30};
  constexpr int kNameTooLong = 36, kNoSystemCall = 38;
  if (error == kNameTooLong) return 91;
  if (error == kNoSystemCall) return 88;
  for (const int same : kSame)
    if (error == same) return static_cast<uint64_t>(error);
  return 9999;  // EUNKNOWN
}

void result(Session& session, int64_t value) {
  session.reply.text(value < 0 ? "F-1," : "F");
  session.reply.hex(value < 0 ? protocol_error(-value) : static_cast<uint64_t>(value));
}

void set_file_system(Session& session, Arguments) {
  result(session, 0);  // one process, one view of the files
}

void open(Session& session, Arguments arguments) {
  std::string_view path;
  uint64_t flags, mode;
  if (!arguments.hex_text(session.text, path) || !arguments.hex_after(",", flags) || !arguments.hex_after(",", mode))
    return session.error(ErrorNumber::Invalid);
  constexpr uint64_t kAccessMode = 3, kCreate = 0x200, kTruncate = 0x400;
  if ((flags & (kAccessMode | kCreate | kTruncate)) != 0) return result(session, -kReadOnlyFileSystem);
  result(session, session.target.open_file(path));
}

void close(Session& session, Arguments arguments) {
  uint64_t descriptor;
  if (!arguments.hex(descriptor)) return session.error(ErrorNumber::Invalid);
  result(session, session.target.close_file(descriptor));
}

// The count stands before the bytes, and it is of bytes before escaping.
void read(Session& session, Arguments arguments) {
  constexpr size_t kHeader = 12;
  uint64_t descriptor, length, offset;
  if (!arguments.hex(descriptor) || !arguments.hex_after(",", length) || !arguments.hex_after(",", offset))
    return session.error(ErrorNumber::Invalid);
  const std::span<uint8_t> staged = session.reply.stage(length, Reply::Encoding::Binary, kHeader);
  const int64_t count = session.target.read_file(descriptor, offset, staged);
  if (count < 0) return result(session, count);
  const std::span<uint8_t> bytes = staged.first(static_cast<size_t>(count));
  const size_t fitting = session.reply.binary_fitting(bytes, kHeader);
  result(session, static_cast<int64_t>(fitting));
  session.reply.text(";");
  session.reply.binary(bytes.first(fitting));
}

// struct fio_stat: big-endian whatever the target is (node "struct stat").
class StatusBytes {
 public:
  explicit StatusBytes(const FileStatus& status) {
    for (const uint32_t value :
         {status.device, status.inode, status.mode, status.links, status.user, status.group, status.raw_device})
      put(value, 4);
    for (const uint64_t value : {status.size, status.block_size, status.blocks}) put(value, 8);
    for (const uint32_t value : {status.access_time, status.modification_time, status.change_time}) put(value, 4);
  }
  std::span<const uint8_t> bytes() const { return bytes_; }

 private:
  void put(uint64_t value, size_t size) {
    while (size-- > 0) bytes_[filled_++] = static_cast<uint8_t>(value >> (8 * size));
  }
  size_t filled_ = 0;
  std::array<uint8_t, 64> bytes_;
};

void write_status(Session& session, int64_t outcome, const FileStatus& status) {
  if (outcome < 0) return result(session, outcome);
  const StatusBytes status_bytes(status);
  result(session, static_cast<int64_t>(status_bytes.bytes().size()));
  session.reply.text(";");
  session.reply.binary(status_bytes.bytes());
}

void status_of_open(Session& session, Arguments arguments) {
  uint64_t descriptor;
  FileStatus status{};
  if (!arguments.hex(descriptor)) return session.error(ErrorNumber::Invalid);
  const int64_t outcome = session.target.file_status(descriptor, status);
  write_status(session, outcome, status);
}

void status_of_path(Session& session, Arguments arguments) {
  std::string_view path;
  FileStatus status{};
  if (!arguments.hex_text(session.text, path)) return session.error(ErrorNumber::Invalid);
  const int64_t outcome = session.target.path_status(path, status);
  write_status(session, outcome, status);
}

void read_link(Session& session, Arguments arguments) {
  std::string_view path;
  if (!arguments.hex_text(session.text, path)) return session.error(ErrorNumber::Invalid);
  constexpr size_t kHeader = 12, kLongestLink = 4096;
  const std::span<uint8_t> staged = session.reply.stage(kLongestLink, Reply::Encoding::Binary, kHeader);
  const int64_t length = session.target.read_link(path, {reinterpret_cast<char*>(staged.data()), staged.size()});
  result(session, length);
  if (length < 0) return;
  session.reply.text(";");
  session.reply.binary(staged.first(static_cast<size_t>(length)));
}

void refuse(Session& session, Arguments) {
  result(session, -kReadOnlyFileSystem);
}

struct Operation {
  std::string_view name;
  void (*answer)(Session&, Arguments);
};
constexpr Operation kOperations[] = {
    {"setfs:", set_file_system}, {"open:", open},           {"close:", close},        {"pread:", read},
    {"fstat:", status_of_open},  {"stat:", status_of_path}, {"readlink:", read_link}, {"pwrite:", refuse},
    {"unlink:", refuse},
};

void file(Session& session, Arguments arguments) {
  if (!session.target.description().files) return;
  for (const Operation& operation : kOperations)
    if (arguments.take(operation.name)) return operation.answer(session, arguments);
}

constexpr PacketEntry kPackets[] = {{"vFile", file}};

}  // namespace

std::span<const PacketEntry> file_packets() {
  return kPackets;
}

}  // namespace mortem::gdbstub
