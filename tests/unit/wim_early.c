/* New content of a WIM whose output was begun: it lies there, is read there, and goes from there to a second place. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "wim/wim.h"

#define OLD 6u

/* What is added, each kind by another way. */
static const struct piece {
	size_t size;
	bool noise;
	size_t zeros; /* in the midst of noise */
	bool again;   /* the same as the one before */
} pieces[] = {
	{ 5, false, 0, false },            /* one block */
	{ 3 << 20, false, 0, false },      /* gathered in memory */
	{ 5 << 20, true, 0, false },       /* plain, and too large for that */
	{ 32768, true, 0, false },         /* one plain block */
	{ 98 * 32768, true, 330, false },  /* saves less than its chunk table takes: stored plain after all */
	{ 33000, false, 0, false },
	{ 33000, false, 0, true },
	{ 9 << 20, true, 4 << 20, false }, /* read in pieces */
	{ 9 << 20, true, 4 << 20, true },  /* known only when half of it was compressed */
	{ 70000, false, 0, false },
};

static GBytes *content(unsigned i, const struct piece *p)
{
	uint8_t *data = g_malloc(p->size);
	uint32_t x = (i + 1) * 2654435761u;

	for (size_t k = 0; k < p->size; k++) {
		x = x * 1664525 + 1013904223;
		data[k] = p->noise ? (uint8_t)(x >> 24) : (uint8_t)("content "[k % 8] + k / 5000 + i);
	}
	if (p->zeros > 0)
		memset(data + p->size / 2, 0, p->zeros);
	return g_bytes_new_take(data, p->size);
}

static GBytes *piece(unsigned i)
{
	return content(pieces[i].again ? i - 1 : i, &pieces[i]);
}

