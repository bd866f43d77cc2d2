// One opened target as the views see it: a dump, a core, a clone or a live guest. No question waits: it gives what is
// known at once, starts the work for what is not, and `wake` is called when something arrived (a view then asks again;
// revision() has changed). What can fail has its sentence in the answer; what belongs to no answer stands in jobs().
//
// All methods are for one thread, the user interface's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "inspector/app/model/answer.h"
#include "inspector/app/model/changes.h"
#include "inspector/app/model/facts.h"
#include "inspector/app/model/jobs.h"
#include "inspector/app/model/live_facts.h"
#include "inspector/app/model/memory_marks.h"
#include "inspector/app/model/places.h"
#include "inspector/app/model/questions.h"
#include "inspector/symbols/symbolizer.h"
#include "snapshot/core_file.h"

namespace mortem::inspector::app {

// What the opening function gives: one of the two.
struct OpenedSource {
  std::unique_ptr<snapshot::CoreFile> core;  // a dump, core or clone
  int stub_socket = -1;                      // connected to a live guest's debug stub; the session owns it
};
// Called in a thread of the session. How a name becomes a guest is the command's knowledge.
using OpenTarget = std::function<Result<OpenedSource>(const std::string& target)>;

struct SessionSetup {
  std::string target;  // path or name, as it was typed
  OpenTarget open;
  SymbolOptions symbols;
  std::vector<std::filesystem::path> source_folders;
  std::function<void()> wake;  // from any thread; must not call the session
};

enum class Phase : uint8_t {
  Opening,
  Stopped,  // a dump is always
  Running,  // a live guest: answers are those of its last stop
  Ended,    // the live guest's program
  Failed,   // problem() says why
};

struct SearchQuery {
  enum class Kind : uint8_t { Bytes, Text, PointersTo } kind = Kind::Text;
  std::string text;    // bytes as hexadecimal digits ("de ad ?? ef"), a text, or an address or expression
  uint64_t range = 1;  // of pointers: into this many bytes from there on
  bool aligned_only = true;
  size_t limit = 10000;
};

class Analysis;
class LiveControl;
struct OpenState;

class Session {
 public:
  explicit Session(SessionSetup setup);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // --- once a frame
  void next_frame();
  uint64_t revision() const { return questions_->revision() + jobs_changes(); }

  const std::string& target() const { return setup_.target; }
  Phase phase() const;
  std::string problem() const;          // of Failed; one sentence
  bool live() const;                    // it can be run on
  std::string why_not_resumed() const;  // empty: it can go on as a guest of its own
  bool analysis_busy() const { return questions_->busy(Lane::Analysis); }
  bool busy() const {  // an answer is on its way
    return phase() == Phase::Opening || questions_->busy(Lane::Analysis) || questions_->busy(Lane::Facts);
  }
  std::string analysis_text() const { return questions_->current(Lane::Analysis); }  // what it works on; empty: nothing
  void break_off_analysis() { questions_->break_off(Lane::Analysis); }

  // --- what is known at once, empty while the target is opened
  std::vector<ThreadFacts> threads() const;  // the crashed one first
  uint32_t first_thread() const;             // the crashed one, or the first; 0: none
  std::vector<snapshot::CoreModule> modules() const;
  const std::string& kernel_log() const;
  const snapshot::DumpInfo* info() const;         // null: not opened yet
  const snapshot::OpenFiles& open_files() const;  // what is not known is not in it

  // --- from debug information
  Answer<Summary> summary();
  Answer<Stack> stack(uint32_t thread);
  Answer<std::vector<ThreadGroup>> thread_groups();
  Answer<ParallelFrame> parallel_stacks();
  Answer<Goroutines> goroutines();
  Answer<std::vector<ModuleFacts>> module_facts();
  Answer<std::vector<std::string>> missing_symbols();
  Answer<std::vector<VariableFacts>> variables(uint32_t thread, size_t frame);
  // Members, elements from `first` on, what a pointer points to.
  Answer<std::vector<ValueFacts>> children(ValueHandle value, uint64_t first = 0, uint64_t count = 200);
  Answer<ValueFacts> watch(const std::string& expression, uint32_t thread, size_t frame);
  Answer<CodeBlock> code(uint64_t address);                         // that holds the address
  Answer<SourceFile> source(const std::string& file, uint64_t pc);  // as a frame of that pc names it
  Answer<SymbolList> symbols(const std::string& filter, size_t limit);
  Answer<TypeFacts> type(const std::string& name);
  Answer<std::string> symbol_at(uint64_t address);  // "main+12"; empty: none
  // An address, a symbol, or an expression in that frame (thread 0: the first thread's innermost one).
  Answer<uint64_t> address_of(const std::string& text, uint32_t thread = 0, size_t frame = 0);

