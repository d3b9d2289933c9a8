/*
 * For the media tests: makes, lists, extracts and verifies discs with lib/media.
 *
 *   media_disc make ISO FOLDER LABEL EPOCH [bios=PATH] [efi=PATH] [reserve=PATH]…
 *   media_disc list ISO         size and path of each entry, folders with a slash
 *   media_disc extract ISO FOLDER
 *   media_disc cat ISO PATH     the bytes of one file
 *   media_disc boot ISO         platform, sectors, lba and file of each boot entry
 *   media_disc verify ISO
 */
#include "media/media.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const *reserved; /* paths, ended by NULL */

static bool is_reserved(const char *path)
{
	for (size_t i = 0; reserved[i]; i++)
		if (!strcmp(reserved[i], path))
			return true;
	return false;
}

static bool add_file(struct ib_media_writer *w, const char *source, const char *path, struct ib_error **err)
{
	ib_auto_input in = NULL;
	struct stat st;

	if (!ib_input_open(source, &in, err))
		return false;
	if (is_reserved(path))
		return ib_media_writer_reserve(w, path, IB_MEDIA_TIME_OF_VOLUME, ib_input_size(in), err);
	int64_t mtime = stat(source, &st) == 0 ? st.st_mtime : IB_MEDIA_TIME_OF_VOLUME;
	return ib_media_writer_add_input(w, path, mtime, in, err);
}

static bool add_tree(struct ib_media_writer *w, const char *folder, const char *below, struct ib_error **err)
{
	g_autofree char *here = g_build_filename(folder, below, NULL);
	g_autoptr(GDir) d = g_dir_open(here, 0, NULL);
	const char *name;

	while (d && (name = g_dir_read_name(d))) {
		g_autofree char *path = *below ? g_strconcat(below, "/", name, NULL) : g_strdup(name);
		g_autofree char *source = g_build_filename(folder, path, NULL);
		bool is_dir = g_file_test(source, G_FILE_TEST_IS_DIR);
		if (is_dir && (!ib_media_writer_add_dir(w, path, err) || !add_tree(w, folder, path, err)))
			return false;
		if (!is_dir && !add_file(w, source, path, err))
			return false;
	}
	return true;
}

#define CHUNK (1u << 20)

/* Copy all but chunks of zeros, which stay holes: large test files cost no time. */
static bool copy_sparse(const struct ib_output *out, struct ib_input *in, uint64_t from, uint64_t to, struct ib_error **err)
{
	g_autofree uint8_t *buf = g_malloc(CHUNK);
	g_autofree uint8_t *zeros = g_malloc0(CHUNK);

	for (uint64_t at = from; at < to; at += CHUNK) {
		size_t n = (size_t)MIN(to - at, CHUNK);
		if (!ib_input_read(in, at, buf, n, err))
			return false;
		/* the first chunk may lie on junk of the file before */
		if ((at == 0 || memcmp(buf, zeros, n) != 0) && !ib_output_write(out, at, buf, n, err))
			return false;
	}
	return true;
}

/* As a WIM would be: its start last, and more written than what counts in the end. */
static bool write_reserved(struct ib_media_writer *w, const char *folder, const char *path, struct ib_error **err)
{
	static const uint8_t junk[5000] = { 0xEE };
	ib_auto_input in = NULL;
	struct ib_output out;
	g_autofree char *source = g_build_filename(folder, path, NULL);

	if (!ib_input_open(source, &in, err) || !ib_media_writer_open(w, path, &out, err))
		return false;
	uint64_t size = ib_input_size(in), start = MIN(size, CHUNK);
	return ib_output_write(&out, size, junk, sizeof junk, err) && copy_sparse(&out, in, start, size, err) &&
	       copy_sparse(&out, in, 0, start, err) && ib_media_writer_close(w, size, err);
}

