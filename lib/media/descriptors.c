/* Writing UDF 1.02's descriptors: volume, file set, folders and files. */
#include "media/writer_internal.h"

#include "digest/digest.h"

#include <string.h>

/* Revision 1.02 in the suffix of a UDF identifier. */
#define REVISION 0x0102u

#define ICB_FLAGS 0x0210u         /* short descriptors, not to be moved, contiguous */
#define ICB_ARCHIVE 0x0020u
#define PERMISSIONS_FILE 0x1084u  /* r--r--r-- */
#define PERMISSIONS_DIR 0x14A5u   /* r-xr-xr-x */

/* Bytes of descriptors written at once. */
#define BATCH (256u << 10)

/* ---- fields ---- */

static void fill_regid(uint8_t *p, uint8_t flags, const char *id)
{
	memset(p, 0, 32);
	p[0] = flags;
	memcpy(p + 1, id, strlen(id));
}

void ib_media_fill_implementation(uint8_t *p)
{
	fill_regid(p, 0, "*imgbuild");
}

void ib_media_fill_domain(uint8_t *p)
{
	fill_regid(p, 0, "*OSTA UDF Compliant");
	ib_put_le16(p + 24, REVISION);
}

void ib_media_fill_charset(uint8_t *p)
{
	memset(p, 0, 64);
	memcpy(p + 1, "OSTA Compressed Unicode", 23);
}

static void fill_long_ad(uint8_t *p, uint32_t bytes, uint32_t lbn)
{
	memset(p, 0, 16);
	ib_put_le32(p, bytes);
	ib_put_le32(p + 4, lbn);
}

/* Sixteen digits that name this volume: the caller's, or from all that it holds but the files' bytes. */
static char *set_id(const struct ib_media_writer *w)
{
	uint8_t hash[IB_SHA256_SIZE];

	if (w->set_id)
		return g_strdup(w->set_id);
	g_autoptr(GString) text = g_string_new(NULL);
	g_string_append_printf(text, "%s\n%" PRId64 "\n", w->label, w->epoch);
	for (guint i = 0; i < w->files->len; i++) {
		const struct node *n = w->files->pdata[i];
		g_string_append_printf(text, "%s\n%" PRIu64 "\n", n->path, n->size);
	}
	ib_digest_bytes(IB_DIGEST_SHA256, text->str, text->len, hash);
	return ib_hex(hash, 8);
}

/* ---- volume descriptors ---- */

static bool fill_primary(const struct ib_media_writer *w, uint8_t *p)
{
	g_autofree char *id = set_id(w);
	g_autofree char *set = g_strconcat(id, w->label, NULL);

	bool ok = ib_media_dstring_encode(w->label, p + 24, 32) && ib_media_dstring_encode(set, p + 72, 128);
	ib_put_le16(p + 56, 1);
	ib_put_le16(p + 58, 1);
	ib_put_le16(p + 60, 2);
	ib_put_le16(p + 62, 2);
	ib_put_le32(p + 64, 1);
	ib_put_le32(p + 68, 1);
	ib_media_fill_charset(p + 200);
	ib_media_fill_charset(p + 264);
	ib_media_time_encode(w->epoch, p + 376);
	ib_media_fill_implementation(p + 388);
	return ok;
}

static bool fill_implementation_use(const struct ib_media_writer *w, uint8_t *p)
{
	ib_put_le32(p + 16, 1);
	fill_regid(p + 20, 0, "*UDF LV Info");
	ib_put_le16(p + 44, REVISION);
	ib_media_fill_charset(p + 52);
	ib_media_fill_implementation(p + 352);
	return ib_media_dstring_encode(w->label, p + 116, 128);
}

static void fill_partition(uint64_t total, uint8_t *p)
{
	ib_put_le32(p + 16, 2);
	ib_put_le16(p + 20, 1);
	fill_regid(p + 24, 2, "+NSR02");
	ib_put_le32(p + 184, 1);
	ib_put_le32(p + 188, PARTITION_LSN);
	ib_put_le32(p + 192, (uint32_t)(total - 1 - PARTITION_LSN));
	ib_media_fill_implementation(p + 196);
}

