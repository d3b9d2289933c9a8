#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "wim/wim.h"

static struct ib_wim *new_wim(struct ib_image **image)
{
	struct ib_wim *wim = ib_wim_new(IB_WIM_LZX, 0, NULL);
	ib_auto_error err = NULL;

	cr_assert_eq(ib_wim_add_image(wim, "one"), 1);
	cr_assert(ib_wim_image(wim, 1, image, &err));
	return wim;
}

static struct ib_node *put(struct ib_image *image, struct ib_wim *wim, const char *path, const char *content)
{
	const struct ib_node_meta meta = { .attributes = IB_ATTR_ARCHIVE, .write_time = 7 };
	uint8_t hash[IB_WIM_HASH_SIZE];
	struct ib_node *node = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_wim_add_bytes(wim, content, strlen(content), hash, &err));
	cr_assert(ib_image_put(image, path, hash, &meta, &node, &err), "%s", err ? ib_error_cause(err) : "");
	return node;
}

static char *text_at(struct ib_image *image, const char *path)
{
	g_autoptr(GBytes) bytes = NULL;
	ib_auto_error err = NULL;
	gsize len;

	if (!ib_image_read(image, path, 1000, &bytes, &err))
		return g_strdup("(none)");
	const char *data = g_bytes_get_data(bytes, &len);
	return g_strndup(data ? data : "", len);
}

#define expect_text(image, path, text)                          \
	do {                                                    \
		g_autofree char *is_ = text_at(image, path);    \
		cr_assert_str_eq(is_, text, "%s: %s", path, is_); \
	} while (0)

/* Write to memory-like storage and open again. */
static GBytes *written(struct ib_wim *wim, const struct ib_wim_write_options *more)
{
	g_autofree char *name = g_strdup("/tmp/unit-wim-XXXXXX");
	int fd = g_mkstemp(name);
	struct ib_output out = { .fd = fd, .name = name };
	struct ib_wim_write_options options = { .size = sizeof options, .time = 0x1d5c03669c00000 };
	ib_auto_error err = NULL;
	GBytes *bytes = NULL;
	uint64_t size = 0;

	cr_assert(ib_wim_write(wim, &out, more ? more : &options, &size, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert(ib_file_read(name, 1 << 26, &bytes, &err));
	cr_assert_eq(g_bytes_get_size(bytes), size);
	close(fd);
	unlink(name);
	return bytes;
}

static struct ib_wim *opened(GBytes *bytes)
{
	struct ib_input *in = ib_input_from_bytes(bytes, "test.wim");
	struct ib_wim *wim = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_wim_open(in, NULL, &wim, &err), "%s", err ? ib_error_cause(err) : "");
	ib_input_unref(in);
	return wim;
}

Test(wim, tree_edits)
{
	const struct ib_node_meta meta = { .write_time = 1 };
	struct ib_image *image;
	struct ib_wim *wim = new_wim(&image);
	ib_auto_error err = NULL;
	struct ib_node *dir = NULL, *node;

	cr_assert(ib_image_mkdir(image, "Windows\\System32", &meta, &dir, &err));
	cr_assert_str_eq(ib_node_name(dir), "System32");
	node = put(image, wim, "windows/SYSTEM32/Kernel.dll", "one");
	g_autofree char *path = ib_node_path(node);
	cr_assert_str_eq(path, "Windows\\System32\\Kernel.dll");
	expect_text(image, "WINDOWS\\system32\\KERNEL.DLL", "one");
	cr_assert_eq(ib_node_link_group(node), 0);

	/* links share content; a put replaces one name, set_content all */
	cr_assert(ib_image_link(image, node, "Windows\\link.dll", NULL, &err));
	cr_assert(ib_image_link(image, node, "third", NULL, &err));
	cr_assert_eq(ib_node_link_count(image, node), 3);
	put(image, wim, "THIRD", "alone");
	cr_assert_eq(ib_node_link_count(image, node), 2);
	expect_text(image, "windows\\link.dll", "one");
	uint8_t hash[IB_WIM_HASH_SIZE];
	cr_assert(ib_wim_add_bytes(wim, "two", 3, hash, &err));
	cr_assert(ib_image_set_content(image, node, hash, 99, &err));
	expect_text(image, "windows\\link.dll", "two");
	expect_text(image, "third", "alone");
	cr_assert_eq(ib_node_write_time(ib_image_find(image, "windows\\link.dll")), 99);
	cr_assert_str_eq(ib_node_name(ib_image_find(image, "THIRD")), "third");

	/* a directory moves with all below; not into itself, not onto something */
	cr_assert(ib_image_rename(image, dir, "Sys", &err));
	expect_text(image, "sys\\kernel.dll", "two");
	cr_assert_null(ib_image_find(image, "Windows\\System32"));
	cr_assert_not(ib_image_rename(image, dir, "Sys\\below", &err));
	ib_error_clear(&err);
	cr_assert_not(ib_image_rename(image, dir, "third", &err));
	ib_error_clear(&err);
	cr_assert(ib_image_rename(image, dir, "SYS", &err), "a change of case is a rename, too");

	cr_assert(ib_image_remove(image, ib_image_find(image, "SYS"), &err));
	cr_assert_eq(ib_node_link_count(image, ib_image_find(image, "windows\\link.dll")), 1);
	expect_text(image, "windows\\link.dll", "two");
	cr_assert_not(ib_image_remove(image, ib_image_root(image), &err));
	ib_wim_free(wim);
}

Test(wim, refusals)
{
	static const char *const names[] = { "a:b", "a*", "a?", "a<", "bell\a", "dot.", "space ", "missing\\a", "", "file\\below",
					     "dir", "con", "Nul.txt", "dir\\COM1", "lpt9.tar.gz", "aux .x" };
	static const char *const legal[] = { "console", "com0", "com10", "x.con", "nul1" };
	const struct ib_node_meta meta = { .attributes = 0 };
	uint8_t unknown[IB_WIM_HASH_SIZE] = { 1 };
	struct ib_image *image;
	struct ib_wim *wim = new_wim(&image);
	g_autofree char *deep = g_strnfill(1200, '\\');
	ib_auto_error err = NULL;

	put(image, wim, "file", "x");
	cr_assert(ib_image_mkdir(image, "dir", &meta, NULL, &err));
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		cr_assert_not(ib_image_put(image, names[i], NULL, &meta, NULL, &err), "%s", names[i]);
		cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
		ib_error_clear(&err);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(legal); i++)
		cr_assert(ib_image_put(image, legal[i], NULL, &meta, NULL, &err), "%s", legal[i]);
	cr_assert_not(ib_image_put(image, "new", unknown, &meta, NULL, &err));
	ib_error_clear(&err);
	cr_assert_null(ib_image_find(image, "new"));
	for (unsigned i = 0; i < 1200; i += 2)
		deep[i] = 'd';
	cr_assert_not(ib_image_mkdir(image, deep, &meta, NULL, &err));
	ib_error_clear(&err);
	cr_assert_not(ib_image_mkdir(image, "file\\dir", &meta, NULL, &err));
	ib_wim_free(wim);
}

