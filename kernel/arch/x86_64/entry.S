// Every entry into the kernel leaves a TrapFrame (trap_frame.h) on the kernel stack. The CFI describes it fully, so
// that a debugger unwinds from the kernel into the app with all registers.
// CFI numbers: AMD64 psABI figure 3.36 (gas knows no names for these three).
// One vCPU: the kernel finds its stack by its own address, gs always stays the app's, and there is no swapgs.

#define FRAME_CS 144           // offsetof(TrapFrame, cs)
#define KERNEL_DATA 0x18       // kKernelData
#define CFI_RFLAGS 49
#define CFI_CS 51
#define CFI_SS 52

// What the processor pushes: rip, cs, rflags, rsp, ss; the CFA is its end.
  .macro cfi_hardware_frame depth
  .cfi_signal_frame
  .cfi_def_cfa rsp, \depth
  .cfi_offset rip, -40
  .cfi_offset CFI_CS, -32
  .cfi_offset CFI_RFLAGS, -24
  .cfi_offset rsp, -16
  .cfi_offset CFI_SS, -8
  .endm

  .section .text
  .balign 16
  .globl trap_stubs
  .hidden trap_stubs
trap_stubs:
  .set vector, 0
  .rept 256
  .balign 16
  .cfi_startproc simple
  // #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #VC, #SX push an error code (Intel SDM vol. 3, table 6-1).
  .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
  cfi_hardware_frame 48
  .else
  cfi_hardware_frame 40
  pushq $0
  .cfi_adjust_cfa_offset 8
  .endif
  pushq $vector
  .cfi_adjust_cfa_offset 8
  jmp trap_common
  .cfi_endproc
  .set vector, vector + 1
  .endr

  .macro push_register name
  pushq %\name
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset \name, 0
  .endm

  .macro push_general_registers
  push_register rdi
  push_register rsi
  push_register rdx
  push_register rcx
  push_register rax
  push_register r8
  push_register r9
  push_register r10
  push_register r11
  push_register rbx
  push_register rbp
  push_register r12
  push_register r13
  push_register r14
  push_register r15
  .endm

  .macro pop_register name
  popq %\name
  .cfi_adjust_cfa_offset -8
  .cfi_restore \name
  .endm

  .macro pop_general_registers
  pop_register r15
  pop_register r14
  pop_register r13
  pop_register r12
  pop_register rbp
  pop_register rbx
  pop_register r11
  pop_register r10
  pop_register r9
  pop_register r8
  pop_register rax
  pop_register rcx
  pop_register rdx
  pop_register rsi
  pop_register rdi
  .endm

  .type trap_common, @function
trap_common:
  .cfi_startproc simple
  cfi_hardware_frame 56
  push_general_registers
  cld
  testb $3, FRAME_CS(%rsp)
  jz 1f
  xorl %ebp, %ebp              // the kernel's chain of frame pointers ends at the app
  // The processor left a null selector here, SYSCALL leaves a real one. QEMU's TCG would translate all of the kernel
  // once for each.
  movl $KERNEL_DATA, %eax
  movl %eax, %ss
1:
  movq %rsp, %rdi
  call trap_dispatch
restore:
  pop_general_registers
  addq $16, %rsp
  .cfi_adjust_cfa_offset -16
  iretq
  .cfi_endproc
  .size trap_common, . - trap_common

// SYSCALL (Intel SDM vol. 2B): rip is in rcx, rflags in r11, rsp still the app's, interrupts off by FMASK.
  .balign 16
  .globl syscall_entry
  .hidden syscall_entry
  .type syscall_entry, @function
syscall_entry:
  .cfi_startproc simple
  .cfi_def_cfa rsp, 0
  .cfi_val_offset rsp, 0
  .cfi_register rip, rcx
  .cfi_register CFI_RFLAGS, r11
  movq %rsp, g_per_cpu + 8(%rip)
  movq g_per_cpu(%rip), %rsp
  .cfi_undefined rip
  pushq $0x2b
  pushq g_per_cpu + 8(%rip)
  pushq %r11
  pushq $0x33
  pushq %rcx
  cfi_hardware_frame 40
  pushq %rax
  .cfi_adjust_cfa_offset 8
  pushq $0x100
  .cfi_adjust_cfa_offset 8
  push_general_registers
  xorl %ebp, %ebp
  movq %rsp, %rdi
  call syscall_dispatch
  testb %al, %al
  jz restore_from_syscall
  // SYSRET: rcx and r11 already hold rip and rflags in the frame.
  pop_general_registers
  .globl syscall_leaves_stack
  .hidden syscall_leaves_stack
syscall_leaves_stack:
  movq 40(%rsp), %rsp
  .cfi_def_cfa rsp, 0
  .cfi_val_offset rsp, 0
  .cfi_register rip, rcx
  .cfi_register CFI_RFLAGS, r11
  sysretq
  .cfi_endproc
  .size syscall_entry, . - syscall_entry

  .type restore_and_return, @function
  .globl restore_and_return
  .hidden restore_and_return
restore_and_return:
  movq %rdi, %rsp
restore_from_syscall:
  .cfi_startproc simple
  cfi_hardware_frame 176
  .cfi_offset rdi, -64
  .cfi_offset rsi, -72
  .cfi_offset rdx, -80
  .cfi_offset rcx, -88
  .cfi_offset rax, -96
  .cfi_offset r8, -104
  .cfi_offset r9, -112
  .cfi_offset r10, -120
  .cfi_offset r11, -128
  .cfi_offset rbx, -136
  .cfi_offset rbp, -144
  .cfi_offset r12, -152
  .cfi_offset r13, -160
  .cfi_offset r14, -168
  .cfi_offset r15, -176
  jmp restore
  .cfi_endproc
  .size restore_and_return, . - restore_and_return
  .section .note.GNU-stack, "", @progbits