static bool fill_logical(const struct ib_media_writer *w, uint8_t *p)
{
	ib_put_le32(p + 16, 3);
	ib_media_fill_charset(p + 20);
	ib_put_le32(p + 212, IB_MEDIA_SECTOR);
	ib_media_fill_domain(p + 216);
	fill_long_ad(p + 248, FILESET_BLOCKS * IB_MEDIA_SECTOR, 0);
	ib_put_le32(p + 264, 6);
	ib_put_le32(p + 268, 1);
	ib_media_fill_implementation(p + 272);
	ib_put_le32(p + 432, 2 * IB_MEDIA_SECTOR);
	ib_put_le32(p + 436, LVID_LSN);
	p[440] = 1; /* partition map: type 1, 6 bytes, volume 1, partition 0 */
	p[441] = 6;
	ib_put_le16(p + 442, 1);
	return ib_media_dstring_encode(w->label, p + 84, 128);
}

static bool fill_sequence(const struct ib_media_writer *w, uint64_t total, uint8_t *p, uint32_t lsn)
{
	if (!fill_primary(w, p) || !fill_implementation_use(w, p + IB_MEDIA_SECTOR) ||
	    !fill_logical(w, p + 3 * IB_MEDIA_SECTOR))
		return false;
	fill_partition(total, p + 2 * IB_MEDIA_SECTOR);
	ib_put_le32(p + 4 * IB_MEDIA_SECTOR + 16, 4);
	ib_media_tag_write(p, TAG_PVD, 496, lsn);
	ib_media_tag_write(p + IB_MEDIA_SECTOR, TAG_IUVD, 496, lsn + 1);
	ib_media_tag_write(p + 2 * IB_MEDIA_SECTOR, TAG_PD, 496, lsn + 2);
	ib_media_tag_write(p + 3 * IB_MEDIA_SECTOR, TAG_LVD, 430, lsn + 3);
	ib_media_tag_write(p + 4 * IB_MEDIA_SECTOR, TAG_USD, 8, lsn + 4);
	ib_media_tag_write(p + 5 * IB_MEDIA_SECTOR, TAG_TD, 496, lsn + 5);
	return true;
}

static void fill_integrity(const struct ib_media_writer *w, uint64_t total, uint8_t *p)
{
	ib_media_time_encode(w->epoch, p + 16);
	ib_put_le32(p + 28, 1); /* closed */
	/* the root is the one folder whose id is not in the sequence */
	ib_put_le64(p + 40, UNIQUE_FIRST + w->dirs->len - 1 + w->files->len);
	ib_put_le32(p + 72, 1);
	ib_put_le32(p + 76, 46);
	ib_put_le32(p + 84, (uint32_t)(total - 1 - PARTITION_LSN));
	ib_media_fill_implementation(p + 88);
	ib_put_le32(p + 120, w->files->len);
	ib_put_le32(p + 124, w->dirs->len);
	for (unsigned at = 128; at <= 132; at += 2)
		ib_put_le16(p + at, REVISION);
	ib_media_tag_write(p, TAG_LVID, 118, LVID_LSN);
	ib_media_tag_write(p + IB_MEDIA_SECTOR, TAG_TD, 496, LVID_LSN + 1);
}

void ib_media_fill_anchor(uint8_t *p, uint32_t lsn)
{
	ib_put_le32(p + 16, VDS_SECTORS * IB_MEDIA_SECTOR);
	ib_put_le32(p + 20, MAIN_VDS_LSN);
	ib_put_le32(p + 24, VDS_SECTORS * IB_MEDIA_SECTOR);
	ib_put_le32(p + 28, RESERVE_VDS_LSN);
	ib_media_tag_write(p, TAG_AVDP, 496, lsn);
}

