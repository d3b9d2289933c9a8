/* Any bytes as a WIM: opened, its trees read and walked, its content read, written again. */
#include <stdlib.h>

#include "wim/wim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned walk(struct ib_image *image, struct ib_node *node)
{
	unsigned count = 1;
	g_autofree char *path = ib_node_path(node);
	ib_auto_error err = NULL;
	g_autoptr(GBytes) content = NULL;
	g_autofree char *text = NULL;
	GBytes *sd = ib_node_security(image, node);

	/* names differing in case only: either may be found */
	if (!ib_image_find(image, path))
		abort();
	if (sd && !ib_sddl_format(sd, &text, &err))
		ib_error_clear(&err);
	if (!ib_node_is_dir(node) && !ib_image_read(image, path, 1 << 20, &content, &err))
		ib_error_clear(&err);
	for (struct ib_node *n = ib_node_first(node); n; n = ib_node_next(n))
		count += walk(image, n);
	return count;
}

static void rewrite(struct ib_wim *wim)
{
	ib_auto_fd fd = -1;
	ib_auto_error err = NULL;
	uint64_t written;
	struct ib_wim_cost cost;
	struct ib_wim_write_options options = { .size = sizeof options };

	if (!ib_file_temp(g_get_tmp_dir(), &fd, &err))
		return;
	struct ib_output out = { .fd = fd, .name = "fuzz" };
	if (ib_wim_cost(wim, &options, &cost, &err) && ib_wim_write(wim, &out, &options, &written, &err) &&
	    written > cost.max_total_bytes)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GBytes) bytes = g_bytes_new_static(data, size);
	ib_auto_input in = ib_input_from_bytes(bytes, "fuzz");
	ib_auto_error err = NULL;
	struct ib_wim *wim;

	if (!ib_wim_open(in, NULL, &wim, &err))
		return 0;
	ib_wim_set_compressor(wim, 1, 1);
	for (unsigned i = 1; i <= ib_wim_info(wim)->image_count; i++) {
		struct ib_image *image;
		if (ib_wim_image(wim, i, &image, &err)) {
			walk(image, ib_image_root(image));
			ib_node_set_attributes(image, ib_image_root(image), 0); /* edited: its metadata is made anew */
		}
		ib_error_clear(&err);
	}
	rewrite(wim);
	ib_wim_free(wim);
	return 0;
}