static void put(struct ib_wim *wim, struct ib_image *image, const char *path, GBytes *bytes, uint8_t *ret_hash)
{
	const struct ib_node_meta meta = { .write_time = 7 };
	ib_auto_error err = NULL;
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	cr_assert(ib_wim_add_bytes(wim, data, len, ret_hash, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert(ib_image_put(image, path, ret_hash, &meta, NULL, &err));
}

static char *temp_name(int *ret_fd)
{
	char *name = g_strdup("/var/tmp/unit-wim-XXXXXX"); /* a disk: memory may be all there is of /tmp */

	*ret_fd = g_mkstemp(name);
	cr_assert(*ret_fd >= 0);
	return name;
}

/* Six files of noise, from the disk. */
static struct ib_wim *base(unsigned threads, struct ib_image **ret_image)
{
	struct ib_wim_write_options o = { .size = sizeof o };
	struct ib_wim *wim = ib_wim_new(IB_WIM_LZX, 0, NULL);
	uint8_t hash[IB_WIM_HASH_SIZE];
	ib_auto_error err = NULL;
	ib_auto_fd fd = -1;
	uint64_t size;
	g_autofree char *name = temp_name(&fd);
	struct ib_output out = { .fd = fd, .name = name };

	ib_wim_add_image(wim, "one");
	cr_assert(ib_wim_image(wim, 1, ret_image, &err));
	for (unsigned i = 0; i < OLD; i++) {
		g_autofree char *path = g_strdup_printf("old%u", i);
		g_autoptr(GBytes) bytes = content(100 + i, &(struct piece){ 100000, true, 0, false });
		put(wim, *ret_image, path, bytes, hash);
	}
	cr_assert(ib_wim_write(wim, &out, &o, &size, &err));
	ib_wim_free(wim);
	cr_assert(ib_wim_open_file(name, g_get_tmp_dir(), &wim, &err));
	unlink(name);
	cr_assert(ib_wim_image(wim, 1, ret_image, &err));
	ib_wim_set_compressor(wim, 20, threads);
	return wim;
}

static void expect(struct ib_wim *wim, const uint8_t *hash, unsigned i, bool shared)
{
	g_autoptr(GBytes) want = piece(i);
	g_autoptr(GBytes) got = NULL;
	ib_auto_error err = NULL;

	cr_assert((shared ? ib_wim_read_shared : ib_wim_read_blob)(wim, hash, 16 << 20, &got, &err), "piece %u: %s", i,
		  err ? ib_error_cause(err) : "");
	cr_assert(g_bytes_equal(got, want), "piece %u", i);
}

static void expect_all(struct ib_wim *wim, uint8_t hashes[][IB_WIM_HASH_SIZE], unsigned count, bool shared)
{
	for (unsigned i = 0; i < count; i++)
		expect(wim, hashes[i], i, shared);
}

static void add_all(struct ib_wim *wim, struct ib_image *image, bool look, uint8_t hashes[][IB_WIM_HASH_SIZE])
{
	for (unsigned i = 0; i < G_N_ELEMENTS(pieces); i++) {
		g_autofree char *path = g_strdup_printf("new%u", i);
		g_autoptr(GBytes) bytes = piece(i);
		put(wim, image, path, bytes, hashes[i]);
		if (look)
			expect_all(wim, hashes, i + 1, false);
	}
}

/* What was written at `at`, to be opened by itself. */
static void check_result(int fd, const char *name, uint64_t at, uint64_t size, uint8_t hashes[][IB_WIM_HASH_SIZE])
{
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	struct ib_extent e = { .offset = at, .length = size };
	ib_auto_input whole = NULL;
	ib_auto_input part = NULL;
	ib_auto_error err = NULL;
	struct ib_wim *wim;

	cr_assert(ib_input_open(path, &whole, &err) && ib_input_part(whole, &e, 1, name, &part, &err));
	cr_assert(ib_wim_open(part, NULL, &wim, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert(ib_wim_verify_blobs(wim, NULL, NULL, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_eq(ib_wim_info(wim)->blob_count, OLD + G_N_ELEMENTS(pieces) - 2);
	expect_all(wim, hashes, G_N_ELEMENTS(pieces), false);
	ib_wim_free(wim);
}

/* look: read all back after each piece. @return what was written */
static GBytes *run(unsigned threads, bool once, bool look, uint64_t at)
{
	uint8_t hashes[G_N_ELEMENTS(pieces)][IB_WIM_HASH_SIZE];
	struct ib_wim_write_options o = { .size = sizeof o, .time = 5 };
	struct ib_wim_cost cost;
	struct ib_image *image;
	ib_auto_error err = NULL;
	ib_auto_fd fd = -1;
	ib_auto_fd second = -1;
	uint64_t size, again;
	g_autofree char *name = temp_name(&fd);
	g_autofree char *other = temp_name(&second);
	struct ib_output out = { .fd = fd, .base = at, .name = name, .once = once };
	struct ib_output elsewhere = { .fd = second, .name = other };
	struct ib_wim *wim = base(threads, &image);

	cr_assert(ib_wim_write_begin(wim, &out, &o, &err), "%s", err ? ib_error_cause(err) : "");
	add_all(wim, image, look, hashes);
	cr_assert(ib_wim_settle(wim, &err));
	expect_all(wim, hashes, G_N_ELEMENTS(pieces), true);
	cr_assert(ib_wim_cost(wim, &o, &cost, &err));
	cr_assert_geq(cost.copy_bytes, OLD * 100000 - 1);
	cr_assert_leq(cost.copy_bytes, OLD * 100001, "%" PRIu64, cost.copy_bytes);
	cr_assert_gt(cost.new_bytes, 13 << 20, "noise alone: %" PRIu64, cost.new_bytes);
	cr_assert(ib_wim_write(wim, &out, &o, &size, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_leq(size, cost.max_total_bytes);
	check_result(fd, name, at, size, hashes);
	expect_all(wim, hashes, G_N_ELEMENTS(pieces), false);
	cr_assert_not(ib_wim_write(wim, &out, &o, &again, &err), "over its own content");
	cr_assert_eq(ib_error_code(err), IB_ERR_FAILED);
	ib_error_clear(&err);
	cr_assert_not(ib_wim_write_begin(wim, &elsewhere, &o, &err), "twice");
	ib_error_clear(&err);
	cr_assert(ib_wim_write(wim, &elsewhere, &o, &again, &err), "%s", err ? ib_error_cause(err) : "");
	check_result(second, other, 0, again, hashes);
	ib_wim_free(wim);
	uint8_t *all = g_malloc(size);
	cr_assert_eq(pread(fd, all, size, (off_t)at), (ssize_t)size);
	unlink(name);
	unlink(other);
	return g_bytes_new_take(all, size);
}

Test(wim_early, new_content_lies_in_the_output)
{
	g_autoptr(GBytes) one = run(1, false, false, 0);
	g_autoptr(GBytes) direct = run(2, true, false, 0);

	cr_assert(g_bytes_equal(one, direct), "neither threads nor the way past the page cache show");
}

Test(wim_early, and_is_read_there)
{
	g_autoptr(GBytes) one = run(2, false, true, 1234);
	g_autoptr(GBytes) direct = run(3, true, true, 1234);

	cr_assert(g_bytes_equal(one, direct), "nor does reading");
}

Test(wim_early, what_was_added_before_stays)
{
	struct ib_wim_write_options o = { .size = sizeof o, .time = 5 };
	uint8_t hashes[G_N_ELEMENTS(pieces)][IB_WIM_HASH_SIZE];
	struct ib_image *image;
	struct ib_wim *wim = base(2, &image);
	ib_auto_error err = NULL;
	ib_auto_fd fd = -1;
	uint64_t size;
	g_autofree char *name = temp_name(&fd);
	struct ib_output out = { .fd = fd, .name = name, .once = true }, other = { .fd = fd, .base = 1, .name = "other" };

	for (unsigned i = 0; i < 3; i++) {
		g_autofree char *path = g_strdup_printf("new%u", i);
		g_autoptr(GBytes) bytes = piece(i);
		put(wim, image, path, bytes, hashes[i]);
	}
	cr_assert(ib_wim_write_begin(wim, &out, &o, &err), "%s", err ? ib_error_cause(err) : "");
	add_all(wim, image, false, hashes);
	expect_all(wim, hashes, G_N_ELEMENTS(pieces), false);
	cr_assert_not(ib_wim_write_begin(wim, &out, &o, &err), "twice");
	ib_error_clear(&err);
	cr_assert(ib_wim_write(wim, &out, &o, &size, &err), "%s", err ? ib_error_cause(err) : "");
	check_result(fd, name, 0, size, hashes);
	ib_wim_free(wim);
	wim = base(1, &image);
	cr_assert(ib_wim_write_begin(wim, &out, &o, &err));
	cr_assert_not(ib_wim_write(wim, &other, &o, &size, &err), "writing has begun elsewhere");
	ib_wim_free(wim); /* and stops what has begun */
	unlink(name);
}
