# Boot programs of laboratory discs, built from tools/imglab/boot/ into ${PROJECT_BINARY_DIR}/boot/
# and linked into imglab as they are: etfsboot.com (BIOS), bootx64.efi (UEFI), efisys.bin (a FAT12
# volume that holds bootx64.efi). Same sources, same bytes: all dates are 1980-01-01.
# Debian packages: nasm gnu-efi mtools dosfstools.
find_program(NASM nasm REQUIRED)
find_program(MKFS_VFAT mkfs.vfat PATHS /usr/sbin /sbin REQUIRED)
find_program(MCOPY mcopy REQUIRED)
find_program(MMD mmd REQUIRED)
find_path(EFI_INCLUDE efi.h PATHS /usr/include/efi REQUIRED)
find_file(EFI_LDS elf_x86_64_efi.lds PATHS /usr/lib /usr/lib/gnuefi REQUIRED)
find_file(EFI_CRT0 crt0-efi-x86_64.o PATHS /usr/lib /usr/lib/gnuefi REQUIRED)

set(BOOT ${PROJECT_BINARY_DIR}/boot)
set(BOOT_SRC ${PROJECT_SOURCE_DIR}/tools/imglab/boot)
file(MAKE_DIRECTORY ${BOOT})

add_custom_command(OUTPUT ${BOOT}/etfsboot.com
	COMMAND ${NASM} -f bin -o ${BOOT}/etfsboot.com ${BOOT_SRC}/bios.asm
	DEPENDS ${BOOT_SRC}/bios.asm VERBATIM)

# gnu-efi's own recipe; not the project's flags, which are for programs with a C library
add_custom_command(OUTPUT ${BOOT}/bootx64.efi
	COMMAND gcc -I${EFI_INCLUDE} -I${EFI_INCLUDE}/x86_64 -O1 -Wall -Wextra -Werror -fpic -ffreestanding
		-fno-stack-protector -fshort-wchar -mno-red-zone -maccumulate-outgoing-args
		-c ${BOOT_SRC}/efi.c -o efi.o
	COMMAND ${CMAKE_LINKER} -nostdlib -znocombreloc -T ${EFI_LDS} -shared -Bsymbolic -L/usr/lib
		${EFI_CRT0} efi.o -o efi.so -lefi -lgnuefi
	COMMAND ${CMAKE_OBJCOPY} -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela
		-j .rel.* -j .rela.* -j .reloc --target efi-app-x86_64 --subsystem=10 efi.so bootx64.efi
	DEPENDS ${BOOT_SRC}/efi.c WORKING_DIRECTORY ${BOOT} VERBATIM)

add_custom_command(OUTPUT ${BOOT}/efisys.bin
	COMMAND ${CMAKE_COMMAND} -E rm -f efisys.bin
	COMMAND truncate -s 1474560 efisys.bin
	COMMAND ${MKFS_VFAT} -F12 -i 12345678 --invariant efisys.bin
	COMMAND ${CMAKE_COMMAND} -E env SOURCE_DATE_EPOCH=315532800 TZ=UTC
		${MMD} -i efisys.bin ::/EFI ::/EFI/BOOT
	COMMAND ${CMAKE_COMMAND} -E env SOURCE_DATE_EPOCH=315532800 TZ=UTC
		${MCOPY} -i efisys.bin bootx64.efi ::/EFI/BOOT/BOOTX64.EFI
	DEPENDS ${BOOT}/bootx64.efi WORKING_DIRECTORY ${BOOT} VERBATIM)

# Objects with the symbols _binary_NAME_start and _binary_NAME_end.
set(BOOT_OBJECTS)
foreach(name etfsboot.com bootx64.efi efisys.bin)
	add_custom_command(OUTPUT ${BOOT}/${name}.o
		COMMAND ${CMAKE_LINKER} -r -z noexecstack -b binary -o ${name}.o ${name}
		DEPENDS ${BOOT}/${name} WORKING_DIRECTORY ${BOOT} VERBATIM)
	list(APPEND BOOT_OBJECTS ${BOOT}/${name}.o)
endforeach()
set_source_files_properties(${BOOT_OBJECTS} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
add_custom_target(bootprogs ALL DEPENDS ${BOOT_OBJECTS})
if(TARGET imglab)
	target_sources(imglab PRIVATE ${BOOT_OBJECTS})
	add_dependencies(imglab bootprogs)
endif()
