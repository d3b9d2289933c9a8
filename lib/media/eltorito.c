/* The boot catalogue (El Torito 1.0; UEFI 2.11 section 13.3.2.1). */
#include "media/internal.h"

#include <string.h>

#define CATALOGUE_ENTRY 32u
/* Bytes compared at once. */
#define COMPARE_BYTES (64u << 10)
/* Bytes of a boot image that is compared with files; an EFI image has 1.4 MB, rarely 3. */
#define IMAGE_MAX (64u << 20)
/* Files of an image's size that are compared on one disc; on Windows media these are four at most. */
#define CANDIDATES_MAX 16u

const char *ib_media_catalogue_fault(const uint8_t *sector)
{
	unsigned sum = 0;

	if (sector[0] != 1)
		return "it does not begin with a validation entry";
	if (sector[30] != 0x55 || sector[31] != 0xAA)
		return "its key bytes are not 55 AA";
	for (unsigned i = 0; i < CATALOGUE_ENTRY; i += 2)
		sum += ib_le16(sector + i);
	return (sum & 0xFFFF) ? "the words of its validation entry do not sum to 0" : NULL;
}

/* Files by the byte they begin at; the first in order where several share their bytes. */
static GHashTable *files_by_start(const struct ib_media *m)
{
	GHashTable *starts = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

	for (guint i = 0; i < m->entries->len; i++) {
		const struct ib_media_entry *e = &g_array_index(m->entries, struct ib_media_entry, i);
		if (!e->extent_count)
			continue;
		gint64 key = (gint64)e->extents[0].offset;
		if (!g_hash_table_contains(starts, &key))
			g_hash_table_insert(starts, g_memdup2(&key, sizeof key), (void *)e);
	}
	return starts;
}

static void add_boot(struct ib_media *m, GHashTable *starts, uint8_t platform, const uint8_t *p)
{
	/* 0x88 = bootable; floppy and disk emulation is not what Windows discs use */
	if (p[0] != 0x88 || (p[1] & 15) != 0)
		return;
	struct ib_media_boot boot = { .platform = platform, .sectors = ib_le16(p + 6), .lba = ib_le32(p + 8) };
	gint64 key = (gint64)boot.lba * IB_MEDIA_SECTOR;
	boot.entry = g_hash_table_lookup(starts, &key);
	g_array_append_val(m->boots, boot);
}

/* Bytes of the FAT volume that begins at a place (its boot sector's BPB); 0 when there is none. */
static bool fat_size(struct ib_input *in, uint64_t offset, uint64_t *ret, struct ib_error **err)
{
	uint8_t p[512];

	*ret = 0;
	if (offset > ib_input_size(in) || ib_input_size(in) - offset < sizeof p)
		return true;
	if (!ib_input_read(in, offset, p, sizeof p, err))
		return false;
	uint64_t count = ib_le16(p + 19) ? ib_le16(p + 19) : ib_le32(p + 32);
	if (p[510] == 0x55 && p[511] == 0xAA)
		*ret = count * ib_le16(p + 11);
	return true;
}

/* Where a boot image lies by its own word; length 0 when it does not say. */
static bool image_extent(const struct ib_media *m, const struct ib_media_boot *boot, struct ib_extent *ret,
			 struct ib_error **err)
{
	*ret = (struct ib_extent){ .offset = (uint64_t)boot->lba * IB_MEDIA_SECTOR, .length = boot->sectors * 512u };
	if (boot->platform == IB_MEDIA_EFI && boot->sectors < 2)
		return fat_size(m->in, ret->offset, &ret->length, err);
	return true;
}

