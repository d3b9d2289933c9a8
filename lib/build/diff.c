#include "build/internal.h"

#include <sys/stat.h>

/* Compare two images and say what differs, as one document. */

struct side {
	const char *path;
	unsigned index;
	struct ib_media *media;
	struct ib_input *in;
	struct ib_wim *wim;
	struct ib_store *store;
};

static void side_clear(struct side *s)
{
	ib_store_free(s->store);
	ib_wim_free(s->wim);
	ib_input_unref(s->in);
	ib_media_free(s->media);
}

/* A WIM, or the install.wim of a disc. */
static bool open_wim(struct side *s, struct ib_error **err)
{
	ib_auto_input file = NULL;
	char magic[8] = { 0 };

	if (!ib_input_open(s->path, &file, err) ||
	    !ib_input_read(file, 0, magic, (size_t)MIN(sizeof(magic), ib_input_size(file)), err))
		return false;
	if (memcmp(magic, "MSWIM\0\0", 8) == 0)
		return ib_wim_open_file(s->path, NULL, &s->wim, err); /* by its path: it may be split */
	if (!ib_media_open(file, &s->media, err))
		return ib_while(err, "looking for a WIM or a disc");
	const struct ib_media_entry *e = ib_media_find(s->media, "sources/install.wim");
	if (!e)
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds no 'sources/install.wim'", s->path);
	return ib_media_file(s->media, e, &s->in, err) && ib_wim_open(s->in, NULL, &s->wim, err);
}

static bool open_side(struct side *s, struct ib_error **err)
{
	if (!open_wim(s, err))
		return ib_while(err, "opening '%s'", s->path);
	unsigned count = ib_wim_info(s->wim)->image_count;
	if (s->index == 0 && count != 1) {
		ib_throw(err, IB_ERR_USAGE, "'%s' holds %u images", s->path, count);
		return ib_hint(err, "say which: %s:1", s->path);
	}
	s->index = s->index ? s->index : 1;
	return ib_store_open(s->wim, s->index, 0, &s->store, err) || ib_while(err, "opening '%s'", s->path);
}

static JsonObject *side_json(const struct side *s)
{
	const struct ib_store_info *i = ib_store_info(s->store);
	g_autofree char *name = ib_wim_image_property(s->wim, s->index, "NAME"), *version = ib_version_text(&i->version);
	JsonObject *o = json_object_new();

	json_object_set_string_member(o, "file", s->path);
	json_object_set_int_member(o, "index", s->index);
	json_object_set_string_member(o, "name", name ? name : "");
	json_object_set_string_member(o, "edition", i->edition);
	json_object_set_string_member(o, "version", version);
	return o;
}

static void set_or_null(JsonObject *o, const char *name, const char *text)
{
	if (text)
		json_object_set_string_member(o, name, text);
	else
		json_object_set_null_member(o, name);
}

/* Lists by kind; a kind without differences is an empty list, so that nothing is left to guess. */
static void set_differences(JsonObject *o, const GPtrArray *list)
{
	JsonObject *counts = json_object_new(), *all = json_object_new();
	JsonArray *kinds[IB_DIFF_KINDS];

	json_object_set_boolean_member(o, "same", list->len == 0);
	json_object_set_object_member(o, "counts", counts);
	json_object_set_object_member(o, "differences", all);
	for (unsigned k = 0; k < IB_DIFF_KINDS; k++) {
		kinds[k] = json_array_new();
		json_object_set_array_member(all, ib_diff_kind_word(k), kinds[k]);
	}
	for (guint i = 0; i < list->len; i++) {
		const struct ib_difference *d = g_ptr_array_index(list, i);
		JsonObject *item = json_object_new();
		json_object_set_string_member(item, "name", d->name);
		if (d->field)
			json_object_set_string_member(item, "field", d->field);
		set_or_null(item, "a", d->a);
		set_or_null(item, "b", d->b);
		json_array_add_object_element(kinds[d->kind], item);
	}
	for (unsigned k = 0; k < IB_DIFF_KINDS; k++)
		json_object_set_int_member(counts, ib_diff_kind_word(k), json_array_get_length(kinds[k]));
}

