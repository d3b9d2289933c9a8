#include "build/service_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/registry.h"

/*
 * Ad-hoc servicing of one image of a WIM. The component store first (packages, removals, features), then files,
 * then registry values; the result is a new file that appears whole or not at all.
 */

/* Space of UUIDs of serviced images: UUIDv5 of "imgbuild:service" in the RFC 4122 name space of URLs. */
static const uint8_t service_space[16] = { 0x5d, 0x0b, 0x63, 0x2e, 0x2f, 0x0c, 0x5a, 0x6e,
					   0xb1, 0x4d, 0x90, 0x3a, 0x1c, 0x77, 0x25, 0xe4 };

void service_say(struct service *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_ptr_array_add(s->changes, g_strdup_vprintf(fmt, ap));
	va_end(ap);
}

/* ---- the source ---- */

static bool is_disc(struct ib_input *in)
{
	ib_auto_error ignored = NULL;
	char id[5];

	return ib_input_size(in) > 32774 && ib_input_read(in, 32769, id, sizeof id, &ignored) &&
	       (memcmp(id, "CD001", 5) == 0 || memcmp(id, "BEA01", 5) == 0);
}

static bool open_source(struct service *s, struct ib_error **err)
{
	ib_auto_input file = NULL;
	ib_auto_media media = NULL;

	if (!ib_input_open(s->o->image, &file, err))
		return false;
	if (!is_disc(file))
		return true; /* opened by its path: it may be split */
	if (!ib_media_open(file, &media, err))
		return false;
	const struct ib_media_entry *e = ib_media_find(media, "sources/install.wim");
	if (!e)
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds no 'sources/install.wim'", s->o->image);
	return ib_media_file(media, e, &s->in, err);
}

/* The image's own last change: without --date nothing in the result depends on a clock. */
static uint64_t time_of_image(struct service *s)
{
	g_autofree char *high = ib_wim_image_property(s->wim, s->index, "LASTMODIFICATIONTIME/HIGHPART");
	g_autofree char *low = ib_wim_image_property(s->wim, s->index, "LASTMODIFICATIONTIME/LOWPART");

	return high && low ? g_ascii_strtoull(high, NULL, 16) << 32 | (g_ascii_strtoull(low, NULL, 16) & UINT32_MAX) : 0;
}

/* What would only show when all is done. */
static bool check_output(struct service *s, struct ib_error **err)
{
	g_autofree char *dir = g_path_get_dirname(s->o->out);
	struct stat in, out;

	if (stat(s->o->image, &in) == 0 && stat(s->o->out, &out) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino) {
		ib_throw(err, IB_ERR_USAGE, "'%s' is the input itself", s->o->out);
		return ib_hint(err, "name another file with -o");
	}
	if (g_file_test(s->o->out, G_FILE_TEST_EXISTS) && !g_file_test(s->o->out, G_FILE_TEST_IS_REGULAR))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is a folder or a device, not a file", s->o->out);
	if (g_file_test(dir, G_FILE_TEST_IS_DIR))
		return true;
	ib_throw(err, IB_ERR_SYSTEM, "there is no folder '%s' to write '%s' to", dir, s->o->out);
	return ib_hint(err, "make the folder first");
}

static bool open_image(struct service *s, struct ib_error **err)
{
	g_autofree char *dir = g_path_get_dirname(s->o->out);

	if (!check_output(s, err) || !open_source(s, err) ||
	    !(s->in ? ib_wim_open(s->in, dir, &s->wim, err) : ib_wim_open_file(s->o->image, dir, &s->wim, err)))
		return false;
	unsigned count = ib_wim_info(s->wim)->image_count;
	if (s->o->index == 0 && count > 1) {
		ib_throw(err, IB_ERR_USAGE, "'%s' holds %u images", s->o->image, count);
		return ib_hint(err, "say which: %s:1", s->o->image);
	}
	s->index = s->o->index ? s->o->index : 1;
	ib_wim_set_compressor(s->wim, 0, s->o->threads);
	s->time = s->o->has_date ? ib_filetime(s->o->date) : time_of_image(s);
	return ib_wim_image(s->wim, s->index, &s->image, err);
}

/* ---- files ---- */

