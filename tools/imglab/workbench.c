#include "workbench.h"

#include "base/file.h"

/* Deltas of more than this are not what the laboratory is for. */
#define FILE_MAX_BYTES ((uint64_t)1 << 30)
/* The date of members of a cabinet: 2021-09-14 15:00 UTC. */
#define CAB_TIME 1631631600

static bool save(const char *path, GBytes *bytes, struct ib_error **err)
{
	gsize size;
	const void *data = g_bytes_get_data(bytes, &size);

	return ib_file_write(path, data, size, err);
}

bool lab_workbench_delta(const struct lab_delta_request *r, struct ib_error **err)
{
	g_autoptr(GBytes) source = NULL;
	g_autoptr(GBytes) target = NULL;
	struct lab_delta d = r->delta;

	if (!ib_file_read(r->target, FILE_MAX_BYTES, &target, err) ||
	    (r->source && !ib_file_read(r->source, FILE_MAX_BYTES, &source, err)))
		return false;
	d.source = source;
	d.target = target;
	g_autoptr(GBytes) record = lab_delta_make(&d);
	return save(r->output, record, err);
}

bool lab_workbench_dcm(const char *dictionary, const char *xml, const char *output, struct ib_error **err)
{
	g_autoptr(GBytes) basis = NULL;
	g_autoptr(GBytes) text = NULL;

	if (!ib_file_read(dictionary, FILE_MAX_BYTES, &basis, err) || !ib_file_read(xml, FILE_MAX_BYTES, &text, err))
		return false;
	g_autoptr(GBytes) compressed = lab_dcm_make(basis, text);
	return save(output, compressed, err);
}

bool lab_workbench_cab(char *const *files, int count, const char *output, struct ib_error **err)
{
	lab_auto_cab cab = lab_cab_new(LAB_CAB_LZX, CAB_TIME);
	g_autoptr(GBytes) bytes = NULL;

	for (int i = 0; i < count; i++) {
		g_autoptr(GBytes) content = NULL;
		g_autofree char *name = g_strdelimit(g_strdup(files[i]), "/", '\\');

		if (!ib_file_read(files[i], FILE_MAX_BYTES, &content, err))
			return false;
		lab_cab_add(cab, name, content);
	}
	return lab_cab_build(cab, 0, &bytes, err) && save(output, bytes, err);
}
