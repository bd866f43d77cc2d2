// Opened by dlopen only.
#include "deep.h"

thread_local int plugin_count = 100;

extern "C" int plugin_run(int argument) {
  if (argument < 0) deep_throw("from the plugin");
  return argument + ++plugin_count + ++deep_count;
}
