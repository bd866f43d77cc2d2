#include "gdbstub/server.h"

#include "gdbstub/signals.h"

namespace mortem::gdbstub {

namespace {

bool is_separator(char character) {
  return character == ':' || character == ';' || character == ',';
}

const PacketEntry* find(std::span<const PacketEntry> entries, std::string_view packet) {
  for (const PacketEntry& entry : entries) {
    if (!packet.starts_with(entry.name)) continue;
    if (entry.end == kGlued || packet.size() == entry.name.size() || is_separator(packet[entry.name.size()]))
      return &entry;
  }
  return nullptr;
}

const PacketEntry* find(std::string_view packet) {
  constexpr std::span<const PacketEntry> (*families[])() = {
      query_packets,  transfer_packets, register_packets, memory_packets, breakpoint_packets,          resume_packets,
      thread_packets, file_packets,     lldb_packets,     event_packets,  thread_local_storage_packets};
  for (const auto family : families)
    if (const PacketEntry* entry = find(family(), packet)) return entry;
  return nullptr;
}

}  // namespace

Server::Server(Target& target, AppState state) : session_(target) {
  session_.running = state == AppState::Running;
}

size_t Server::feed(std::span<const uint8_t> bytes) {
  size_t count = 0;
  for (; count < bytes.size(); ++count) {
    if (!output().empty()) return count;
    switch (decoder_.push(bytes[count])) {
      case PacketEvent::None:
        break;
      case PacketEvent::Packet:
        if (session_.acknowledges) acknowledgement_ = '+';
        handle_packet();
        break;
      case PacketEvent::Damaged:
        // Without acknowledgements nobody sends it again: an error, so that the client does not wait for ever.
        if (session_.acknowledges) {
          acknowledgement_ = '-';
        } else {
          session_.error(ErrorNumber::Damaged);
          finish_reply();
        }
        break;
      case PacketEvent::TooLong:
        if (session_.acknowledges) acknowledgement_ = '+';
        session_.error(ErrorNumber::TooLong);
        finish_reply();
        break;
      case PacketEvent::Interrupt:
        if (session_.running && session_.client_waits) session_.target.interrupt();
        break;
      case PacketEvent::Acknowledged:
        // gdb begins every connection with a '+'. On a line that does not tell of a new client, that is its sign.
        if (!session_.acknowledges && !acknowledgement_expected_) connection_lost();
        acknowledgement_expected_ = false;
        break;
      case PacketEvent::Refused:
        if (session_.acknowledges) sent_ = 0;
        break;
    }
  }
  return count;
}

std::span<const uint8_t> Server::output() {
  if (acknowledgement_ != 0) return {reinterpret_cast<const uint8_t*>(&acknowledgement_), 1};
  return frame_.subspan(sent_);
}

void Server::consume(size_t count) {
  if (count > 0 && acknowledgement_ != 0) {
    acknowledgement_ = 0;
    --count;
  }
  const size_t left = frame_.size() - sent_;
  sent_ += count < left ? count : left;
  if (stop_reply_owed_ && output().empty()) send_stop_reply();
}

void Server::handle_packet() {
  Session& session = session_;
  session.reply.clear();
  session.no_reply = false;
  const bool acknowledged = session.acknowledges;
  const std::string_view packet = decoder_.packet();
  if (const PacketEntry* entry = find(packet)) {
    Arguments arguments(packet);
    arguments.skip(entry->name.size() + (entry->end == kGlued ? 0 : 1));
    entry->answer(session, arguments);
  }
  if (acknowledged && !session.acknowledges) acknowledgement_expected_ = true;
  if (session.no_reply) {
    frame_ = {};
    sent_ = 0;
  } else {
    finish_reply();
  }
}

void Server::finish_reply() {
  if (session_.reply.overflowed()) session_.error(ErrorNumber::TooLong);
  frame_ = session_.reply.frame();
  sent_ = 0;
}

void Server::send_stop_reply() {
  stop_reply_owed_ = false;
  session_.client_waits = false;
  session_.reply.clear();
  write_stop_reply(session_, session_.stop);
  finish_reply();
}

void Server::report_stop(const Stop& stop) {
  Session& session = session_;
  session.running = false;
  session.stop = stop;
  // A stop that the server itself wanted is no news of the program: to clients a plain trap says so.
  if (session.stop_asked_by_server && stop.kind == StopKind::Signal && stop.signal == kLinuxSignalInterrupt)
    session.stop.signal = kLinuxSignalTrap;
  session.stop_asked_by_server = false;
  if (stop.kind == StopKind::Exited || stop.kind == StopKind::Terminated) session.ending = Ending::Exited;
  if (!session.client_waits) return;
  stop_reply_owed_ = true;
  if (output().empty()) send_stop_reply();
}

void Server::tell(std::string_view text) {
  if (!session_.client_waits || stop_reply_owed_ || !output().empty()) return;
  session_.reply.clear();
  session_.reply.text("O");
  session_.reply.hex_text(text);
  finish_reply();
}

void Server::forget_client() {
  session_.client = {};
  session_.register_thread = {};
  session_.resume_thread = {};
  session_.listed_thread = 0;
  session_.acknowledges = true;
  session_.module_number_offset = 0;
  session_.client_waits = false;
  acknowledgement_expected_ = false;
  stop_reply_owed_ = false;
  if (session_.ending == Ending::Detached) session_.ending = Ending::None;
}

void Server::connection_lost() {
  forget_client();
  decoder_.reset();
  acknowledgement_ = 0;
  frame_ = {};
  sent_ = 0;
  if (session_.ending == Ending::Exited) return;
  session_.stop = {};
  session_.stop_asked_by_server = false;
  session_.running = true;
  session_.target.lose_client();
}

}  // namespace mortem::gdbstub
