#include "snapshot/resume/dump_boot.h"

#include <elf.h>
#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <cstring>

#include "snapshot/clone/clone_description.h"
#include "snapshot/dump_info.h"
#include "snapshot/format/resume.h"
#include "snapshot/output_file.h"
#include "snapshot/resume/dump_memory.h"

namespace mortem::snapshot {

namespace fs = std::filesystem;
using namespace format;

namespace {

constexpr uint64_t kPage = 4096, kMebibyte = 1 << 20, k4Gib = uint64_t{4} << 30, kForFirmware = 32 * kMebibyte;
constexpr uint64_t kPresentWrite = 3, kLargePage = 0x80, kEntryAddress = 0x000F'FFFF'FFFF'F000;
constexpr uint64_t kEferLma = 1 << 10;

tl::unexpected<Error> cannot_go_on(const CoreFile& core, const std::string& why) {
  return failure(
      ErrorKind::Unsupported,
      fmt::format("{}: cannot be resumed: {}; it can be looked into: mortem open, bt, gdb", core.name(), why));
}

bool is_zero(std::span<const uint8_t> bytes) {
  return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

class Builder {
 public:
  Builder(const CoreFile& core, OutputFile& output, FirmwareMemory firmware)
      : core_(core), memory_(core), output_(output), firmware_(firmware) {}

  Result<DumpBoot> run() {
    block_ = TRY(memory_.description());
    TRY_VOID(check_description());
    choose_machine();
    TRY_VOID(output_.set_size(boot_.memory_bytes));
    TRY_VOID(copy_pages());
    TRY_VOID(mark_lost_pages());
    TRY_VOID(make_trampoline());
    return std::move(boot_);
  }

 private:
  tl::unexpected<Error> damaged(const std::string& what) const {
    return failure(ErrorKind::BadInput, fmt::format("{}: damaged: {}", core_.name(), what));
  }

  Result<void> check_description() {
    const size_t id_length = std::min<size_t>(block_.kernel_build_id_length, sizeof block_.kernel_build_id);
    boot_.kernel_id = hexadecimal({block_.kernel_build_id, id_length});
    if (block_.resume_entry == 0 || block_.resume_code == 0)
      return cannot_go_on(core_, fmt::format("its kernel (build id {}) is older than that", boot_.kernel_id));
    if (block_.resume_code_size == 0 || block_.resume_code_size > kPage)
      return damaged("its kernel's way to be resumed");
    const uint64_t base = block_.kernel_virtual_base;
    if (block_.resume_entry < base || block_.resume_entry - base >= block_.kernel_image_size)
      return damaged("its kernel is resumed at an address outside of it");
    constexpr uint64_t kMostPages = uint64_t{1} << 28;  // 1 TiB
    if (block_.memory_pages == 0 || block_.memory_pages > kMostPages) return damaged("the size of its memory");
    return {};
  }

  // The end of RAM is what the kernel was told. SeaBIOS (src/malloc.c) needs 16 MiB for what it keeps, and some before
  // that at start: so that no page of the guest's is there, the machine gets more than the guest ever had, or the page
  // is missed when it comes up.
  void choose_machine() {
    constexpr uint32_t kI440fx = 0x12378086;
    boot_.machine_type = block_.host_bridge == kI440fx ? "pc" : "q35";
    const uint64_t end = block_.memory_pages * kPage;
    const auto below = [&](uint64_t bytes) { return memory_below_4g(boot_.machine_type, bytes); };
    uint64_t more = firmware_ == FirmwareMemory::LowAndHigh ? kForFirmware : 0;
    const bool is_split = end > k4Gib || below(end + more) != end + more;
    if (is_split) more = 0;
    boot_.memory_bytes = end > k4Gib ? below(~uint64_t{0}) + (end - k4Gib) : end + more;
    boot_.memory_bytes = (boot_.memory_bytes + kMebibyte - 1) / kMebibyte * kMebibyte;
    below_4g_ = below(boot_.memory_bytes);
    if (is_split && firmware_ == FirmwareMemory::LowAndHigh) firmware_start_ = below_4g_ - kForFirmware;
  }

  Result<uint64_t> place_of(uint64_t physical, uint64_t length) const {
    if (physical < k4Gib && physical + length > firmware_start_)
      return cannot_go_on(core_, fmt::format("it uses memory at {:#x}, where this QEMU's firmware works: qboot.rom of "
                                             "qemu-system-data is needed",
                                             physical));
    if (physical < below_4g_ && length <= below_4g_ - physical) return physical;
    if (physical >= k4Gib && physical - k4Gib <= boot_.memory_bytes - below_4g_ &&
        length <= boot_.memory_bytes - below_4g_ - (physical - k4Gib))
      return below_4g_ + (physical - k4Gib);
    return damaged(fmt::format("a page at physical address {:#x}, where it had no memory", physical));
  }

  Result<void> copy_pages() {
    std::vector<uint8_t> part(kMebibyte);
    uint64_t done = 0;
    for (const DumpMemory::Range& range : memory_.ranges()) {
      for (uint64_t at = 0; at < range.length; at += part.size()) {
        const std::span<uint8_t> bytes(part.data(), std::min<uint64_t>(part.size(), range.length - at));
        if (range.physical + at + bytes.size() <= done) continue;
        TRY_VOID(memory_.read(range.address + at, bytes));
        TRY_VOID(put(TRY(place_of(range.physical + at, bytes.size())), bytes));
      }
      done = std::max(done, range.physical + range.length);
    }
    return {};
  }

  // Runs of pages that are not zero; the rest stays a hole.
  Result<void> put(uint64_t place, std::span<const uint8_t> bytes) {
    for (size_t at = 0; at < bytes.size();) {
      size_t end = at;
      while (end < bytes.size() && !is_zero(bytes.subspan(end, kPage))) end += kPage;
      if (end > at) TRY_VOID(output_.write(place + at, bytes.subspan(at, end - at)));
      boot_.stored_bytes += end - at;
      at = end > at ? end : at + kPage;
    }
    return {};
  }

  // Pages of files that the kernel finds in its cache and the dump does not hold: it must not take zeros for them.
  Result<void> mark_lost_pages() {
    uint8_t last;  // a damaged size is found before so much memory is asked for
    TRY_VOID(memory_.read(block_.page_owner_table + block_.memory_pages - 1, {&last, 1}));
    std::vector<uint8_t> owners(block_.memory_pages);
    TRY_VOID(memory_.read(block_.page_owner_table, owners));
    for (uint64_t page = 0; page < owners.size(); ++page) {
      const auto owner = static_cast<PageOwner>(owners[page]);
      if (owner == PageOwner::Lost) ++boot_.lost_pages;
      if (owner != PageOwner::PageCache && owner != PageOwner::DiskState && owner != PageOwner::App &&
          owner != PageOwner::PageTable)
        continue;
      if (memory_.holds(page * kPage)) continue;
      if (owner != PageOwner::PageCache)
        return damaged(
            fmt::format("it does not hold the page at physical address {:#x}, which is in use", page * kPage));
      owners[page] = static_cast<uint8_t>(PageOwner::Lost);
      ++boot_.lost_pages;
    }
    const uint64_t table = block_.page_owner_table - block_.direct_map_base;
    const uint64_t first = table / kPage * kPage;
    std::vector<uint8_t> pages((table - first + owners.size() + kPage - 1) / kPage * kPage);
    TRY_VOID(memory_.read_physical(first, pages));
    std::copy(owners.begin(), owners.end(), pages.begin() + int64_t(table - first));
    return output_.write(TRY(place_of(first, pages.size())), pages);
  }

  Result<void> make_trampoline() {
    const auto machine = core_.machine_registers();
    const uint64_t root = machine->registers.cr3 & kEntryAddress;
    std::vector<uint8_t> area(kResumeBytes);
    TRY_VOID(memory_.read(block_.resume_code, {area.data(), block_.resume_code_size}));
    const auto table = [&](uint64_t number) {
      return reinterpret_cast<uint64_t*>(area.data() + (kResumeTables - kResumeTrampolineAddress) + number * kPage);
    };
    // The first GiB where it is, and the kernel's half.
    std::vector<uint64_t> running(512);
    TRY_VOID(memory_.read_physical(root, {reinterpret_cast<uint8_t*>(running.data()), kPage}));
    std::copy(running.begin() + 256, running.end(), table(0) + 256);
    table(0)[0] = (kResumeTables + kPage) | kPresentWrite;
    table(1)[0] = (kResumeTables + 2 * kPage) | kPresentWrite;
    for (uint64_t entry = 0; entry < 512; ++entry) table(2)[entry] = entry << 21 | kPresentWrite | kLargePage;
    ResumeRequest request{};
    request.entry = block_.resume_entry;
    request.page_table_root = root;
    request.efer = machine->registers.efer & ~kEferLma;
    std::memcpy(request.magic, kResumeMagic, sizeof request.magic);
    request.size = sizeof request;
    if (getrandom(request.entropy, sizeof request.entropy, 0) != sizeof request.entropy)
      return failure(ErrorKind::System, "cannot read /dev/urandom");
    std::memcpy(area.data() + (kResumeRequestAddress - kResumeTrampolineAddress), &request, sizeof request);
    wrap(area);
    return {};
  }

  // An ELF file that QEMU's PVH loader takes: one segment, and the note that names its 32-bit entry
  // (xen/include/public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY).
  void wrap(const std::vector<uint8_t>& area) {
    struct Note {
      uint32_t name_length, length, type;
      char name[4];
      uint64_t entry;
    };
    struct Head {
      Elf64_Ehdr file;
      Elf64_Phdr segments[2];
      Note note;
    } head{};
    static_assert(sizeof(Note) == 24 && sizeof(Head) <= kPage);
    std::memcpy(head.file.e_ident, ELFMAG, SELFMAG);
    head.file.e_ident[EI_CLASS] = ELFCLASS64;
    head.file.e_ident[EI_DATA] = ELFDATA2LSB;
    head.file.e_ident[EI_VERSION] = EV_CURRENT;
    head.file.e_type = ET_EXEC;
    head.file.e_machine = EM_X86_64;
    head.file.e_version = EV_CURRENT;
    head.file.e_entry = kResumeTrampolineAddress;
    head.file.e_phoff = offsetof(Head, segments);
    head.file.e_ehsize = sizeof(Elf64_Ehdr);
    head.file.e_phentsize = sizeof(Elf64_Phdr);
    head.file.e_phnum = 2;
    head.segments[0] = {PT_LOAD,     PF_R | PF_W | PF_X, kPage, kResumeTrampolineAddress, kResumeTrampolineAddress,
                        area.size(), area.size(),        kPage};
    head.segments[1] = {PT_NOTE, PF_R, offsetof(Head, note), 0, 0, sizeof(Note), sizeof(Note), 4};
    head.note = {4, 8, 18, {'X', 'e', 'n', 0}, kResumeTrampolineAddress};
    boot_.trampoline.assign(kPage, 0);
    std::memcpy(boot_.trampoline.data(), &head, sizeof head);
    boot_.trampoline.insert(boot_.trampoline.end(), area.begin(), area.end());
  }

  const CoreFile& core_;
  DumpMemory memory_;
  OutputFile& output_;
  FirmwareMemory firmware_;
  GuestDescription block_{};
  uint64_t below_4g_ = 0, firmware_start_ = ~uint64_t{0};
  DumpBoot boot_;
};

}  // namespace

Result<void> check_resumable(const CoreFile& core) {
  const auto reason = core.reason();
  if (!reason) return cannot_go_on(core, "it is no dump of a Mortem guest, but a core without its kernel");
  switch (reason->kind) {
    case ReasonKind::Signal:
    case ReasonKind::OnDemand:
      break;
    case ReasonKind::NonMaskableInterrupt:
      if ((reason->known & kReasonCanBeResumed) == 0)
        return cannot_go_on(core, "its NMI met the kernel at work, where it cannot be broken off");
      break;
    case ReasonKind::Exit:
      return cannot_go_on(core, fmt::format("its program had ended by itself (exit status {})", reason->exit_status));
    default:
      return cannot_go_on(core, fmt::format("its kernel had ended ({})", reason_kind_text(reason->kind)));
  }
  if (reason->level != DumpLevel::Full)
    return cannot_go_on(core, fmt::format("it is not full but of level \"{}\"", dump_level_text(reason->level)));
  const auto machine = core.machine_registers();
  if (!machine || (machine->in_kernel != 0 && reason->kind != ReasonKind::NonMaskableInterrupt))
    return cannot_go_on(core, "it has no registers of its program to go on with");
  return {};
}

Result<DumpBoot> make_dump_boot(const CoreFile& core, const fs::path& memory, FirmwareMemory firmware) {
  TRY_VOID(check_resumable(core));
  OutputFile output = TRY(OutputFile::create(memory, Existing::Keep));
  DumpBoot boot = TRY(Builder(core, output, firmware).run());
  TRY_VOID(output.commit());
  return boot;
}

}  // namespace mortem::snapshot
