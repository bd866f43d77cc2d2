#include "inspector/app/model/session.h"

#include <fmt/format.h>

#include <csignal>
#include <filesystem>

#include "inspector/analysis/file_backed_target.h"
#include "inspector/app/model/analysis.h"
#include "inspector/app/model/live_control.h"
#include "snapshot/clone/clone_description.h"

namespace mortem::inspector::app {

enum class Session::Kind : uint32_t {
  Summary,
  Stack,
  ThreadGroups,
  ParallelStacks,
  Goroutines,
  ModuleFacts,
  MissingSymbols,
  Variables,
  Children,
  Watch,
  Code,
  Source,
  Symbols,
  Type,
  SymbolAt,
  AddressOf,
  Registers,
  Memory,
  MemoryOfFiles,
  AddressSpace,
  AddressLabel,
};

namespace {

constexpr const char* kWords[] = {"why it stopped",
                                  "a stack",
                                  "which threads do the same",
                                  "all stacks",
                                  "goroutines",
                                  "where the symbols are",
                                  "what is missing",
                                  "variables",
                                  "parts of a value",
                                  "an expression",
                                  "code",
                                  "source text",
                                  "symbols",
                                  "a type",
                                  "a symbol",
                                  "an address",
                                  "registers",
                                  "memory",
                                  "memory from files",
                                  "the address space",
                                  "an address"};

}  // namespace

struct Session::SearchState {
  std::mutex mutex;
  SearchResults results;
  std::shared_ptr<const SearchResults> given;  // a copy of it
};

Session::Session(SessionSetup setup) : setup_(std::move(setup)) {
  jobs_ = std::make_unique<Jobs>([this] {
    ++changes_;
    setup_.wake();
  });
  questions_ = std::make_unique<Questions>(Questions::Listener{
      [this] { setup_.wake(); }, [this](Lane lane, const Crash& crash) { return handle_crash(lane, crash); }});
  for (uint32_t kind = 0; kind < std::size(kWords); ++kind) questions_->set_words(kind, kWords[kind]);
  questions_->run(Lane::Facts, [this] { open(); });
}

Session::~Session() {
  {
    // A lane may be waiting for its next stop.
    const std::lock_guard lock(mutex_);
    if (live_) live_->give_up();
  }
  // Lanes report to the jobs, and jobs ask the lanes: both are there until neither has a thread.
  questions_->stop();
  jobs_.reset();
}

// In the facts lane.
void Session::open() {
  auto opened = [&]() -> Result<std::shared_ptr<OpenState>> {
    OpenedSource source = TRY(setup_.open(setup_.target));
    if (source.stub_socket >= 0) {
      auto guest = TRY(LiveGuest::attach(source.stub_socket, setup_.target));
      source.core = TRY(guest->snapshot());
      const bool is_recording = guest->runs_backwards();
      auto live = std::make_shared<LiveControl>(
          std::move(guest),
          LiveControl::Access{[this]() -> Analysis& { return analysis(); },
                              [this]() -> Result<void> { return take_state(TRY(live_->guest().snapshot())); }});
      if (is_recording) TRY_VOID(live->look_at_time());
      const std::lock_guard lock(mutex_);
      live_ = std::move(live);
    }
    return OpenState::from(std::move(source.core));
  }();
  const std::lock_guard lock(mutex_);
  if (opened) {
    state_ = std::move(*opened);
    phase_ = Phase::Stopped;
  } else {
    problem_ = std::move(opened.error().message);
    phase_ = Phase::Failed;
  }
}

std::shared_ptr<OpenState> Session::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

Phase Session::phase() const {
  const std::lock_guard lock(mutex_);
  return phase_;
}

std::string Session::why_not_resumed() const {
  if (snapshot::is_clone_folder(target())) return {};
  const std::lock_guard lock(mutex_);
  return state_ ? state_->why_not_resumed : std::string();
}

std::string Session::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

void Session::next_frame() {
  questions_->next_frame();
  marks_.read(*this);
  std::vector<std::shared_ptr<OpenState>> gone;
  const std::lock_guard lock(mutex_);
  gone.swap(before_);
}

// In the analysis lane. What was read until the crash is lost; the file that crashed its reader is not read so again.
bool Session::handle_crash(Lane lane, const Crash& crash) {
  if (lane != Lane::Analysis) return false;
  (void)analysis_.release();  // in an unknown state: not even destroyed
  if (crash.signal == SIGXCPU) return false;
  if (!crash.suspect || distrusted(crash.suspect->reader, crash.suspect->file)) return false;
  distrust(*crash.suspect);
  jobs_->report(crash.suspect->file, what_is_lost(crash.suspect->reader));
  return true;
}

Analysis& Session::analysis() {
  const auto now = state();
  if (!analysis_ || &analysis_->state() != now.get())
    analysis_ = std::make_unique<Analysis>(now, setup_.symbols, setup_.source_folders, analysis_.get());
  return *analysis_;
}

template <typename T>
bool Session::not_ready(Answer<T>& answer) const {
  const std::lock_guard lock(mutex_);
  if (phase_ == Phase::Opening) answer.pending = true;
  if (phase_ == Phase::Failed) answer.problem = problem_;
  return state_ == nullptr;
}

template <typename T>
Answer<T> Session::ask_analysis(Kind kind, uint64_t a, uint64_t b, uint64_t c, std::string text,
                                std::function<Result<T>(Analysis&)> work, Priority priority) {
  Answer<T> answer;
  if (not_ready(answer)) return answer;
  return questions_->ask<T>({static_cast<uint32_t>(kind), a, b, c, std::move(text)}, Lane::Analysis, priority,
                            [this, work = std::move(work)] { return work(analysis()); });
}

template <typename T>
Answer<T> Session::ask_facts(Kind kind, uint64_t a, uint64_t b, std::function<Result<T>(const OpenState&)> work) {
  Answer<T> answer;
  if (not_ready(answer)) return answer;
  return questions_->ask<T>({static_cast<uint32_t>(kind), a, b}, Lane::Facts, Priority::Visible,
                            [this, work = std::move(work)] { return work(*state()); });
}

std::vector<ThreadFacts> Session::threads() const {
  const auto now = state();
  return now ? now->threads : std::vector<ThreadFacts>();
}

uint32_t Session::first_thread() const {
  const auto now = state();
  return now && !now->threads.empty() ? now->threads.front().thread.id : 0;
}

std::vector<snapshot::CoreModule> Session::modules() const {
  const auto now = state();
  return now ? now->target->modules() : std::vector<snapshot::CoreModule>();
}

const std::string& Session::kernel_log() const {
  static const std::string none;
  const auto now = state();
  return now ? now->core->kernel_log() : none;
}

const snapshot::DumpInfo* Session::info() const {
  const auto now = state();
  return now ? &now->info : nullptr;
}

const snapshot::OpenFiles& Session::open_files() const {
  static const snapshot::OpenFiles none;
  const auto now = state();
  return now ? now->core->open_files() : none;
}

Answer<Summary> Session::summary() {
  return ask_analysis<Summary>(Kind::Summary, 0, 0, 0, {}, [](Analysis& one) { return one.summary(); });
}

// The crashed thread's before everything: it is what people open a dump for.
Answer<Stack> Session::stack(uint32_t thread) {
  return ask_analysis<Stack>(
      Kind::Stack, thread, 0, 0, {}, [thread](Analysis& one) { return one.stack(thread); },
      thread == first_thread() ? Priority::First : Priority::Visible);
}

Answer<std::vector<ThreadGroup>> Session::thread_groups() {
  return ask_analysis<std::vector<ThreadGroup>>(
      Kind::ThreadGroups, 0, 0, 0, {}, [](Analysis& one) { return one.thread_groups(); }, Priority::Background);
}

Answer<ParallelFrame> Session::parallel_stacks() {
  return ask_analysis<ParallelFrame>(
      Kind::ParallelStacks, 0, 0, 0, {}, [](Analysis& one) { return one.parallel_stacks(); }, Priority::Background);
}

Answer<Goroutines> Session::goroutines() {
  return ask_analysis<Goroutines>(
      Kind::Goroutines, 0, 0, 0, {}, [](Analysis& one) { return one.goroutines(); }, Priority::Background);
}

Answer<std::vector<ModuleFacts>> Session::module_facts() {
  return ask_analysis<std::vector<ModuleFacts>>(Kind::ModuleFacts, 0, 0, 0, {},
                                                [](Analysis& one) { return one.module_facts(); });
}

Answer<std::vector<std::string>> Session::missing_symbols() {
  return ask_analysis<std::vector<std::string>>(
      Kind::MissingSymbols, 0, 0, 0, {}, [](Analysis& one) { return one.missing_symbols(); }, Priority::Background);
}

Answer<std::vector<VariableFacts>> Session::variables(uint32_t thread, size_t frame) {
  return ask_analysis<std::vector<VariableFacts>>(Kind::Variables, thread, frame, 0, {},
                                                  [=](Analysis& one) { return one.variables(thread, frame); });
}

Answer<std::vector<ValueFacts>> Session::children(ValueHandle value, uint64_t first, uint64_t count) {
  return ask_analysis<std::vector<ValueFacts>>(Kind::Children, value, first, count, {},
                                               [=](Analysis& one) { return one.children(value, first, count); });
}

Answer<ValueFacts> Session::watch(const std::string& expression, uint32_t thread, size_t frame) {
  return ask_analysis<ValueFacts>(Kind::Watch, thread, frame, 0, expression,
                                  [=](Analysis& one) { return one.watch(expression, thread, frame); });
}

Answer<CodeBlock> Session::code(uint64_t address) {
  return ask_analysis<CodeBlock>(Kind::Code, address, 0, 0, {}, [=](Analysis& one) { return one.code(address); });
}

Answer<SourceFile> Session::source(const std::string& file, uint64_t pc) {
  return ask_analysis<SourceFile>(Kind::Source, 0, 0, 0, file, [=](Analysis& one) { return one.source(file, pc); });
}

Answer<SymbolList> Session::symbols(const std::string& filter, size_t limit) {
  return ask_analysis<SymbolList>(Kind::Symbols, limit, 0, 0, filter,
                                  [=](Analysis& one) { return one.symbols(filter, limit); });
}

Answer<TypeFacts> Session::type(const std::string& name) {
  return ask_analysis<TypeFacts>(Kind::Type, 0, 0, 0, name, [=](Analysis& one) { return one.type(name); });
}

Answer<std::string> Session::symbol_at(uint64_t address) {
  return ask_analysis<std::string>(Kind::SymbolAt, address, 0, 0, {},
                                   [=](Analysis& one) { return one.symbol_at(address); });
}

Answer<uint64_t> Session::address_of(const std::string& text, uint32_t thread, size_t frame) {
  return ask_analysis<uint64_t>(Kind::AddressOf, thread, frame, 0, text,
                                [=](Analysis& one) { return one.address_of(text, thread, frame); });
}

// At once what the target itself knows; names of what they point to, and frames of callers, when those are known.
Answer<std::vector<RegisterSet>> Session::registers(uint32_t thread, size_t frame) {
  return ask_analysis<std::vector<RegisterSet>>(Kind::Registers, thread, frame, 0, {},
                                                [=, this](Analysis& one) -> Result<std::vector<RegisterSet>> {
                                                  auto sets = TRY(one.registers(thread, frame));
                                                  // Of callers only what callees saved is known: nothing to compare.
                                                  if (live() && frame == 0) changes_since_stop_.mark(sets, thread);
                                                  return sets;
                                                });
}

// What the target does not hold may stand in the modules' files, which only the analysis knows.
Answer<MemoryPage> Session::memory(uint64_t address) {
  const uint64_t page = address & ~(kMemoryPage - 1);
  auto answer =
      ask_facts<MemoryPage>(Kind::Memory, page, 0, [this, page](const OpenState& state) -> Result<MemoryPage> {
        MemoryPage read = read_memory_page(state, page);
        if (live() && read.known > 0) changes_since_stop_.mark(read);
        return read;
      });
  if (!answer || answer->state == MemoryPage::State::Held || answer->state == MemoryPage::State::Unreadable)
    return answer;
  const auto now = state();
  if (!now->labels->module(page)) return answer;
  auto whole = ask_analysis<MemoryPage>(Kind::MemoryOfFiles, page, 0, 0, {},
                                        [page](Analysis& one) -> Result<MemoryPage> { return one.memory(page); });
  return whole ? whole : answer;
}

Answer<std::vector<AddressRange>> Session::address_space() {
  Answer<std::vector<AddressRange>> answer;
  if (not_ready(answer)) return answer;
  const auto now = state();
  answer.value = std::shared_ptr<const std::vector<AddressRange>>(now, &now->ranges);
  return answer;
}

Answer<std::string> Session::address_label(uint64_t address) {
  Answer<std::string> answer;
  if (not_ready(answer)) return answer;
  const auto now = state();
  answer.value = std::make_shared<const std::string>(range_at(now->ranges, address) ? now->labels->text(address) : "");
  return answer;
}

uint64_t Session::start_search(SearchQuery query) {
  auto found = std::make_shared<SearchState>();
  if (last_search_.job != 0) jobs_->cancel(last_search_.job);
  last_search_.query = query;
  const std::string title = fmt::format("search for {}", query.text);
  const uint64_t id = jobs_->start(title, [this, query = std::move(query), found](JobControl& job) {
    return search(query, job, found->results, found->mutex);
  });
  last_search_.job = id;
  const std::lock_guard lock(mutex_);
  searches_[id] = std::move(found);
  return id;
}

// In a job's thread.
Result<void> Session::search(const SearchQuery& query, JobControl& job, SearchResults& to, std::mutex& mutex) {
  const auto now = state();
  if (!now) return failure(ErrorKind::Unavailable, "nothing is opened yet");
  Search search;
  if (query.kind == SearchQuery::Kind::Bytes) {
    search.pattern = TRY(parse_byte_pattern(query.text));
  } else if (query.kind == SearchQuery::Kind::Text) {
    if (query.text.empty()) return failure(ErrorKind::BadInput, "an empty text stands everywhere");
    search.pattern = text_pattern(query.text);
  } else {
    search.pointers.first = TRY(wait_for_address(query.text, job));
    search.pointers.last = search.pointers.first + (std::max<uint64_t>(query.range, 1) - 1);
    search.pointers.aligned_only = query.aligned_only;
    if (search.pointers.last < search.pointers.first)
      return failure(ErrorKind::BadInput, "the range passes the end of memory");
  }
  const auto symbolizer = Symbolizer::create(setup_.symbols);
  StackReader reader(*now->target, *symbolizer);
  const auto totals = search_memory(
      FileBackedTarget(*now->target, reader, BackingFiles::WithId), reader.files().regions(BackingFiles::WithId),
      search,
      [&](uint64_t address, std::span<const uint8_t> bytes) {
        const std::lock_guard lock(mutex);
        to.more = to.hits.size() >= query.limit;
        if (to.more) return SearchAnswer::Enough;
        to.hits.push_back({address, {bytes.begin(), bytes.end()}, now->labels->text(address)});
        return SearchAnswer::GoOn;
      },
      job.progress_function());
  const std::lock_guard lock(mutex);
  to.complete = totals.complete;
  to.searched = totals.bytes;
  to.unreadable = totals.unreadable;
  job.tell(fmt::format("{}{} found", to.hits.size(), to.more ? " and more" : ""));
  return {};
}

// The analysis lane knows symbols and expressions.
Result<uint64_t> Session::wait_for_address(const std::string& text, const JobControl& job) {
  struct Meeting {
    std::mutex mutex;
    std::condition_variable done;
    std::optional<Result<uint64_t>> address;
  };
  auto meeting = std::make_shared<Meeting>();
  questions_->run(Lane::Analysis, [this, meeting, text] {
    std::optional<Result<uint64_t>> address;
    if (const auto crash = contained_call([&] { address = analysis().address_of(text); }))
      address = (handle_crash(Lane::Analysis, *crash), failure(ErrorKind::Unavailable, "the analysis crashed"));
    const std::lock_guard lock(meeting->mutex);
    meeting->address = std::move(address);
    meeting->done.notify_all();
  });
  std::unique_lock lock(meeting->mutex);
  while (!meeting->address) {
    if (job.cancelled()) return failure(ErrorKind::System, "cancelled");
    meeting->done.wait_for(lock, std::chrono::milliseconds(50));
  }
  return *meeting->address;
}

std::shared_ptr<const SearchResults> Session::search_results(uint64_t job) const {
  std::shared_ptr<SearchState> found;
  {
    const std::lock_guard lock(mutex_);
    const auto one = searches_.find(job);
    if (one != searches_.end()) found = one->second;
  }
  if (!found) return std::make_shared<const SearchResults>();
  const std::lock_guard lock(found->mutex);
  const auto& given = found->given;
  if (!given || given->hits.size() != found->results.hits.size() || given->complete != found->results.complete ||
      given->searched != found->results.searched || given->more != found->results.more)
    found->given = std::make_shared<const SearchResults>(found->results);
  return found->given;
}

}  // namespace mortem::inspector::app