Test(wim, many_names_and_order)
{
	struct ib_image *image;
	struct ib_wim *wim = new_wim(&image);
	const struct ib_node *last = NULL;
	unsigned count = 0;
	ib_auto_error err = NULL;

	for (unsigned i = 0; i < 500; i++) {
		g_autofree char *name = g_strdup_printf("%s%u", i % 2 ? "Ä" : "z", i * 7919 % 500);
		put(image, wim, name, "same");
	}
	for (struct ib_node *n = ib_node_first(ib_image_root(image)); n; n = ib_node_next(n), count++) {
		cr_assert(!last || ib_name_compare(ib_node_name(last), ib_node_name(n)) < 0);
		last = n;
	}
	cr_assert_eq(count, 500);
	for (unsigned i = 0; i < 500; i += 3) {
		g_autofree char *name = g_strdup_printf("%s%u", i % 2 ? "ä" : "Z", i * 7919 % 500);
		struct ib_node *n = ib_image_find(image, name);
		cr_assert_not_null(n, "%s", name);
		cr_assert(ib_image_remove(image, n, &err));
		cr_assert_null(ib_image_find(image, name));
	}
	ib_wim_free(wim);
}

Test(wim, round_trip)
{
	const struct ib_node_meta meta = { .creation_time = 1, .access_time = 2, .write_time = 3 };
	struct ib_image *image;
	struct ib_wim *wim = new_wim(&image);
	ib_auto_error err = NULL;
	g_autoptr(GBytes) sd = NULL;

	cr_assert(ib_sddl_parse("O:SYG:SYD:(A;;FA;;;SY)", &sd, &err));
	cr_assert(ib_image_mkdir(image, "empty", &meta, NULL, &err));
	struct ib_node *node = put(image, wim, "a\xed\xa0\x80lone", "surrogate"); /* an unpaired surrogate is a legal name */
	ib_node_set_security(image, node, sd);
	cr_assert(ib_image_link(image, node, "empty\\second", NULL, &err));
	put(image, wim, "nothing", "");
	ib_wim_image_set_property(wim, 1, "WINDOWS/EDITIONID", "Edition & <more>");
	g_autoptr(GBytes) bytes = written(wim, NULL);
	g_autoptr(GBytes) again = written(wim, NULL);
	cr_assert(g_bytes_equal(bytes, again), "the same WIM twice");
	ib_wim_free(wim);

	wim = opened(bytes);
	cr_assert_eq(ib_wim_info(wim)->blob_count, 1);
	cr_assert(ib_wim_image(wim, 1, &image, &err), "%s", err ? ib_error_cause(err) : "");
	expect_text(image, "a\xed\xa0\x80lone", "surrogate");
	expect_text(image, "empty\\SECOND", "surrogate");
	expect_text(image, "nothing", "");
	node = ib_image_find(image, "empty\\second");
	cr_assert_eq(ib_node_link_count(image, node), 2);
	cr_assert_neq(ib_node_link_group(node), 0);
	cr_assert_eq(ib_node_attributes(node), IB_ATTR_ARCHIVE);
	cr_assert(g_bytes_equal(ib_node_security(image, node), sd));
	cr_assert_null(ib_node_hash(ib_image_find(image, "nothing")));
	g_autofree char *edition = ib_wim_image_property(wim, 1, "WINDOWS/EDITIONID");
	cr_assert_str_eq(edition, "Edition & <more>");
	cr_assert(ib_wim_verify_blobs(wim, NULL, NULL, &err));
	g_autoptr(GBytes) copy = written(wim, NULL);
	cr_assert(g_bytes_equal(bytes, copy), "opened and written unchanged");
	ib_wim_free(wim);
}