static bool put_file(struct service *s, const char *source, const char *path, struct ib_error **err)
{
	struct ib_node *old = ib_image_find(s->image, path);
	g_autoptr(GBytes) sd = NULL;
	struct ib_node_meta meta;
	uint8_t hash[IB_WIM_HASH_SIZE];
	ib_auto_input in = NULL;
	uint64_t size;

	if (!put_parent(s->image, s->time, path, err) || !ib_input_open(source, &in, err) ||
	    !put_meta(s->image, s->time, path, false, &meta, &sd, err))
		return false;
	struct ib_stream *stream = ib_stream_from_input(in);
	bool ok = ib_wim_add_blob(s->wim, stream, hash, &size, err);
	ib_stream_free(stream);
	if (!ok)
		return false;
	if (old && !ib_node_is_dir(old)) { /* what was set on the old file stays */
		meta.attributes = (ib_node_attributes(old) & ~(IB_ATTR_REPARSE | IB_ATTR_NORMAL)) | IB_ATTR_ARCHIVE;
		meta.security = ib_node_security(s->image, old);
	}
	if (!ib_image_put(s->image, path, hash, &meta, NULL, err))
		return false;
	g_autofree char *hex = ib_hex(hash, sizeof hash);
	service_say(s, "%s %s: %" PRIu64 " bytes, SHA-1 %s", old ? "replaced" : "put", path, size, hex);
	return true;
}

static bool put_either(const char *source, const char *path, void *data, struct ib_error **err)
{
	struct service *s = data;

	return source ? put_file(s, source, path, err) : put_dir(s->image, s->time, path, err);
}

/* "SRC=DST": DST with a separator at its end, or naming a folder, takes the file under its own name. */
static bool put(struct service *s, const char *text, put_file_fn fn, struct ib_error **err)
{
	const char *equals = strchr(text, '=');
	if (!equals || equals == text)
		return ib_throw(err, IB_ERR_USAGE, "'--put %s' is not SOURCE=PATH", text);
	g_autofree char *source = g_strndup(text, (gsize)(equals - text));
	g_autofree char *to = g_strdelimit(g_strdup(equals + 1), "/", '\\');
	bool inside = g_str_has_suffix(to, "\\") || !*to;
	size_t lead = strspn(to, "\\");

	memmove(to, to + lead, strlen(to + lead) + 1);
	for (size_t n = strlen(to); n > 0 && to[n - 1] == '\\'; n--)
		to[n - 1] = '\0';
	struct ib_node *there = ib_image_find(s->image, to);
	bool is_folder = g_file_test(source, G_FILE_TEST_IS_DIR);
	if (!is_folder && (inside || (there && ib_node_is_dir(there)))) {
		g_autofree char *base = g_path_get_basename(source);
		char *joined = g_strconcat(to, *to ? "\\" : "", base, NULL);
		g_free(to);
		to = joined;
	}
	return put_walk(source, to, fn, s, err) ? true : ib_while(err, "putting '%s' to '%s'", source, to);
}

/* ---- registry ---- */

static void said_import(void *data, unsigned keys, const char *file, const char *hive)
{
	service_say(data, "imported %u keys of %s into %s", keys, file, hive);
}

static bool import_all(struct service *s, struct ib_error **err)
{
	struct reg_place to = { .wim = s->wim, .image = s->image, .time = s->time, .said = said_import, .data = s };
	g_autoptr(GArray) files = reg_files_new();

	for (char *const *name = s->o->regs; name && *name; name++)
		if (!reg_files_read(files, *name, false, err))
			return false;
	return reg_files_import(files, &to, err);
}

/* ---- the result ---- */

static void make_guid(struct service *s, uint8_t ret[16])
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *old = ib_uuid_text(ib_wim_info(s->wim)->guid);

	g_string_append_printf(text, "%s %u %" PRIu64, old, s->index, s->time);
	for (guint i = 0; i < s->changes->len; i++)
		g_string_append_printf(text, "\n%s", (char *)g_ptr_array_index(s->changes, i));
	ib_uuid5(service_space, text->str, ret);
}

static struct ib_wim_write_options write_options(struct service *s)
{
	const struct ib_wim_info *info = ib_wim_info(s->wim);
	struct ib_wim_write_options o = { .size = sizeof o, .time = s->time, .integrity = info->has_integrity,
					  .progress = s->o->progress };

