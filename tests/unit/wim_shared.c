/* wim: reading from several threads while the owner adds and edits. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "digest/digest.h"
#include "wim/wim.h"

#define BLOBS 200u
#define THREADS 4u

/* Content number i: of a size of its own, some of many chunks, compressible. */
static GBytes *content(unsigned i)
{
	size_t len = 1 + (size_t)i * 977 % 150000;
	uint8_t *data = g_malloc(len);

	for (size_t k = 0; k < len; k++)
		data[k] = (uint8_t)(k / 7 * (i + 1) % 251);
	memcpy(data, &i, MIN(len, sizeof i));
	return g_bytes_new_take(data, len);
}

static void hash_of(unsigned i, uint8_t *ret)
{
	g_autoptr(GBytes) bytes = content(i);
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	ib_digest_bytes(IB_DIGEST_SHA1, data, len, ret);
}

static void add(struct ib_wim *wim, struct ib_image *image, unsigned i)
{
	g_autoptr(GBytes) bytes = content(i);
	g_autofree char *path = g_strdup_printf("f%u", i);
	const struct ib_node_meta meta = { .attributes = IB_ATTR_ARCHIVE };
	uint8_t hash[IB_WIM_HASH_SIZE];
	ib_auto_error err = NULL;
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	cr_assert(ib_wim_add_bytes(wim, data, len, hash, &err));
	cr_assert(ib_image_put(image, path, hash, &meta, NULL, &err));
}

/* A WIM whose first BLOBS contents lie in the file. */
static struct ib_wim *make(enum ib_wim_compression compression, bool solid, struct ib_image **ret_image)
{
	struct ib_wim *wim = ib_wim_new(compression, 0, NULL), *again = NULL;
	struct ib_wim_write_options options = { .size = sizeof options, .solid = solid, .solid_chunk = solid ? 1u << 20 : 0 };
	g_autofree char *name = g_strdup("/tmp/unit-wim-XXXXXX");
	int fd = g_mkstemp(name);
	struct ib_output out = { .fd = fd, .name = name };
	ib_auto_error err = NULL;
	ib_auto_input in = NULL;
	uint64_t size;

	ib_wim_add_image(wim, "one");
	cr_assert(ib_wim_image(wim, 1, ret_image, &err));
	for (unsigned i = 0; i < BLOBS; i++)
		add(wim, *ret_image, i);
	cr_assert(ib_wim_write(wim, &out, &options, &size, &err), "%s", err ? ib_error_cause(err) : "");
	ib_wim_free(wim);
	close(fd);
	cr_assert(ib_input_open(name, &in, &err) && ib_wim_open(in, NULL, &again, &err));
	unlink(name);
	cr_assert(ib_wim_image(again, 1, ret_image, &err));
	return again;
}

struct reader {
	struct ib_wim *wim;
	unsigned seed, count, good;
};

static gpointer read_all(gpointer data)
{
	struct reader *r = data;

	for (unsigned k = 0; k < r->count; k++) {
		unsigned i = (k * 37 + r->seed * 11) % r->count;
		g_autoptr(GBytes) got = NULL;
		g_autoptr(GBytes) want = content(i);
		uint8_t hash[IB_WIM_HASH_SIZE];
		ib_auto_error err = NULL;
		hash_of(i, hash);
		if (ib_wim_read_shared(r->wim, hash, 1 << 20, &got, &err) && g_bytes_equal(got, want))
			r->good++;
	}
	return NULL;
}

/* Threads read [0, readable) while this one adds [BLOBS * 2, BLOBS * 3). */
static void read_while_adding(struct ib_wim *wim, struct ib_image *image, unsigned readable)
{
	struct reader readers[THREADS];
	GThread *threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		readers[i] = (struct reader){ .wim = wim, .seed = i, .count = readable };
		threads[i] = g_thread_new("read", read_all, &readers[i]);
	}
	for (unsigned i = BLOBS * 2; i < BLOBS * 3; i++)
		add(wim, image, i);
	for (unsigned i = 0; i < THREADS; i++) {
		g_thread_join(threads[i]);
		cr_assert_eq(readers[i].good, readable, "thread %u: %u of %u", i, readers[i].good, readable);
	}
}

static void try_kind(enum ib_wim_compression compression, bool solid)
{
	struct ib_image *image;
	struct ib_wim *wim = make(compression, solid, &image);
	ib_auto_error err = NULL;

	for (unsigned i = BLOBS; i < BLOBS * 2; i++)
		add(wim, image, i);
	cr_assert(ib_wim_settle(wim, &err));
	read_while_adding(wim, image, BLOBS * 2);
	ib_wim_free(wim);
}

Test(wim_shared, file_and_spool_are_read_while_content_is_added)
{
	try_kind(IB_WIM_LZX, false);
	try_kind(IB_WIM_NONE, false);
}

Test(wim_shared, solid_files_too)
{
	try_kind(IB_WIM_LZMS, true);
}

Test(wim_shared, new_content_is_found_once_settled)
{
	struct ib_wim *wim = ib_wim_new(IB_WIM_LZX, 0, NULL);
	static const uint8_t none[IB_WIM_HASH_SIZE];
	g_autoptr(GBytes) empty = NULL;
	g_autoptr(GBytes) bytes = NULL;
	uint8_t hash[IB_WIM_HASH_SIZE];
	ib_auto_error early = NULL;
	ib_auto_error large = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_wim_add_bytes(wim, "abc", 3, hash, &err));
	cr_assert_not(ib_wim_read_shared(wim, hash, 10, &bytes, &early));
	cr_assert_eq(ib_error_code(early), IB_ERR_INPUT);
	cr_assert(ib_wim_settle(wim, &err));
	cr_assert_not(ib_wim_read_shared(wim, hash, 2, &bytes, &large));
	cr_assert_eq(ib_error_code(large), IB_ERR_INPUT);
	cr_assert(ib_wim_read_shared(wim, hash, 3, &bytes, &err));
	cr_assert(memcmp(g_bytes_get_data(bytes, NULL), "abc", 3) == 0);
	cr_assert(ib_wim_read_shared(wim, none, 0, &empty, &err));
	cr_assert_eq(g_bytes_get_size(empty), 0);
	ib_wim_free(wim);
}
