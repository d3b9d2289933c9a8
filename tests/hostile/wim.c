/* Small WIMs that lie: each is refused with the right code and a cause that names what is wrong. */
#include <criterion/criterion.h>

#include <string.h>
#include <unistd.h>

#include "digest/digest.h"
#include "wim/wim.h"

/* A plain WIM: \dir\inner, \file (64 bytes), \other, with one descriptor. Offsets into its metadata are found below. */
static uint8_t *make(size_t *ret_size)
{
	struct ib_wim *wim = ib_wim_new(IB_WIM_NONE, 0, NULL);
	struct ib_wim_write_options options = { .size = sizeof options };
	struct ib_node_meta meta = { .attributes = IB_ATTR_ARCHIVE };
	uint8_t hash[IB_WIM_HASH_SIZE], content[64] = { 1 };
	struct ib_image *image;
	ib_auto_error err = NULL;
	ib_auto_fd fd = -1;
	uint64_t size = 0;

	ib_wim_add_image(wim, "image");
	cr_assert(ib_sddl_parse("O:SY", &meta.security, &err) && ib_wim_image(wim, 1, &image, &err) &&
		  ib_wim_add_bytes(wim, content, sizeof content, hash, &err) &&
		  ib_image_put(image, "file", hash, &meta, NULL, &err));
	content[0] = 2;
	cr_assert(ib_wim_add_bytes(wim, content, sizeof content, hash, &err) &&
		  ib_image_put(image, "other", hash, &meta, NULL, &err) &&
		  ib_image_mkdir(image, "dir\\inner", &meta, NULL, &err));
	g_bytes_unref(meta.security);
	cr_assert(ib_file_temp(g_get_tmp_dir(), &fd, &err));
	struct ib_output out = { .fd = fd, .name = "hostile" };
	cr_assert(ib_wim_write(wim, &out, &options, &size, &err));
	ib_wim_free(wim);
	uint8_t *data = g_malloc(size);
	cr_assert_eq(pread(fd, data, size, 0), (ssize_t)size);
	*ret_size = size;
	return data;
}

/* What a case may change: the file, its blob table (entry 0 is the metadata), the metadata and its entries. */
struct view {
	uint8_t *file, *table, *metadata;
	uint8_t *root, *dir, *leaf; /* "dir" and "file" are the first entries below the root */
};

static void look(uint8_t *file, struct view *v)
{
	v->file = file;
	v->table = file + ib_le64(file + 56);
	v->metadata = file + ib_le64(v->table + 8);
	v->root = v->metadata + ((ib_le32(v->metadata) + 7) & ~7u);
	v->dir = v->metadata + ib_le64(v->root + 16);
	v->leaf = v->dir + ib_le64(v->dir);
}

