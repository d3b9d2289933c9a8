#include "build/internal.h"

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


struct service {
	const struct ib_service_options *o;
	struct ib_input *in;   /* the WIM inside a disc; NULL: the image is a file */
	struct ib_wim *wim;
	struct ib_image *image;
	struct ib_store *store;
	struct ib_anchors *anchors;
	struct ib_stock *stock;
	unsigned index;
	uint64_t time;         /* FILETIME of all that changes */
	GPtrArray *changes;    /* char *: one line each, for result and GUID */
	GPtrArray *notes;      /* char * */
	GString *first_boot;   /* lines of SetupComplete.cmd */
	struct ib_wim_cost cost;
	uint64_t size;
};

static void say(struct service *s, const char *fmt, ...) IB_PRINTF(2, 3);
static void say(struct service *s, const char *fmt, ...)
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

static bool check_output(struct service *s, struct ib_error **err)
{
	struct stat in, out;

	if (stat(s->o->image, &in) == 0 && stat(s->o->out, &out) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino) {
		ib_throw(err, IB_ERR_USAGE, "'%s' is the input itself", s->o->out);
		return ib_hint(err, "name another file with -o");
	}
	if (g_file_test(s->o->out, G_FILE_TEST_IS_DIR))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is a folder", s->o->out);
	return true;
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

/* ---- the component store ---- */

static bool need_store(struct service *s, struct ib_error **err)
{
	return s->store || ib_store_open(s->wim, s->index, s->time, &s->store, err);
}

static bool install_all(struct service *s, GPtrArray *updates, struct ib_error **err)
{
	for (guint i = 0; i < updates->len; i++) {
		struct update *u = g_ptr_array_index(updates, i);
		struct ib_install_summary sum;
		if (!ib_store_install(s->store, u->package, &sum, s->o->progress, err))
			return package_refused(err) || ib_while(err, "installing '%s'", ib_package_path(u->package));
		g_autofree char *payload = payload_words(&sum);
		say(s, "installed %s: %u components, %u files new, %u changed, %u removed%s",
		    ib_package_root(u->package)->package_id, sum.components, sum.files_new, sum.files_changed,
		    sum.files_removed, payload);
	}
	return true;
}

/* Anchors for packages: none is taken without. */
static bool need_anchors(struct service *s, struct ib_error **err)
{
	if (s->anchors)
		return true;
	if (s->o->trust && *s->o->trust)
		return check_anchors(s->o->trust, s->o->now, &s->anchors, err);
	ib_throw(err, IB_ERR_USAGE, "a package is only installed up to a trusted root, and none is given");
	return ib_hint(err, "--trust FILE names the root that signed the package's catalog");
}

/* Payload of features that the store lacks. */
static bool add_sources(struct service *s, struct ib_error **err)
{
	char *const *files = s->o->sources;
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)build_update_free);
	struct update_options o = { .threads = s->o->threads, .payload = true,
				    .progress = ib_progress_step(s->o->progress, "opening packages", 0) };

	if (!files || !*files)
		return true;
	if (!need_store(s, err) || !need_anchors(s, err) || !ib_store_dictionary(s->store, &o.dictionary, err))
		return false;
	o.anchors = s->anchors;
	for (; *files; files++)
		if (!updates_open(all, *files, &o, err))
			return false;
	for (guint i = 0; i < all->len; i++) {
		struct update *u = g_ptr_array_index(all, i);
		unsigned n;
		if (!ib_store_add_payload(s->store, u->package, &n, s->o->progress, err))
			return false;
		say(s, "took %u missing files from %s", n, ib_package_root(u->package)->package_id);
	}
	return true;
}

static bool is_given(char *const *list)
{
	return list && *list;
}

/* Features on demand by name, out of the sources. */
static bool add_capabilities(struct service *s, GPtrArray *updates, const struct update_options *o, struct ib_error **err)
{
	struct capability_request r = { .names = s->o->added, .sources = s->o->capability_sources, .store = s->store,
					.options = o };
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

	if (!is_given(r.names))
		return true;
	if (!capabilities_open(updates, &r, lines, err))
		return false;
	if (!updates->len)
		return ib_throw(err, IB_ERR_UP_TO_DATE, "the image has the capability '%s' already", *r.names);
	for (guint i = 0; i < lines->len; i++)
		say(s, "%s", (char *)g_ptr_array_index(lines, i));
	return true;
}

static bool check_sources(const struct service *s, struct ib_error **err)
{
	bool names = is_given(s->o->added), sources = is_given(s->o->capability_sources);

	if (names == sources)
		return true;
	ib_throw(err, IB_ERR_USAGE, names ? "a capability is asked for by name, but no place is named where its packages are"
					  : "a source of capabilities is named, but no capability");
	return ib_hint(err, "--add-capability and --capability-source go together");
}