static bool make(char **argv, struct ib_error **err)
{
	const char *list[16] = { NULL };
	size_t count = 0;
	uint64_t size = 0, space;
	struct ib_media_options options = { .label = argv[2], .epoch = g_ascii_strtoll(argv[3], NULL, 10) };

	for (char **a = argv + 4; *a; a++) {
		if (g_str_has_prefix(*a, "bios="))
			options.bios_path = *a + 5;
		else if (g_str_has_prefix(*a, "efi="))
			options.efi_path = *a + 4;
		else if (g_str_has_prefix(*a, "reserve=") && count < G_N_ELEMENTS(list) - 1)
			list[count++] = *a + 8;
		else
			return ib_throw(err, IB_ERR_USAGE, "'%s' is not understood", *a);
	}
	reserved = list;
	ib_auto_media_writer w = NULL;
	ib_auto_fd fd = open(argv[0], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct ib_output out = { .fd = fd, .name = argv[0] };
	if (fd < 0)
		return ib_throw(err, IB_ERR_SYSTEM, "cannot create '%s'", argv[0]);
	if (!ib_media_writer_new(&options, &w, err) || !add_tree(w, argv[1], "", err))
		return false;
	space = ib_media_writer_space(w);
	if (!ib_media_writer_start(w, &out, NULL, err))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!write_reserved(w, argv[1], list[i], err))
			return false;
	if (!ib_media_writer_finish(w, &size, err))
		return false;
	return size == space || ib_throw(err, IB_ERR_FAILED, "%" PRIu64 " bytes were foretold, %" PRIu64 " written", space, size);
}

static bool extract(const struct ib_media *media, const struct ib_media_entry *e, const char *folder, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(folder, e->path, NULL);
	ib_auto_input in = NULL;

	if (e->is_dir)
		return ib_dir_make(path, err);
	ib_auto_fd fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	struct ib_output out = { .fd = fd, .name = path };
	return ib_media_file(media, e, &in, err) && ib_output_copy(&out, 0, in, 0, e->size, NULL, err);
}

static bool cat(const struct ib_media *media, const char *path, struct ib_error **err)
{
	const struct ib_media_entry *e = ib_media_find(media, path);
	g_autofree uint8_t *buf = g_malloc(CHUNK);
	ib_auto_input in = NULL;

	if (!e)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not on the disc", path);
	if (!ib_media_file(media, e, &in, err))
		return false;
	for (uint64_t at = 0; at < e->size; at += CHUNK) {
		size_t n = (size_t)MIN(e->size - at, CHUNK);
		if (!ib_input_read(in, at, buf, n, err))
			return false;
		if (fwrite(buf, 1, n, stdout) != n)
			return ib_throw(err, IB_ERR_SYSTEM, "cannot write");
	}
	return true;
}

static bool show(const char *verb, const struct ib_media *media, char **argv, struct ib_error **err)
{
	for (size_t i = 0; !strcmp(verb, "boot") && i < ib_media_boot_count(media); i++) {
		const struct ib_media_boot *b = ib_media_boot(media, i);
		ib_auto_input in = NULL;
		if (!ib_media_boot_input(media, b, &in, err))
			return false;
		printf("%02x %u %u %" PRIu64 " %s\n", b->platform, b->sectors, b->lba, ib_input_size(in),
		       b->entry ? b->entry->path : "-");
	}
	if (!strcmp(verb, "boot"))
		return true;
	for (size_t i = 0; i < ib_media_count(media); i++) {
		const struct ib_media_entry *e = ib_media_entry(media, i);
		if (!strcmp(verb, "list"))
			printf("%" PRIu64 " %s%s\n", e->size, e->path, e->is_dir ? "/" : "");
		else if (!extract(media, e, argv[1], err))
			return false;
	}
	return true;
}

static bool run(int argc, char **argv, struct ib_error **err)
{
	ib_auto_input in = NULL;
	ib_auto_media media = NULL;
	const char *verb = argv[1];

	if (argc >= 6 && !strcmp(verb, "make"))
		return make(argv + 2, err);
	if (argc != (!strcmp(verb, "extract") || !strcmp(verb, "cat") ? 4 : 3))
		return ib_throw(err, IB_ERR_USAGE, "wrong number of arguments");
	if (!ib_input_open(argv[2], &in, err))
		return false;
	if (!strcmp(verb, "verify"))
		return ib_media_verify(in, err);
	if (!ib_media_open(in, &media, err))
		return false;
	return !strcmp(verb, "cat") ? cat(media, argv[3], err) : show(verb, media, argv + 2, err);
}

int main(int argc, char **argv)
{
	ib_auto_error err = NULL;

	if (argc >= 3 && run(argc, argv, &err))
		return 0;
	g_autofree char *text = err ? ib_error_format(err, "media_disc") : g_strdup("usage: see media_disc.c\n");
	fputs(text, stderr);
	return err ? (int)ib_error_code(err) : 2;
}
