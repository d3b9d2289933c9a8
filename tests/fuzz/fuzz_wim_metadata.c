/*
 * Any bytes as the metadata of an image, which no SHA-1 keeps out: the input is put into a WIM of its own, with the right
 * digest and with two contents its entries may name. A tree that is read must be the same tree after it was written anew.
 */
#include <stdlib.h>
#include <string.h>

#include "digest/digest.h"
#include "wim/wim.h"

#define HEADER 208
#define ENTRY 50
/* SHA-1 of the contents: twenty times this byte, which a fuzzer finds. They are only counted, never read. */
static const char fills[] = "ab";
static const char xml[] = "<WIM><IMAGE INDEX=\"1\"/></WIM>";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Size, flags and offset, as header and blob table have them. */
static void reshdr(uint8_t *p, uint64_t at, uint64_t size)
{
	ib_put_le64(p, size | (uint64_t)2 << 56);
	ib_put_le64(p + 8, at);
	ib_put_le64(p + 16, size);
}

static void entry(GByteArray *out, uint64_t at, uint64_t size, bool metadata, const uint8_t hash[20])
{
	uint8_t e[ENTRY] = { 0 };

	reshdr(e, at, size);
	e[7] = metadata ? 2 : 0;
	e[24] = 1;
	e[26] = 1;
	memcpy(e + 30, hash, 20);
	g_byte_array_append(out, e, sizeof e);
}

/* An uncompressed WIM of one image. */
static GBytes *wim_around(const uint8_t *data, size_t size)
{
	GByteArray *out = g_byte_array_new();
	uint8_t hash[20];

	g_byte_array_set_size(out, HEADER);
	memset(out->data, 0, HEADER);
	g_byte_array_append(out, data, (guint)size);
	g_byte_array_append(out, (const uint8_t *)fills, sizeof fills);
	uint64_t table = out->len;
	ib_digest_bytes(IB_DIGEST_SHA1, data, size, hash);
	entry(out, HEADER, size, true, hash);
	for (size_t i = 0; fills[i]; i++) {
		memset(hash, fills[i], sizeof hash);
		entry(out, HEADER + size + i, 1, false, hash);
	}
	uint64_t text = out->len;
	g_byte_array_append(out, (const uint8_t *)xml, sizeof xml - 1);
	memcpy(out->data, "MSWIM", 5);
	ib_put_le32(out->data + 8, HEADER);
	ib_put_le32(out->data + 12, 0x10d00);
	ib_put_le16(out->data + 40, 1);
	ib_put_le16(out->data + 42, 1);
	ib_put_le32(out->data + 44, 1);
	reshdr(out->data + 48, table, text - table);
	reshdr(out->data + 72, text, sizeof xml - 1);
	return g_byte_array_free_to_bytes(out);
}

static void add_hash(GString *out, const uint8_t *hash)
{
	static const uint8_t none[20];
	g_autofree char *hex = ib_hex(hash ? hash : none, 20);

	g_string_append_printf(out, "\t%s", hex);
}

/* All that the interface tells of a tree; link groups as "the n-th file with several names". */
static void describe(GString *out, struct ib_image *image, struct ib_node *node, GHashTable *groups)
{
	g_autofree char *path = ib_node_path(node);
	const char *alias = ib_node_short_name(node);
	GBytes *sd = ib_node_security(image, node);
	g_autofree char *hex = sd ? ib_hex(g_bytes_get_data(sd, NULL), g_bytes_get_size(sd)) : NULL;
	uint64_t group = ib_node_link_group(node);
	gpointer number = NULL;

	if (group && !(number = g_hash_table_lookup(groups, GSIZE_TO_POINTER(group)))) {
		number = GUINT_TO_POINTER(g_hash_table_size(groups) + 1);
		g_hash_table_insert(groups, GSIZE_TO_POINTER(group), number);
	}
	g_string_append_printf(out, "%s\t%s\t%x\t%" PRIu64 "\t%s\t%x\t%u\t%u", path, alias ? alias : "-", ib_node_attributes(node),
			       ib_node_write_time(node), hex ? hex : "-", ib_node_reparse_tag(node), GPOINTER_TO_UINT(number),
			       ib_node_link_count(image, node));
	add_hash(out, ib_node_hash(node));
	add_hash(out, ib_node_reparse_hash(node));
	for (unsigned i = 0; i < ib_node_stream_count(node); i++) {
		g_autofree char *name = ib_node_stream_name(node, i);
		g_string_append_printf(out, "\t%s", name);
		add_hash(out, ib_node_stream_hash(node, i));
	}
	g_string_append_c(out, '\n');
	for (struct ib_node *n = ib_node_first(node); n; n = ib_node_next(n))
		describe(out, image, n, groups);
}

/* @return owned by the caller; NULL when the file or its tree is refused */
static char *tree_of(GBytes *bytes, struct ib_wim **ret_wim)
{
	ib_auto_input in = ib_input_from_bytes(bytes, "fuzz");
	ib_auto_error err = NULL;
	struct ib_image *image;

	*ret_wim = NULL;
	if (!ib_wim_open(in, NULL, ret_wim, &err) || !ib_wim_image(*ret_wim, 1, &image, &err))
		return NULL;
	g_autoptr(GHashTable) groups = g_hash_table_new(NULL, NULL);
	GString *text = g_string_new(NULL);
	describe(text, image, ib_image_root(image), groups);
	return g_string_free(text, FALSE);
}

/* Write it with its metadata made anew; NULL when that is refused: an entry names content that is not there. */
static GBytes *rewrite(struct ib_wim *wim)
{
	ib_auto_fd fd = -1;
	ib_auto_error err = NULL;
	struct ib_image *image;
	struct ib_wim_write_options options = { .size = sizeof options };
	uint64_t size;

	if (!ib_file_temp(g_get_tmp_dir(), &fd, &err) || !ib_wim_image(wim, 1, &image, &err))
		return NULL;
	struct ib_node *root = ib_image_root(image);
	ib_node_set_attributes(image, root, ib_node_attributes(root)); /* edited */
	struct ib_output out = { .fd = fd, .name = "fuzz" };
	if (!ib_wim_write(wim, &out, &options, &size, &err))
		return NULL;
	uint8_t *buf = g_malloc(size);
	if (!ib_output_read(&out, 0, buf, size, &err))
		abort();
	return g_bytes_new_take(buf, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GBytes) first = wim_around(data, size), second = NULL;
	struct ib_wim *wim, *again;
	g_autofree char *before = tree_of(first, &wim), *after = NULL;

	if (before)
		second = rewrite(wim);
	if (second) {
		after = tree_of(second, &again);
		if (!after || strcmp(before, after) != 0)
			abort();
		ib_wim_free(again);
	}
	ib_wim_free(wim);
	return 0;
}
