/* A WIM that lies in pieces inside another file, as a large one does on a disc: read, checked, edited, written. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "wim/wim.h"

#define FILES 40u

/* Content i: some sizes around chunks, one that is longer than a piece; half of it does not compress. */
static GBytes *content(unsigned i)
{
	size_t len = i == 7 ? 900000 : 1 + i * 4099;
	uint8_t *data = g_malloc(len);
	uint32_t x = i * 2654435761u + 1;

	for (size_t k = 0; k < len; k++) {
		x = x * 1103515245 + 12345;
		data[k] = i % 2 ? (uint8_t)(x >> 23) : (uint8_t)("content "[k % 8] + (k >> 12));
	}
	return g_bytes_new_take(data, len);
}

static char *temp_name(int *ret_fd)
{
	char *name = g_strdup("/tmp/unit-wim-XXXXXX");

	*ret_fd = g_mkstemp(name);
	cr_assert(*ret_fd >= 0);
	return name;
}

/* Write to a new file, at a place of it; the file's name. */
static char *write_wim(struct ib_wim *wim, uint64_t base, bool solid, uint64_t *ret_size)
{
	int fd;
	char *name = temp_name(&fd);
	struct ib_output out = { .fd = fd, .base = base, .name = name };
	struct ib_wim_write_options options = { .size = sizeof options, .time = 1, .solid = solid, .solid_chunk = 65536 };
	ib_auto_error err = NULL;

	cr_assert(ib_wim_write(wim, &out, &options, ret_size, &err), "%s", err ? ib_error_cause(err) : "");
	close(fd);
	return name;
}

static void put(struct ib_wim *wim, struct ib_image *image, const char *path, GBytes *bytes)
{
	const struct ib_node_meta meta = { .write_time = 7 };
	uint8_t hash[IB_WIM_HASH_SIZE];
	ib_auto_error err = NULL;

	cr_assert(ib_wim_add_bytes(wim, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), hash, &err));
	cr_assert(ib_image_put(image, path, hash, &meta, NULL, &err));
}

static char *make(bool solid, uint64_t *ret_size)
{
	struct ib_wim *wim = ib_wim_new(IB_WIM_LZX, 0, NULL);
	struct ib_image *image;
	ib_auto_error err = NULL;

	ib_wim_add_image(wim, "one");
	cr_assert(ib_wim_image(wim, 1, &image, &err));
	for (unsigned i = 0; i < FILES; i++) {
		g_autofree char *path = g_strdup_printf("file%u", i);
		g_autoptr(GBytes) bytes = content(i);
		put(wim, image, path, bytes);
	}
	char *name = write_wim(wim, 0, solid, ret_size);
	ib_wim_free(wim);
	return name;
}

/* The file's bytes in three pieces, the last one first, at sectors of a disc full of other bytes. */
static char *scatter(const char *wim, uint64_t size, struct ib_extent extents[3])
{
	uint64_t piece = size / 3 / 2048 * 2048, places[] = { 2048 * 2000, 2048 * 1001, 2048 };
	g_autofree char *data = NULL;
	gsize len;
	int fd;
	char *name = temp_name(&fd);
	g_autofree char *other = g_strnfill(2048 * 4000, 'x');

	cr_assert(g_file_get_contents(wim, &data, &len, NULL));
	cr_assert_eq(len, size);
	cr_assert_eq(pwrite(fd, other, 2048 * 4000, 0), 2048 * 4000);
	for (unsigned i = 0; i < 3; i++) {
		extents[i] = (struct ib_extent){ .offset = places[i], .length = i < 2 ? piece : size - 2 * piece };
		cr_assert_lt(extents[i].length, 2048 * 990);
		cr_assert_eq(pwrite(fd, data + i * piece, extents[i].length, (off_t)places[i]), (ssize_t)extents[i].length);
	}
	close(fd);
	return name;
}

static void check(struct ib_image *image, unsigned i, const char *path)
{
	g_autoptr(GBytes) want = content(i), got = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_image_read(image, path, 1 << 20, &got, &err), "%s: %s", path, err ? ib_error_cause(err) : "");
	cr_assert(g_bytes_equal(want, got), "%s", path);
}

/* All files but one are what they were; that one is file 3's content. */
static void judge(const char *name, uint64_t base, uint64_t size)
{
	ib_auto_input whole = NULL;
	ib_auto_input part = NULL;
	struct ib_extent extent = { .offset = base, .length = size };
	struct ib_wim *wim;
	struct ib_image *image;
	ib_auto_error err = NULL;

	cr_assert(ib_input_open(name, &whole, &err) && ib_input_part(whole, &extent, 1, "part", &part, &err));
	cr_assert(ib_wim_open(part, NULL, &wim, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert(ib_wim_image(wim, 1, &image, &err) && ib_wim_verify_blobs(wim, NULL, NULL, &err));
	for (unsigned i = 0; i < FILES; i++) {
		g_autofree char *path = g_strdup_printf("file%u", i);
		check(image, i == 5 ? 3 : i, path);
	}
	ib_wim_free(wim);
}

static void run(bool solid)
{
	uint64_t size, edited, base = 2048 * 33;
	struct ib_extent extents[3];
	g_autofree char *plain = make(solid, &size), *disc = scatter(plain, size, extents), *out = NULL;
	ib_auto_input file = NULL;
	ib_auto_input part = NULL;
	g_autoptr(GBytes) other = content(3);
	struct ib_wim *wim;
	struct ib_image *image;
	ib_auto_error err = NULL;

	cr_assert(ib_input_open(disc, &file, &err) && ib_input_part(file, extents, 3, "disc:install.wim", &part, &err));
	cr_assert(ib_wim_open(part, NULL, &wim, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_eq(ib_wim_info(wim)->has_solid, solid);
	cr_assert(ib_wim_verify_blobs(wim, NULL, NULL, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert(ib_wim_image(wim, 1, &image, &err));
	put(wim, image, "file5", other);
	out = write_wim(wim, base, false, &edited);
	judge(out, base, edited);
	ib_wim_free(wim);
	unlink(plain);
	unlink(disc);
	unlink(out);
}

Test(wim_extents, compressed) { run(false); }
Test(wim_extents, solid) { run(true); }
