/**
 * media: installation discs, in and out.
 *
 * Reading: UDF (1.02 to 2.60, one type-1 partition) where there is a sound
 * volume, else ISO 9660 (Joliet names when present, multi-extent files). Nothing
 * is extracted: a file is a list of extents in the image.
 *
 * Writing: a UDF 1.02 bridge of the kind Windows media have: the ISO 9660 side
 * holds one README.TXT, all files lie in UDF only, El Torito names a BIOS and an
 * EFI image. A file whose size is not known beforehand (install.wim) is written
 * by the caller at its final place in the image. Descriptors are written last,
 * so that an unfinished image is no disc at all.
 *
 * Sources of the format facts: ECMA-167 (2nd edition for NSR02), OSTA UDF 1.02,
 * ECMA-119, the Joliet and El Torito specifications, UEFI 2.11 section 13.3.2.1.
 *
 * Paths use '/', have no leading slash, and are compared as Windows compares
 * names. Threads: a media may be read from any thread; a writer belongs to one
 * thread at a time.
 */
#ifndef IB_MEDIA_MEDIA_H
#define IB_MEDIA_MEDIA_H

#include "base/base.h"

/** Bytes of a sector; the only size in use on discs. */
#define IB_MEDIA_SECTOR 2048u
/** Folders above a file, at most; Windows media have about 6. */
#define IB_MEDIA_MAX_DEPTH 64u
/** Files and folders, at most; Windows media have about 1,000. */
#define IB_MEDIA_MAX_ENTRIES 500000u
/** Bytes of a file, at most: 234 allocation descriptors of 0x3FFFF800 bytes fill one file entry. */
#define IB_MEDIA_MAX_FILE (UINT64_C(234) * 0x3FFFF800u)
/** Characters of a volume label, at most: what the shortest of the label fields holds. */
#define IB_MEDIA_MAX_LABEL 30u

/* ---- reading ---- */

/** An open disc image. */
struct ib_media;

/** Which file system the entries come from. */
enum ib_media_kind {
	IB_MEDIA_UDF,     /**< UDF */
	IB_MEDIA_ISO9660, /**< ISO 9660, plain names ("SETUP.EXE", no ";1") */
	IB_MEDIA_JOLIET,  /**< ISO 9660, names of the Joliet tree */
};

/** One file or folder. The root itself is no entry. */
struct ib_media_entry {
	const char *path;                /**< "sources/install.wim"; as spelled on the disc */
	bool is_dir;
	uint64_t size;                   /**< bytes; 0 for a folder */
	int64_t mtime;                   /**< seconds since 1970-01-01 UTC; 0 when the disc does not say */
	const struct ib_extent *extents; /**< where the bytes lie in the image; none for a folder */
	size_t extent_count;
};

/** El Torito platforms. */
enum ib_media_platform {
	IB_MEDIA_BIOS = 0x00,
	IB_MEDIA_EFI = 0xEF,
};

/** One bootable El Torito entry (no emulation). */
struct ib_media_boot {
	uint8_t platform;                   /**< enum ib_media_platform, or another value as found */
	uint16_t sectors;                   /**< 512-byte sectors to load, as found; EFI: 0 or 1 = see the FAT volume */
	uint32_t lba;                       /**< 2048-byte sector the image begins at */
	const struct ib_media_entry *entry; /**< the file that begins there, else one of the same bytes, else NULL */
};

/**
 * Open a disc image and read its directory.
 *
 * @param in   the image; a reference is taken
 * @param ret  owned by the caller (ib_media_free)
 * Throws IB_ERR_INPUT, naming the image and the place: neither UDF nor ISO 9660,
 * bad checksum or CRC, extents outside the image, cycles, too many or too deep
 * folders, names that are no names ("..", separators), holes, equal names.
 */
bool ib_media_open(struct ib_input *in, struct ib_media **ret, struct ib_error **err) IB_MUST_CHECK;

