// From the PVH entry (32-bit protected mode, paging off; xen/include/public/arch-x86/hvm/start_info.h) to long mode.
// Everything here is addressed by constants: the image stands at 2 MiB, this section at its address 0x1000.
// Scratch until the kernel's own tables are loaded: 0x180000–0x186000 page tables, stack below 0x1a0000.

#define PHYSICAL(symbol) (0x201000 + ((symbol) - boot_text))

  .section .note.Xen, "a", @note
  .balign 4
  .long 4                      // name
  .long 8                      // descriptor
  .long 18                     // XEN_ELFNOTE_PHYS32_ENTRY
  .asciz "Xen"
  .quad PHYSICAL(pvh_entry)

  .section .text.boot, "ax", @progbits
boot_text:
  .code32
  .globl pvh_entry
  .hidden pvh_entry
pvh_entry:
  cld
  movl %ebx, %esi              // hvm_start_info
  movl $0x180000, %edi         // clear the six tables
  xorl %eax, %eax
  movl $(0x6000 / 4), %ecx
  rep stosl
  movl $0x181003, 0x180000     // PML4[0] → PDPT
  movl $0x182003, 0x181000     // PDPT[0..3] → four page directories: the first 4 GiB
  movl $0x183003, 0x181008
  movl $0x184003, 0x181010
  movl $0x185003, 0x181018
  movl $0x182000, %edi
  movl $0x83, %eax             // present, write, 2 MiB
  movl $2048, %ecx
1:
  movl %eax, (%edi)
  addl $0x200000, %eax
  addl $8, %edi
  loop 1b
  movl $0x180000, %eax
  movl %eax, %cr3
  movl %cr4, %eax
  orl $0x620, %eax             // PAE, OSFXSR, OSXMMEXCPT
  movl %eax, %cr4
  movl $0xC0000080, %ecx       // EFER: SCE, LME
  rdmsr
  orl $0x101, %eax
  wrmsr
  movl %cr0, %eax
  andl $~0xC, %eax             // EM, TS off
  orl $0x80010023, %eax        // PG, WP, NE, MP, PE
  movl %eax, %cr0
  lgdt PHYSICAL(boot_gdt_pointer)
  ljmp $0x10, $PHYSICAL(entry64)

  .balign 8
boot_gdt:
  .quad 0, 0
  .quad 0x00AF9A000000FFFF     // 0x10: 64-bit code
  .quad 0x00CF92000000FFFF     // 0x18: data
boot_gdt_pointer:
  .word 31
  .long PHYSICAL(boot_gdt)

  .code64
entry64:
  movl $0x18, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  xorl %eax, %eax
  movl %eax, %fs
  movl %eax, %gs
  movl $0x1a0000, %esp
  movl %esi, %edi
  xorl %ebp, %ebp
  call boot_stage1             // → rax: page table root, rdx: load bias
  leaq boot_high(%rip), %rcx   // physical
  subq $0x200000, %rcx         // address in the image
  addq %rdx, %rcx
  movq %rax, %cr3
  jmp *%rcx

  .globl boot_high
  .hidden boot_high
  .type boot_high, @function
boot_high:
  .cfi_startproc
  .cfi_undefined rip
  leaq boot_stack_top(%rip), %rsp
  xorl %ebp, %ebp
  call kernel_main
  ud2
  .cfi_endproc
  .size boot_high, . - boot_high

  .section .bss.boot_stack, "aw", @nobits
  .balign 16
boot_stack:
  .skip 32768
boot_stack_top:
  .section .note.GNU-stack, "", @progbits
