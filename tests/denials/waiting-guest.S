# SPDX-License-Identifier: Apache-2.0
#
# A kernel that does nothing but wait, for guests whose own doings do not matter:
# it is built in a moment. Starts as a PV guest and as a PVH one.

	.text
	.code64
	.global	pv_entry
pv_entry:
	mov	%rsp, %rbp
	sub	$32, %rsp
1:	movq	$0, (%rsp)		# struct sched_poll without ports or time-out
	movl	$0, 8(%rsp)
	movq	$0, 16(%rsp)
	mov	$29, %eax		# sched_op
	mov	$3, %edi		# SCHEDOP_poll
	mov	%rsp, %rsi
	syscall
	jmp	1b

	.code32
	.global	pvh_entry
pvh_entry:
	sti
2:	hlt
	jmp	2b

	.bss
	.balign	4096
	.skip	4096

	.macro	note type, size, value:vararg
	.pushsection .note.Xen, "a", @note
	.balign	4
	.long	4, 4f - 3f, \type
	.asciz	"Xen"
3:	\size	\value
4:	.balign	4
	.popsection
	.endm

	note	5, .asciz, "xen-3.0"			# XEN_VERSION
	note	6, .asciz, "linux"			# GUEST_OS
	note	8, .asciz, "generic"			# LOADER
	note	3, .quad, 0xffffffff80000000		# VIRT_BASE
	note	1, .quad, pv_entry			# ENTRY
	note	9, .asciz, "yes"			# PAE_MODE
	note	18, .long, pvh_entry - 0xffffffff80000000	# PHYS32_ENTRY
