// A disk image and its partitions. Raw images are read; other formats will be further ByteSources below this.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "snapshot/byte_source.h"

namespace mortem::snapshot {

using Guid = std::array<uint8_t, 16>;  // as it stands on disk (UEFI 2.10, appendix A)
std::string guid_text(const Guid& guid);

struct Partition {
  uint32_t number = 0;  // from 1, as sfdisk and the kernel count
  Guid type{}, identity{};
  uint64_t offset = 0, length = 0;  // bytes
  std::string name;                 // UTF-8
};

class DiskImage {
 public:
  static Result<DiskImage> open(const std::filesystem::path& path);  // raw
  // Also qcow2, VMDK, VHD and VHDX, read through qemu-nbd.
  static Result<DiskImage> open_any(const std::filesystem::path& path);
  // QEMU's name of the file's format: "raw", "qcow2", "vmdk", "vpc", "vhdx".
  static Result<std::string> format_of(const std::filesystem::path& path);
  // The file begins as a disk image does: a GPT, or one of those formats.
  static bool looks_like(const std::filesystem::path& path);
  static Result<DiskImage> from(std::shared_ptr<const ByteSource> bytes);

  const std::string& name() const { return bytes_->name(); }
  const std::shared_ptr<const ByteSource>& bytes() const { return bytes_; }
  const std::vector<Partition>& partitions() const { return partitions_; }
  bool from_backup_table() const { return from_backup_; }  // the first table is damaged

  // The first one of its type; NotFound with a sentence for people.
  Result<Partition> dump_partition() const;
  Result<Partition> root_partition() const;

 private:
  DiskImage(std::shared_ptr<const ByteSource> bytes, std::vector<Partition> partitions, bool from_backup)
      : bytes_(std::move(bytes)), partitions_(std::move(partitions)), from_backup_(from_backup) {}
  const Partition* find(std::span<const uint8_t, 16> type) const;

  std::shared_ptr<const ByteSource> bytes_;
  std::vector<Partition> partitions_;
  bool from_backup_;
};

}  // namespace mortem::snapshot
