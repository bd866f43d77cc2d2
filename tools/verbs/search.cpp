// `mortem search`: where bytes, texts and pointers stand in a target's memory.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "inspector/analysis/address_labels.h"
#include "inspector/analysis/file_backed_target.h"
#include "inspector/analysis/search.h"
#include "inspector/values/evaluate.h"
#include "inspector/values/value_search.h"
#include "snapshot/dump_info.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/progress_bar.h"
#include "tools/symbol_options.h"
#include "tools/target.h"
#include "tools/verbs.h"
#include "tools/verbs/contained.h"
#include "tools/verbs/stack_facts.h"

namespace mortem::tools {
namespace {

using nlohmann::ordered_json;

struct SearchOptions {
  std::string target, bytes, text, pointer, value;
  SymbolFlags symbols;
  uint64_t range = 1;
  size_t limit = 1000;
  bool by_bytes = false, by_text = false, by_value = false, unaligned = false, json = false;
};

struct SearchHit {
  uint64_t address;  // where it was found; of a value: where the value begins
  std::vector<uint8_t> bytes;
};

bool is_name_or_number(const std::string& text) {
  return std::ranges::all_of(text, [](unsigned char one) { return std::isalnum(one) || one == '_'; });
}

// An address in hexadecimal (0x…) or decimal digits, a symbol, or an expression over what stands outside of functions.
Result<uint64_t> address_of(const SearchOptions& options, const inspector::Target& target,
                            inspector::Symbolizer& symbolizer) {
  const std::string& text = options.pointer;
  if (text.empty()) return failure(ErrorKind::BadInput, "--pointer: an address, a symbol or an expression is missing");
  if (is_name_or_number(text) && std::isdigit(static_cast<unsigned char>(text[0]))) {
    char* end = nullptr;
    errno = 0;
    const uint64_t value = std::strtoull(text.c_str(), &end, 0);
    if (*end != 0 || errno != 0) return failure(ErrorKind::BadInput, fmt::format("{}: no address", text));
    return value;
  }
  for (const auto& module : target.modules())
    if (const auto found = symbolizer.find_symbol(module, text)) return *found;
  if (is_name_or_number(text))
    return failure(ErrorKind::NotFound,
                   fmt::format("{}: neither an address (0x…) nor a symbol of the target's modules", text));
  inspector::StackReader reader(target, symbolizer);
  inspector::ProgramValues program(target, symbolizer, reader);
  const inspector::Value value = TRY(inspector::evaluate(program, nullptr, text));
  const auto address = program.reader().read_integer(value);
  if (!address) return failure(ErrorKind::Unavailable, fmt::format("{}: no address: {}", text, address.error().why));
  return *address;
}

Result<inspector::Search> search_of(const SearchOptions& options, const inspector::Target& target,
                                    inspector::Symbolizer& symbolizer) {
  inspector::Search search;
  if (options.by_bytes) {
    search.pattern = TRY(inspector::parse_byte_pattern(options.bytes));
  } else if (options.by_text) {
    if (options.text.empty()) return failure(ErrorKind::BadInput, "--string: an empty text stands everywhere");
    search.pattern = inspector::text_pattern(options.text);
  } else {
    search.pointers.first = TRY(address_of(options, target, symbolizer));
    search.pointers.last = search.pointers.first + (options.range - 1);
    search.pointers.aligned_only = !options.unaligned;
    if (search.pointers.last < search.pointers.first)
      return failure(ErrorKind::BadInput, fmt::format("--range {}: passes the end of memory", options.range));
  }
  return search;
}

// What is looked for, one search after another.
Result<std::vector<inspector::ValueSearch>> searches_of(const SearchOptions& options, const inspector::Target& target,
                                                        inspector::Symbolizer& symbolizer) {
  if (!options.by_value) {
    inspector::ValueSearch one;
    one.search = TRY(search_of(options, target, symbolizer));
    return std::vector{std::move(one)};
  }
  inspector::StackReader reader(target, symbolizer);
  inspector::ProgramValues program(target, symbolizer, reader);
  return inspector::find_value_searches(target, symbolizer, program, options.value);
}

std::string bytes_text(std::span<const uint8_t> bytes) {
  std::string hexadecimal, text;
  for (const uint8_t byte : bytes.first(std::min<size_t>(16, bytes.size()))) {
    hexadecimal += fmt::format("{:02x} ", byte);
    text += byte >= 0x20 && byte < 0x7F ? static_cast<char>(byte) : '.';
  }
  return fmt::format("{:48}|{}|", hexadecimal, text);
}

uint64_t word_of(const SearchHit& hit) {
  uint64_t word = 0;
  std::copy_n(hit.bytes.begin(), std::min<size_t>(sizeof word, hit.bytes.size()), reinterpret_cast<uint8_t*>(&word));
  return word;
}

ordered_json hit_facts(const SearchHit& hit, const inspector::AddressLabels& places, bool is_pointer) {
  const auto* module = places.module(hit.address);
  const auto* thread = module ? nullptr : places.thread(hit.address);
  const auto* region = places.region(hit.address);
  ordered_json facts;
  facts["address"] = fmt::format("{:#x}", hit.address);
  facts["value"] = is_pointer ? ordered_json(fmt::format("{:#x}", word_of(hit))) : ordered_json(nullptr);
  facts["bytes"] = snapshot::hexadecimal(std::span(hit.bytes).first(std::min<size_t>(16, hit.bytes.size())));
  facts["module"] = text_or_null(module ? printable(module->path) : "");
  facts["module_offset"] = text_or_null(module ? fmt::format("{:#x}", hit.address - module->load_bias) : "");
  facts["thread"] = thread ? ordered_json(thread->id) : ordered_json(nullptr);
  facts["path"] = text_or_null(region ? printable(region->path) : "");
  return facts;
}

int search_target(const SearchOptions& options) {
  auto opened = open_target(options.target);
  if (!opened) return fail(opened.error());
  const inspector::Target& held = *opened->target;
  const auto symbolizer =
      inspector::Symbolizer::create(symbol_options(options.symbols, options.target, opened->target->modules()));
  inspector::StackReader reader(held, *symbolizer);
  const inspector::FileBackedTarget target(held, reader, inspector::BackingFiles::WithId);
  const auto of_files = reader.files().regions(inspector::BackingFiles::WithId);
  auto searches = searches_of(options, target, *symbolizer);
  if (!searches) {
    fail(searches.error());
    return searches.error().kind == ErrorKind::NotFound ? kProblem : kFailed;
  }
  catch_interrupts();
  std::vector<SearchHit> hits;
  bool more = false;
  inspector::SearchTotals totals;
  for (const inspector::ValueSearch& one : *searches) {
    const auto found = [&](uint64_t address, std::span<const uint8_t> bytes) {
      if (address % one.alignment != 0 || address < one.offset) return inspector::SearchAnswer::GoOn;
      more = hits.size() == options.limit;
      if (more) return inspector::SearchAnswer::Enough;
      hits.push_back({address - one.offset, {bytes.begin(), bytes.end()}});
      return inspector::SearchAnswer::GoOn;
    };
    totals = inspector::search_memory(target, of_files, one.search, found, progress_bar("searching"));
  }
  std::stable_sort(hits.begin(), hits.end(),
                   [](const SearchHit& a, const SearchHit& b) { return a.address < b.address; });
  if (interrupted_by()) return fail(std::string("interrupted"));

  const inspector::AddressLabels places(target);
  const bool is_pointer = searches->front().search.pattern.bytes.empty();
  if (options.json) {
    ordered_json list = ordered_json::array();
    for (const SearchHit& hit : hits) list.push_back(hit_facts(hit, places, is_pointer));
    print_json("search", {{"hits", std::move(list)},
                          {"more", more},
                          {"searched_bytes", totals.bytes},
                          {"unreadable_bytes", totals.unreadable}});
  } else {
    for (const SearchHit& hit : hits)
      write_stdout(fmt::format(
          "{:#018x}  {}  {}\n", hit.address,
          is_pointer ? painted(fmt::format("{:#018x}", word_of(hit)), Paint::Function) : bytes_text(hit.bytes),
          painted(printable(places.text(hit.address)), Paint::Place)));
    if (more) note(fmt::format("more than {} were found; --limit N shows more", options.limit));
    if (totals.unreadable > 0)
      note(fmt::format("{} could not be read and were not searched", human_size(totals.unreadable)));
    if (hits.empty()) note(fmt::format("nothing was found in {}", human_size(totals.bytes)));
  }
  return hits.empty() ? kProblem : kDone;
}

void add_search(Commands& commands) {
  CLI::App* verb = commands.add(
      nullptr, "search", "Finds bytes, texts and pointers in a target's memory",
      "Examples:\n"
      "  mortem search program.core.zst --string 'GET /index'\n"
      "  mortem search program.core.zst --bytes 'de ad ?? ef'\n"
      "  mortem search program.core.zst --pointer 0x7f8120004010 --range 64    who points at or into these 64 bytes\n"
      "  mortem search web --pointer connections\n"
      "  mortem search web --pointer '&server.clients[2]'\n"
      "  mortem search program.core.zst --value 'shop::Order'             objects of a C++ class with virtual "
      "functions\n"
      "  mortem search program.core.zst --value 'connection.state=CLOSED'  objects by the value of a member\n"
      "  mortem search program.core.zst --value 'double=2.5'\n"
      "An object is found by the address of its class's table, which may stand on the stack and in tables, too. Memory "
      "that was freed looks as it did until it is used again, and other data may look like a value: what is "
      "found "
      "by a small number may be none.");
  auto options = std::make_shared<SearchOptions>();
  verb->add_option("TARGET", options->target, kTargetHelp)->required();
  CLI::Option_group* ways = verb->add_option_group("what");
  CLI::Option* bytes = ways->add_option("--bytes", options->bytes, "Hexadecimal digits, two a byte; ?? is any byte")
                           ->type_name("PATTERN");
  CLI::Option* text = ways->add_option("--string", options->text, "Text, as UTF-8")->type_name("TEXT");
  CLI::Option* pointer = ways->add_option("--pointer", options->pointer,
                                          "Words that hold this address, a symbol's, or that of an expression")
                             ->type_name("ADDRESS|SYMBOL|EXPRESSION");
  CLI::Option* value =
      ways->add_option("--value", options->value,
                       "Values of a type: objects of a C++ class with virtual functions, or what has this value")
          ->type_name("TYPE[[.MEMBER]=EXPRESSION]");
  ways->require_option(1);
  verb->add_option("--range", options->range, "Pointers into the N bytes from there on, too")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->needs(pointer);
  verb->add_flag("--unaligned", options->unaligned, "Pointers at addresses that are no multiples of 8, too")
      ->needs(pointer);
  verb->add_option("--limit", options->limit, "Show this many at most")->type_name("N")->capture_default_str();
  add_symbol_flags(verb, options->symbols);
  verb->add_flag("--json", options->json, "Print the facts as JSON (mortem.search/1)");
  commands.on(verb, [options, bytes, text, value] {
    options->by_bytes = bytes->count() > 0;
    options->by_text = text->count() > 0;
    options->by_value = value->count() > 0;
    // Types are read by LLVM.
    return options->by_value || !is_name_or_number(options->pointer)
               ? contained([&] { return search_target(*options); })
               : search_target(*options);
  });
}

const VerbRegistration search_registration{63, {"search"}, add_search};

}  // namespace
}  // namespace mortem::tools
