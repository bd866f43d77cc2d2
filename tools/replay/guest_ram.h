// The memory of a guest that we started: a file without a name, mapped here and in its QEMU.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "snapshot/byte_source.h"
#include "tools/files.h"

namespace mortem::tools {

class GuestRam final : public snapshot::ByteSource {
 public:
  static Result<std::unique_ptr<GuestRam>> create(uint64_t size);
  ~GuestRam() override;

  int descriptor() const { return file_.get(); }
  Result<void> clear();
  Result<void> load(const std::filesystem::path& file);  // into cleared memory; holes in the file are zeros
  uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }
  Result<void> read(uint64_t offset, std::span<uint8_t> to) const override;

  static constexpr uint64_t kPage = 4096;
  std::span<uint8_t, kPage> page(uint64_t number) { return std::span<uint8_t, kPage>(base_ + number * kPage, kPage); }
  // Calls `visit` with the number and the bytes of each page that was ever touched.
  void each_page(const std::function<void(uint64_t, std::span<uint8_t, kPage>)>& visit);
  // XXH64 over the pages that are not all zeros.
  uint64_t checksum();

 private:
  GuestRam(Descriptor file, uint8_t* base, uint64_t size) : file_(std::move(file)), base_(base), size_(size) {}
  Descriptor file_;
  uint8_t* base_;
  uint64_t size_;
  const std::string name_ = "the guest's memory";
};

bool is_zero(std::span<const uint8_t> bytes);

}  // namespace mortem::tools
