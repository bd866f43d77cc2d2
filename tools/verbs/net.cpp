// `mortem net` and `mortem files`: the sockets and open descriptors of a target.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "snapshot/open_files.h"
#include "tools/output.h"
#include "tools/target.h"
#include "tools/verbs.h"
#include "tools/verbs/stack_facts.h"

namespace mortem::tools {
namespace {

using nlohmann::ordered_json;

struct OpenFilesOptions {
  std::string target;
  bool json = false;
};

constexpr const char* kNotTold =
    "{}: does not say what was open; only dumps and guests of this version of Mortem and newer do";

ordered_json socket_facts(const snapshot::OpenSocket& socket) {
  const format::SocketEntry& entry = socket.entry;
  const bool has_queues = socket.has(format::kSocketHasQueues), has_tcp = socket.has(format::kSocketHasTcp);
  const auto if_known = [](bool known, uint64_t value) { return known ? ordered_json(value) : ordered_json(nullptr); };
  ordered_json facts;
  facts["protocol"] = socket.protocol();
  facts["state"] = text_or_null(socket.state());
  facts["local"] = text_or_null(printable(socket.local()));
  facts["remote"] = text_or_null(socket.remote());
  facts["descriptors"] = socket.descriptors;
  facts["inode"] = number_or_null(entry.number);
  facts["awaits_accept"] = entry.awaits_accept != 0;
  facts["receive_queue"] = if_known(has_queues, entry.receive_queue);
  facts["send_queue"] = if_known(has_queues, entry.send_queue);
  facts["mtu"] = number_or_null(entry.mtu);
  facts["mss"] = if_known(has_tcp, entry.mss);
  facts["send_window"] = if_known(has_tcp, entry.send_window);
  facts["receive_window"] = if_known(has_tcp, entry.receive_window);
  facts["congestion_window"] = if_known(has_tcp, entry.congestion_window);
  facts["retransmissions"] = if_known(has_tcp, entry.retransmissions);
  return facts;
}

void print_sockets(const std::vector<snapshot::OpenSocket>& sockets) {
  std::string text = fmt::format("{:16} {:10} {:>8} {:>8}  {:24} {:24} {:>6} {:>6}  {}\n", "PROTOCOL", "STATE",
                                 "RECV-Q", "SEND-Q", "LOCAL", "REMOTE", "MTU", "MSS", "FD");
  const auto known = [](bool is_known, uint64_t value) { return is_known ? std::to_string(value) : std::string("-"); };
  for (const snapshot::OpenSocket& one : sockets) {
    const bool queues = one.has(format::kSocketHasQueues);
    const std::string descriptors = !one.descriptors.empty()       ? fmt::format("{}", fmt::join(one.descriptors, ","))
                                    : one.entry.awaits_accept != 0 ? "not accepted yet"
                                                                   : "closed by the program";
    text += fmt::format("{:16} {:10} {:>8} {:>8}  {:24} {:24} {:>6} {:>6}  {}\n", one.protocol(),
                        one.state().empty() ? "unknown" : one.state(), known(queues, one.entry.receive_queue),
                        known(queues, one.entry.send_queue), one.local().empty() ? "-" : printable(one.local()),
                        one.remote().empty() ? "-" : one.remote(), known(one.entry.mtu != 0, one.entry.mtu),
                        known(one.has(format::kSocketHasTcp), one.entry.mss), descriptors);
  }
  write_stdout(text);
}

int show_sockets(const OpenFilesOptions& options) {
  auto core = open_target_core(options.target);
  if (!core) return fail(core.error());
  const auto& sockets = (*core)->open_files().sockets;
  if (!sockets) return fail(fmt::format(kNotTold, options.target));
  if (options.json) {
    ordered_json list = ordered_json::array();
    for (const auto& one : *sockets) list.push_back(socket_facts(one));
    print_json("net", {{"sockets", std::move(list)}});
  } else if (sockets->empty()) {
    note("there are no sockets");
  } else {
    print_sockets(*sockets);
  }
  return kDone;
}

int show_files(const OpenFilesOptions& options) {
  auto core = open_target_core(options.target);
  if (!core) return fail(core.error());
  const auto& descriptors = (*core)->open_files().descriptors;
  if (!descriptors) return fail(fmt::format(kNotTold, options.target));
  ordered_json list = ordered_json::array();
  std::string text = fmt::format("{:>5}  {:14} {:28} {:>10}  {}\n", "FD", "KIND", "OPENED FOR", "POSITION", "PATH");
  for (const snapshot::OpenDescriptor& one : *descriptors) {
    list.push_back({{"descriptor", one.number},
                    {"kind", snapshot::file_kind_text(one.kind)},
                    {"path", text_or_null(printable(one.path))},
                    {"flags", one.flags},
                    {"close_on_exec", one.close_on_exec},
                    {"position", one.position ? ordered_json(*one.position) : ordered_json(nullptr)},
                    {"socket", number_or_null(one.socket)}});
    text += fmt::format("{:>5}  {:14} {:28} {:>10}  {}\n", one.number, snapshot::file_kind_text(one.kind),
                        snapshot::open_flags_text(one.flags), one.position ? std::to_string(*one.position) : "-",
                        printable(one.path));
  }
  if (options.json)
    print_json("files", {{"descriptors", std::move(list)}});
  else
    write_stdout(text);
  return kDone;
}

void add_open_files_verb(Commands& commands, const char* name, const char* description, const char* example,
                         int (*run)(const OpenFilesOptions&)) {
  auto options = std::make_shared<OpenFilesOptions>();
  CLI::App* verb = commands.add(nullptr, name, description, example);
  verb->add_option("TARGET", options->target, kTargetHelp)->required()->type_name("TARGET");
  verb->add_flag("--json", options->json, fmt::format("Print the facts as JSON (mortem.{}/1)", name));
  commands.on(verb, [options, run] { return run(*options); });
}

void add_net_and_files(Commands& commands) {
  add_open_files_verb(commands, "net", "Sockets: state, queues, addresses, MTU",
                      "Examples:\n  mortem net web\n  mortem net program.core.zst", show_sockets);
  add_open_files_verb(commands, "files", "Open descriptors: what they are and where they stand",
                      "Examples:\n  mortem files web\n  mortem files program.core.zst", show_files);
}

const VerbRegistration net_registration{66, {"net", "files"}, add_net_and_files};

}  // namespace
}  // namespace mortem::tools
