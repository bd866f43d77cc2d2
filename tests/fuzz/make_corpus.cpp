// Writes the seeds of the fuzz targets: make_fuzz_corpus FOLDER
#include <cstdio>
#include <cstring>

#include "dump_builder.h"
#include "snapshot/clone/clone_description.h"
#include "snapshot/clone/migration_format.h"
#include "snapshot/folder_checksums.h"
#include "snapshot/little_endian.h"
#include "snapshot/slots.h"
#include "stub_sessions.h"

using namespace mortem;
using test::Bytes;

namespace {

test::DumpBuilder sample() {
  test::DumpBuilder dump;
  dump.thread(41, "worker", {}).thread(42, "main", {});
  dump.threads[1].floating_point = Bytes(512, 0);
  dump.threads[1].extended_state = Bytes(576, 0);
  dump.segment(0x400000, test::pattern(600)).segment(0x7fff0000, test::pattern(100));
  dump.siginfo = Bytes(128, 0);
  dump.program_name = "a";
  dump.command_line = "a b";
  dump.auxiliary_vector = {6, 4096, 9, 0x400010};
  dump.file_mappings = {{0x400000, 0x401000, 0, "/bin/a"}};
  snapshot::CoreModule module;
  module.path = "/bin/a";
  module.id = Bytes(20, 1);
  module.start = 0x400000, module.end = 0x401000;
  dump.modules = {module};
  dump.reason.emplace().thread = 42;
  dump.identity.emplace();
  dump.machine_registers.emplace();
  dump.page_map = {{0x400000, 4096, 0x201000, format::PageMapKind::Stored, 5},
                   {0x500000, 0x10000, ~0ull, format::PageMapKind::Untouched, 6},
                   {0xffff888000000000, 0x1000000, 0, format::PageMapKind::Alias, 6}};
  dump.kernel_log = "boot\n";
  return dump;
}

// A core as Linux writes it, with an ELF file in its memory.
test::DumpBuilder foreign() {
  test::DumpBuilder dump = sample();
  dump.modules.clear();
  dump.reason.reset();
  dump.identity.reset();
  dump.machine_registers.reset();
  dump.page_map.clear();
  dump.kernel_log.clear();
  dump.auxiliary_vector = {3, 0x400040, 9, 0x400100, 33, 0x400000};
  Bytes elf = test::DumpBuilder().segment(0, Bytes(8, 1)).core();
  elf.resize(1024);
  elf[16] = 3;  // ET_DYN
  dump.segments[0].content = elf;
  return dump;
}

Bytes image(const std::filesystem::path& folder) {
  const uint64_t sectors = 160, first = 8;
  Bytes bytes(sectors * 512);
  auto put = [&](uint64_t offset, auto value) { std::memcpy(bytes.data() + offset, &value, sizeof(value)); };
  std::memcpy(bytes.data() + 512, "EFI PART\0\0\1\0", 12);
  put(512 + 12, uint32_t{92});
  put(512 + 24, uint64_t{1});
  put(512 + 32, sectors - 1);
  put(512 + 72, uint64_t{2});
  put(512 + 80, uint32_t{4});
  put(512 + 84, uint32_t{128});
  std::memcpy(bytes.data() + 1024, format::kDumpPartitionType, 16);
  put(1024 + 32, first);
  put(1024 + 40, sectors - 2);
  test::write_file(folder / "image", bytes);
  if (!snapshot::write_dump_partition(folder / "image", first * 512, (sectors - 1 - first) * 512, 2)) return {};
  bytes = test::read_file(folder / "image");
  std::filesystem::remove(folder / "image");
  const uint64_t slot = first * 512 + format::kBlockSize;
  const Bytes dump = sample().dump(2048);
  std::memcpy(bytes.data() + slot + 2 * format::kBlockSize, dump.data(), dump.size());
  auto header = *snapshot::load<format::SlotHeader>(bytes, slot);
  header.state = format::SlotState::Complete;
  header.stored_length = dump.size();
  header.dump_checksum = format::crc32(dump);
  header.text_length = 5;
  put(slot, header);
  bytes.push_back(0);  // checksums are put right
  return bytes;
}

// One processor without memory, and its description.
std::string clone_state() {
  using namespace snapshot::migration;
  std::string state;
  put_big_endian(state, kMagic, 4), put_big_endian(state, kVersion, 4);
  for (const Section kind : {Section::Start, Section::LastPart}) {
    state += char(kind);
    put_big_endian(state, 2, 4);
    if (kind == Section::Start) put_name(state, "ram"), state.append(8, 0);
    put_big_endian(state, kEndOfPart, 8);
    state += char(Section::Footer);
    put_big_endian(state, 2, 4);
  }
  const std::string description =
      R"({"devices":[{"name":"cpu","instance_id":0,"vmsd_name":"cpu","version":12,"fields":[)"
      R"({"name":"env.regs","array_len":16,"type":"uint64","size":8},{"name":"env.eip","type":"uint64","size":8},)"
      R"({"name":"env.segs","array_len":6,"type":"struct","size":24,"struct":{"vmsd_name":"segment","fields":[)"
      R"({"name":"selector","size":4},{"name":"base","size":8}]}}],)"
      R"("subsections":[{"vmsd_name":"cpu/x","fields":[{"name":"y","size":4}]}]}]})";
  state += char(Section::Full);
  put_big_endian(state, 3, 4);
  put_name(state, "cpu");
  put_big_endian(state, 0, 4), put_big_endian(state, 12, 4);
  state.append(16 * 8 + 8 + 6 * 24, 1);
  state += char(Section::Subsection);
  put_name(state, "cpu/x");
  state.append(4 + 4, 2);
  state += char(Section::Footer);
  put_big_endian(state, 3, 4);
  state += char(Section::End);
  state += char(Section::Description);
  put_big_endian(state, description.size(), 4);
  return state + description;
}

constexpr const char* kRecording =
    R"({"schema":"mortem.recording/2","name":"a","started":1,"qemu_version":"7.2.22","machine":{"type":"q35",)"
    R"("accelerator":"tcg","processor":"max","firmware":"qboot","memory_bytes":268435456,"kernel_arguments":"a=b",)"
    R"("has_disk":true,"has_input":false,"exit_on_reset":true,"network":"user","mtu":0},"shift":2,)"
    R"("start_time":"2026-01-01T00:00:00","kernel_id":"00","program":"/bin/a","program_id":"01","image_format":"raw",)"
    R"("ports":["8080:80"],"from_dump":false,"end":"crash: SIGSEGV","kernel_base":4096,"log_bytes":10,)"
    R"("instructions":100,"seconds":1.5,"checks":[{"instructions":10,"registers":1,"memory":2,"disk_requests":0,)"
    R"("held":true}],"checksums":"00000000000000ff"})";

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    fprintf(stderr, "usage: make_fuzz_corpus FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = arguments[1];
  for (const char* target : {"seekable_zstd", "core_file", "disk_image", "gdb_packets", "location", "expression_parser",
                             "clone_state", "clone_description", "checksums", "recording"})
    std::filesystem::create_directories(folder / target);
  const Bytes content(3000, 'z');
  test::write_file(folder / "seekable_zstd/plain", test::compress_seekable(content, 1000));
  test::write_file(folder / "seekable_zstd/checksums",
                   test::compress_seekable(content, 1000, test::SeekTable::WithChecksums));
  test::write_file(folder / "seekable_zstd/no-table", test::compress_seekable(content, 1000, test::SeekTable::Without));
  test::write_file(folder / "seekable_zstd/pattern", test::compress_seekable(test::pattern(500), 100));
  test::write_file(folder / "core_file/dump", sample().core());
  test::write_file(folder / "core_file/dump-zst", sample().dump(4096));
  test::write_file(folder / "core_file/foreign", foreign().core());
  test::write_file(folder / "disk_image/image", image(folder));
  const auto bytes_of = [](const std::string& text) { return Bytes(text.begin(), text.end()); };
  for (const char step : {'p', 'b', 'u'}) {
    const std::string name(1, step);
    test::write_file(folder / ("gdb_packets/gdb-" + name), bytes_of(test::as_fuzz_input(test::kGdbSession, step)));
    test::write_file(folder / ("gdb_packets/lldb-" + name), bytes_of(test::as_fuzz_input(test::kLldbSession, step)));
  }
  // Of what gcc writes: a frame's variable, one in pieces, one by its value at entry, a typed one, a condition.
  const Bytes locations[] = {{0x91, 0x6C},
                             {0x50, 0x93, 0x08, 0x61, 0x93, 0x08},
                             {0xA3, 0x01, 0x55, 0x9F},
                             {0xA4, 0x01, 0x04, 0x01, 0x00, 0x00, 0x00, 0xA8, 0x00, 0x70, 0x08, 0x22, 0x9F},
                             {0x72, 0x00, 0x30, 0x29, 0x28, 0x02, 0x00, 0x31, 0x1C, 0x06, 0x9F},
                             {0x98, 0x11, 0x00, 0x23, 0x80, 0x01, 0x9D, 0x03, 0x02}};
  for (const Bytes& one : locations) test::write_file(folder / ("location/" + std::to_string(&one - locations)), one);
  const char* const expressions[] = {"req->headers[2].name", "*(struct node **)&list@4 + sizeof(int)",
                                     "$rax >> 3 & 0xFFul", "a ? -b : ns::c<int>::d == 'x' || \"t\\n\"",
                                     "(unsigned long)x.0 * 1.5e3"};
  for (const char* const& one : expressions)
    test::write_file(folder / ("expression_parser/" + std::to_string(&one - expressions)), bytes_of(one));
  test::write_file(folder / "clone_state/processor", bytes_of(clone_state()));
  snapshot::CloneDescription clone;
  clone.memory_file = "memory", clone.state_file = "state", clone.kernel_file = "kernel.elf";
  clone.disks = {{"disk", "disk-0.qcow2", 4096}};
  clone.checksums = 1;
  test::write_file(folder / "clone_description/of-ours", bytes_of(clone_description_text(clone)));
  clone.machine = R"({"type":"q35"})";
  clone.command = {"qemu-system-x86_64", "-kernel", "vmlinuz"};
  clone.boot_files = {{"vmlinuz", "boot-0"}};
  test::write_file(folder / "clone_description/of-others", bytes_of(clone_description_text(clone)));
  test::write_file(folder / "recording/crash", bytes_of(kRecording));
  std::filesystem::create_directories(folder / "files");
  test::write_file(folder / "files/large", test::pattern(70000));
  test::write_file(folder / "files/small", Bytes(10));
  if (const auto sums = snapshot::FolderChecksums::of(folder / "files", {}))
    test::write_file(folder / "checksums/two", sums->bytes());
  std::filesystem::remove_all(folder / "files");
  return 0;
}