Test(wim, known_content_is_kept_once)
{
	struct ib_wim_write_options options = { .size = sizeof options };
	struct ib_image *image;
	struct ib_wim *wim = new_wim(&image);
	g_autofree char *large = g_malloc(9 << 20);
	uint8_t hash[IB_WIM_HASH_SIZE], same[IB_WIM_HASH_SIZE];
	struct ib_wim_cost cost;
	ib_auto_error err = NULL;
	uint64_t size;

	for (unsigned i = 0; i < 9u << 20; i++)
		large[i] = (char)(i * 2654435761u >> 13);
	cr_assert(ib_wim_add_bytes(wim, large, 9 << 20, hash, &err));
	put(image, wim, "between", "something else");
	cr_assert(ib_wim_add_bytes(wim, large, 9 << 20, same, &err));
	cr_assert_eq(memcmp(hash, same, sizeof hash), 0);
	put(image, wim, "after", "a third");
	const struct ib_node_meta meta = { .write_time = 1 };
	cr_assert(ib_image_put(image, "large", hash, &meta, NULL, &err));
	cr_assert(ib_wim_has_blob(wim, hash, &size));
	cr_assert_eq(size, 9 << 20);
	expect_text(image, "after", "a third");
	g_autoptr(GBytes) back = NULL;
	cr_assert(ib_wim_read_blob(wim, hash, 9 << 20, &back, &err));
	cr_assert_eq(memcmp(g_bytes_get_data(back, NULL), large, 9 << 20), 0);
	cr_assert_not(ib_wim_read_blob(wim, hash, (9 << 20) - 1, &back, &err));
	ib_error_clear(&err);
	cr_assert(ib_wim_cost(wim, &options, &cost, &err));
	g_autoptr(GBytes) bytes = written(wim, NULL);
	cr_assert_leq(g_bytes_get_size(bytes), cost.max_total_bytes);
	ib_wim_free(wim);
	wim = opened(bytes);
	cr_assert_eq(ib_wim_info(wim)->blob_count, 3);
	cr_assert(ib_wim_verify_blobs(wim, NULL, NULL, &err), "%s", err ? ib_error_cause(err) : "");
	ib_wim_free(wim);
}

/* A WIM on the disk with much that stays: "kept N" of 300,000 bytes each, "old", "dropped", "shared". */
static struct ib_wim *base_on_disk(const char *name, struct ib_image **image)
{
	g_autofree uint8_t *noise = g_malloc(300000);
	const struct ib_node_meta meta = { .write_time = 1 };
	uint8_t hash[IB_WIM_HASH_SIZE];
	ib_auto_error err = NULL;
	struct ib_wim *wim = new_wim(image);

