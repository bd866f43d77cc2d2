// The sockets of the program: state, queues, addresses, MTU.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "inspector/app/ui/elements.h"
#include "inspector/app/views/view.h"

namespace mortem::inspector::app {
namespace {

using snapshot::OpenSocket;

std::string socket_descriptors(const OpenSocket& socket) {
  if (!socket.descriptors.empty()) return fmt::format("{}", fmt::join(socket.descriptors, " "));
  return socket.entry.awaits_accept != 0 ? "not accepted yet" : "closed by the program";
}

std::string if_known(bool known, uint64_t value) {
  return known ? std::to_string(value) : "?";
}

std::string details_of(const OpenSocket& socket) {
  const format::SocketEntry& entry = socket.entry;
  std::string text = fmt::format("{} {}\n{}  →  {}\ndescriptors: {}", socket.protocol(), socket.state(), socket.local(),
                                 socket.remote(), socket_descriptors(socket));
  if (entry.number != 0) text += fmt::format("\nsocket:[{}]", entry.number);
  const bool listens = entry.state == static_cast<uint32_t>(format::TcpState::Listen);
  if (socket.has(format::kSocketHasQueues))
    text += listens ? fmt::format("\n{} connections wait to be accepted, {} may", entry.receive_queue, entry.send_queue)
                    : fmt::format("\n{} bytes not read by the program, {} not acknowledged by the other side",
                                  entry.receive_queue, entry.send_queue);
  if (socket.has(format::kSocketHasTcp))
    text += fmt::format(
        "\nsegments of {} bytes; windows: {} to send, {} to receive, {} for congestion\nsent again {} times: the "
        "oldest "
        "segment",
        entry.mss, entry.send_window, entry.receive_window, entry.congestion_window, entry.retransmissions);
  if (entry.mtu != 0) text += fmt::format("\nMTU of the interface: {}", entry.mtu);
  return text;
}

class NetworkView : public View {
 public:
  void draw(Workspace& workspace) override {
    const auto& sockets = workspace.session->open_files().sockets;
    if (!sockets)
      return ui::nothing("", workspace.session->phase() == Phase::Opening,
                         "This target does not tell of sockets: only Mortem's own dumps, clones and guests do");
    ui::filter("##filter", "Filter by protocol, state, address or descriptor", filter_, focus_);
    constexpr ImGuiTableFlags kFlags = ImGuiTableFlags_ScrollX | ImGuiTableFlags_ScrollY | ImGuiTableFlags_Resizable |
                                       ImGuiTableFlags_RowBg | ImGuiTableFlags_SizingFixedFit |
                                       ImGuiTableFlags_Hideable;
    if (!ImGui::BeginTable("sockets", 9, kFlags)) return;
    ImGui::TableSetupScrollFreeze(0, 1);
    for (const char* title : {"Protocol", "State", "Recv-Q", "Send-Q", "Local", "Remote", "MTU", "MSS", "Descriptor"})
      ImGui::TableSetupColumn(title);
    ImGui::TableHeadersRow();
    int shown = 0;
    for (const OpenSocket& one : *sockets) draw_socket(one, shown);
    ImGui::EndTable();
    if (shown == 0) ui::text(Tint::Dim, sockets->empty() ? "The program has no sockets" : "No socket fits");
  }

  void find() override { focus_ = true; }

  std::string copied(Workspace& workspace) override {
    std::string text;
    if (const auto& sockets = workspace.session->open_files().sockets)
      for (const OpenSocket& one : *sockets) text += line_of(one) + "\n";
    return text;
  }

 private:
  static std::string line_of(const OpenSocket& one) {
    return fmt::format("{}\t{}\t{}\t{}\t{}", one.protocol(), one.state(), one.local(), one.remote(),
                       socket_descriptors(one));
  }

  void draw_socket(const OpenSocket& one, int& shown) const {
    const std::string line = line_of(one);
    if (!ui::fits_filter(filter_, line)) return;
    const std::string id = fmt::format("socket {}", shown++);
    const bool queues = one.has(format::kSocketHasQueues);
    const auto column = [](Tint tint, const std::string& text) {
      ImGui::TableNextColumn();
      ui::text(tint, text);
    };
    ImGui::TableNextRow();
    ImGui::TableNextColumn();
    ui::row(id, false);
    ui::tooltip(details_of(one));
    if (ui::begin_context_menu(id, line)) ui::end_context_menu();
    ui::text(Tint::Text, one.protocol());
    column(state_tint(one), one.state().empty() ? "unknown" : one.state());
    column(one.entry.receive_queue > 0 ? Tint::Warning : Tint::Dim, if_known(queues, one.entry.receive_queue));
    column(one.entry.send_queue > 0 && !listens(one) ? Tint::Warning : Tint::Dim,
           if_known(queues, one.entry.send_queue));
    column(Tint::Accent, one.local());
    column(Tint::Accent, one.remote());
    column(Tint::Dim, one.entry.mtu != 0 ? std::to_string(one.entry.mtu) : "");
    column(Tint::Dim, one.has(format::kSocketHasTcp) ? std::to_string(one.entry.mss) : "");
    column(one.descriptors.empty() ? Tint::Warning : Tint::Text, socket_descriptors(one));
  }

  static bool listens(const OpenSocket& one) {
    return one.entry.state == static_cast<uint32_t>(format::TcpState::Listen);
  }
  static Tint state_tint(const OpenSocket& one) {
    if (one.entry.state == static_cast<uint32_t>(format::TcpState::Established)) return Tint::Good;
    return listens(one) ? Tint::Accent : Tint::Dim;
  }

  std::string filter_;
  bool focus_ = false;
};

const ViewRegistration network_registration{
    {.name = "network", .title = "Network", .place = 110, .make = make_view<NetworkView>}};

}  // namespace
}  // namespace mortem::inspector::app
