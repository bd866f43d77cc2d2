// The smallest PVH kernel: prints one line on the first serial port and powers off. What every unikernel's start is
// measured against. (Xen's PVH boot ABI: entry in 32-bit protected mode at the address in the note, type 18.)
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18
    .asciz "Xen"
    .long start

    .text
    .code32
    .globl start
start:
    mov $line, %esi
    mov $0x3F8, %dx
next:
    lodsb
    test %al, %al
    jz end
    outb %al, %dx
    jmp next
end:
    mov $0x604, %dx       // QEMU's ACPI power management of q35: sleep type S5
    mov $0x2000, %ax
    outw %ax, %dx
    hlt
line:
    .asciz "first line\n"
    .section .note.GNU-stack, "", @progbits
