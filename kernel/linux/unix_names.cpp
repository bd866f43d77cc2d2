// Names of Unix sockets (unix(7)): a path, where the file system holds an inode for it, or an abstract name, which
// begins with a NUL and is a name of its socket type only.
#include <string_view>

#include "kernel/library/log.h"
#include "kernel/linux/files.h"
#include "kernel/linux/unix_socket_class.h"

namespace kernel::linux {
namespace {

constexpr uint32_t kPathOffset = 2;        // offsetof(struct sockaddr_un, sun_path)
constexpr uint32_t kLongestAddress = 110;  // sizeof(struct sockaddr_un)
UnixSocket* g_bound = nullptr;

bool is_abstract(const SocketAddress& address) {
  return address.bytes[kPathOffset] == 0;
}

// The path ends at its NUL or where the address does.
std::string_view path_of(const SocketAddress& address) {
  const char* text = reinterpret_cast<const char*>(address.bytes) + kPathOffset;
  return {text, __builtin_strlen(text)};  // bytes behind the address are zero
}

Inode* start_of(std::string_view path) {
  return path.starts_with('/') ? root_inode() : working_directory().inode;
}

Result<Inode*> make_socket_inode(const char* path) {
  char resolved[kMaximumPath];
  TRY(resolve_path(kAtWorkingDirectory, path, FollowLast::No, resolved));
  const std::string_view whole(resolved);
  if (find_inode(root_inode(), {resolved, whole.size()}, FollowLast::No)) return Error::AddressInUse;
  const size_t slash = whole.rfind('/');
  Inode* parent = TRY(find_inode(root_inode(), {resolved, slash == 0 ? 1 : slash}, FollowLast::Yes));
  auto made = parent->create({resolved + slash + 1, whole.size() - slash - 1}, FileType::Socket,
                             static_cast<uint16_t>(0777 & ~file_creation_mask()));
  if (made.is_error() && made.error() == Error::Exists) return Error::AddressInUse;
  return made;
}

}  // namespace

Result<void> UnixNames::check(const SocketAddress& address) {
  const bool is_good =
      address.length > kPathOffset && address.length <= kLongestAddress && address.family() == kFamilyUnix;
  return is_good ? Result<void>() : Error::Invalid;
}

void UnixNames::add(UnixSocket& socket, const SocketAddress& address) {
  socket.sender_.name = address;
  socket.next_bound_ = g_bound;
  g_bound = &socket;
}

Result<void> UnixNames::bind(UnixSocket& socket, const SocketAddress& address) {
  if (address.length == kPathOffset && address.family() == kFamilyUnix) return bind_automatically(socket);
  TRY(check(address));
  if (is_abstract(address)) {
    if (socket.sender_.name.length > 0) return Error::Invalid;
    if (find_abstract(address, socket.type()) != nullptr) return Error::AddressInUse;
    add(socket, address);
    return {};
  }
  const std::string_view path = path_of(address);
  // Linux makes the inode first: a name that is taken is the first error.
  if (socket.sender_.name.length > 0)
    return find_inode(start_of(path), {path.data(), path.size()}, FollowLast::No) ? Error::AddressInUse
                                                                                  : Error::Invalid;
  Inode* inode = TRY(make_socket_inode(path.data()));
  inode->opened();
  socket.inode_ = inode;
  SocketAddress name = address;
  name.length = kPathOffset + static_cast<uint32_t>(path.size()) + 1;
  add(socket, name);
  return {};
}

Result<void> UnixNames::bind_automatically(UnixSocket& socket) {
  static uint32_t next = 0;
  constexpr uint32_t kNames = 1 << 20;  // five hexadecimal digits
  if (socket.sender_.name.length > 0) return {};
  for (uint32_t attempt = 0; attempt < kNames; ++attempt) {
    SocketAddress address;
    address.bytes[0] = kFamilyUnix;
    next = (next + 1) % kNames;
    format_text(reinterpret_cast<char*>(address.bytes) + kPathOffset + 1, 6, "%05x", next);
    address.length = kPathOffset + 6;
    if (find_abstract(address, socket.type()) != nullptr) continue;
    add(socket, address);
    return {};
  }
  return Error::NoSpace;
}

void UnixNames::unbind(UnixSocket& socket) {
  if (socket.sender_.name.length == 0) return;
  UnixSocket** link = &g_bound;
  while (*link != nullptr && *link != &socket) link = &(*link)->next_bound_;
  if (*link == &socket) *link = socket.next_bound_;
  if (socket.inode_ != nullptr) socket.inode_->closed();
}

bool UnixNames::is_bound(const UnixSocket* socket) {
  for (const UnixSocket* each = g_bound; each != nullptr; each = each->next_bound_)
    if (each == socket) return true;
  return false;
}

UnixSocket* UnixNames::find_abstract(const SocketAddress& address, int type) {
  const std::string_view wanted(reinterpret_cast<const char*>(address.bytes), address.length);
  for (UnixSocket* each = g_bound; each != nullptr; each = each->next_bound_) {
    const SocketAddress& name = each->sender_.name;
    if (each->inode_ != nullptr || each->type() != type) continue;
    if (wanted == std::string_view(reinterpret_cast<const char*>(name.bytes), name.length)) return each;
  }
  return nullptr;
}

Result<UnixSocket*> UnixNames::find(const SocketAddress& address, int type) {
  if (is_abstract(address)) {
    UnixSocket* found = find_abstract(address, type);
    if (found == nullptr) return Error::ConnectionRefused;
    return found;
  }
  const std::string_view path = path_of(address);
  Inode* inode = TRY(find_inode(start_of(path), {path.data(), path.size()}, FollowLast::Yes));
  if (TRY(inode->status()).type != FileType::Socket) return Error::ConnectionRefused;
  for (UnixSocket* each = g_bound; each != nullptr; each = each->next_bound_) {
    if (each->inode_ != inode) continue;
    if (each->type() != type) return Error::WrongProtocolType;
    return each;
  }
  return Error::ConnectionRefused;
}

}  // namespace kernel::linux
