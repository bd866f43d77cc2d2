// The way from the running kernel back to its PVH entry (boot.S): 32-bit protected mode, paging off. Copied to
// kRestartCode (restart.h) and run there, on an identity map, because it overwrites the kernel's variables, its stack
// among them. No stack is used.
// rsi: copy of the variables, rdi: their place (both physical), rcx: 8-byte words of them, rdx: 8-byte words of zeros
// behind them, ebx: hvm_start_info, ebp: physical address of the entry.

  .section .rodata
  .globl restart_code, restart_code_end
  .hidden restart_code, restart_code_end
#define HERE(symbol) (0x100000 + ((symbol) - restart_code))

  .balign 16
restart_code:
  .code64
  cld
  rep movsq
  xorl %eax, %eax
  movq %rdx, %rcx
  rep stosq
  movq %rax, %dr7
  lgdt HERE(restart_gdt_pointer)
  ljmp *HERE(restart_far)        // to a 32-bit code segment: compatibility mode

  .code32
restart_32:
  movl $0x10, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  movl %eax, %fs
  movl %eax, %gs
  movl $0x11, %eax               // CR0 as after a reset, but for protected mode: paging off
  movl %eax, %cr0
  movl $0xC0000080, %ecx         // EFER
  xorl %eax, %eax
  xorl %edx, %edx
  wrmsr
  movl %eax, %cr4
  movl %eax, %cr3
  jmp *%ebp

  .balign 8
restart_gdt:
  .quad 0
  .quad 0x00CF9A000000FFFF       // 0x08: 32-bit code, all 4 GiB
  .quad 0x00CF92000000FFFF       // 0x10: data
restart_gdt_pointer:
  .word 23
  .quad HERE(restart_gdt)
restart_far:
  .long HERE(restart_32)
  .word 0x08
restart_code_end:
  .section .note.GNU-stack, "", @progbits
