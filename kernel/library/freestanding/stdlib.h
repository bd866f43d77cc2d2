/* zstd falls back to these where it was given no memory of its own. The crash path gives it all it needs and allocates
   nothing: there is no memory here. */
#pragma once
#include <stddef.h>
static inline void* malloc(size_t size) { return (void)size, (void*)0; }
static inline void* calloc(size_t count, size_t size) { return (void)count, (void)size, (void*)0; }
static inline void free(void* pointer) { (void)pointer; }
/* lwIP's netif_find(), which nobody calls. */
static inline int atoi(const char* text) {
  int value = 0;
  for (; *text >= '0' && *text <= '9'; ++text) value = value * 10 + (*text - '0');
  return value;
}
