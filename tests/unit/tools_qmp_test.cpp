// QMP with a QEMU whose part is played here, line by line.
#include "tools/qemu/qmp.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "tools/qemu/clone_migration.h"

namespace mortem::tools {
namespace {

using nlohmann::json;

// Answers each line by what `answer` gives for it.
class PlayedQemu {
 public:
  PlayedQemu(const std::string& first, std::function<std::string(const json& command)> answer) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    client = Descriptor(ends[0]);
    thread_ = std::thread([end = ends[1], first, answer] {
      say(end, first);
      std::string line;
      for (char byte; read(end, &byte, 1) == 1;) {
        if (byte != '\n') {
          line += byte;
          continue;
        }
        say(end, answer(json::parse(line)));
        line.clear();
      }
      close(end);
    });
  }
  ~PlayedQemu() {
    client.reset();
    thread_.join();
  }
  Descriptor client;

 private:
  static void say(int to, const std::string& text) { (void)!write(to, text.data(), text.size()); }
  std::thread thread_;
};

const std::string kGreeting = R"({"QMP": {"version": {}, "capabilities": []}})"
                              "\n";

std::string echo(const json& command) {
  return json{{"return", command.at("execute")}, {"id", command.at("id")}}.dump() + "\n";
}

TEST(Qmp, WhatAnOlderClientAskedIsNoAnswer) {
  // QEMU gives it to whoever is connected when the command is done (7.2).
  for (const char* old : {R"({"return": {}})", R"({"return": {}, "id": "1-1"})", R"({"error": {"desc": "no"}})"}) {
    SCOPED_TRACE(old);
    PlayedQemu qemu(kGreeting + old + "\n", echo);
    auto qmp = Qmp::over(std::move(qemu.client), 5000);
    ASSERT_TRUE(qmp) << qmp.error().message;
    EXPECT_EQ(qmp->execute("query-jobs").value(), "query-jobs");
    EXPECT_EQ(qmp->execute("query-status").value(), "query-status");
  }
}

TEST(Qmp, AnswersOfManyCommandsComeInTheirOrderAndEventsAreKept) {
  PlayedQemu qemu(kGreeting, [](const json& command) {
    return R"({"event": "STOP"})"
           "\n" +
           echo(command);
  });
  auto qmp = Qmp::over(std::move(qemu.client), 5000);
  ASSERT_TRUE(qmp) << qmp.error().message;
  for (const char* name : {"one", "two"}) ASSERT_TRUE(qmp->send(name));
  EXPECT_EQ(qmp->answer("one").value(), "one");
  EXPECT_EQ(qmp->answer("two").value(), "two");
  for (int left = 3; left > 0; --left) EXPECT_EQ(qmp->next_event(0).value()->at("event"), "STOP");
  EXPECT_FALSE(qmp->next_event(0).value());
}

TEST(Qmp, ARefusalIsQuoted) {
  PlayedQemu qemu(kGreeting, [](const json& command) {
    if (command.at("execute") == "qmp_capabilities") return echo(command);
    return json{{"error", {{"desc", "not now"}}}, {"id", command.at("id")}}.dump() + "\n";
  });
  auto qmp = Qmp::over(std::move(qemu.client), 5000);
  ASSERT_TRUE(qmp) << qmp.error().message;
  EXPECT_EQ(qmp->execute("cont").error().message, "QEMU refuses cont: not now");
}

// Says again and again, for more than ten seconds, that a new round begins.
class QemuOfManyRounds {
 public:
  QemuOfManyRounds() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    client = Descriptor(ends[0]);
    end_ = Descriptor(ends[1]);
    answers_ = std::jthread([this] { answer(); });
    rounds_ = std::jthread([this](const std::stop_token& stop) {
      for (int left = 5000; left > 0 && !stop.stop_requested(); --left) {
        say(R"({"event": "MIGRATION_PASS", "data": {"pass": 2}})"
            "\n");
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    });
  }
  ~QemuOfManyRounds() { shutdown(end_.get(), SHUT_RDWR); }
  Descriptor client;
  std::atomic<int> looks = 0;

 private:
  void answer() {
    say(kGreeting);
    std::string line;
    bool is_cancelled = false;
    for (char byte; read(end_.get(), &byte, 1) == 1;) {
      if (byte != '\n') {
        line += byte;
        continue;
      }
      const json command = json::parse(line);
      line.clear();
      is_cancelled = is_cancelled || command.at("execute") == "migrate_cancel";
      looks += command.at("execute") == "query-migrate";
      say(json{{"return", {{"status", is_cancelled ? "cancelled" : "active"}}}, {"id", command.at("id")}}.dump() +
          "\n");
    }
  }
  void say(const std::string& text) {
    const std::lock_guard lock(mutex_);
    (void)!send(end_.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }

  Descriptor end_;
  std::mutex mutex_;
  std::jthread answers_, rounds_;
};

TEST(Migration, RoundsThatFollowEachOtherFastKeepNothingFromBeingDone) {
  QemuOfManyRounds qemu;
  auto qmp = Qmp::over(std::move(qemu.client), 5000);
  ASSERT_TRUE(qmp) << qmp.error().message;
  auto pipe = MigrationPipe::create();
  ASSERT_TRUE(pipe) << pipe.error().message;
  const Descriptor of_qemu(dup(pipe->to.get()));
  MigrationRequest request;
  request.patience_seconds = 0.5;
  int asked = 0;
  request.go_on = [&]() -> Result<void> {
    ++asked;
    return {};
  };
  MigrationOutcome outcome;
  const auto start = std::chrono::steady_clock::now();
  const auto end = run_migration(*qmp, request, std::move(*pipe), outcome);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(*end, MigrationEnd::NoConvergence);
  EXPECT_GT(asked, 10);
  EXPECT_GE(qemu.looks, 2);
}

}  // namespace
}  // namespace mortem::tools
