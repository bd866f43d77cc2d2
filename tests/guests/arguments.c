// Prints its arguments, its environment variables that start with MORTEM_TEST, and its working directory.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char** environ;

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) printf("argument %d: [%s]\n", i, argv[i]);
  for (char** variable = environ; *variable; variable++)
    if (strncmp(*variable, "MORTEM_TEST", 11) == 0) printf("variable: [%s]\n", *variable);
  char directory[4096];
  printf("directory: [%s]\n", getcwd(directory, sizeof directory) ? directory : "?");
  return 0;
}
