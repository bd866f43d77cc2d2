// The command line of a copy of a guest whose QEMU somebody else started.
#include <gtest/gtest.h>

#include <algorithm>

#include "tools/qemu/foreign_command.h"
#include "tools/qemu/qemu_option.h"

namespace mortem::tools {
namespace {

ForeignCopy copy_of(std::vector<ForeignDisk> disks, const std::string& type = "pc-i440fx-7.2",
                    const std::string& block = "pc.ram") {
  ForeignCopy copy;
  copy.name = "c";
  copy.machine_type = type;
  copy.memory_block = block;
  copy.memory_bytes = 256 << 20;
  copy.memory_file = "/clone/memory";
  copy.disks = std::move(disks);
  copy.folder = "/home/me";
  copy.state = 5;
  copy.open_tap = []() -> Result<int> { return 9; };
  return copy;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + " ";
  return text;
}

std::string made(const std::vector<std::string>& command, const ForeignCopy& copy) {
  const auto result = foreign_copy_command(command, copy);
  return result ? joined(result->line) : "refused: " + result.error().message;
}

constexpr const char* kDisk =
    "driver=qcow2,cache.no-flush=on,file.driver=file,file.filename=/o,backing.driver=qcow2,backing.read-only=on,"
    "backing.file.driver=file,backing.file.filename=/i";

bool has(const std::string& text, const std::string& part) {
  return (" " + text).find(" " + part + " ") != std::string::npos;
}

TEST(QemuOptionText, CommasAreDoubledAndFlagsHaveTwoForms) {
  auto option = QemuOption::parse("tap,ifname=a,,b,nowait,vhost,x=", "type");
  ASSERT_TRUE(option);
  EXPECT_EQ(option->get("type"), "tap");
  EXPECT_EQ(option->get("ifname"), "a,b");
  EXPECT_EQ(option->get("wait"), "off");
  EXPECT_EQ(option->get("vhost"), "on");
  EXPECT_EQ(option->get("x"), "");
  EXPECT_EQ(option->get("y"), std::nullopt);
  EXPECT_EQ(option->text(), "type=tap,ifname=a,,b,wait=off,vhost=on,x=");
  EXPECT_FALSE(QemuOption::parse("{\"a\":", ""));
  EXPECT_EQ(QemuOption::parse("{\"a\":{\"b\":1},\"c\":true}", "")->get("c"), "on");
}

TEST(ForeignCommand, TheMachineIsTheSameAndItsMemoryTheClones) {
  const std::string text = made({"-M", "pc,accel=tcg,memory-backend=ram0", "-m", "256", "-object",
                                 "memory-backend-memfd,id=ram0,size=256M,share=on", "-cpu", "qemu64,+ssse3",
                                 "-nodefaults", "-daemonize", "-pidfile", "/run/x.pid", "-device", "virtio-rng-pci"},
                                copy_of({}, "pc-i440fx-7.2", "/objects/ram0"));
  EXPECT_TRUE(has(text, "-machine pc-i440fx-7.2,memory-backend=ram0")) << text;
  EXPECT_TRUE(has(text, "-machine accel=tcg")) << text;
  EXPECT_TRUE(
      has(text, "-object memory-backend-file,id=ram0,reserve=off,share=off,mem-path=/clone/memory,size=262144K"))
      << text;
  EXPECT_TRUE(has(text, "-cpu qemu64,+ssse3 -nodefaults -device virtio-rng-pci")) << text;
  EXPECT_TRUE(has(text, "-incoming fd:5 -S")) << text;
  for (const char* gone : {"memfd", "-daemonize", "/run/x.pid"}) EXPECT_EQ(text.find(gone), std::string::npos) << text;
  // Nothing is written, and what is read is the clone's.
  ForeignCopy kept = copy_of({});
  kept.boot_files = {{"vmlinuz", "/clone/boot-0"}};
  EXPECT_TRUE(has(
      made({"-kernel", "vmlinuz", "-bios", "bios.bin", "-icount", "shift=3,rr=record,rrfile=/x", "-M", "pc,dumpdtb=/y"},
           kept),
      "-kernel /clone/boot-0 -bios bios.bin -icount shift=3 -nic user,restrict=on"));
  EXPECT_TRUE(has(made({"-nodefaults"}, copy_of({})),
                  "-object memory-backend-file,id=pc.ram,reserve=off,share=off,mem-path=/clone/memory,size=262144K,"
                  "x-use-canonical-path-for-ramblock-id=off"));
}

TEST(ForeignCommand, DrivesAreTheClonesByTheNamesThatQemuGivesThem) {
  const std::string disk = kDisk;
  EXPECT_TRUE(has(made({"-drive", "file=a,,b.img,if=virtio,cache=none,format=raw", "-drive", "file=iso,media=cdrom"},
                       copy_of({{"virtio0", "/i", "/o", 1}})),
                  "-drive if=virtio," + disk + " -drive file=/home/me/iso,media=cdrom,read-only=on"));
  EXPECT_TRUE(has(made({"disk.img"}, copy_of({{"ide0-hd0", "/i", "/o", 1}})), "-drive index=0," + disk));
  EXPECT_TRUE(has(made({"-hdc", "disk.img"}, copy_of({{"ide1-hd0", "/i", "/o", 1}})), "-drive index=2," + disk));
  EXPECT_TRUE(
      has(made({"-hdc", "disk.img"}, copy_of({{"ide2-hd0", "/i", "/o", 1}}, "pc-q35-7.2")), "-drive index=2," + disk));
  EXPECT_TRUE(has(made({"-drive", "if=none,id=d,file=/x,snapshot=on", "-device", "virtio-blk-pci,drive=d"},
                       copy_of({{"d", "/i", "/o", 1}})),
                  "-drive if=none,id=d," + disk + " -device virtio-blk-pci,drive=d"));
  EXPECT_EQ(made({"-nodefaults"}, copy_of({{"late", "/i", "/o", 1}})).find("refused: its disk late is not on"), 0u);
}

TEST(ForeignCommand, NodesBelowTheClonesDisksGoAndOthersAreReadOnly) {
  const std::string text =
      made({"-blockdev", R"({"driver":"file","filename":"/disk","node-name":"s1","auto-read-only":true})", "-blockdev",
            R"({"node-name":"f1","read-only":false,"driver":"raw","file":"s1"})", "-blockdev",
            "driver=file,filename=VARS.fd,node-name=s2", "-blockdev", "node-name=f2,driver=raw,file=s2", "-machine",
            "q35,pflash1=f2", "-device", R"({"driver":"virtio-blk-pci","drive":"f1"})"},
           copy_of({{"f1", "/i", "/o", 1}}, "pc-q35-7.2"));
  EXPECT_TRUE(has(text, std::string("-blockdev ") + kDisk + ",node-name=f1")) << text;
  EXPECT_EQ(text.find("s1"), std::string::npos) << text;
  EXPECT_TRUE(has(text, "-blockdev driver=file,filename=/home/me/VARS.fd,node-name=s2,read-only=on")) << text;
  EXPECT_TRUE(has(text, "-blockdev node-name=f2,driver=raw,file=s2,read-only=on")) << text;
  EXPECT_TRUE(has(text, "-machine pflash1=f2")) << text;
}

TEST(ForeignCommand, ItSpeaksWithNobody) {
  const std::vector<std::string> command = {"-netdev",   "tap,id=n0,ifname=tap0,script=no,vhost=on",
                                            "-netdev",   "user,id=n1,hostfwd=tcp::8080-:80,net=10.1.0.0/24",
                                            "-netdev",   "socket,id=n2,connect=1.2.3.4:5",
                                            "-chardev",  "socket,id=ch0,path=/run/s,server=on",
                                            "-serial",   "chardev:ch0",
                                            "-serial",   "stdio",
                                            "-serial",   "pty",
                                            "-parallel", "none",
                                            "-vnc",      ":1",
                                            "-qmp",      "tcp::4444",
                                            "-monitor",  "stdio",
                                            "-object",   "secret,id=k,file=/etc/key",
                                            "-object",   "iothread,id=io"};
  const auto result = foreign_copy_command(command, copy_of({}));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->netdevs, (std::vector<std::string>{"n0", "n1", "n2"}));
  const std::string text = joined(result->line);
  EXPECT_TRUE(has(text, "-netdev tap,id=n0,fd=9")) << text;
  EXPECT_TRUE(has(text, "-netdev user,id=n1,net=10.1.0.0/24,restrict=on")) << text;
  EXPECT_TRUE(has(text, "-netdev user,id=n2,restrict=on")) << text;
  EXPECT_TRUE(
      has(text, "-chardev null,id=ch0 -serial chardev:ch0 -serial file:console.log -serial null -parallel none"))
      << text;
  EXPECT_TRUE(text.ends_with("-object iothread,id=io ")) << text;
  EXPECT_TRUE(has(made({"-S"}, copy_of({})), "-S -nic user,restrict=on"));  // QEMU's default card
  for (const char* gone : {"8080", "1.2.3.4", "/run/s", "4444", "secret", ":1 "})
    EXPECT_EQ(text.find(gone), std::string::npos) << text;
  EXPECT_TRUE(
      has(made({"-nodefaults", "-netdev", R"({"type":"user","id":"h","hostfwd":[{"str":"tcp::1-:2"}]})"}, copy_of({})),
          "-netdev user,id=h,restrict=on"));
  ForeignCopy reaches = copy_of({});
  reaches.reaches_host = true;
  reaches.forwards = {"tcp:127.0.0.1:1-:2"};
  EXPECT_TRUE(has(made({"-nic", "user,model=virtio,mac=52:54:00:00:00:01"}, reaches),
                  "-nic user,model=virtio,mac=52:54:00:00:00:01,restrict=off,hostfwd=tcp:127.0.0.1:1-:2"));
}

TEST(ForeignCommand, WhatNoCopyCouldHaveIsRefused) {
  for (const auto& [command, text] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"-virtfs", "local,path=/"}, "-virtfs"},
           {{"-fsdev", "local,id=x"}, "-fsdev"},
           {{"-netdev", "vhost-user,id=n,chardev=c"}, "vhost-user"},
           {{"-netdev", "tap,id=n,queues=4"}, "several queues"},
           {{"-device", "vfio-pci,host=01:00.0"}, "-device vfio-pci"},
           {{"-device", R"({"driver":"usb-host","hostbus":1})"}, "usb-host"},
           {{"-usbdevice", "host:1.2"}, "-usbdevice"},
           {{"-set", "netdev.n.restrict=off"}, "-set"},
           {{"-object", "memory-backend-file,id=shm,mem-path=/dev/shm/x,share=on"}, "memory-backend-file"},
           {{"-object", "dbus-vmstate,id=d,addr=unix:path=/x"}, "-object dbus-vmstate"},
           {{"-device", "usb-mtp,rootdir=/home"}, "usb-mtp"},
           {{"-device", "x,file=/etc/passwd"}, "-device x"},
           {{"-kernel", "/etc/passwd"}, "/etc/passwd, which is not in the clone's folder"},
           {{"-fw_cfg", "opt/x,file=/etc/passwd"}, "not in the clone's folder"},
           {{"-drive", "if=pflash,file=/etc/passwd"}, "not in the clone's folder"},
           {{"-m"}, "has no value"}}) {
    const std::string refused = made(command, copy_of({}));
    EXPECT_EQ(refused.find("refused: "), 0u) << refused;
    EXPECT_NE(refused.find(text), std::string::npos) << refused;
  }
}

TEST(ForeignCommand, FilesThatItsStartNeeds) {
  const auto files = foreign_boot_files({"-kernel",   "vmlinuz",
                                         "-initrd",   "/i",
                                         "-bios",     "qboot.rom",
                                         "-drive",    "if=pflash,file=CODE.fd,readonly=on",
                                         "-drive",    "if=virtio,file=disk",
                                         "-fw_cfg",   "opt/x,file=/y",
                                         "-machine",  "q35,pflash0=f",
                                         "-blockdev", "driver=file,filename=/V,node-name=s",
                                         "-blockdev", "driver=raw,file=s,node-name=f",
                                         "-blockdev", "driver=file,filename=/other,node-name=o"});
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(*files, (std::vector<std::string>{"vmlinuz", "/i", "qboot.rom", "CODE.fd", "/y", "/V"}));
}

}  // namespace
}  // namespace mortem::tools