	if (info->compression == IB_WIM_LZMS) { /* an .esd becomes a .wim that can be edited again */
		o.set_compression = true;
		o.compression = IB_WIM_LZX;
	}
	return o;
}

/* Other names of a file keep the old content, so only a file of one name loses it for sure. */
static bool empty_file(const char *source, const char *path, void *data, struct ib_error **err)
{
	struct service *s = data;
	struct ib_node *old = source ? ib_image_find(s->image, path) : NULL;

	return !old || !ib_node_hash(old) || ib_node_is_dir(old) || ib_node_link_count(s->image, old) != 1 ||
	       ib_image_set_content(s->image, old, NULL, s->time, err);
}

/*
 * What stays is copied while new files are compressed: for that, the files to be replaced are emptied first. Not with
 * values to come: the old hives would be copied, too.
 */
static bool put_all(struct service *s, const struct ib_output *out, const struct ib_wim_write_options *o, struct ib_error **err)
{
	bool early = s->o->puts && *s->o->puts && !(s->o->regs && *s->o->regs);

	for (char *const *p = s->o->puts; early && *p; p++)
		if (!put(s, *p, empty_file, err))
			return false;
	if (early && !ib_wim_write_begin(s->wim, out, o, err))
		return false;
	for (char *const *p = s->o->puts; p && *p; p++)
		if (!put(s, *p, put_either, err))
			return false;
	return true;
}

/* When this fails the image is gone, so that nobody writes to the output any more. */
static bool fill(const struct ib_output *file, void *data, struct ib_error **err)
{
	struct service *s = data;
	struct ib_wim_write_options o = write_options(s);
	struct ib_output out = *file;

	out.name = s->o->out;
	out.once = !o.integrity; /* that reads all of it again */
	bool ok = put_all(s, &out, &o, err) && import_all(s, err);
	if (ok && s->changes->len == 0) {
		ib_throw(err, IB_ERR_USAGE, "nothing was asked for that changes the image");
		ok = ib_hint(err, "imgbuild service --help lists what can be");
	}
	if (ok)
		make_guid(s, o.guid);
	ok = ok && ib_wim_cost(s->wim, &o, &s->cost, err) && ib_wim_write(s->wim, &out, &o, &s->size, err);
	if (!ok)
		g_clear_pointer(&s->wim, ib_wim_free);
	return ok;
}

static char *result_json(struct service *s)
{
	g_autoptr(JsonObject) o = json_object_new();

	json_object_set_string_member(o, "image", s->o->image);
	json_object_set_int_member(o, "index", s->index);
	json_object_set_string_member(o, "output", s->o->out);
	json_object_set_int_member(o, "bytes", (gint64)s->size);
	json_object_set_int_member(o, "copied_bytes", (gint64)s->cost.copy_bytes);
	json_object_set_int_member(o, "new_bytes", (gint64)s->cost.new_bytes);
	json_object_set_int_member(o, "recompressed_bytes", (gint64)s->cost.recompress_bytes);
	json_set_strings(o, "changes", s->changes);
	json_set_strings(o, "not_done_offline", s->notes);
	return json_text(o);
}

static bool run(struct service *s, struct ib_error **err)
{
	return open_image(s, err) && service_store(s, err) && ib_file_make(s->o->out, fill, s, err);
}

bool ib_service_run(const struct ib_service_options *options, char **ret_json, struct ib_error **err)
{
	struct service s = { .o = options };

	s.changes = g_ptr_array_new_with_free_func(g_free);
	s.notes = g_ptr_array_new_with_free_func(g_free);
	s.first_boot = g_string_new(NULL);
	bool ok = run(&s, err);
	if (ok)
		*ret_json = result_json(&s);
	else
		ib_while(err, "servicing '%s'", options->image);
	ib_store_free(s.store);
	ib_stock_free(s.stock);
	ib_anchors_free(s.anchors);
	ib_wim_free(s.wim);
	ib_input_unref(s.in);
	g_ptr_array_unref(s.changes);
	g_ptr_array_unref(s.notes);
	g_string_free(s.first_boot, TRUE);
	return ok;
}
