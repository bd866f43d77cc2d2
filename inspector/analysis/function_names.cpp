#include "inspector/analysis/function_names.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace mortem::inspector {
namespace {

constexpr std::string_view kAnonymous = "(anonymous namespace)";

bool is_operator_at(std::string_view name, size_t at) {
  constexpr std::string_view kWord = "operator";
  return name.substr(at).starts_with(kWord) && (at == 0 || name[at - 1] == ':' || name[at - 1] == ' ');
}

// Where the parameters of a demangled name start; npos: it has none.
size_t parameters_start(std::string_view name) {
  const size_t last = name.rfind(')');
  if (last == std::string_view::npos) return last;
  // What follows the parameters: " const", " &", " [clone .cold]". Else the name goes on: Go's `main.(*file).read`.
  if (last + 1 < name.size() && (name[last + 1] != ' ' || name.substr(last).find("::") != std::string_view::npos))
    return std::string_view::npos;
  size_t depth = 0;
  for (size_t at = last + 1; at-- > 0;) {
    depth += (name[at] == ')') - (name[at] == '(');
    if (depth != 0) continue;
    if (name.substr(at).starts_with(kAnonymous) || at == 0) return std::string_view::npos;
    if (at >= 8 && name.substr(0, at).ends_with("operator")) return std::string_view::npos;  // operator() itself
    return at;
  }
  return std::string_view::npos;
}

// Rust's legacy mangling ends in a hash of the crate's content.
bool is_rust_hash(std::string_view part) {
  return part.size() == 17 && part[0] == 'h' && std::all_of(part.begin() + 1, part.end(), [](unsigned char c) {
           return std::isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

void cut_compiler_suffixes(std::string& name) {
  static constexpr std::array<std::string_view, 9> kSuffixes = {".cold",  ".constprop",  ".part", ".isra", ".lto_priv",
                                                                ".llvm.", ".localalias", ".warm", ".abi0"};
  if (const size_t clone = name.find(" [clone "); clone != std::string::npos) name.resize(clone);
  for (const std::string_view suffix : kSuffixes)
    if (const size_t at = name.find(suffix); at != std::string::npos && at > 0) name.resize(at);
  if (const size_t version = name.find('@'); version != std::string::npos && version > 0) name.resize(version);
  if (const size_t hash = name.rfind("::"); hash != std::string::npos && is_rust_hash(name.substr(hash + 2)))
    name.resize(hash);
}

// Rust's `f::<i32>::g`: the arguments of f. Its `<Type as Trait>::method` and `a::<impl Trait for Type>::method` have
// names there.
bool is_turbofish(std::string_view name, size_t at, std::string_view before) {
  if (!before.ends_with("::")) return false;
  size_t depth = 0;
  for (size_t end = at; end < name.size(); ++end) {
    depth += name[end] == '<';
    depth -= name[end] == '>' && name[end - 1] != '-';
    if (depth == 1 && (name.substr(end).starts_with(" as ") || name.substr(end).starts_with("<impl "))) return false;
    if (depth == 0) return true;
  }
  return false;
}

// "f<int>::g" -> "f<>::g"; operators keep their signs.
std::string without_template_arguments(std::string_view name) {
  std::string result;
  size_t depth = 0;
  for (size_t at = 0; at < name.size(); ++at) {
    if (depth == 0 && is_operator_at(name, at)) {
      size_t end = at + 8;
      while (end < name.size() && !std::isalnum(static_cast<unsigned char>(name[end])) && name[end] != ' ') ++end;
      result += name.substr(at, end - at);
      at = end - 1;
      continue;
    }
    const bool arrow = name[at] == '>' && at > 0 && name[at - 1] == '-';
    // Rust writes `<Type as Trait>::method`: what stands at the start of a part is its name.
    const bool opens_name =
        name[at] == '<' && depth == 0 && (at == 0 || result.ends_with("::") || result.ends_with("<"));
    if (depth == 0 && name[at] == '<' && is_turbofish(name, at, result)) {
      result.resize(result.size() - 2);
      ++depth;
      continue;
    }
    if (name[at] == '<' && !opens_name) {
      ++depth;
      continue;
    }
    if (name[at] == '>' && !arrow && depth > 0) {
      --depth;
      continue;
    }
    if (depth == 0) result += name[at];
  }
  return result;
}

void cut_all(std::string& name, std::string_view from, std::string_view to) {
  for (size_t at; (at = name.find(from)) != std::string::npos;) {
    const size_t end = name.find(to, at + from.size());
    name.erase(at, end == std::string::npos ? end : end + to.size() - at);
  }
}

// Lambdas and closures are counted in the order of the source.
std::string without_numbers_of_closures(const std::string& name) {
  std::string result;
  for (size_t at = 0; at < name.size(); ++at) {
    result += name[at];
    const bool counted = result.ends_with("{lambda") || result.ends_with("#") || result.ends_with(".func") ||
                         result.ends_with("closure#") || result.ends_with("'lambda");
    if (!counted) continue;
    while (at + 1 < name.size() && std::isdigit(static_cast<unsigned char>(name[at + 1]))) ++at;
  }
  return result;
}

}  // namespace

std::string stable_type_name(const std::string& type) {
  std::string name = type;
  cut_all(name, "[abi:", "]");
  return without_template_arguments(name);
}

std::string plain_function_name(const std::string& function) {
  // LLVM writes of `f.cold` "f() (.cold)".
  const std::string whole = function.substr(0, function.find(" (."));
  return whole.substr(0, parameters_start(whole));
}

std::string stable_function_name(const std::string& function) {
  std::string name = plain_function_name(function);
  cut_all(name, "[abi:", "]");
  cut_compiler_suffixes(name);
  if (name.starts_with("__GI_")) name.erase(0, 5);  // glibc's names for what it calls itself
  name = without_numbers_of_closures(without_template_arguments(name));
  // A template's demangled name starts with what it returns.
  if (!name.starts_with('<'))
    if (const size_t space = name.rfind(' ');
        space != std::string::npos && name.find("operator") == std::string::npos &&
        name.find("lambda") == std::string::npos && name.find(kAnonymous) == std::string::npos)
      name.erase(0, space + 1);
  return name;
}

}  // namespace mortem::inspector