/** Free; entries and boot entries die with it, inputs made by ib_media_file() do not. NULL is fine. */
void ib_media_free(struct ib_media *media);
/** Cleanup form. */
void ib_media_clear(struct ib_media **media);
#define ib_auto_media IB_CLEANUP(ib_media_clear) struct ib_media *

/** Which file system the entries come from. */
enum ib_media_kind ib_media_kind(const struct ib_media *media);
/** The volume label, may be empty; borrowed. */
const char *ib_media_label(const struct ib_media *media);
/** Number of files and folders. */
size_t ib_media_count(const struct ib_media *media);
/** Entry i, sorted by the bytes of the path within each folder, a folder before what is in it; borrowed. */
const struct ib_media_entry *ib_media_entry(const struct ib_media *media, size_t i);
/** The entry of a path, compared as Windows does ('\\' is also taken as separator); borrowed; NULL when there is none. */
const struct ib_media_entry *ib_media_find(const struct ib_media *media, const char *path);

/**
 * The bytes of a file, read straight from the image.
 *
 * @param entry  of this media, not a folder (IB_ERR_USAGE)
 * @param ret    owned by the caller (ib_input_unref); may outlive the media
 */
bool ib_media_file(const struct ib_media *media, const struct ib_media_entry *entry, struct ib_input **ret,
		   struct ib_error **err) IB_MUST_CHECK;

/** Number of bootable El Torito entries; 0 when the disc does not boot. */
size_t ib_media_boot_count(const struct ib_media *media);
/** Boot entry i in catalogue order; borrowed. */
const struct ib_media_boot *ib_media_boot(const struct ib_media *media, size_t i);

/**
 * The bytes of a boot image: those of its file when it has one; else as many
 * as the sector count says; for EFI with a count below 2 what the
 * FAT volume in it says (IB_ERR_INPUT when there is no FAT volume).
 *
 * @param ret  owned by the caller (ib_input_unref); may outlive the media
 */
bool ib_media_boot_input(const struct ib_media *media, const struct ib_media_boot *boot, struct ib_input **ret,
			 struct ib_error **err) IB_MUST_CHECK;

/* ---- writing ---- */

/** A disc being made. Order of calls: new, add…, start, (open, close)…, finish, free. */
struct ib_media_writer;

/** What a disc needs besides its files. Text is borrowed for the call. */
struct ib_media_options {
	const char *label;     /**< 1 to IB_MEDIA_MAX_LABEL printable ASCII characters */
	int64_t epoch;         /**< seconds since 1970-01-01 UTC, the time of the volume; no file is newer; years 1970 to 2155 */
	const char *set_id;    /**< 16 lower-case hex digits that tell this volume from others; NULL: from names, sizes, label, epoch */
	const char *bios_path; /**< file that is the BIOS boot image ("boot/etfsboot.com"), or NULL */
	const char *efi_path;  /**< file that is the EFI boot image ("efi/microsoft/boot/efisys.bin"), or NULL */
};

/** File time for "as the volume". */
#define IB_MEDIA_TIME_OF_VOLUME INT64_MAX

/** A new, empty disc. @param ret  owned by the caller (ib_media_writer_free). Throws IB_ERR_USAGE on bad options. */
bool ib_media_writer_new(const struct ib_media_options *options, struct ib_media_writer **ret, struct ib_error **err)
	IB_MUST_CHECK;

/** Free; NULL is fine. An image that was not finished is no disc: the caller removes it. */
void ib_media_writer_free(struct ib_media_writer *w);
/** Cleanup form. */
void ib_media_writer_clear(struct ib_media_writer **w);
#define ib_auto_media_writer IB_CLEANUP(ib_media_writer_clear) struct ib_media_writer *

/**
 * Add a folder; parents are added as needed, one that exists is fine.
 * Throws IB_ERR_INPUT for a name Windows does not take (characters, trailing dot
 * or blank, length: 254 characters of Latin-1, 127 UTF-16 units else), for a
 * path too deep, and where a file has that name.
 */
