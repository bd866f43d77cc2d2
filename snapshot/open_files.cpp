#include "snapshot/open_files.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <algorithm>
#include <map>

#include "snapshot/format/open_files_walk.h"
#include "snapshot/little_endian.h"

namespace mortem::snapshot {
namespace {

constexpr size_t kLongestPath = 4096;

std::string address_text(const uint8_t* address, bool is_v6, uint16_t port) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(is_v6 ? AF_INET6 : AF_INET, address, text, sizeof text);
  const std::string number = port == 0 ? "*" : std::to_string(port);
  return is_v6 ? fmt::format("[{}]:{}", text, number) : fmt::format("{}:{}", text, number);
}

OpenDescriptor descriptor_of(const format::DescriptorEntry& entry, std::string path) {
  OpenDescriptor one;
  one.number = entry.descriptor;
  one.kind = entry.kind;
  one.path = std::move(path);
  one.flags = entry.flags;
  one.close_on_exec = entry.close_on_exec != 0;
  if ((entry.known & format::kDescriptorHasPosition) != 0) one.position = entry.position;
  one.socket = entry.socket;
  return one;
}

// Descriptors that were duplicated are one socket.
class SocketList {
 public:
  void add(const format::SocketEntry& entry) {
    if (entry.number != 0 && entry.descriptor >= 0) {
      const auto [place, is_new] = by_number_.try_emplace({entry.family, entry.number}, all_.size());
      if (!is_new) {
        all_[place->second].descriptors.push_back(entry.descriptor);
        return;
      }
    }
    OpenSocket one;
    one.entry = entry;
    one.entry.name_length = std::min<uint32_t>(entry.name_length, sizeof entry.name);
    if (entry.descriptor >= 0) one.descriptors.push_back(entry.descriptor);
    all_.push_back(std::move(one));
  }
  std::vector<OpenSocket> take() { return std::move(all_); }

 private:
  std::vector<OpenSocket> all_;
  std::map<std::pair<uint16_t, uint64_t>, size_t> by_number_;
};

}  // namespace

std::string OpenSocket::protocol() const {
  constexpr uint8_t kTcp = 6, kUdp = 17;
  if (entry.family == AF_UNIX)
    return entry.type == SOCK_STREAM ? "unix stream" : entry.type == SOCK_DGRAM ? "unix datagram" : "unix sequenced";
  if (entry.family == AF_NETLINK) return "netlink";
  const char* six = entry.family == AF_INET6 ? "6" : "";
  if (entry.protocol == kTcp) return fmt::format("tcp{}", six);
  if (entry.protocol == kUdp) return fmt::format("udp{}", six);
  return fmt::format("family {} protocol {}", entry.family, entry.protocol);
}

std::string OpenSocket::state() const {
  constexpr const char* kNames[] = {"",          "ESTAB",  "SYN-SENT",   "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2",
                                    "TIME-WAIT", "UNCONN", "CLOSE-WAIT", "LAST-ACK", "LISTEN",     "CLOSING"};
  if (!has(format::kSocketHasState) || entry.state >= std::size(kNames)) return {};
  return kNames[entry.state];
}

std::string OpenSocket::local() const {
  if (entry.family == AF_UNIX) {
    std::string name(entry.name, entry.name_length);
    if (name.empty()) return {};
    if (name.front() == '\0')
      name.front() = '@';
    else
      name.resize(strnlen(name.data(), name.size()));
    return name;
  }
  return has(format::kSocketHasAddresses) ? address_text(entry.local_address, entry.local_is_v6 != 0, entry.local_port)
                                          : std::string();
}

std::string OpenSocket::remote() const {
  if (!has(format::kSocketHasAddresses)) return {};
  return address_text(entry.remote_address, entry.remote_is_v6 != 0, entry.remote_port);
}

