#include "tools/qemu/empty_qcow2.h"

#include <unistd.h>

#include <string>

#include "tools/files.h"

namespace mortem::tools {

namespace {

constexpr uint64_t kClusterBits = 16, kCluster = uint64_t{1} << kClusterBits;

void put(std::string& to, uint64_t value, size_t size) {
  for (size_t index = size; index-- > 0;) to += char(value >> (8 * index));
}

}  // namespace

// Clusters: 0 the header, 1 the refcount table, 2 the first refcount block, from 3 on the L1 table. Those are counted;
// QEMU adds more blocks as it needs them.
Result<void> write_empty_qcow2(int file, uint64_t size) {
  const uint64_t covered_by_l1_entry = kCluster * (kCluster / 8);
  const uint64_t l1_entries = (size + covered_by_l1_entry - 1) / covered_by_l1_entry;
  const uint64_t l1_clusters = (l1_entries * 8 + kCluster - 1) / kCluster, clusters = 3 + l1_clusters;
  if (clusters > kCluster / 2) return failure(ErrorKind::Unsupported, "a disk too large to be cloned");
  std::string header = "QFI\xfb";
  put(header, 3, 4);  // version
  put(header, 0, 8);  // no backing file
  put(header, 0, 4);
  put(header, kClusterBits, 4);
  put(header, size, 8);
  put(header, 0, 4);  // not encrypted
  put(header, l1_entries, 4);
  put(header, 3 * kCluster, 8);                             // the L1 table
  put(header, kCluster, 8);                                 // the refcount table
  put(header, 1, 4);                                        // of one cluster
  put(header, 0, 4), put(header, 0, 8);                     // no snapshots
  put(header, 0, 8), put(header, 0, 8), put(header, 0, 8);  // no features
  put(header, 4, 4);                                        // refcounts of 16 bits
  put(header, 104, 4);                                      // this header's length
  put(header, 0, 8);                                        // the end of its extensions
  std::string table, block;
  put(table, 2 * kCluster, 8);
  for (uint64_t index = 0; index < clusters; ++index) put(block, 1, 2);
  const std::pair<uint64_t, const std::string*> parts[] = {{0, &header}, {kCluster, &table}, {2 * kCluster, &block}};
  for (const auto& [offset, bytes] : parts)
    if (pwrite(file, bytes->data(), bytes->size(), off_t(offset)) != ssize_t(bytes->size()))
      return system_failure("cannot write", "a clone's disk");
  if (ftruncate(file, off_t(clusters * kCluster)) != 0) return system_failure("cannot write", "a clone's disk");
  return {};
}

}  // namespace mortem::tools
