; The BIOS boot image of laboratory discs: 4096 bytes, no emulation, loaded at 0000:7C00.
; Says on COM1 how far it came, then stops the virtual machine through port 0x501
; (isa-debug-exit): 0x10 = all well (exit status 33), 0x11 = not (exit status 35).

bits 16
org 0x7C00

COM1 equ 0x3F8
EXIT equ 0x501
LSN  equ 16			; the first volume descriptor
BUFFER equ 0x6000		; one sector of 2048 bytes, below this image

start:
	jmp 0:main		; whatever segment the BIOS chose
main:
	xor ax, ax
	mov ds, ax
	mov es, ax
	cli
	mov ss, ax
	mov sp, 0x5000
	sti
	cld
	mov [drive], dl

	mov dx, COM1 + 3	; 115200 baud, 8N1
	mov al, 0x80
	out dx, al
	mov dx, COM1
	mov al, 1
	out dx, al
	inc dx
	xor al, al
	out dx, al
	mov dx, COM1 + 3
	mov al, 3
	out dx, al

	mov si, hello
	call print

	mov ah, 0x42		; INT 13h extensions: read by sector number
	mov dl, [drive]
	mov si, packet
	int 0x13
	jc bad
	mov si, BUFFER + 1
	mov di, magic
	mov cx, 5
	repe cmpsb
	jne bad
	mov si, descriptor
	call print
	mov si, tail		; in the last of the eight 512-byte sectors
	call print
	mov al, 0x10
	jmp stop
bad:
	mov si, failed
	call print
	mov al, 0x11
stop:
	mov dx, EXIT
	out dx, al
hang:
	hlt
	jmp hang

; SI: text, ended by 0
print:
	lodsb
	test al, al
	jz .done
	mov ah, al
	mov dx, COM1 + 5
.wait:
	in al, dx
	test al, 0x20
	jz .wait
	mov dx, COM1
	mov al, ah
	out dx, al
	jmp print
.done:
	ret

hello:	db "BIOSBOOT-OK", 13, 10, 0
descriptor: db "CD001 found in sector 16", 13, 10, 0
failed:	db "BIOSBOOT-FAILED: sector 16 cannot be read", 13, 10, 0
magic:	db "CD001"
drive:	db 0

align 4
packet:	db 16, 0
	dw 1			; sectors
	dw BUFFER, 0		; offset, segment
	dq LSN

	times 3584 - ($ - $$) db 0
tail:	db "all eight sectors were loaded", 13, 10, 0
	times 4096 - ($ - $$) db 0