static bool same_bytes(const struct ib_media *m, const struct ib_extent *image, const struct ib_media_entry *e,
		       bool *ret, struct ib_error **err)
{
	g_autofree uint8_t *a = g_malloc(COMPARE_BYTES);
	g_autofree uint8_t *b = g_malloc(COMPARE_BYTES);
	ib_auto_input file = NULL;

	if (!ib_media_file(m, e, &file, err))
		return false;
	*ret = true;
	for (uint64_t at = 0; at < image->length && *ret; at += COMPARE_BYTES) {
		size_t n = (size_t)MIN(image->length - at, COMPARE_BYTES);
		if (!ib_input_read(m->in, image->offset + at, a, n, err) || !ib_input_read(file, at, b, n, err))
			return false;
		*ret = memcmp(a, b, n) == 0;
	}
	return true;
}

/* Some discs hold a boot image twice, as such and as a file: find a file of the same bytes. */
static bool match_by_bytes(const struct ib_media *m, struct ib_media_boot *boot, unsigned *tries, struct ib_error **err)
{
	struct ib_extent image;

	if (!image_extent(m, boot, &image, err))
		return false;
	uint64_t total = ib_input_size(m->in);
	if (image.length == 0 || image.length > IMAGE_MAX || image.offset > total || image.length > total - image.offset)
		return true;
	for (guint i = 0; i < m->entries->len && !boot->entry && *tries < CANDIDATES_MAX; i++) {
		const struct ib_media_entry *e = &g_array_index(m->entries, struct ib_media_entry, i);
		bool same = false;
		if (e->is_dir || e->size != image.length)
			continue;
		(*tries)++;
		if (!same_bytes(m, &image, e, &same, err))
			return false;
		boot->entry = same ? e : NULL;
	}
	return true;
}

bool ib_media_read_eltorito(struct ib_media *m, uint32_t boot_lsn, struct ib_error **err)
{
	uint8_t sector[IB_MEDIA_SECTOR];

	if (!ib_media_sector(m->in, boot_lsn, sector, err))
		return false;
	uint32_t lsn = ib_le32(sector + 71);
	if (!ib_media_sector(m->in, lsn, sector, err))
		return ib_while(err, "reading the boot catalogue");
	const char *fault = ib_media_catalogue_fault(sector);
	if (fault)
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %u: the boot catalogue is bad: %s", ib_input_name(m->in), lsn,
				fault);
	g_autoptr(GHashTable) starts = files_by_start(m);
	add_boot(m, starts, sector[1], sector + CATALOGUE_ENTRY);
	/* sections: a header (0x90, the last one 0x91) with platform and count, then that many entries */
	uint8_t platform = 0;
	unsigned left = 0, tries = 0;
	for (unsigned at = 2 * CATALOGUE_ENTRY; at < sizeof sector; at += CATALOGUE_ENTRY) {
		const uint8_t *p = sector + at;
		if (p[0] == 0x44) /* extends the entry before */
			continue;
		if (left == 0 && p[0] != 0x90 && p[0] != 0x91)
			break;
		if (left == 0) {
			platform = p[1];
			left = ib_le16(p + 2);
		} else {
			add_boot(m, starts, platform, p);
			left--;
		}
	}
	for (guint i = 0; i < m->boots->len; i++) {
		struct ib_media_boot *boot = &g_array_index(m->boots, struct ib_media_boot, i);
		if (!boot->entry && !match_by_bytes(m, boot, &tries, err))
			return ib_while(err, "looking for the file of a boot image");
	}
	return true;
}

bool ib_media_boot_input(const struct ib_media *m, const struct ib_media_boot *boot, struct ib_input **ret,
			 struct ib_error **err)
{
	struct ib_extent extent;
	g_autofree char *name = NULL;

	if (boot->entry)
		return ib_media_file(m, boot->entry, ret, err);
	if (!image_extent(m, boot, &extent, err))
		return false;
	if (extent.length == 0)
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %u: the boot image has no size: it is no FAT volume",
				ib_input_name(m->in), boot->lba);
	name = g_strdup_printf("%s:boot image at sector %u", ib_input_name(m->in), boot->lba);
	return ib_input_part(m->in, &extent, 1, name, ret, err);
}
