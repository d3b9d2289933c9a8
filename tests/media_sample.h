/* A small bootable disc for the tests of lib/media. */
#ifndef TESTS_MEDIA_SAMPLE_H
#define TESTS_MEDIA_SAMPLE_H

#include "media/media.h"

#include <unistd.h>

static inline bool media_sample_add(struct ib_media_writer *w, const char *path, size_t size, struct ib_error **err)
{
	g_autofree uint8_t *data = g_malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(size + i);
	g_autoptr(GBytes) bytes = g_bytes_new(data, size);
	return ib_media_writer_add_bytes(w, path, 1000, bytes, err);
}

/* Write the disc to an fd. Files a/one and a/two have one size, so that they can share bytes. */
static inline bool media_sample_write(int fd, uint64_t *ret_size, struct ib_error **err)
{
	static const struct ib_media_options options = { .label = "SAMPLE", .epoch = 1700000000, .bios_path = "boot/bios.bin",
							 .efi_path = "boot/efi.bin" };
	static const uint8_t wim[3000] = "MSWIM";
	struct ib_output out = { .fd = fd, .name = "sample.iso" }, file;
	ib_auto_media_writer w = NULL;

	return ib_media_writer_new(&options, &w, err) && media_sample_add(w, "boot/bios.bin", 4096, err) &&
	       media_sample_add(w, "boot/efi.bin", 5000, err) && media_sample_add(w, "a/one", 6000, err) &&
	       media_sample_add(w, "a/two", 6000, err) && media_sample_add(w, "a/b/empty", 0, err) &&
	       ib_media_writer_reserve(w, "wim", 1000, 3000, err) && ib_media_writer_start(w, &out, NULL, err) &&
	       ib_media_writer_open(w, "wim", &file, err) && ib_output_write(&file, 0, wim, sizeof wim, err) &&
	       ib_media_writer_close(w, sizeof wim, err) && ib_media_writer_finish(w, ret_size, err);
}

/* The disc's bytes; owned by the caller (g_free). Aborts when it cannot be made. */
static inline uint8_t *media_sample(size_t *ret_size)
{
	ib_auto_error err = NULL;
	ib_auto_fd fd = -1;
	uint64_t size = 0;
	uint8_t *data = NULL;

	if (ib_file_temp(g_get_tmp_dir(), &fd, &err) && media_sample_write(fd, &size, &err)) {
		struct ib_output out = { .fd = fd, .name = "sample.iso" };
		data = g_malloc(size);
		if (!ib_output_read(&out, 0, data, size, &err))
			g_clear_pointer(&data, g_free);
	}
	if (!data)
		g_error("the sample disc cannot be made: %s", ib_error_cause(err));
	*ret_size = size;
	return data;
}

#endif
