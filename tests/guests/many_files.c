// Makes 4,000 small files in one folder and reads all of them.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int main(void) {
  enum { kFiles = 4000 };
  int made = 0, same = 0;
  mkdir("/many", 0755);
  for (; made < kFiles; ++made) {
    char name[32];
    snprintf(name, sizeof name, "/many/%d", made);
    FILE* file = fopen(name, "w");
    if (!file || fprintf(file, "number %d", made) < 0 || fclose(file) != 0) break;
  }
  if (made < kFiles) printf("%d files, then: %s\n", made, strerror(errno));
  for (int number = 0; number < made; ++number) {
    char name[32], text[64] = "", expected[64];
    snprintf(name, sizeof name, "/many/%d", number);
    snprintf(expected, sizeof expected, "number %d", number);
    FILE* file = fopen(name, "r");
    if (file && fgets(text, sizeof text, file) && strcmp(text, expected) == 0) ++same;
    if (file) fclose(file);
  }
  printf("%d files, %d as written\n", made, same);
  return 0;
}
