// sendfile and copy_file_range: from file to file without the program's memory.
#include "kernel/linux/calls.h"
#include "kernel/linux/files.h"
#include "kernel/linux/io_counts.h"
#include "kernel/linux/signals.h"
#include "kernel/linux/socket_transfer.h"
#include "kernel/linux/transfer_buffer.h"
#include "kernel/task/scheduler.h"

namespace kernel::linux {
namespace {

constexpr int kSeekSet = 0, kSeekCurrent = 1;
constexpr size_t kPart = TransferBuffer::kKeptSize;

// Where a file is read or written: at an offset of the program's, or at the file's own position. What was not taken by
// the other side stays unread.
class Place {
 public:
  Result<void> start(OpenFile& file, uint64_t user_offset) {
    user_offset_ = user_offset;
    offset_ = TRY(user_offset != 0 ? read_user<uint64_t>(user_offset) : file.seek(0, kSeekCurrent));
    return static_cast<int64_t>(offset_) < 0 ? Error::Invalid : Result<void>();
  }
  Result<void> finish(OpenFile& file, uint64_t count) {
    if (user_offset_ != 0) return write_user(user_offset_, offset_ + count);
    TRY(file.seek(static_cast<int64_t>(offset_ + count), kSeekSet));
    return {};
  }
  uint64_t offset() const { return offset_; }

 private:
  uint64_t user_offset_ = 0, offset_ = 0;
};

Result<OpenFile*> file_for_reading(int descriptor) {
  OpenFile* file = TRY(open_file(descriptor));
  return file->can_read() ? Result<OpenFile*>(file) : Error::BadDescriptor;
}
Result<OpenFile*> file_for_writing(int descriptor) {
  OpenFile* file = TRY(open_file(descriptor));
  return file->can_write() ? Result<OpenFile*>(file) : Error::BadDescriptor;
}

Result<size_t> write_part(OpenFile& to, std::span<const uint8_t> bytes, bool is_last) {
  if (to.kind() != OpenFileKind::Socket) return to.write(bytes);
  SendRequest request;
  request.flags = is_last ? 0 : kMessageMore;
  return static_cast<Socket&>(to).send(bytes, request);
}

// Until `wanted` bytes went, the end of the file, or a side that takes or gives no more; an error only when nothing
// did.
template <typename Write>
Result<uint64_t> copy(OpenFile& from, uint64_t offset, uint64_t wanted, Write write) {
  TransferBuffer buffer(wanted < kPart ? wanted : kPart);
  if (buffer.failed()) return Error::NoMemory;
  uint64_t done = 0;
  while (done < wanted) {
    const size_t part = wanted - done < kPart ? wanted - done : kPart;
    auto count = from.read_at(offset + done, buffer.first(part));
    if (count.is_error()) return done > 0 ? Result<uint64_t>(done) : count.error();
    if (count.value() == 0) break;
    auto written = write(done, buffer.first(count.value()), done + count.value() == wanted);
    if (written.is_error()) return done > 0 ? Result<uint64_t>(done) : written.error();
    done += written.value();
    if (written.value() < count.value() || wait_is_interrupted()) break;
    give_way();
  }
  return done;
}

void count_copied(uint64_t bytes) {
  g_io_counts.bytes_read += bytes;
  g_io_counts.bytes_written += bytes;
  ++g_io_counts.reads;
  ++g_io_counts.writes;
}

}  // namespace

MORTEM_CALL(sendfile) {
  OpenFile* from = TRY(file_for_reading(argument.number(1)));
  OpenFile* to = TRY(file_for_writing(argument.number(0)));
  if (from->inode() == nullptr || (to->flags() & kOpenAppend) != 0) return Error::Invalid;
  if (TRY(from->status()).type == FileType::Directory) return Error::Invalid;
  const HeldFile held_from(*from), held_to(*to);
  Place place;
  TRY(place.start(*from, argument[2]));
  const uint64_t wanted = argument[3] < kMaximumTransfer ? argument[3] : kMaximumTransfer;
  auto done = copy(*from, place.offset(), wanted, [to](uint64_t, std::span<const uint8_t> bytes, bool is_last) {
    return write_part(*to, bytes, is_last);
  });
  if (done.is_error()) {
    if (done.error() == Error::BrokenPipe) raise_signal(kSigPipe, kCodeUser);
    return done.error();
  }
  count_copied(done.value());
  TRY(place.finish(*from, done.value()));
  return done.value();
}

MORTEM_CALL(copy_file_range) {
  OpenFile* from = TRY(file_for_reading(argument.number(0)));
  OpenFile* to = TRY(file_for_writing(argument.number(2)));
  if (argument[5] != 0) return Error::Invalid;
  const InodeStatus source = TRY(from->status()), target = TRY(to->status());
  if (source.type == FileType::Directory || target.type == FileType::Directory) return Error::IsDirectory;
  if (source.type != FileType::Regular || target.type != FileType::Regular) return Error::Invalid;
  if ((to->flags() & kOpenAppend) != 0) return Error::BadDescriptor;
  if (from->inode() == nullptr || to->inode() == nullptr) return Error::CrossDevice;
  const HeldFile held_from(*from), held_to(*to);
  Place input, output;
  TRY(input.start(*from, argument[1]));
  TRY(output.start(*to, argument[3]));
  const uint64_t wanted = argument[4] < kMaximumTransfer ? argument[4] : kMaximumTransfer;
  const uint64_t distance =
      input.offset() > output.offset() ? input.offset() - output.offset() : output.offset() - input.offset();
  if (from->inode() == to->inode() && distance < wanted) return Error::Invalid;
  const uint64_t start = output.offset();
  const uint64_t done =
      TRY(copy(*from, input.offset(), wanted, [to, start](uint64_t at, std::span<const uint8_t> bytes, bool) {
        return to->write_at(start + at, bytes);
      }));
  count_copied(done);
  TRY(input.finish(*from, done));
  TRY(output.finish(*to, done));
  return done;
}

}  // namespace kernel::linux
