// The way from QEMU's PVH loader into the memory of a dump (snapshot/format/resume.h).

#define TABLES 0x101000
#define REQUEST 0x104000             // ResumeRequest: entry, page_table_root, efer
#define HERE(symbol) (0x100000 + ((symbol) - resume_code))

// Copied to 0x100000 by the host: 32-bit protected mode, paging off, flat segments. No stack, no use of what the loader
// says: RAM is as the dump has it but for these pages.
  .section .rodata
  .globl resume_code, resume_code_end
  .hidden resume_code, resume_code_end
  .balign 16
resume_code:
  .code32
  cli
  cld
  movl $0x20, %eax               // PAE; the rest of CR4 is the kernel's to set
  movl %eax, %cr4
  movl $TABLES, %eax
  movl %eax, %cr3
  movl $0xC0000080, %ecx         // EFER: LME, and NXE if the dump has it, before its tables are looked at
  movl REQUEST + 16, %eax
  orl $0x100, %eax
  xorl %edx, %edx
  wrmsr
  movl $0x80010033, %eax         // PG, WP, NE, ET, MP, PE
  movl %eax, %cr0
  lgdt HERE(resume_gdt_pointer)
  ljmp $0x08, $HERE(resume_64)

  .code64
resume_64:
  movl $0x10, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  xorl %eax, %eax
  movl %eax, %fs
  movl %eax, %gs
  movl $REQUEST, %edi
  movq (%rdi), %rax
  movq 8(%rdi), %rsi
  jmp *%rax

  .balign 8
resume_gdt:
  .quad 0
  .quad 0x00AF9A000000FFFF       // 0x08: 64-bit code
  .quad 0x00CF92000000FFFF       // 0x10: data
resume_gdt_pointer:
  .word 23
  .long HERE(resume_gdt)
resume_code_end:

// At the kernel's own address: rsi its page tables, rdi the request.
  .text
  .globl resume_entry
  .hidden resume_entry
  .type resume_entry, @function
resume_entry:
  .cfi_startproc
  .cfi_undefined rip
  movq %rsi, %cr3
  leaq resume_stack_top(%rip), %rsp
  xorl %ebp, %ebp
  call resume_kernel
  ud2
  .cfi_endproc
  .size resume_entry, . - resume_entry

// int set_resume_point(ResumePoint*): 0; and what go_on_from was given, when somebody goes on from here. Saves what a
// C++ call preserves.
  .globl set_resume_point
  .hidden set_resume_point
  .type set_resume_point, @function
set_resume_point:
  .cfi_startproc
  movq %rbx, 0(%rdi)
  movq %rbp, 8(%rdi)
  movq %r12, 16(%rdi)
  movq %r13, 24(%rdi)
  movq %r14, 32(%rdi)
  movq %r15, 40(%rdi)
  leaq 8(%rsp), %rax
  movq %rax, 48(%rdi)
  movq (%rsp), %rax
  movq %rax, 56(%rdi)
  xorl %eax, %eax
  ret
  .cfi_endproc
  .size set_resume_point, . - set_resume_point

// [[noreturn]] void go_on_from(const ResumePoint*, int)
  .globl go_on_from
  .hidden go_on_from
  .type go_on_from, @function
go_on_from:
  .cfi_startproc
  .cfi_undefined rip
  movq 0(%rdi), %rbx
  movq 8(%rdi), %rbp
  movq 16(%rdi), %r12
  movq 24(%rdi), %r13
  movq 32(%rdi), %r14
  movq 40(%rdi), %r15
  movq 48(%rdi), %rsp
  movzbl %sil, %eax
  jmp *56(%rdi)
  .cfi_endproc
  .size go_on_from, . - go_on_from

  .section .bss.resume_stack, "aw", @nobits
  .balign 16
  .skip 65536
resume_stack_top:
  .section .note.GNU-stack, "", @progbits