static bool add_packages(struct service *s, struct ib_error **err)
{
	static char *const none[] = { NULL };
	char *const *files = s->o->packages ? s->o->packages : none;
	bool on_demand = is_given(s->o->enable) && is_given(s->o->sources);

	if (!check_sources(s, err))
		return false;
	if (!*files && !is_given(s->o->added) && !on_demand)
		return true;
	if (!need_anchors(s, err))
		return false;
	g_autoptr(GPtrArray) updates = g_ptr_array_new_with_free_func((GDestroyNotify)build_update_free);
	struct update_options o = { .threads = s->o->threads, .payload = true,
				    .progress = ib_progress_step(s->o->progress, "opening packages", 0) };
	struct ib_package_opening *opening = *files && !s->store ? updates_begin(*files, &o) : NULL;
	bool ok = need_store(s, err) && ib_store_dictionary(s->store, &o.dictionary, err) &&
		  sources_open(s->o->payload_sources, o.dictionary, NULL, &s->stock, err);
	o.anchors = s->anchors;
	if (ok)
		ib_store_set_stock(s->store, s->stock);
	for (; ok && *files; files++)
		ok = updates_end(updates, *files, g_steal_pointer(&opening), &o, err);
	ib_package_open_cancel(opening);
	if (!ok || !add_capabilities(s, updates, &o, err))
		return false;
	guint named = updates->len;
	if (on_demand && !updates_on_demand(updates, s->store, s->o->enable, s->o->sources, &o, err))
		return false;
	on_demand = updates->len > named;
	updates_sort(updates);
	char *stale = NULL;
	if (!install_all(s, updates, err) || (on_demand && !on_demand_stale(s->store, updates, &stale, err)))
		return false;
	if (stale)
		g_ptr_array_add(s->notes, stale);
	return true;
}

static bool add_driver(struct service *s, const char *path, struct ib_error **err)
{
	struct ib_driver_summary sum;
	struct ib_driver *d = NULL;

	if (!driver_open(s->store, path, s->anchors, &d, err))
		return false;
	bool ok = ib_store_add_driver(s->store, d, &sum, err);
	if (ok && sum.known) {
		say(s, "driver %s is there as %s", d->inf_name, sum.published);
	} else if (ok) {
		g_autofree char *line = driver_first_boot(d);
		g_autofree char *version = driver_version(d);
		say(s, "added driver %s %s as %s: %u files, %u devices, %u services that start at boot", d->inf_name, version,
		    sum.published, sum.files, sum.devices, sum.boot_services->len);
		if (!ib_store_info(s->store)->pe) /* nothing runs SetupComplete there */
			g_string_append(s->first_boot, line);
	}
	if (ok)
		ib_driver_summary_clear(&sum);
	ib_driver_free(d);
	return ok;
}

static bool remove_apps(struct service *s, struct ib_error **err)
{
	for (char *const *name = s->o->apps; name && *name; name++) {
		g_autoptr(GPtrArray) lines = NULL;
		if (!need_store(s, err) || !ib_store_remove_app(s->store, *name, &lines, err))
			return false;
		for (guint i = 0; i < lines->len; i++)
			say(s, "%s", (char *)g_ptr_array_index(lines, i));
	}
	return true;
}

static bool add_drivers(struct service *s, struct ib_error **err)
{
	char *const *paths = s->o->drivers;

	if (!paths || !*paths)
		return true;
	if (!s->o->trust || !*s->o->trust) {
		ib_throw(err, IB_ERR_USAGE, "a driver is only added up to a trusted root, and none is given");
		return ib_hint(err, "--trust FILE names the root that signed the driver's catalog");
	}
	if (!need_store(s, err) || (!s->anchors && !check_anchors(s->o->trust, s->o->now, &s->anchors, err)))
		return false;
	for (; *paths; paths++)
		if (!add_driver(s, *paths, err))
			return false;
	return true;
}

/* What only the running system can do. */
static bool queue_first_boot(struct service *s, struct ib_error **err)
{
	if (s->store)
		tasks_script(s->store, s->first_boot);
	return !s->first_boot->len || script_put(s->wim, s->image, s->time, "first start", s->first_boot->str, err);
}

/* A manifest's file, or its name in manifests/components. */
static bool load_manifest(struct service *s, const char *name, struct ib_ini **ret, struct ib_error **err)
{
	g_autofree char *file = g_strconcat(name, ".ini", NULL);
	g_autofree char *shipped = g_build_filename(s->o->data_dir, "manifests", "components", file, NULL);

	if (g_str_has_suffix(name, ".ini"))
		return ib_ini_load(name, ib_component_keys, NULL, ret, err);
	if (!strchr(name, '/') && g_file_test(shipped, G_FILE_TEST_EXISTS))
		return ib_ini_load(shipped, ib_component_keys, NULL, ret, err);
	ib_throw(err, IB_ERR_INPUT, "there is no removal manifest '%s'", shipped);
	return ib_hint(err, "give the path of one: --remove FILE.ini");
}

