#include "snapshot/clone/migration_stream.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "snapshot/clone/clone_description.h"
#include "snapshot/clone/memory_writer.h"
#include "snapshot/clone/migration_format.h"
#include "snapshot/clone/stream_input.h"

namespace mortem::snapshot {
namespace {

using namespace migration;

constexpr uint64_t kLargestMemory = uint64_t{1} << 44, kLargestRom = 64 << 20, k4GiB = uint64_t{1} << 32;
constexpr const char* kMemorySection = "ram";

Result<void> write_whole(int file, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = write(file, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0)
      return failure(ErrorKind::System,
                     fmt::format("writing the clone's state: {}", std::strerror(put < 0 ? errno : ENOSPC)));
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
  return {};
}
Result<void> write_whole(int file, const std::string& text) {
  return write_whole(file, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

class Receiver {
 public:
  Receiver(int from, int memory, int state, ReceptionListener& listener)
      : memory_file_(memory),
        state_file_(state),
        listener_(listener),
        input_(
            from, listener.wakes(),
            [this]() -> Result<void> {
              if (memory_) TRY_VOID(memory_->flush());
              return listener_.go_on();
            },
            [this]() -> Result<void> {
              TRY_VOID(listener_.go_on());
              return listener_.nothing_comes();
            }) {}

  Result<ReceivedState> run() {
    TRY_VOID(head());
    while (!memory_is_whole_) TRY_VOID(section());
    TRY_VOID(memory_->flush());
    TRY_VOID(write_whole(state_file_, memory_section()));
    if (is_in_device_) TRY_VOID(write_whole(state_file_, std::string(1, static_cast<char>(Section::Full))));
    // Devices: nothing in them says how long they are but the description at the end (DeviceStates).
    while (true) {
      const auto bytes = TRY(input_.take_some());
      if (bytes.empty()) break;
      TRY_VOID(write_whole(state_file_, bytes));
    }
    result_.stream_bytes = input_.offset();
    result_.written_pages = memory_->written_pages();
    return result_;
  }

 private:
  tl::unexpected<Error> broken(const std::string& what) const {
    return failure(ErrorKind::BadInput, fmt::format("QEMU's state, at offset {:#x}: {}", input_.offset(), what));
  }

  Result<void> head() {
    const uint64_t magic = TRY(input_.number(4)), version = TRY(input_.number(4));
    if (magic != kMagic || version != kVersion)
      return broken(fmt::format("magic {:#x} and version {}: not a migration stream of version 3", magic, version));
    return {};
  }

  Result<void> section() {
    const auto kind = static_cast<Section>(TRY(input_.number(1)));
    switch (kind) {
      case Section::Configuration:
        return configuration();
      case Section::Start: {
        section_id_ = TRY(input_.number(4));
        const std::string name = TRY(input_.name());
        instance_ = TRY(input_.number(4));
        version_ = TRY(input_.number(4));
        if (name != kMemorySection)
          return failure(
              ErrorKind::Unsupported,
              fmt::format("{} sends its state in parts while the guest runs: only memory is known to", name));
        return memory_part(kind);
      }
      case Section::Part:
      case Section::LastPart:
        if (const uint64_t id = TRY(input_.number(4)); id != section_id_)
          return broken(fmt::format("a part of section {}, which did not begin", id));
        return memory_part(kind);
      case Section::Full:
        // A background snapshot has no last part: the devices follow.
        if (!memory_) return broken("a device before the memory");
        is_in_device_ = memory_is_whole_ = true;
        return {};
      default:
        return broken(fmt::format("section type {:#x} before the end of the memory", unsigned(kind)));
    }
  }

  // The machine type's name; subsections would follow, of capabilities that we switch off.
  Result<void> configuration() {
    const uint64_t length = TRY(input_.number(4));
    if (length > 256) return broken(fmt::format("a machine type of {} characters", length));
    const auto name = TRY(input_.take(length));
    result_.machine_type.assign(name.begin(), name.end());
    return {};
  }

  Result<void> memory_part(Section kind) {
    while (true) {
      const uint64_t at = input_.offset();
      const uint64_t word = TRY(input_.number(8)), offset = word & ~(kPage - 1);
      uint64_t flags = word & (kPage - 1);
      if (flags == kMemorySize) {
        TRY_VOID(block_list(offset));
        continue;
      }
      if (flags == kEndOfPart) {
        TRY_VOID(listener_.part_ended(input_.total()));
        break;
      }
      if ((flags & kSameBlock) == 0) block_ = TRY(find_block(TRY(input_.name())));
      flags &= ~kSameBlock;
      if (block_ == nullptr) return broken("a page of the block before the first one");
      const MemoryBlock& block = *block_;
      if (offset >= block.size) return broken(fmt::format("page {:#x} is behind the end of {}", offset, block.name));
      if (&block == main_block_)
        TRY_VOID(listener_.page({.address = offset < below_4g_ ? offset : offset - below_4g_ + k4GiB,
                                 .at = at,
                                 .read = input_.total(),
                                 .is_zero = flags == kZeroPage}));
      if (flags == kWholePage) {
        TRY_VOID(put_page(block, offset, TRY(input_.take(kPage))));
      } else if (flags == kZeroPage) {
        if (TRY(input_.number(1)) != 0) return broken("a page filled with something else than zero");
        TRY_VOID(put_zeros(block, offset));
      } else {
        return failure(ErrorKind::Unsupported,
                       fmt::format("QEMU sends memory in a form (flags {:#x}) that is not read here: switch its "
                                   "migration capabilities off",
                                   flags));
      }
    }
    const auto footer = static_cast<Section>(TRY(input_.number(1)));
    if (footer != Section::Footer || TRY(input_.number(4)) != section_id_)
      return broken("no footer behind a part of the memory: a machine type older than 2.4?");
    memory_is_whole_ = kind == Section::LastPart;
    return {};
  }

  Result<void> block_list(uint64_t total) {
    if (!blocks_.empty()) return broken("a second list of memory blocks");
    uint64_t sum = 0;
    while (sum < total) {
      MemoryBlock block;
      block.name = TRY(input_.name());
      block.size = TRY(input_.number(8));
      if (block.size == 0 || block.size % kPage != 0 || block.size > kLargestMemory || blocks_.size() > 256)
        return broken(fmt::format("memory block {} of {:#x} bytes", block.name, block.size));
      sum += block.size;
      blocks_.push_back(block);
    }
    for (const MemoryBlock& block : blocks_)
      if (block.size > result_.memory.size) result_.memory = block;
    for (const MemoryBlock& block : blocks_)
      if (block.name != result_.memory.name && block.size > kLargestRom)
        return failure(ErrorKind::Unsupported,
                       fmt::format("a second large memory block, {}, beside {}", block.name, result_.memory.name));
    if (blocks_.empty()) return broken("an empty list of memory blocks");
    if (ftruncate(memory_file_, static_cast<off_t>(result_.memory.size)) != 0)
      return failure(ErrorKind::System, fmt::format("the clone's memory: {}", std::strerror(errno)));
    memory_ = std::make_unique<MemoryWriter>(memory_file_, result_.memory.size);
    main_block_ = TRY(find_block(result_.memory.name));
    below_4g_ = memory_below_4g(result_.machine_type, result_.memory.size);
    return {};
  }

  Result<const MemoryBlock*> find_block(const std::string& name) const {
    for (const MemoryBlock& block : blocks_)
      if (block.name == name) return &block;
    return broken(fmt::format("a page of memory block {}, which is not in the list", name));
  }

  Result<void> put_page(const MemoryBlock& block, uint64_t offset, std::span<const uint8_t> bytes) {
    if (block.name == result_.memory.name) return memory_->page(offset, bytes);
    other_pages_[{block.name, offset}].assign(bytes.begin(), bytes.end());
    return {};
  }
  Result<void> put_zeros(const MemoryBlock& block, uint64_t offset) {
    if (block.name == result_.memory.name) return memory_->zero(offset);
    other_pages_[{block.name, offset}].clear();
    return {};
  }

  // What stands in the state file up to the devices: the same stream without a page of the main memory. A QEMU that
  // loads it leaves that memory as its file has it.
  std::string memory_section() const {
    std::string text;
    put_big_endian(text, kMagic, 4);
    put_big_endian(text, kVersion, 4);
    if (!result_.machine_type.empty()) {
      text += static_cast<char>(Section::Configuration);
      put_big_endian(text, result_.machine_type.size(), 4);
      text += result_.machine_type;
    }
    text += static_cast<char>(Section::Start);
    put_big_endian(text, section_id_, 4);
    put_name(text, kMemorySection);
    put_big_endian(text, instance_, 4);
    put_big_endian(text, version_, 4);
    uint64_t total = 0;
    for (const MemoryBlock& block : blocks_) total += block.size;
    put_big_endian(text, total | kMemorySize, 8);
    for (const MemoryBlock& block : blocks_) {
      put_name(text, block.name);
      put_big_endian(text, block.size, 8);
    }
    end_part(text);
    text += static_cast<char>(Section::LastPart);
    put_big_endian(text, section_id_, 4);
    for (const auto& [place, bytes] : other_pages_) {
      put_big_endian(text, place.second | (bytes.empty() ? kZeroPage : kWholePage), 8);
      put_name(text, place.first);
      if (bytes.empty())
        text += '\0';
      else
        text.append(bytes.begin(), bytes.end());
    }
    end_part(text);
    return text;
  }
  void end_part(std::string& text) const {
    put_big_endian(text, kEndOfPart, 8);
    text += static_cast<char>(Section::Footer);
    put_big_endian(text, section_id_, 4);
  }

  const int memory_file_, state_file_;
  ReceptionListener& listener_;
  StreamInput input_;
  ReceivedState result_;
  std::vector<MemoryBlock> blocks_;
  const MemoryBlock* block_ = nullptr;  // of the page before: later parts go on with it
  const MemoryBlock* main_block_ = nullptr;
  uint64_t below_4g_ = 0;  // bytes of it
  std::unique_ptr<MemoryWriter> memory_;
  std::map<std::pair<std::string, uint64_t>, std::vector<uint8_t>> other_pages_;  // empty: zero
  uint64_t section_id_ = ~uint64_t{0}, instance_ = 0, version_ = 0;
  bool memory_is_whole_ = false, is_in_device_ = false;  // behind the first byte of the first device
};

}  // namespace

Result<ReceivedState> receive_migration(int from, int memory, int state, ReceptionListener& listener) {
  return Receiver(from, memory, state, listener).run();
}

}  // namespace mortem::snapshot
