/*
 * One measured step of tests/bench/wim.sh, in a process of its own: prints "SECONDS CPU_SECONDS PEAK_MB".
 *
 *   bench_wim ours|libwim BASE OUT LEVEL LIST   new content for the files of LIST, written to a new WIM
 *   bench_wim codec LEVEL LIST                  only libwim's codec, on the same content, on all processors
 *   bench_wim open WIM                          the tree of image 1
 *
 * LIST has lines "PATH<TAB>FILE".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <wimlib.h>

#include "tests/bench/libwim_floor.h"
#include "wim/wim.h"

static char **read_list(const char *path)
{
	char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		exit(2);
	g_strchomp(text);
	char **lines = g_strsplit(text, "\n", -1);
	g_free(text);
	return lines;
}

/* First all files are emptied, so that what stays is known and can be copied while new content is compressed. */
static bool empty(struct ib_image *image, const char *line, struct ib_error **err)
{
	g_auto(GStrv) pair = g_strsplit(line, "\t", 2);

	return ib_image_set_content(image, ib_image_find(image, pair[0]), NULL, 0, err);
}

static bool replace(struct ib_wim *wim, struct ib_image *image, const char *line, struct ib_error **err)
{
	g_auto(GStrv) pair = g_strsplit(line, "\t", 2);
	uint8_t hash[IB_WIM_HASH_SIZE];
	ib_auto_input in = NULL;

	if (!ib_input_open(pair[1], &in, err))
		return false;
	struct ib_stream *s = ib_stream_from_input(in);
	bool ok = ib_wim_add_blob(wim, s, hash, NULL, err);
	ib_stream_free(s);
	return ok && ib_image_set_content(image, ib_image_find(image, pair[0]), hash, 0, err);
}

static bool ours(char **a, struct ib_error **err)
{
	ib_auto_fd fd = open(a[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct ib_output out = { .fd = fd, .name = a[1], .once = true };
	struct ib_wim_write_options o = { .size = sizeof o, .time = 1 };
	g_autofree char *dir = g_path_get_dirname(a[1]);
	g_auto(GStrv) lines = read_list(a[3]);
	struct ib_wim *wim;
	struct ib_image *image;
	uint64_t size;

	if (!ib_wim_open_file(a[0], dir, &wim, err))
		return false;
	ib_wim_set_compressor(wim, (unsigned)atoi(a[2]), 0);
	bool ok = ib_wim_image(wim, 1, &image, err);
	for (char **l = lines; ok && *l; l++)
		ok = empty(image, *l, err);
	ok = ok && ib_wim_write_begin(wim, &out, &o, err);
	for (char **l = lines; ok && *l; l++)
		ok = replace(wim, image, *l, err);
	ok = ok && ib_wim_write(wim, &out, &o, &size, err);
	ib_wim_free(wim);
	return ok;
}

static bool libwim(char **a, struct ib_error **err)
{
	g_auto(GStrv) lines = read_list(a[3]);
	unsigned count = g_strv_length(lines);
	g_autofree struct wimlib_update_command *c = g_new0(struct wimlib_update_command, count);
	WIMStruct *wim;

	for (unsigned i = 0; i < count; i++) {
		char **pair = g_strsplit(lines[i], "\t", 2);
		c[i].op = WIMLIB_UPDATE_OP_ADD;
		c[i].add.wim_target_path = g_strdelimit(pair[0], "\\", '/');
		c[i].add.fs_source_path = pair[1];
	}
	int rc = wimlib_open_wim(a[0], 0, &wim);
	if (!rc)
		rc = wimlib_set_output_compression_type(wim, WIMLIB_COMPRESSION_TYPE_LZX);
	wimlib_set_default_compression_level(WIMLIB_COMPRESSION_TYPE_LZX, (unsigned)atoi(a[2]));
	if (!rc)
		rc = wimlib_update_image(wim, 1, c, count, 0);
	if (!rc)
		rc = wimlib_write(wim, a[1], WIMLIB_ALL_IMAGES, 0, 0);
	return rc ? ib_throw(err, IB_ERR_FAILED, "libwim: %s", wimlib_get_error_string((enum wimlib_error_code)rc)) : true;
}

static bool codec(char **a, struct ib_error **err)
{
	g_auto(GStrv) lines = read_list(a[1]);
	struct floor floor;

	floor_start(&floor, (unsigned)atoi(a[0]));
	for (char **l = lines; *l; l++) {
		char *data = NULL;
		gsize len = 0;
		if (!g_file_get_contents(strchr(*l, '\t') + 1, &data, &len, NULL))
			return ib_throw(err, IB_ERR_SYSTEM, "cannot read '%s'", *l);
		GBytes *bytes = g_bytes_new_take(data, len);
		floor_put(&floor, bytes);
		g_bytes_unref(bytes);
	}
	floor_end(&floor);
	return true;
}

static bool open_tree(char **a, struct ib_error **err)
{
	struct ib_wim *wim;
	struct ib_image *image;

	if (!ib_wim_open_file(a[0], NULL, &wim, err))
		return false;
	bool ok = ib_wim_image(wim, 1, &image, err);
	ib_wim_free(wim);
	return ok;
}

static const struct {
	const char *name;
	int args;
	bool (*run)(char **a, struct ib_error **err);
} steps[] = { { "ours", 4, ours }, { "libwim", 4, libwim }, { "codec", 2, codec }, { "open", 1, open_tree } };

int main(int argc, char **argv)
{
	ib_auto_error err = NULL;
	struct rusage used;

	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
		if (argc < 2 || strcmp(argv[1], steps[i].name) != 0 || argc != steps[i].args + 2)
			continue;
		gint64 start = g_get_monotonic_time();
		if (!steps[i].run(argv + 2, &err)) {
			g_autofree char *text = err ? ib_error_format(err, "bench_wim") : g_strdup("bench_wim: failed\n");
			fputs(text, stderr);
			return 1;
		}
		double seconds = (double)(g_get_monotonic_time() - start) / 1e6;
		getrusage(RUSAGE_SELF, &used);
		double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
			     (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
		printf("%.3f %.3f %.0f\n", seconds, cpu, (double)used.ru_maxrss / 1024);
		return 0;
	}
	fprintf(stderr, "see the head of tests/bench/wim.c\n");
	return 2;
}