static void pipable(struct view *v) { memcpy(v->file, "WLPWM", 5); }
static void magic(struct view *v) { v->file[0] = 'X'; }
static void version(struct view *v) { ib_put_le32(v->file + 12, 0x10e00); }
static void split(struct view *v) { ib_put_le16(v->file + 42, 2); }
static void unfinished(struct view *v) { v->file[16] |= 0x40; }
static void no_compression(struct view *v) { v->file[16] |= 0x2; }
static void chunk_odd(struct view *v) { v->file[16] |= 0x2; v->file[18] |= 0x4; ib_put_le32(v->file + 20, 40000); }
static void images_many(struct view *v) { ib_put_le32(v->file + 44, 1000000); }
static void images_two(struct view *v) { ib_put_le32(v->file + 44, 2); }
static void images_none(struct view *v) { ib_put_le32(v->file + 44, 0); }
static void boot_beyond(struct view *v) { ib_put_le32(v->file + 120, 2); }
static void table_beyond(struct view *v) { ib_put_le64(v->file + 56, 1 << 30); }
static void table_two_sizes(struct view *v) { ib_put_le64(v->file + 64, 1 << 20); }
static void xml_beyond(struct view *v) { ib_put_le64(v->file + 80, UINT64_MAX - 5); }
static void blob_beyond(struct view *v) { ib_put_le64(v->table + 50 + 8, 1 << 30); }
static void blob_in_header(struct view *v) { ib_put_le64(v->table + 50 + 8, 100); }
static void blobs_overlap(struct view *v) { ib_put_le64(v->table + 50 + 8, ib_le64(v->table + 100 + 8) - 63); }
static void blob_other_part(struct view *v) { ib_put_le16(v->table + 50 + 24, 2); }
static void blob_two_sizes(struct view *v) { ib_put_le64(v->table + 50 + 16, 65); }
static void metadata_huge(struct view *v) { v->table[7] |= 4; ib_put_le64(v->table + 16, UINT64_C(1) << 50); }
static void metadata_hash(struct view *v) { v->table[30] ^= 1; }
static void security_total(struct view *v) { ib_put_le32(v->metadata, UINT32_MAX); }
static void security_count(struct view *v) { ib_put_le32(v->metadata + 4, 0x20000001); }
static void security_size(struct view *v) { ib_put_le64(v->metadata + 8, UINT64_MAX - 8); }
static void security_id(struct view *v) { ib_put_le32(v->leaf + 12, 1); }
static void security_negative(struct view *v) { ib_put_le32(v->leaf + 12, 0x80000000); }
static void root_file(struct view *v) { v->root[8] = 0x20; }
static void root_missing(struct view *v) { ib_put_le64(v->root, 0); }
static void cyclic(struct view *v) { ib_put_le64(v->dir + 16, ib_le64(v->root + 16)); }
static void children_beyond(struct view *v) { ib_put_le64(v->dir + 16, UINT64_MAX - 7); }
static void children_at_root(struct view *v) { ib_put_le64(v->dir + 16, (uint64_t)(v->root - v->metadata)); }
static void entry_short(struct view *v) { ib_put_le64(v->leaf, 50); }
static void entry_long(struct view *v) { ib_put_le64(v->leaf, UINT64_MAX); }
static void streams_many(struct view *v) { ib_put_le16(v->leaf + 96, 60000); }
static void name_long(struct view *v) { ib_put_le16(v->leaf + 100, 40000); }
static void name_odd(struct view *v) { ib_put_le16(v->leaf + 100, 7); }
static void name_nul(struct view *v) { ib_put_le16(v->leaf + 104, 0); }
static void name_slash(struct view *v) { ib_put_le16(v->leaf + 104, '/'); }
static void name_backslash(struct view *v) { ib_put_le16(v->leaf + 104, '\\'); }
static void name_empty(struct view *v) { ib_put_le16(v->leaf + 100, 0); }
static void name_dots(struct view *v) { ib_put_le16(v->leaf + 100, 4); memcpy(v->leaf + 102, ".\0.\0\0\0", 6); }
static void name_twice(struct view *v) { ib_put_le16(v->leaf + 100, 6); memcpy(v->leaf + 102, "d\0i\0r\0\0\0", 8); }

static const struct {
	const char *cause; /* a part of it */
	void (*change)(struct view *v);
	enum ib_code code;
} cases[] = {
	{ "pipable", pipable, IB_ERR_INPUT },
	{ "does not begin", magic, IB_ERR_INPUT },
	{ "format version", version, IB_ERR_INPUT },
	{ "split", split, IB_ERR_INPUT },
	{ "incomplete", unfinished, IB_ERR_INPUT },
	{ "compression is unknown", no_compression, IB_ERR_INPUT },
	{ "chunks of 40000 bytes", chunk_odd, IB_ERR_INPUT },
	{ "thousand images", images_many, IB_ERR_INPUT },
	{ "metadata resources", images_two, IB_ERR_INPUT },
	{ "metadata resources", images_none, IB_ERR_INPUT },
	{ "boot index", boot_beyond, IB_ERR_INPUT },
	{ "blob table", table_beyond, IB_ERR_INPUT },
	{ "two sizes", table_two_sizes, IB_ERR_INPUT },
	{ "XML data", xml_beyond, IB_ERR_INPUT },
	{ "the file has", blob_beyond, IB_ERR_INPUT },
	{ "the file has", blob_in_header, IB_ERR_INPUT },
	{ "overlap", blobs_overlap, IB_ERR_INPUT },
	{ "another part", blob_other_part, IB_ERR_INPUT },
	{ "two sizes", blob_two_sizes, IB_ERR_INPUT },
	{ "the whole file", metadata_huge, IB_ERR_INPUT },
	{ "should have SHA-1", metadata_hash, IB_ERR_VERIFY },
	{ "security table", security_total, IB_ERR_INPUT },
	{ "security table", security_count, IB_ERR_INPUT },
	{ "leaves its table", security_size, IB_ERR_INPUT },
	{ "not in the table", security_id, IB_ERR_INPUT },
	{ "not in the table", security_negative, IB_ERR_INPUT },
	{ "root directory", root_file, IB_ERR_INPUT },
	{ "root directory", root_missing, IB_ERR_INPUT },
	{ "share their lists", cyclic, IB_ERR_INPUT },
	{ "leaves the metadata", children_beyond, IB_ERR_INPUT },
	{ "cannot be a file's name", children_at_root, IB_ERR_INPUT },
	{ "does not fit", entry_short, IB_ERR_INPUT },
	{ "does not fit", entry_long, IB_ERR_INPUT },
	{ "do not fit", streams_many, IB_ERR_INPUT },
	{ "do not fit", name_long, IB_ERR_INPUT },
	{ "a name holds", name_odd, IB_ERR_INPUT },
	{ "a name holds", name_nul, IB_ERR_INPUT },
	{ "cannot be a file's name", name_slash, IB_ERR_INPUT },
	{ "cannot be a file's name", name_backslash, IB_ERR_INPUT },
	{ "cannot be a file's name", name_empty, IB_ERR_INPUT },
	{ "cannot be a file's name", name_dots, IB_ERR_INPUT },
	{ "occurs twice", name_twice, IB_ERR_INPUT },
};

