// Expressions over a program's values (expression_tree.h), evaluated in a frame or, without one, over globals.
#pragma once

#include <string>

#include "inspector/values/program_values.h"

namespace mortem::inspector {

// `frame`: null for none. An error names the position; a value that is not known is no error but a Value that says so.
Result<Value> evaluate(ProgramValues& program, FrameValues* frame, const std::string& expression);

}  // namespace mortem::inspector