/* One line a difference, for people and for diff and grep. */
static char *text_of(const struct side *a, const struct side *b, const GPtrArray *list)
{
	GString *s = g_string_new(NULL);
	const struct side *const sides[2] = { a, b };

	for (unsigned i = 0; i < 2; i++) {
		const struct ib_store_info *info = ib_store_info(sides[i]->store);
		g_autofree char *version = ib_version_text(&info->version);
		g_string_append_printf(s, "%c: %s:%u %s %s\n", "ab"[i], sides[i]->path, sides[i]->index, info->edition, version);
	}
	for (guint i = 0; i < list->len; i++) {
		const struct ib_difference *d = g_ptr_array_index(list, i);
		g_string_append_printf(s, "%-10s %s%s%s: %s -> %s\n", ib_diff_kind_word(d->kind), d->name, d->field ? " " : "",
				       d->field ? d->field : "", d->a ? d->a : "-", d->b ? d->b : "-");
	}
	g_string_append_printf(s, "%u differences\n", list->len);
	return g_string_free(s, FALSE);
}

/* ---- as a page ---- */

static struct ib_report_image image_of(const struct side *s, char *texts[3])
{
	const struct ib_store_info *i = ib_store_info(s->store);

	texts[0] = g_strdup_printf("%u", s->index);
	texts[1] = ib_wim_image_property(s->wim, s->index, "NAME");
	texts[2] = ib_version_text(&i->version);
	return (struct ib_report_image){
		.file = s->path, .index = texts[0], .name = texts[1], .edition = i->edition, .version = texts[2],
	};
}

static bool write_page(const struct ib_diff_options *o, const struct side *a, const struct side *b, const GPtrArray *list,
		       struct ib_error **err)
{
	const char *kinds[IB_DIFF_KINDS + 1] = { NULL };
	char *texts[2][3];
	g_autofree struct ib_report_difference *all = g_new0(struct ib_report_difference, list->len + 1);
	g_autoptr(GPtrArray) shown = g_ptr_array_sized_new(list->len);
	g_autofree char *data = g_build_filename(o->data_dir, "manifests", "report", NULL);
	g_autoptr(GBytes) page = NULL;

	for (unsigned k = 0; k < IB_DIFF_KINDS; k++)
		kinds[k] = ib_diff_kind_word(k);
	for (guint i = 0; i < list->len; i++) {
		const struct ib_difference *d = g_ptr_array_index(list, i);
		all[i] = (struct ib_report_difference){ kinds[d->kind], d->name, d->field, d->a, d->b };
		g_ptr_array_add(shown, &all[i]);
	}
	struct ib_report_diff r = { .size = sizeof r, .kinds = kinds, .differences = shown };
	r.a = image_of(a, texts[0]);
	r.b = image_of(b, texts[1]);
	bool ok = ib_report_diff(&r, data, o->language ? o->language : "en", &page, err) &&
		  ib_file_write(o->html, g_bytes_get_data(page, NULL), g_bytes_get_size(page), err);
	for (unsigned i = 0; i < 6; i++)
		g_free(texts[i / 3][i % 3]);
	return ok;
}

/* A page written over an image would destroy what was compared. */
static bool check_page(const struct ib_diff_options *o, struct ib_error **err)
{
	struct stat page, image;

	if (!o->html || stat(o->html, &page) != 0)
		return true;
	for (unsigned i = 0; i < 2; i++)
		if (stat(i ? o->b : o->a, &image) == 0 && image.st_dev == page.st_dev && image.st_ino == page.st_ino)
			return ib_throw(err, IB_ERR_USAGE, "'%s' is one of the images", o->html);
	return true;
}

bool ib_diff_images(const struct ib_diff_options *o, char **ret_json, char **ret_text, bool *ret_same, struct ib_error **err)
{
	struct side sa = { .path = o->a, .index = o->index_a }, sb = { .path = o->b, .index = o->index_b };
	g_autoptr(GPtrArray) list = NULL;
	bool ok = check_page(o, err) && open_side(&sa, err) && open_side(&sb, err) &&
		  ib_store_diff(sa.store, sb.store, &list, err) && (!o->html || write_page(o, &sa, &sb, list, err));

	if (ok) {
		g_autoptr(JsonObject) doc = json_object_new();
		json_object_set_object_member(doc, "a", side_json(&sa));
		json_object_set_object_member(doc, "b", side_json(&sb));
		set_differences(doc, list);
		*ret_json = json_text(doc);
		*ret_text = text_of(&sa, &sb, list);
		*ret_same = list->len == 0;
	}
	side_clear(&sa);
	side_clear(&sb);
	return ok;
}
