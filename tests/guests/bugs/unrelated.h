// What bugs.cpp gets in front when it is built SHIFTED.
#pragma once

#include <string>
#include <vector>

static int unrelated_table[5000] = {1, 2, 3};

__attribute__((noinline)) std::string unrelated_text(int number) {
  std::string text = std::to_string(number);
  for (int one : unrelated_table) text += one > number ? 'x' : 'y';
  return text;
}

__attribute__((noinline)) std::vector<std::string> unrelated_texts(int count) {
  std::vector<std::string> all;
  for (int number = 0; number < count; ++number) all.push_back(unrelated_text(number));
  return all;
}

struct unrelated_first {
  unrelated_first() {
    if (unrelated_texts(2).size() == 3) unrelated_table[4] = 7;
  }
};
static unrelated_first unrelated_first_one;
