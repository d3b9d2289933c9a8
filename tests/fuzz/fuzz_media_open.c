/*
 * Reads and verifies any bytes as a disc.
 *
 * A whole disc is too long for a fuzzer: most of it is empty. The input is a
 * list of sectors, each a 16-bit number, a 16-bit length and that many bytes,
 * put into an empty disc of 600 sectors. The upper bit of the number asks for
 * sound descriptor sums. make_media_corpus.py turns discs into such lists.
 */
#include "media/internal.h"

#include <string.h>

#define SECTORS 600u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Make the sums of a descriptor right, as an attacker would. */
static void sign(uint8_t *p)
{
	size_t len = MIN(ib_le16(p + 10), IB_MEDIA_SECTOR - 16);

	ib_media_tag_write(p, ib_le16(p), len, ib_le32(p + 12));
}

static void touch(const struct ib_media *media)
{
	for (size_t i = 0; i < ib_media_count(media); i++) {
		const struct ib_media_entry *e = ib_media_entry(media, i);
		ib_auto_input in = NULL;
		ib_auto_error err = NULL;
		uint8_t byte;
		if (ib_media_find(media, e->path) != e)
			g_error("'%s' is not found", e->path);
		if (e->is_dir)
			continue;
		if (!ib_media_file(media, e, &in, &err) || ib_input_size(in) != e->size ||
		    (e->size && !ib_input_read(in, e->size - 1, &byte, 1, &err)))
			g_error("'%s' cannot be read", e->path);
	}
	for (size_t i = 0; i < ib_media_boot_count(media); i++) {
		ib_auto_input in = NULL;
		ib_auto_error err = NULL;
		if (!ib_media_boot_input(media, ib_media_boot(media, i), &in, &err))
			continue;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *disc = g_malloc0(SECTORS * (size_t)IB_MEDIA_SECTOR);

	while (size > 4) {
		unsigned number = ib_le16(data);
		size_t n = MIN(MIN(size - 4, IB_MEDIA_SECTOR), ib_le16(data + 2));
		uint8_t *p = disc + (number & 0x7FFF) % SECTORS * (size_t)IB_MEDIA_SECTOR;
		memcpy(p, data + 4, n);
		if (number & 0x8000)
			sign(p);
		data += 4 + n;
		size -= 4 + n;
	}
	g_autoptr(GBytes) bytes = g_bytes_new_take(disc, SECTORS * (size_t)IB_MEDIA_SECTOR);
	ib_auto_input in = ib_input_from_bytes(bytes, "fuzz.iso");
	ib_auto_media media = NULL;
	ib_auto_error err = NULL;
	ib_auto_error verify_err = NULL;
	if (ib_media_open(in, &media, &err))
		touch(media);
	if (ib_media_verify(in, &verify_err) && err)
		g_error("verified, but not opened: %s", ib_error_cause(err));
	return 0;
}