  // --- from the target itself
  Answer<std::vector<RegisterSet>> registers(uint32_t thread, size_t frame);
  Answer<MemoryPage> memory(uint64_t address);  // the page that holds the address
  Answer<std::vector<AddressRange>> address_space();
  Answer<std::string> address_label(uint64_t address);  // "libc.so.6+0x1d2", "stack of thread 7"

  // --- long work
  Jobs& jobs() { return *jobs_; }
  uint64_t start_search(SearchQuery query);  // a job's number
  // As far as it has come; the same object as long as nothing was added.
  std::shared_ptr<const SearchResults> search_results(uint64_t job) const;
  struct LastSearch {
    uint64_t job = 0;  // 0: none yet
    SearchQuery query;
  };
  const LastSearch& last_search() const { return last_search_; }

  PlaceHistory& history() { return history_; }
  MemoryMarks& marks() { return marks_; }

  // --- of a live guest (live() is true). What cannot be done stands in jobs() with its reason.
  void move(Motion motion, uint32_t thread, Direction direction = Direction::Forwards);  // runs until the next stop
  void interrupt();
  std::string stop_text() const;    // why it stopped last: "breakpoint 1: main"; empty: it was opened, or it ended
  uint32_t stopped_thread() const;  // 0: none yet
  uint64_t stop_count() const;      // changes with every stop: then the stopped thread is what people want to see
  std::vector<BreakpointFacts> breakpoints() const;
  void add_breakpoint(const std::string& where, const std::string& condition = {});
  void add_watchpoint(const std::string& expression, uint32_t thread, size_t frame);
  void remove_breakpoint(uint32_t id);
  void enable_breakpoint(uint32_t id, bool enabled);
  void set_condition(uint32_t id, const std::string& condition);
  void assign(const std::string& expression, const std::string& value, uint32_t thread, size_t frame);
  // The same for a value that an answer had, however it was come by: an element, a member of what a pointer points to.
  // `name`: what it is called if that fails.
  void assign(ValueHandle to, const std::string& name, const std::string& value, uint32_t thread, size_t frame);
  // Has the guest write its dump where its crashes' go; the program ends with that, or boots again. In a job's thread:
  // waits for the guest's word.
  Result<void> write_dump(const JobControl& job);
  // --- of a recording
  bool runs_backwards() const;
  TimeFacts time() const;
  void go(const std::string& place);  // a mark, a position, begin, crash, end
  void mark_time(const std::string& name);
  uint64_t call(const std::string& expression, uint32_t thread,
                size_t frame);  // a job's number; its text: what it gave

 private:
  enum class Kind : uint32_t;
  template <typename T>
  Answer<T> ask_analysis(Kind kind, uint64_t a, uint64_t b, uint64_t c, std::string text,
                         std::function<Result<T>(Analysis&)> work, Priority priority = Priority::Visible);
  template <typename T>
  Answer<T> ask_facts(Kind kind, uint64_t a, uint64_t b, std::function<Result<T>(const OpenState&)> work);
  template <typename T>
  bool not_ready(Answer<T>& answer) const;
  void open();
  Result<void> take_state(std::unique_ptr<snapshot::CoreFile> core);
  void control(std::string title, std::function<Result<void>(LiveControl&)> work);
  void start(std::function<Result<std::string>(LiveControl&)> motion);
  Result<void> run(LiveControl& live, const std::function<Result<std::string>(LiveControl&)>& motion);
  std::shared_ptr<OpenState> state() const;
  Analysis& analysis();  // of the analysis lane
  bool handle_crash(Lane lane, const Crash& crash);
  uint64_t jobs_changes() const { return changes_; }
  Result<uint64_t> wait_for_address(const std::string& text, const JobControl& job);
  Result<void> search(const SearchQuery& query, JobControl& job, SearchResults& to, std::mutex& mutex);

  const SessionSetup setup_;
  std::atomic<uint64_t> changes_ = 0;
  mutable std::mutex mutex_;  // for what follows, up to the empty line
  Phase phase_ = Phase::Opening;
  std::string problem_;
  std::shared_ptr<OpenState> state_;
  std::vector<std::shared_ptr<OpenState>> before_;  // that somebody may still look at in this frame
  std::shared_ptr<LiveControl> live_;
  std::string stop_text_;
  uint64_t stop_count_ = 0;
  struct SearchState;
  std::map<uint64_t, std::shared_ptr<SearchState>> searches_;

  Changes changes_since_stop_;          // of a live guest
  std::unique_ptr<Analysis> analysis_;  // of the analysis lane; null: none yet, or the last one crashed
  PlaceHistory history_;
  MemoryMarks marks_;
  LastSearch last_search_;
  std::unique_ptr<Jobs> jobs_;
  std::unique_ptr<Questions> questions_;  // last: its threads use all of the above
};

}  // namespace mortem::inspector::app