/* The metadata's hash is made to fit what it now says, unless the hash itself was changed. */
static void change(uint8_t *file, unsigned i)
{
	struct view v;

	look(file, &v);
	g_autofree uint8_t *before = g_memdup2(v.metadata, ib_le32(v.table));
	cases[i].change(&v);
	if (memcmp(before, v.metadata, ib_le32(v.table)) != 0)
		ib_digest_bytes(IB_DIGEST_SHA1, v.metadata, ib_le32(v.table), v.table + 30);
}

Test(wim, lies_are_refused)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct ib_wim *wim = NULL;
		struct ib_image *image;
		ib_auto_error err = NULL;
		size_t size;
		uint8_t *file = make(&size);
		change(file, i);
		g_autoptr(GBytes) bytes = g_bytes_new_take(file, size);
		ib_auto_input in = ib_input_from_bytes(bytes, "lie.wim");
		bool ok = ib_wim_open(in, NULL, &wim, &err) && ib_wim_image(wim, 1, &image, &err);
		cr_expect_not(ok, "case %u (%s) was accepted", i, cases[i].cause);
		if (!ok) {
			cr_expect_eq(ib_error_code(err), cases[i].code, "case %u: %s", i, ib_error_cause(err));
			cr_expect(strstr(ib_error_cause(err), cases[i].cause), "case %u (%s): %s", i, cases[i].cause,
				  ib_error_cause(err));
		}
		ib_wim_free(wim);
	}
}

Test(wim, unchanged_is_accepted)
{
	struct ib_wim *wim = NULL;
	struct ib_image *image;
	ib_auto_error err = NULL;
	size_t size;
	uint8_t *file = make(&size);
	g_autoptr(GBytes) bytes = g_bytes_new_take(file, size);
	ib_auto_input in = ib_input_from_bytes(bytes, "true.wim");

	cr_assert(ib_wim_open(in, NULL, &wim, &err) && ib_wim_image(wim, 1, &image, &err) &&
		  ib_wim_verify_blobs(wim, NULL, NULL, &err));
	cr_assert_not_null(ib_image_find(image, "DIR\\INNER"));
	ib_wim_free(wim);
}

/* One number for two files with different content, as some images have it: they are no links. */
Test(wim, group_number_used_twice)
{
	struct ib_wim *wim = NULL;
	struct ib_image *image;
	ib_auto_error err = NULL;
	struct view v;
	size_t size;
	uint8_t *file = make(&size);

	look(file, &v);
	ib_put_le64(v.leaf + 88, 5);
	ib_put_le64(v.leaf + ib_le64(v.leaf) + 88, 5);
	ib_digest_bytes(IB_DIGEST_SHA1, v.metadata, ib_le32(v.table), v.table + 30);
	g_autoptr(GBytes) bytes = g_bytes_new_take(file, size);
	ib_auto_input in = ib_input_from_bytes(bytes, "group.wim");
	cr_assert(ib_wim_open(in, NULL, &wim, &err) && ib_wim_image(wim, 1, &image, &err));
	struct ib_node *a = ib_image_find(image, "file"), *b = ib_image_find(image, "other");
	cr_expect_eq(ib_node_link_count(image, a), 1);
	cr_expect_neq(memcmp(ib_node_hash(a), ib_node_hash(b), IB_WIM_HASH_SIZE), 0);
	ib_wim_free(wim);
}

/* Cut anywhere: never accepted whole. */
Test(wim, cut_short)
{
	size_t size;
	g_autofree uint8_t *file = make(&size);

	for (size_t n = 0; n < size; n++) {
		struct ib_wim *wim = NULL;
		ib_auto_error err = NULL;
		g_autoptr(GBytes) bytes = g_bytes_new(file, n);
		ib_auto_input in = ib_input_from_bytes(bytes, "cut.wim");
		cr_assert_not(ib_wim_open(in, NULL, &wim, &err), "%zu of %zu bytes", n, size);
	}
}