static bool remove_one(struct service *s, const char *name, struct ib_error **err)
{
	g_autoptr(GPtrArray) left = NULL;
	struct ib_ini *m = NULL;

	if (!need_store(s, err) || !load_manifest(s, name, &m, err))
		return false;
	enum ib_removal_technique technique = 0;
	if (!removal_technique(s->o->technique, &technique, err)) {
		ib_ini_free(m);
		return false;
	}
	struct removal *r = removal_new(m, technique);
	bool ok = ib_store_traces(s->store, &r->removal, &r->traces, err) &&
		  ib_store_remove(s->store, &r->removal, &r->summary, err) &&
		  ib_store_residue(s->store, r->traces, r->removal.technique, &left, err);
	if (ok && left->len > 0)
		ok = ib_throw(err, IB_ERR_VERIFY, "component '%s' left %u traces, the first: %s", r->removal.name, left->len,
			      (char *)g_ptr_array_index(left, 0));
	if (ok)
		say(s, "removed %s (%s): %u packages, %u components, %u files, %u services", r->removal.name,
		    removal_technique_word(technique), r->summary.packages, r->summary.components, r->summary.files,
		    r->summary.services);
	removal_free(r);
	return ok;
}

static bool uninstall(struct service *s, const char *name, bool capability, struct ib_error **err)
{
	struct ib_removal_summary sum = { 0 };

	if (!need_store(s, err) || !(capability ? ib_store_remove_capability(s->store, name, &sum, err)
						: ib_store_uninstall(s->store, name, &sum, err)))
		return false;
	say(s, "uninstalled %s: %u packages, %u components, %u files", name, sum.packages, sum.components, sum.files);
	ib_removal_summary_clear(&sum);
	return true;
}

static bool clean_up(struct service *s, struct ib_error **err)
{
	struct ib_cleanup_summary sum = { 0 };

	if (!s->o->cleanup && !s->o->reset_base)
		return true;
	if (!need_store(s, err) || !ib_store_cleanup(s->store, s->o->reset_base, &sum, err))
		return false;
	g_autofree char *text = cleanup_text(&sum);
	say(s, "cleaned up: %s", text);
	ib_cleanup_summary_clear(&sum);
	return true;
}

static bool remove_payloads(struct service *s, struct ib_error **err)
{
	for (char *const *name = s->o->payloads; name && *name; name++) {
		unsigned n;
		if (!need_store(s, err) || !ib_store_remove_payload(s->store, *name, &n, err))
			return ib_while(err, "removing the payload of feature '%s'", *name);
		say(s, "feature %s disabled, its payload removed: %u components", *name, n);
	}
	return true;
}

static bool set_features(struct service *s, char *const *names, bool on, struct ib_error **err)
{
	for (; names && *names; names++) {
		bool changed;
		if (!need_store(s, err) || !ib_store_set_feature(s->store, *names, on, &changed, err))
			return ib_while(err, "switching feature '%s'", *names);
		say(s, "feature %s %s%s", *names, changed ? "" : "was ", on ? "enabled" : "disabled");
	}
	return true;
}

static bool check_store(struct service *s, struct ib_error **err)
{
	struct ib_verify_result v = { 0 };

	if (!ib_store_verify(s->store, NULL, false, &v, NULL, err))
		return false;
	bool ok = v.findings->len == 0;
	if (!ok) {
		const struct ib_finding *f = g_ptr_array_index(v.findings, 0);
		ib_throw(err, IB_ERR_VERIFY, "the component store is not whole afterwards, %u findings, the first: '%s': %s",
			 v.findings->len, f->subject, f->text);
	}
	ib_verify_result_clear(&v);
	return ok;
}

static bool close_store(struct service *s, struct ib_error **err)
{
	if (!s->store)
		return true;
	if (!check_store(s, err))
		return false;
	const GPtrArray *notes = ib_store_notes(s->store);
	for (guint i = 0; i < notes->len; i++) {
		const struct ib_note *n = g_ptr_array_index(notes, i);
		g_ptr_array_add(s->notes, g_strdup_printf("%s: %s", n->subject, n->text));
	}
	bool ok = ib_store_commit(s->store, err);
	ib_store_free(g_steal_pointer(&s->store));
	return ok;
}

static bool service_store(struct service *s, struct ib_error **err)
{
	if (!add_packages(s, err))
		return false;
	for (char *const *name = s->o->uninstalls; name && *name; name++)
		if (!uninstall(s, *name, false, err))
			return false;
	for (char *const *name = s->o->capabilities; name && *name; name++)
		if (!uninstall(s, *name, true, err))
			return false;
	for (char *const *name = s->o->removals; name && *name; name++)
		if (!remove_one(s, *name, err))
			return ib_while(err, "removing '%s'", *name);
	return add_sources(s, err) && set_features(s, s->o->enable, true, err) && set_features(s, s->o->disable, false, err) &&
	       remove_payloads(s, err) && remove_apps(s, err) && add_drivers(s, err) && clean_up(s, err) &&
	       queue_first_boot(s, err) && close_store(s, err);
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
	say(s, "%s %s: %" PRIu64 " bytes, SHA-1 %s", old ? "replaced" : "put", path, size, hex);
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
	say(data, "imported %u keys of %s into %s", keys, file, hive);
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
