// Copies that may fault. rdi to, rsi from, rdx bytes → rax 0, or 1 after a fault (some bytes may be copied).
// SMAP is opened only here (STAC is undefined on CPUs without SMAP).
// Moves of 8 bytes, not REP MOVSB: under TCG that is many times slower.

  .macro fixup at, target
  .pushsection .fixup_table, "a", @progbits
  .long \at - .
  .long \target - .
  .popsection
  .endm

  .macro open_user
  cmpb $0, g_smap_enabled(%rip)
  je 77f
  stac
77:
  .endm
  .macro close_user
  cmpb $0, g_smap_enabled(%rip)
  je 78f
  clac
78:
  .endm

  .macro function name
  .section .text
  .balign 16
  .globl \name
  .hidden \name
  .type \name, @function
\name:
  .cfi_startproc
  .endm
  .macro end name
  .cfi_endproc
  .size \name, . - \name
  .endm

  .macro copy_body
  movq %rdx, %rcx
  shrq $3, %rcx
  jz 3f
1:
  movq (%rsi), %rax
2:
  movq %rax, (%rdi)
  addq $8, %rsi
  addq $8, %rdi
  decq %rcx
  jnz 1b
3:
  andq $7, %rdx
  jz 6f
4:
  movb (%rsi), %al
5:
  movb %al, (%rdi)
  incq %rsi
  incq %rdi
  decq %rdx
  jnz 4b
6:
  .endm

function raw_user_copy
  open_user
  copy_body
  close_user
  xorl %eax, %eax
  ret
9:
  close_user
  movl $1, %eax
  ret
  fixup 1b, 9b
  fixup 2b, 9b
  fixup 4b, 9b
  fixup 5b, 9b
end raw_user_copy

// The same without opening user memory: for kernel addresses that may be bad.
function raw_kernel_copy
  copy_body
  xorl %eax, %eax
  ret
9:
  movl $1, %eax
  ret
  fixup 1b, 9b
  fixup 2b, 9b
  fixup 4b, 9b
  fixup 5b, 9b
end raw_kernel_copy

// rdi address, rsi bytes → rax 0 or 1
function raw_user_clear
  open_user
  xorl %eax, %eax
  movq %rsi, %rcx
  shrq $3, %rcx
  jz 3f
1:
  movq %rax, (%rdi)
  addq $8, %rdi
  decq %rcx
  jnz 1b
3:
  andq $7, %rsi
  jz 6f
4:
  movb %al, (%rdi)
  incq %rdi
  decq %rsi
  jnz 4b
6:
  close_user
  xorl %eax, %eax
  ret
9:
  close_user
  movl $1, %eax
  ret
  fixup 1b, 9b
  fixup 4b, 9b
end raw_user_clear

// rdi to, rsi from, rdx bytes at most → rax length without the NUL, -1 fault, -2 no NUL in that many bytes
function raw_user_string
  open_user
  xorl %eax, %eax
1:
  cmpq %rdx, %rax
  je 3f
2:
  movb (%rsi,%rax), %cl
  movb %cl, (%rdi,%rax)
  testb %cl, %cl
  je 4f
  incq %rax
  jmp 1b
3:
  movq $-2, %rax
4:
  close_user
  ret
9:
  close_user
  movq $-1, %rax
  ret
  fixup 2b, 9b
end raw_user_string
  .section .note.GNU-stack, "", @progbits
