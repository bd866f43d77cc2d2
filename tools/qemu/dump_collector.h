// Brings the dumps of a guest out of the slots of its image while it runs or after it ended.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "snapshot/result.h"
#include "snapshot/slots.h"

namespace mortem::tools {

enum class AfterPull { Release, Keep };

struct CollectedDump {
  std::filesystem::path path;  // empty: it stays in its slot
  snapshot::Slot slot;
  bool released = false;
  int signal = 0, exit_status = 0;  // as its reason note says
  std::string reason;               // one line, empty: unknown
  uint64_t occurrence = 0;          // the how-manieth crash of its kind on this disk, 0: not known
  std::filesystem::path first;      // where this run's first dump of the kind is; empty: this is it
};

class DumpCollector {
 public:
  // Remembers what the slots hold now. `wanted`: file for the first dump; further ones get NAME.1.core.zst and so on.
  static Result<DumpCollector> begin(const std::filesystem::path& image, const std::filesystem::path& wanted,
                                     bool keep_in_slot);

  // Dumps that were not there before, oldest first; each is written to a file, flushed, and only then its slot is
  // released. Of the crashes of one kind the first and the newest keep a file: the newest replaces this run's one
  // before it, whose text record goes to NAME.crashes.txt. No other file is ever overwritten.
  Result<std::vector<CollectedDump>> collect();

  // Into NAME.crashes.txt: of a crash whose dump a newer one has replaced in its slot.
  void keep_line(uint64_t occurrence, const std::string& reason) const;

  // Why there is no dump, as far as the slots tell: full, cut short, no slots; empty: they do not.
  std::string why_none() const;

 private:
  DumpCollector(std::filesystem::path image, std::filesystem::path wanted, bool keep)
      : image_(std::move(image)), wanted_(std::move(wanted)), keep_in_slot_(keep) {}
  struct Kept {
    std::filesystem::path first, last;  // last: empty until the second
    std::string last_record;            // what the file `last` was written from
  };
  Result<void> bring_out(const snapshot::DiskImage& disk, CollectedDump& dump);
  void write_record(const CollectedDump& dump, const std::string& record) const;
  void append_to_records(const std::string& text) const;

  std::filesystem::path image_, wanted_;
  std::map<uint64_t, Kept> kept_;  // by signature
  bool keep_in_slot_;
  std::set<std::pair<uint32_t, uint64_t>> known_;  // slot, sequence number
  std::set<uint32_t> cut_short_before_;
};

// The first slot of an image that holds anything of a crash; nothing: none does, or it is no image.
std::optional<snapshot::Slot> find_unpulled_dump(const std::filesystem::path& image);

// NAME.core.zst, NAME.1.core.zst, … whichever is the first that is not there.
std::filesystem::path free_dump_name(const std::filesystem::path& wanted);

// Why a crash would leave no dump in this image now: full, no slots; empty: there is room.
std::string no_room_for_dump(const std::filesystem::path& image);

}  // namespace mortem::tools