	for (unsigned k = 0; k < 9; k++) {
		g_autofree char *path = g_strdup_printf("kept %u", k);
		for (uint32_t i = 0, x = k + 1; i < 300000; i++, x = x * 1664525 + 1013904223)
			noise[i] = (uint8_t)(x >> 24);
		cr_assert(ib_wim_add_bytes(wim, noise, 300000, hash, &err));
		cr_assert(ib_image_put(*image, path, hash, &meta, NULL, &err));
		if (k == 4) {
			put(*image, wim, "old", "old content");
			put(*image, wim, "dropped", "dropped content");
			put(*image, wim, "shared", "shared content");
		}
	}
	g_autoptr(GBytes) bytes = written(wim, NULL);
	ib_wim_free(wim);
	cr_assert(ib_file_write(name, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &err));
	cr_assert(ib_wim_open_file(name, g_get_tmp_dir(), &wim, &err));
	cr_assert(ib_wim_image(wim, 1, image, &err));
	return wim;
}

/* Emptied, begun, edited, written. @return what was written */
static GBytes *written_early(const char *base, unsigned threads, bool once)
{
	g_autofree char *name = g_strconcat(base, ".out", NULL);
	ib_auto_fd fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct ib_output out = { .fd = fd, .name = name, .once = once };
	struct ib_wim_write_options o = { .size = sizeof o, .time = 5 };
	struct ib_image *image;
	struct ib_wim *wim = base_on_disk(base, &image);
	struct ib_wim_cost cost;
	ib_auto_error err = NULL;
	GBytes *bytes = NULL;
	uint64_t size = 0;

	ib_wim_set_compressor(wim, 20, threads);
	cr_assert(ib_image_set_content(image, ib_image_find(image, "old"), NULL, 0, &err));
	cr_assert(ib_image_set_content(image, ib_image_find(image, "shared"), NULL, 0, &err));
	cr_assert(ib_wim_write_begin(wim, &out, &o, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_not(ib_wim_write_begin(wim, &out, &o, &err));
	ib_error_clear(&err);
	put(image, wim, "old", "new content");
	put(image, wim, "gone", "new content that goes again");
	cr_assert(ib_image_remove(image, ib_image_find(image, "gone"), &err));
	cr_assert(ib_image_remove(image, ib_image_find(image, "dropped"), &err));
	put(image, wim, "shared again", "shared content");
	g_autofree char *many = g_strnfill(3 << 20, 'x');
	put(image, wim, "many", many);
	expect_text(image, "old", "new content");
	cr_assert(ib_wim_cost(wim, &o, &cost, &err));
	cr_assert(ib_wim_write(wim, &out, &o, &size, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_leq(size, cost.max_total_bytes);
	cr_assert(ib_file_read(name, 1 << 26, &bytes, &err));
	cr_assert_eq(g_bytes_get_size(bytes), size);
	ib_wim_free(wim);
	unlink(name);
	return bytes;
}

Test(wim, writing_begins_before_the_edits_end)
{
	g_autofree char *base = g_strdup("/var/tmp/unit-wim-XXXXXX");
	ib_auto_error err = NULL;
	struct ib_image *image;

	close(g_mkstemp(base));
	g_autoptr(GBytes) bytes = written_early(base, 2, true);
	g_autoptr(GBytes) again = written_early(base, 1, false);
	unlink(base);
	cr_assert(g_bytes_equal(bytes, again), "neither threads nor the way of copying show in the result");
	struct ib_wim *wim = opened(bytes);
	cr_assert_eq(ib_wim_info(wim)->blob_count, 9 + 3, "kept, new, shared, many");
	cr_assert(ib_wim_verify_blobs(wim, NULL, NULL, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert(ib_wim_image(wim, 1, &image, &err));
	expect_text(image, "old", "new content");
	expect_text(image, "shared again", "shared content");
	cr_assert_null(ib_image_find(image, "dropped"));
	cr_assert_null(ib_image_find(image, "gone"));
	cr_assert_eq(ib_node_size(image, ib_image_find(image, "kept 8")), 300000);
	ib_wim_free(wim);
}

/* Every byte of a small WIM, changed: refused or read, but never with a content that is not the one meant. */
Test(wim, damage)
{
	struct ib_image *image;
	struct ib_wim *wim = new_wim(&image);
	ib_auto_error err = NULL;

	put(image, wim, "file", "content that is compressed compressed compressed compressed");
	g_autoptr(GBytes) bytes = written(wim, NULL);
	ib_wim_free(wim);
	gsize size;
	const uint8_t *data = g_bytes_get_data(bytes, &size);
	for (gsize i = 0; i < size; i++) {
		uint8_t *copy = g_memdup2(data, size);
		copy[i] ^= 0x41;
		g_autoptr(GBytes) bad = g_bytes_new_take(copy, size);
		struct ib_input *in = ib_input_from_bytes(bad, "bad.wim");
		g_autoptr(GBytes) content = NULL;
		wim = NULL;
		if (ib_wim_open(in, NULL, &wim, &err) && ib_wim_image(wim, 1, &image, &err) &&
		    ib_image_read(image, "file", 1000, &content, &err))
			cr_assert_eq(memcmp(g_bytes_get_data(content, NULL), "content that", 12), 0);
		else
			cr_assert_not_null(err);
		ib_error_clear(&err);
		ib_wim_free(wim);
		ib_input_unref(in);
	}
}

/* ---- SDDL ---- */

static const char *const round_trips[] = {
	"O:SYG:SYD:P(A;OICI;FA;;;SY)(A;;FR;;;BU)",
	"O:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
	"G:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
	"D:PAI(A;;FA;;;S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464)(A;;0x1200a9;;;BA)"
	"(A;;0x1200a9;;;SY)(A;;0x1200a9;;;AC)S:AI(AU;SAFA;0x1d0116;;;WD)",
	"D:(OA;CI;RPWP;bf967a86-0de6-11d0-a285-00aa003049e2;;AU)(OD;;CR;;bf967a86-0de6-11d0-a285-00aa003049e2;SY)",
	"D:NO_ACCESS_CONTROL",
	"D:",
	"D:ARAI",
	"S:(ML;OICI;NWNR;;;HI)",
	"O:S-1-0x123456789abc-1-2-3",
	"G:LWD:(D;IDNPIO;GAGRGWGX;;;WD)",
	"",
};

Test(wim, sddl_round_trips)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(round_trips); i++) {
		g_autoptr(GBytes) sd = NULL;
		g_autofree char *text = NULL;
		ib_auto_error err = NULL;
		cr_assert(ib_sddl_parse(round_trips[i], &sd, &err), "%s", err ? ib_error_cause(err) : "");
		cr_assert(ib_sddl_format(sd, &text, &err), "%s", err ? ib_error_cause(err) : "");
		/* flags of entries come in the order of their bits */
		const char *want = i == 8 ? "G:LWD:(D;NPIOID;GAGRGWGX;;;WD)" : round_trips[i];
		cr_assert_str_eq(text, want, "%s", text);
	}
}

/* The same descriptor by hand, from MS-DTYP 2.4.6; parts may lie anywhere, so the text is compared. */
Test(wim, sddl_known_bytes)
{
	static const char hex[] = "010004801400000024000000000000003000000001020000000000052000000020020000"
				  "01010000000000051200000002001c000100000000031400ff011f00010100000000000512000000";
	g_autoptr(GBytes) sd = ib_unhex(hex, strlen(hex)), parsed = NULL;
	g_autofree char *text = NULL;
	ib_auto_error err = NULL;
	gsize size;

	cr_assert(ib_sddl_format(sd, &text, &err));
	cr_assert_str_eq(text, "O:BAG:SYD:(A;OICI;FA;;;SY)");
	cr_assert(ib_sddl_parse(" O:ba G:S-1-5-18 D:( a; ciOI; 0x1f01ff ;;; sy ) ", &parsed, &err), "%s",
		  err ? ib_error_cause(err) : "");
	const uint8_t *data = g_bytes_get_data(parsed, &size);
	cr_assert_eq(size, g_bytes_get_size(sd));
	g_autofree char *list = ib_hex(data + ib_le32(data + 16), 28);
	cr_assert_str_eq(list, "02001c000100000000031400ff011f00010100000000000512000000");
}

Test(wim, sddl_refusals)
{
	static const char *const texts[] = {
		"X:", "O:", "O:ZZ", "O:DA", "O:SYO:SY", "O:S-1-5", "O:S-1-5-4294967296", "O:S-1-281474976710656-1", "D:(",
		"D:(A;;FA;;;SY", "D:(A;;FA;;SY)", "D:(B;;FA;;;SY)", "D:(A;QQ;FA;;;SY)", "D:(A;;QQ;;;SY)", "D:D:", "D:Q",
		"D:(A;;FA;bf967a86-0de6-11d0-a285-00aa003049e2;;SY)", "D:(OA;;FA;bf967a86;;SY)", "D:(A;;FA;;;SY)x",
		"O:S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16", "D:(XA;;FX;;;WD;(1))",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GBytes) sd = NULL;
		ib_auto_error err = NULL;
		cr_assert_not(ib_sddl_parse(texts[i], &sd, &err), "%s", texts[i]);
		cr_assert_eq(ib_error_code(err), IB_ERR_INPUT);
	}
}