const char* file_kind_text(format::FileKind kind) {
  constexpr const char* kNames[] = {"other",   "file",  "console",  "standard input", "pipe",  "eventfd",
                                    "timerfd", "epoll", "signalfd", "inotify",        "socket"};
  const auto index = static_cast<size_t>(kind);
  return index < std::size(kNames) ? kNames[index] : "other";
}

std::string open_flags_text(uint32_t flags) {
  std::string text = (flags & O_PATH) != 0             ? "path only"
                     : (flags & O_ACCMODE) == O_RDONLY ? "read"
                     : (flags & O_ACCMODE) == O_WRONLY ? "write"
                                                       : "read-write";
  if ((flags & O_APPEND) != 0) text += " append";
  if ((flags & O_NONBLOCK) != 0) text += " non-blocking";
  if ((flags & O_DIRECT) != 0) text += " direct";
  if ((flags & O_DSYNC) != 0) text += " synchronous";
  return text;
}

Result<std::vector<OpenDescriptor>> parse_descriptor_table(std::span<const uint8_t> bytes) {
  std::vector<OpenDescriptor> all;
  for (size_t at = 0; at < bytes.size();) {
    const auto entry = load<format::DescriptorEntry>(bytes, at);
    if (!entry || entry->entry_length > bytes.size() - at || entry->path_length > kLongestPath ||
        entry->entry_length < sizeof(*entry) + entry->path_length)
      return failure(ErrorKind::BadInput, fmt::format("descriptor {} is cut short", all.size()));
    const auto* path = reinterpret_cast<const char*>(bytes.data() + at + sizeof(*entry));
    all.push_back(descriptor_of(*entry, {path, entry->path_length}));
    at += entry->entry_length;
  }
  return all;
}

Result<std::vector<OpenSocket>> parse_socket_table(std::span<const uint8_t> bytes) {
  constexpr size_t kHead = 8;
  const auto size = load<uint32_t>(bytes, 0);
  if (!size || bytes.size() < kHead || *size < sizeof(format::SocketEntry))
    return failure(ErrorKind::BadInput, "the size of its entries is wrong");
  if ((bytes.size() - kHead) % *size != 0) return failure(ErrorKind::BadInput, "its last entry is cut short");
  SocketList all;
  for (size_t at = kHead; at < bytes.size(); at += *size) all.add(*load<format::SocketEntry>(bytes, at));
  return all.take();
}

OpenFileTableBytes open_file_tables_of(uint64_t address,
                                       const std::function<bool(void* to, uint64_t address, size_t size)>& read) {
  OpenFileTableBytes bytes;
  format::OpenFileTables tables;
  using Walk = format::OpenFilesWalk<std::function<bool(void*, uint64_t, size_t)>>;
  if (address == 0 || !read(&tables, address, sizeof tables) || !Walk::fits(tables)) return bytes;
  const auto append = [](std::vector<uint8_t>& to, const void* from, size_t size) {
    const auto* first = static_cast<const uint8_t*>(from);
    to.insert(to.end(), first, first + size);
  };
  Walk walk(tables, read);
  walk.descriptors([&](format::DescriptorEntry entry, uint64_t path) {
    std::string text;
    char one = 0;
    while (path != 0 && text.size() < kLongestPath && read(&one, path + text.size(), 1) && one != 0) text += one;
    entry.path_length = static_cast<uint16_t>(text.size());
    text.resize((text.size() + 7) & ~size_t{7});
    entry.entry_length = static_cast<uint32_t>(sizeof entry + text.size());
    append(bytes.descriptors, &entry, sizeof entry);
    append(bytes.descriptors, text.data(), text.size());
    return true;
  });
  const uint32_t head[2] = {sizeof(format::SocketEntry), 0};
  append(bytes.sockets, head, sizeof head);
  walk.sockets([&](const format::SocketEntry& entry) {
    append(bytes.sockets, &entry, sizeof entry);
    return true;
  });
  return bytes;
}

}  // namespace mortem::snapshot