bool ib_media_writer_add_dir(struct ib_media_writer *w, const char *path, struct ib_error **err) IB_MUST_CHECK;

/**
 * Add a file; parents are added as needed.
 *
 * @param mtime  seconds since 1970-01-01 UTC; newer than the volume counts as IB_MEDIA_TIME_OF_VOLUME
 * @param in     its bytes; a reference is taken; copied by ib_media_writer_start()
 * Throws IB_ERR_INPUT as ib_media_writer_add_dir() does, when the name is taken
 * (also in another case), and for more than IB_MEDIA_MAX_FILE bytes.
 */
bool ib_media_writer_add_input(struct ib_media_writer *w, const char *path, int64_t mtime, struct ib_input *in,
			       struct ib_error **err) IB_MUST_CHECK;

/** The same from memory; a reference on bytes is taken. */
bool ib_media_writer_add_bytes(struct ib_media_writer *w, const char *path, int64_t mtime, GBytes *bytes,
			       struct ib_error **err) IB_MUST_CHECK;

/**
 * Add a file that will be written between ib_media_writer_open() and
 * ib_media_writer_close(). Cannot be a boot image.
 *
 * @param likely_bytes  what ib_media_writer_space() counts for it; the real size may differ
 */
bool ib_media_writer_reserve(struct ib_media_writer *w, const char *path, int64_t mtime, uint64_t likely_bytes,
			     struct ib_error **err) IB_MUST_CHECK;

/** Bytes of the whole image, with the likely sizes of reserved files (their real ones once known). */
uint64_t ib_media_writer_space(const struct ib_media_writer *w);

/**
 * Settle the layout and copy all files that are not reserved.
 *
 * @param out       the image, opened read-write, bytes from out->base on; fd and name must live until
 *                  finish; what lies there is overwritten
 * @param progress  counts the bytes of the files; may be NULL
 * Throws IB_ERR_USAGE when a boot image is not among the files, IB_ERR_INPUT when
 * a boot image has a size that cannot boot, and what the copy throws.
 */
bool ib_media_writer_start(struct ib_media_writer *w, const struct ib_output *out, struct ib_progress *progress,
			   struct ib_error **err) IB_MUST_CHECK;

/**
 * Begin a reserved file: it lies behind all that was written so far. The order
 * of these calls is the order on the disc; one file at a time.
 *
 * @param ret  where to write; offset 0 is the file's first byte; the name lives as long as the writer
 */
bool ib_media_writer_open(struct ib_media_writer *w, const char *path, struct ib_output *ret, struct ib_error **err)
	IB_MUST_CHECK;

/** The open reserved file is complete. @param size  its bytes; what was written behind them is dropped */
bool ib_media_writer_close(struct ib_media_writer *w, uint64_t size, struct ib_error **err) IB_MUST_CHECK;

/**
 * Write all descriptors, cut the image to its size and sync it. Every reserved
 * file must have been closed (IB_ERR_USAGE).
 *
 * @param ret_bytes  size of the image; may be NULL
 */
bool ib_media_writer_finish(struct ib_media_writer *w, uint64_t *ret_bytes, struct ib_error **err) IB_MUST_CHECK;

/* ---- verifying ---- */

/**
 * Check every structure of a UDF bridge: tags (checksum, CRC, place), both volume
 * descriptor sequences and both anchors, the integrity descriptor's counts against
 * the tree, extents (inside the partition, not overlapping unless two files share
 * the same ones, their sum against the size), the boot catalogue against the files,
 * the size in the ISO 9660 descriptor. The contents of files are not read.
 *
 * Throws IB_ERR_VERIFY, naming the image, the sector and what is wrong there;
 * IB_ERR_INPUT when it cannot be opened at all.
 */
bool ib_media_verify(struct ib_input *in, struct ib_error **err) IB_MUST_CHECK;

#endif
