/* What lwIP wants to know of the compiler and the kernel (doc/sys_arch.txt). lwIP runs in one context at a time: kernel
   code is never interrupted by another thread, and interrupt handlers do not call it. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_CTYPE_H 1
#define X8_F "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "lu"
#define SSIZE_MAX INTPTR_MAX
typedef intptr_t ssize_t;
#define BYTE_ORDER 1234
#ifndef LITTLE_ENDIAN
#define LITTLE_ENDIAN 1234
#define BIG_ENDIAN 4321
#endif

#ifdef __cplusplus
extern "C" {
#endif
void lwip_port_assertion_failed(const char* message, const char* file, int line) __attribute__((noreturn));
uint32_t lwip_port_random(void);
void* lwip_port_allocate(size_t size); /* null: no memory, or lwIP has all it may have */
void* lwip_port_allocate_zeroed(size_t count, size_t size);
void lwip_port_free(void* memory);
uint16_t lwip_port_checksum(const void* bytes, int length); /* RFC 1071, not complemented */
#ifdef __cplusplus
}
#endif

#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(message) lwip_port_assertion_failed(message, __FILE__, __LINE__)
/* The compiler's own, and none for what nothing here calls (they would want more of a C library). */
#define lwip_htons(x) ((u16_t)__builtin_bswap16(x))
#define lwip_htonl(x) ((u32_t)__builtin_bswap32(x))
#define lwip_strnstr(text, token, length) ((char*)0)
#define LWIP_RAND() lwip_port_random()
#define LWIP_CHKSUM lwip_port_checksum