bool ib_media_fill_head(const struct ib_media_writer *w, uint64_t total, uint8_t *head, struct ib_error **err)
{
	ib_media_fill_iso9660(w, total, head);
	if (!fill_sequence(w, total, head + MAIN_VDS_LSN * IB_MEDIA_SECTOR, MAIN_VDS_LSN) ||
	    !fill_sequence(w, total, head + RESERVE_VDS_LSN * IB_MEDIA_SECTOR, RESERVE_VDS_LSN))
		return ib_throw(err, IB_ERR_INPUT, "volume label '%s' does not fit into its fields", w->label);
	fill_integrity(w, total, head + LVID_LSN * IB_MEDIA_SECTOR);
	ib_media_fill_anchor(head + ANCHOR_LSN * IB_MEDIA_SECTOR, ANCHOR_LSN);
	return true;
}

/* ---- partition ---- */

/* Blocks of the partition in order, written in batches. */
struct sink {
	const struct ib_media_writer *w;
	GByteArray *buf;
	uint64_t at; /* byte in the image where buf begins */
};

static bool sink_flush(struct sink *s, struct ib_error **err)
{
	if (!ib_output_write(&s->w->out, s->at, s->buf->data, s->buf->len, err))
		return false;
	s->at += s->buf->len;
	g_byte_array_set_size(s->buf, 0);
	return true;
}

/* Append bytes and zeros up to the next block. */
static bool sink_put(struct sink *s, const uint8_t *p, size_t len, struct ib_error **err)
{
	static const uint8_t zeros[IB_MEDIA_SECTOR];

	g_byte_array_append(s->buf, p, (guint)len);
	if (len % IB_MEDIA_SECTOR)
		g_byte_array_append(s->buf, zeros, (guint)(IB_MEDIA_SECTOR - len % IB_MEDIA_SECTOR));
	return s->buf->len < BATCH || sink_flush(s, err);
}

static bool put_fileset(const struct ib_media_writer *w, struct sink *s, struct ib_error **err)
{
	uint8_t p[FILESET_BLOCKS * IB_MEDIA_SECTOR] = { 0 };
	const struct node *root = w->root;

	ib_media_time_encode(w->epoch, p + 16);
	ib_put_le16(p + 28, 3);
	ib_put_le16(p + 30, 3);
	ib_put_le32(p + 32, 1);
	ib_put_le32(p + 36, 1);
	ib_media_fill_charset(p + 48);
	ib_media_fill_charset(p + 240);
	if (!ib_media_dstring_encode(w->label, p + 112, 128) || !ib_media_dstring_encode(w->label, p + 304, 32))
		return ib_throw(err, IB_ERR_INPUT, "volume label '%s' does not fit into its fields", w->label);
	fill_long_ad(p + 400, IB_MEDIA_SECTOR, root->entry_lbn);
	ib_media_fill_domain(p + 416);
	ib_media_tag_write(p, TAG_FSD, 496, 0);
	ib_media_tag_write(p + IB_MEDIA_SECTOR, TAG_TD, 496, 1);
	return sink_put(s, p, sizeof p, err);
}

/* Short allocation descriptors of contiguous data; returns the bytes they take. */
static uint32_t fill_extents(uint8_t *p, const struct node *n)
{
	uint64_t left = n->size;
	uint32_t lbn = n->data_lbn, used = 0;

	while (left > 0) {
		uint32_t length = (uint32_t)MIN(left, AD_CHUNK);
		ib_put_le32(p + used, length);
		ib_put_le32(p + used + 4, lbn);
		used += 8;
		left -= length;
		lbn += AD_CHUNK / IB_MEDIA_SECTOR;
	}
	return used;
}

static uint16_t count_links(const struct node *n)
{
	unsigned links = 1;

	for (guint i = 0; n->is_dir && i < n->children->len; i++)
		links += ((const struct node *)n->children->pdata[i])->is_dir;
	return (uint16_t)MIN(links, UINT16_MAX);
}

