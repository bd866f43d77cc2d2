// Entries of the crash path that need every register as it was: panic() and the switch to the crash stack.

#define FRAME_R15 0
#define FRAME_R14 8
#define FRAME_R13 16
#define FRAME_R12 24
#define FRAME_RBP 32
#define FRAME_RBX 40
#define FRAME_R11 48
#define FRAME_R10 56
#define FRAME_R9 64
#define FRAME_R8 72
#define FRAME_RAX 80
#define FRAME_RCX 88
#define FRAME_RDX 96
#define FRAME_RSI 104
#define FRAME_RDI 112
#define FRAME_VECTOR 120
#define FRAME_ERROR 128
#define FRAME_RIP 136
#define FRAME_CS 144
#define FRAME_RFLAGS 152
#define FRAME_RSP 160
#define FRAME_SS 168
#define FRAME_SIZE 176

#define ARGUMENTS FRAME_SIZE           // rdi, rsi, rdx, rcx, r8, r9: va_list's register save area
#define VA_LIST (FRAME_SIZE + 48)      // AMD64 psABI 3.5.7
#define SPACE 256                      // keeps rsp 16-byte aligned
#define SAVED_FLAGS SPACE
#define RETURN_ADDRESS (SPACE + 8)
#define CALLER_RSP (SPACE + 16)

    .text

// [[noreturn]] void kernel::panic(const char* format, ...): a TrapFrame of the caller's registers, then C++.
    .globl _ZN6kernel5panicEPKcz
    .hidden _ZN6kernel5panicEPKcz
    .type _ZN6kernel5panicEPKcz, @function
_ZN6kernel5panicEPKcz:
    .cfi_startproc
    pushfq
    .cfi_adjust_cfa_offset 8
    cli
    lea -SPACE(%rsp), %rsp
    .cfi_adjust_cfa_offset SPACE
    mov %r15, FRAME_R15(%rsp)
    mov %r14, FRAME_R14(%rsp)
    mov %r13, FRAME_R13(%rsp)
    mov %r12, FRAME_R12(%rsp)
    mov %rbp, FRAME_RBP(%rsp)
    mov %rbx, FRAME_RBX(%rsp)
    mov %r11, FRAME_R11(%rsp)
    mov %r10, FRAME_R10(%rsp)
    mov %r9, FRAME_R9(%rsp)
    mov %r8, FRAME_R8(%rsp)
    mov %rax, FRAME_RAX(%rsp)
    mov %rcx, FRAME_RCX(%rsp)
    mov %rdx, FRAME_RDX(%rsp)
    mov %rsi, FRAME_RSI(%rsp)
    mov %rdi, FRAME_RDI(%rsp)
    movq $-1, FRAME_VECTOR(%rsp)       // kNoTrapVector
    movq $0, FRAME_ERROR(%rsp)
    mov RETURN_ADDRESS(%rsp), %rax
    mov %rax, FRAME_RIP(%rsp)          // C++ makes the call's own address of it
    xor %eax, %eax
    mov %cs, %ax
    mov %rax, FRAME_CS(%rsp)
    mov %ss, %ax
    mov %rax, FRAME_SS(%rsp)
    mov SAVED_FLAGS(%rsp), %rax
    mov %rax, FRAME_RFLAGS(%rsp)
    lea CALLER_RSP(%rsp), %rax
    mov %rax, FRAME_RSP(%rsp)

    mov %rdi, ARGUMENTS+0(%rsp)
    mov %rsi, ARGUMENTS+8(%rsp)
    mov %rdx, ARGUMENTS+16(%rsp)
    mov %rcx, ARGUMENTS+24(%rsp)
    mov %r8, ARGUMENTS+32(%rsp)
    mov %r9, ARGUMENTS+40(%rsp)
    movl $8, VA_LIST+0(%rsp)           // gp_offset: behind `format`
    movl $48, VA_LIST+4(%rsp)          // fp_offset: there are none
    mov %rax, VA_LIST+8(%rsp)          // overflow_arg_area: what the caller pushed
    lea ARGUMENTS(%rsp), %rax
    mov %rax, VA_LIST+16(%rsp)

    mov %rdi, %rsi                     // format
    mov %rsp, %rdi                     // frame
    lea VA_LIST(%rsp), %rdx
    cld
    call crash_panic
    ud2
    .cfi_endproc
    .size _ZN6kernel5panicEPKcz, . - _ZN6kernel5panicEPKcz

// void crash_capture(TrapFrame* to): the registers of the caller as they are behind this call (rdi apart).
    .globl crash_capture
    .hidden crash_capture
    .type crash_capture, @function
crash_capture:
    .cfi_startproc
    mov %r15, FRAME_R15(%rdi)
    mov %r14, FRAME_R14(%rdi)
    mov %r13, FRAME_R13(%rdi)
    mov %r12, FRAME_R12(%rdi)
    mov %rbp, FRAME_RBP(%rdi)
    mov %rbx, FRAME_RBX(%rdi)
    mov %r11, FRAME_R11(%rdi)
    mov %r10, FRAME_R10(%rdi)
    mov %r9, FRAME_R9(%rdi)
    mov %r8, FRAME_R8(%rdi)
    mov %rax, FRAME_RAX(%rdi)
    mov %rcx, FRAME_RCX(%rdi)
    mov %rdx, FRAME_RDX(%rdi)
    mov %rsi, FRAME_RSI(%rdi)
    mov %rdi, FRAME_RDI(%rdi)
    movq $-1, FRAME_VECTOR(%rdi)
    movq $0, FRAME_ERROR(%rdi)
    mov (%rsp), %rax
    mov %rax, FRAME_RIP(%rdi)
    xor %eax, %eax
    mov %cs, %ax
    mov %rax, FRAME_CS(%rdi)
    mov %ss, %ax
    mov %rax, FRAME_SS(%rdi)
    lea 8(%rsp), %rax
    mov %rax, FRAME_RSP(%rdi)
    pushfq
    .cfi_adjust_cfa_offset 8
    pop FRAME_RFLAGS(%rdi)
    .cfi_adjust_cfa_offset -8
    mov FRAME_RAX(%rdi), %rax
    ret
    .cfi_endproc
    .size crash_capture, . - crash_capture

// [[noreturn]] void crash_switch_stack(void* top, void (*go_on)()): leaves the stack of the crash for the static one.
    .globl crash_switch_stack
    .hidden crash_switch_stack
    .type crash_switch_stack, @function
crash_switch_stack:
    .cfi_startproc
    .cfi_undefined rip
    mov %rdi, %rsp
    xor %ebp, %ebp
    call *%rsi
    ud2
    .cfi_endproc
    .size crash_switch_stack, . - crash_switch_stack

    .section .note.GNU-stack, "", @progbits
