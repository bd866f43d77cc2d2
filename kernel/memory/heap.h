// The kernel heap: size classes up to half a page, whole pages above; all in the direct map. A page whose
// objects are all free goes back.
// `new` returns null when there is no memory (the kernel is built with -fno-exceptions: use make<T>()).
#pragma once

#include <cstddef>
#include <new>
#include <utility>

#include "kernel/library/result.h"

namespace kernel {

void* heap_allocate(size_t size);  // 16-byte aligned, zeroed; null: no memory
void heap_free(void* pointer);     // null is allowed

template <typename T, typename... Arguments>
Result<T*> make(Arguments&&... arguments) {
  void* memory = heap_allocate(sizeof(T));
  if (memory == nullptr) return Error::NoMemory;
  return new (memory) T(std::forward<Arguments>(arguments)...);
}
template <typename T>
void destroy(T* object) {
  if (object == nullptr) return;
  object->~T();
  heap_free(object);
}

}  // namespace kernel