static bool put_entry(const struct ib_media_writer *w, struct sink *s, const struct node *n, struct ib_error **err)
{
	uint8_t p[IB_MEDIA_SECTOR] = { 0 };

	ib_put_le16(p + 20, 4);
	ib_put_le16(p + 24, 1);
	p[27] = n->is_dir ? 4 : 5;
	ib_put_le16(p + 34, n->is_dir ? ICB_FLAGS : ICB_FLAGS | ICB_ARCHIVE);
	ib_put_le32(p + 36, UINT32_MAX);
	ib_put_le32(p + 40, UINT32_MAX);
	ib_put_le32(p + 44, n->is_dir ? PERMISSIONS_DIR : PERMISSIONS_FILE);
	ib_put_le16(p + 48, count_links(n));
	ib_put_le64(p + 56, n->size);
	ib_put_le64(p + 64, sectors_of(n->size));
	for (unsigned at = 72; at <= 96; at += 12)
		ib_media_time_encode(CLAMP(n->mtime, 0, w->epoch), p + at);
	ib_put_le32(p + 108, 1);
	ib_media_fill_implementation(p + 128);
	ib_put_le64(p + 160, n->unique_id);
	uint32_t used = fill_extents(p + 176, n);
	ib_put_le32(p + 172, used);
	ib_media_tag_write(p, TAG_FE, 160 + used, n->entry_lbn);
	return sink_put(s, p, sizeof p, err);
}

/* A file identifier: name is NULL for the parent. `at` is its place in the folder. */
static void append_identifier(GByteArray *data, const struct node *dir, const struct node *target, const char *name)
{
	uint8_t p[38 + 255 + 3] = { 0 };
	size_t used = name ? ib_media_cs0_encode(name, p + 38, 254 + 1) : 0;
	uint32_t lbn = dir->data_lbn + data->len / IB_MEDIA_SECTOR;

	ib_put_le16(p + 16, 1);
	p[18] = (uint8_t)((target->is_dir ? 0x02 : 0) | (name ? 0 : 0x08));
	p[19] = (uint8_t)used;
	fill_long_ad(p + 20, IB_MEDIA_SECTOR, target->entry_lbn);
	ib_put_le32(p + 20 + 12, target->unique_id);
	ib_media_tag_write(p, TAG_FID, identifier_size(used) - 16, lbn);
	g_byte_array_append(data, p, (guint)identifier_size(used));
}

static bool put_dir(const struct ib_media_writer *w, struct sink *s, const struct node *dir, struct ib_error **err)
{
	g_autoptr(GByteArray) data = g_byte_array_new();

	append_identifier(data, dir, dir->parent, NULL);
	for (guint i = 0; i < dir->children->len; i++) {
		const struct node *n = dir->children->pdata[i];
		append_identifier(data, dir, n, n->name);
	}
	return put_entry(w, s, dir, err) && sink_put(s, data->data, data->len, err);
}

static bool put_partition(const struct ib_media_writer *w, struct sink *s, struct ib_error **err)
{
	if (!put_fileset(w, s, err))
		return false;
	for (guint i = 0; i < w->dirs->len; i++)
		if (!put_dir(w, s, w->dirs->pdata[i], err))
			return false;
	for (guint i = 0; i < w->files->len; i++)
		if (!put_entry(w, s, w->files->pdata[i], err))
			return false;
	return sink_flush(s, err);
}

/* The head comes last: until then this is no disc. */
bool ib_media_write_descriptors(const struct ib_media_writer *w, uint64_t total, struct ib_error **err)
{
	uint8_t anchor[IB_MEDIA_SECTOR] = { 0 };
	g_autofree uint8_t *head = g_malloc0(PARTITION_LSN * IB_MEDIA_SECTOR);
	g_autoptr(GByteArray) buf = g_byte_array_new();
	struct sink s = { .w = w, .buf = buf, .at = PARTITION_LSN * IB_MEDIA_SECTOR };

	ib_media_fill_anchor(anchor, (uint32_t)(total - 1));
	return put_partition(w, &s, err) &&
	       ib_output_write(&w->out, (total - 1) * IB_MEDIA_SECTOR, anchor, sizeof anchor, err) &&
	       ib_media_fill_head(w, total, head, err) &&
	       ib_output_write(&w->out, 0, head, PARTITION_LSN * IB_MEDIA_SECTOR, err);
}
