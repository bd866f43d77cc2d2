// Function names as sentences and signatures want them.
#pragma once

#include <string>

namespace mortem::inspector {

// Without parameters, which only fill a sentence: "std::vector<int>::at(unsigned long)" -> "std::vector<int>::at".
std::string plain_function_name(const std::string& function);

// The name that the same function has in every build: without parameters and template arguments, without what
// compilers add (".cold", ".constprop.0", "[clone …]", Rust's hash, ABI tags), without numbers of lambdas and closures.
std::string stable_function_name(const std::string& function);

// The same of a type: without template arguments and ABI tags.
std::string stable_type_name(const std::string& type);

}  // namespace mortem::inspector
