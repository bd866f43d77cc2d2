// The vDSO's bytes (kernel/vdso), as built; VDSO_FILE comes from CMakeLists.txt.
  .section .rodata
  .balign 16
  .globl vdso_image_start, vdso_image_end
  .hidden vdso_image_start, vdso_image_end
vdso_image_start:
  .incbin VDSO_FILE
vdso_image_end:
  .section .note.GNU-stack, "", @progbits
