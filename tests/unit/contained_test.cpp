// A crash of a library that reads debug information takes down one child, not the verb.
#include "tools/verbs/contained.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "inspector/symbols/suspect.h"
#include "tools/output.h"

namespace mortem::tools {
namespace {

using inspector::Reader;

TEST(Contained, PassesOutputAndStatusOn) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(contained([] {
              write_stdout("facts\n");
              return kProblem;
            }),
            kProblem);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "facts\n");
}

TEST(Contained, WhatCrashedIsLeftOutTheNextTime) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int status = contained([] {
    for (const char* file : {"good", "segfaults", "aborts"}) {
      if (inspector::distrusted(Reader::CallFrames, file)) continue;
      inspector::now_reading(Reader::CallFrames, file);
      write_stdout(std::string(file) + "\n");
      if (std::string(file) == "segfaults") std::raise(SIGSEGV);
      if (std::string(file) == "aborts") std::abort();
    }
    return kDone;
  });
  EXPECT_EQ(status, kDone);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "good\n");  // nothing of the children that crashed
  const std::string notes = testing::internal::GetCapturedStderr();
  EXPECT_NE(notes.find("mortem: segfaults: its call frame information crashed the reader"), std::string::npos) << notes;
  EXPECT_NE(notes.find("mortem: aborts: "), std::string::npos) << notes;
  EXPECT_EQ(std::count(notes.begin(), notes.end(), '\n'), 2) << notes;
}

TEST(Contained, ACrashThatNoFileExplainsIsAnError) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(contained([]() -> int { std::abort(); }), kFailed);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("was ended by signal 6"), std::string::npos);
}

}  // namespace
}  // namespace mortem::tools
