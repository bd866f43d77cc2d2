// Questions and their answers. The user interface asks and never waits: what is there it gets, what is not is worked on
// by a thread of the question's lane, the most wanted first, and what nobody asks for any more is not begun.
#pragma once

#include <array>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "inspector/app/model/answer.h"
#include "inspector/app/model/contained_call.h"
#include "snapshot/result.h"

namespace mortem::inspector::app {

// Each lane is one thread: what stands in one need not be locked.
enum class Lane : uint8_t {
  Analysis,  // debug information: may take seconds, and crash
  Facts,     // memory and what the target says itself: soon done
};
inline constexpr size_t kLaneCount = 2;

enum class Priority : uint8_t { First, Visible, Background };

struct QuestionKey {
  uint32_t kind = 0;
  uint64_t a = 0, b = 0, c = 0;
  std::string text{};
  bool operator==(const QuestionKey&) const = default;
};

class Questions {
 public:
  struct Listener {
    std::function<void()> wake;                     // something arrived; from any thread
    std::function<bool(Lane, const Crash&)> crash;  // in the lane's thread; true: ask again
  };
  explicit Questions(Listener listener);
  ~Questions();
  void stop();  // ends the threads; questions stay without answers

  // `work` runs in the lane's thread.
  template <typename T>
  Answer<T> ask(QuestionKey key, Lane lane, Priority priority, std::function<Result<T>()> work) {
    const Found found = look(std::move(key), lane, priority, [work = std::move(work)]() -> Result<Erased> {
      auto result = work();
      if (!result) return tl::unexpected(std::move(result.error()));
      return Erased(std::make_shared<const T>(std::move(*result)));
    });
    return {std::static_pointer_cast<const T>(found.value), found.problem, found.pending};
  }

  // Work of the lane that answers nothing: a command. In the order given, before all questions.
  void run(Lane lane, std::function<void()> work);

  void next_frame();  // what was not asked for in the frame before is not begun any more
  void outdate();     // the target moved: every answer must be found anew, and is shown until then
  // While the program runs nothing can be asked of it: questions wait, commands go on.
  void hold(bool held);
  void forget();                         // every answer, at once
  uint64_t revision() const;             // changes when something arrives
  bool busy(Lane lane) const;            // something is worked on, or waits
  void break_off(Lane lane);             // what is worked on there now: taken for a crash
  std::string current(Lane lane) const;  // in words what it works on; empty: nothing
  void set_words(uint32_t kind, std::string words);

 private:
  using Erased = std::shared_ptr<const void>;
  enum class State : uint8_t { Waiting, Working, Done };
  struct Entry {
    State state = State::Waiting;
    Lane lane = Lane::Facts;
    Priority priority = Priority::Visible;
    Erased value;
    std::string problem;
    std::function<Result<Erased>()> work;
    uint64_t asked_frame = 0, order = 0, generation = 0;
  };
  struct Found {
    Erased value;
    std::string problem;
    bool pending = false;
  };
  struct KeyHash {
    size_t operator()(const QuestionKey& key) const;
  };
  using Entries = std::unordered_map<QuestionKey, Entry, KeyHash>;
  struct LaneState {
    std::thread thread;
    std::vector<std::function<void()>> commands;
    const QuestionKey* working = nullptr;  // keys of a map do not move
    bool in_command = false;
  };

  Found look(QuestionKey key, Lane lane, Priority priority, std::function<Result<Erased>()> work);
  void serve(Lane lane);
  bool serve_one(Lane lane, std::unique_lock<std::mutex>& lock);
  Entries::value_type* most_wanted(Lane lane);
  void answer(Lane lane, Entries::value_type& one, std::unique_lock<std::mutex>& lock);
  void drop_old_ones();

  const Listener listener_;
  mutable std::mutex mutex_;
  std::condition_variable work_came_;
  Entries entries_;
  std::array<LaneState, kLaneCount> lanes_;
  std::unordered_map<uint32_t, std::string> words_;
  uint64_t frame_ = 1, order_ = 0, generation_ = 1, revision_ = 1;
  bool ending_ = false, held_ = false;
};

}  // namespace mortem::inspector::app
