#include "build/internal.h"

/* Stages metadata and report. */

static const char *text(const struct build *b, const char *section, const char *key)
{
	return ib_ini_text(b->p, section, key);
}

/* ---- metadata ---- */

/* What upgrade documents need to know; texts are borrowed, `dirs` gets folders of product manifests. */
struct describing {
	struct ib_metadata_image image;
	GPtrArray *dirs;
	char *products, *xsd, *file;
};

static void describing_clear(struct describing *d)
{
	g_clear_pointer(&d->dirs, g_ptr_array_unref);
	g_free(d->products);
	g_free(d->xsd);
	g_free(d->file);
}

/* info: of the image's store. */
static void describe(struct build *b, const struct ib_store_info *info, struct describing *ret)
{
	*ret = (struct describing){ .dirs = g_ptr_array_new(), .file = g_strconcat(b->label, ".iso", NULL),
				    .products = g_build_filename(b->o->data_dir, "manifests", "products", NULL),
				    .xsd = g_build_filename(b->o->data_dir, "manifests", "xsd", NULL) };
	for (char *const *d = ib_ini_list(b->p, "metadata", "products"); *d; d++)
		g_ptr_array_add(ret->dirs, *d);
	g_ptr_array_add(ret->dirs, ret->products);
	g_ptr_array_add(ret->dirs, NULL);
	ret->image = (struct ib_metadata_image){
		.size = sizeof ret->image,
		.vendor = text(b, "profile", "vendor"),
		.customer = text(b, "profile", "customer"),
		.name = text(b, "profile", "name"),
		.description = text(b, "request", "asked-for"),
		.stream = text(b, "metadata", "stream"),
		.edition = b->edition,
		.product = text(b, "profile", "product"),
		.version = text(b, "profile", "version"),
		.build = info->version.part[2],
		.ubr = info->version.part[3],
		.arch = info->arch,
		.upgrade_from = (const char *const *)ib_ini_list(b->p, "metadata", "upgrade-from"),
		.product_dirs = (char *const *)ret->dirs->pdata,
		.reimage = ib_ini_flag(b->p, "metadata", "reimage"),
		.content_url = text(b, "metadata", "content-url"),
		.file_name = ret->file,
		.date = b->epoch,
	};
}

/* Of many the first few: the documents name them all. g_free */
static char *superseded_words(const GPtrArray *superseded)
{
	enum { SHOWN = 5 };
	GString *s = g_string_new(superseded->len ? "" : "none");

	for (guint i = 0; i < MIN(superseded->len, SHOWN); i++)
		g_string_append_printf(s, "%s%s", i ? ", " : "", strchr(superseded->pdata[i], ' ') + 1); /* behind the GUID */
	if (superseded->len > SHOWN)
		g_string_append_printf(s, " and %u more", superseded->len - SHOWN);
	return g_string_free(s, FALSE);
}

/* What the documents' author warns of. */
static void warn(struct build *b, const GPtrArray *warnings)
{
	for (guint i = 0; i < warnings->len; i++)
		plan_warn(b, "%s", (char *)g_ptr_array_index(warnings, i));
}

/* The documents are made once without being written: what they would be refused for is known before anything is done. */
static bool rehearse(struct build *b, struct ib_error **err)
{
	IB_CLEANUP(ib_metadata_result_clear) struct ib_metadata_result r = { 0 };
	IB_CLEANUP(describing_clear) struct describing d = { 0 };
	struct ib_store *scratch;

	if (!base_scratch(b, &scratch, err))
		return false;
	describe(b, ib_store_info(scratch), &d);
	if (!ib_metadata_generate(&d.image, text(b, "metadata", "catalog"), NULL, d.xsd, &r, err))
		return false;
	g_autofree char *superseded = superseded_words(r.superseded);
	warn(b, r.warnings);
	plan_add(b, "metadata", 0, "upgrade documents for stream '%s'; superseded: %s", d.image.stream, superseded);
	return true;
}

bool metadata_plan(struct build *b, struct ib_error **err)
{
	const char *catalog = text(b, "metadata", "catalog");

	if (!text(b, "metadata", "stream")) {
		plan_warn(b, "[metadata] stream is not set: no upgrade documents are made");
		return true;
	}
	if (!text(b, "profile", "product")) {
		g_autofree char *place = ib_ini_place(b->p, "metadata", "stream");
		return ib_throw(err, IB_ERR_INPUT, "%s: upgrade documents need [profile] product", place);
	}
	if (!catalog)
		plan_warn(b, "[metadata] catalog is not set: the image supersedes no other");
	else if (!g_file_test(catalog, G_FILE_TEST_IS_DIR))
		plan_warn(b, "[metadata] catalog: there is no such folder; the image supersedes no other, as the first of its stream");
	return rehearse(b, err);
}

bool metadata_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	g_autofree char *dir = g_build_filename(b->work_dir, "metadata", NULL);
	IB_CLEANUP(describing_clear) struct describing d = { 0 };

	if (!text(b, "metadata", "stream"))
		return true;
	describe(b, ib_store_info(install_target(b)->store), &d);
	d.image.build = b->windows.part[2];
	d.image.ubr = b->windows.part[3];
	d.image.file_bytes = b->iso_bytes;
	memcpy(d.image.sha1, b->digests.sha1, sizeof d.image.sha1);
	memcpy(d.image.sha256, b->digests.sha256, sizeof d.image.sha256);
	if (!ib_dir_make(dir, err) ||
	    !ib_metadata_generate(&d.image, text(b, "metadata", "catalog"), dir, d.xsd, &b->metadata, err))
		return false;
	b->has_metadata = true;
	warn(b, b->metadata.warnings);
	return ib_progress_add(progress, 0, err);
}

/* ---- report ---- */

/* Lists of a paper; texts made for it live in `keep`. */
struct lists {
	GPtrArray *keep;
	GPtrArray *items;
};

static GPtrArray *list_new(struct lists *l)
{
	GPtrArray *list = g_ptr_array_new();

	g_ptr_array_add(l->items, list);
	return list;
}

static void list_add(struct lists *l, GPtrArray *list, const char *name, char *detail, const char *reason)
{
	struct ib_report_item *item = g_new0(struct ib_report_item, 1);

	item->name = name;
	item->detail = detail;
	item->reason = reason;
	if (detail)
		g_ptr_array_add(l->keep, detail);
	g_ptr_array_add(l->keep, item);
	g_ptr_array_add(list, item);
}

static void fill_updates(const struct build *b, struct lists *l, struct ib_report *r)
{
	const GPtrArray *chosen = install_target((struct build *)b)->updates;

	r->updates = list_new(l);
	r->skipped = list_new(l);
	for (guint i = 0; i < chosen->len; i++) {
		const struct update *u = g_ptr_array_index(chosen, i);
		const struct ib_mum *root = ib_package_root(u->package);
		list_add(l, r->updates, u->kb, g_strdup_printf("%s; %s", root->package_id, u->trust.signer), root->release_type);
	}
	for (guint i = 0; i < b->drivers->len; i++) {
		const struct driver_item *d = g_ptr_array_index(b->drivers, i);
		g_autofree char *version = driver_version(d->driver);
		list_add(l, r->updates, d->driver->inf_name,
			 g_strdup_printf("%s; %s; %s", d->driver->store_name, version, d->driver->signer), "Driver");
	}
	for (guint i = 0; i < b->updates->len; i++) {
		const struct update *u = g_ptr_array_index(b->updates, i);
		if (u->skipped)
			list_add(l, r->skipped, u->kb, g_strdup(u->skipped), NULL);
	}
}

static void fill_effects(struct lists *l, GPtrArray *list, const struct ib_ini *m, const char *key)
{
	const char *effect = ib_ini_text(m, "effects", key);

	if (effect)
		list_add(l, list, ib_ini_text(m, "component", "name"), g_strdup(effect), NULL);
}

#define CUT_EN "The component was cut out of packages that stay installed: no update can be installed into this image any more."
#define CUT_ZH "该组件是从仍处于安装状态的程序包中切除的：此镜像无法再安装任何更新。"

static void fill_uninstalls(const struct build *b, struct lists *l, struct ib_report *r)
{
	for (guint i = 0; i < b->uninstalls->len; i++) {
		const struct uninstalled *u = g_ptr_array_index(b->uninstalls, i);
		const struct ib_removal_summary *s = &u->summary;
		g_autofree char *reason_key = g_strconcat("reason.", u->name, NULL);
		list_add(l, r->removed, u->name,
			 g_strdup_printf("%u / %u / %u / %u / %u", s->packages, s->files, s->services, s->tasks,
					 s->values + s->keys),
			 ib_ini_text(b->p, "remove", reason_key));
	}
}

static void fill_removals(const struct build *b, struct lists *l, struct ib_report *r)
{
	r->removed = list_new(l);
	r->risks_en = list_new(l);
	r->risks_zh = list_new(l);
	r->unknown_en = list_new(l);
	r->unknown_zh = list_new(l);
	fill_uninstalls(b, l, r);
	for (guint i = 0; i < b->removals->len; i++) {
		const struct removal *rm = g_ptr_array_index(b->removals, i);
		const struct ib_removal_summary *s = &rm->summary;
		g_autofree char *reason_key = g_strconcat("reason.", rm->removal.name, NULL);
		list_add(l, r->removed, rm->removal.name,
			 g_strdup_printf("%u / %u / %u / %u / %u", s->packages, s->files, s->services, s->tasks,
					 s->values + s->keys),
			 ib_ini_text(b->p, "remove", reason_key));
		if (s->unserviceable) {
			list_add(l, r->risks_en, rm->removal.name, g_strdup(CUT_EN), NULL);
			list_add(l, r->risks_zh, rm->removal.name, g_strdup(CUT_ZH), NULL);
		}
		fill_effects(l, r->risks_en, rm->manifest, "risk.en");
		fill_effects(l, r->risks_zh, rm->manifest, "risk.zh-CN");
		fill_effects(l, r->unknown_en, rm->manifest, "unknown.en");
		fill_effects(l, r->unknown_zh, rm->manifest, "unknown.zh-CN");
	}
}

static void fill_features(const struct build *b, struct lists *l, struct ib_report *r)
{
	static const char *const keys[] = { "enable", "disable" };

	r->features = list_new(l);
	for (char *const *f = ib_ini_list(b->p, "features", "remove-payload"); *f; f++) {
		g_autofree char *reason_key = g_strconcat("reason.", *f, NULL);
		list_add(l, r->features, *f, g_strdup("off"), ib_ini_text(b->p, "features", reason_key));
	}
	for (size_t k = 0; k < G_N_ELEMENTS(keys); k++) {
		for (char *const *f = ib_ini_list(b->p, "features", keys[k]); *f; f++) {
			g_autofree char *reason_key = g_strconcat("reason.", *f, NULL);
			list_add(l, r->features, *f, g_strdup(k == 0 ? "on" : "off"), ib_ini_text(b->p, "features", reason_key));
		}
	}
}

/* Apps taken out, registry files, files, answer file: what no other list has. */
static void fill_changes(const struct build *b, struct lists *l, struct ib_report *r)
{
	r->changes = list_new(l);
	for (guint i = 0; i < b->apps->len; i++) {
		const struct app_item *item = g_ptr_array_index(b->apps, i);
		g_autofree char *reason_key = g_strconcat("reason.", item->name, NULL);
		list_add(l, r->changes, item->name, g_strdup("app"), ib_ini_text(b->p, "remove", reason_key));
	}
	for (guint i = 0; i < b->added->len; i++) {
		const struct added_item *item = g_ptr_array_index(b->added, i);
		list_add(l, r->changes, item->name, g_strdup(item->stage), NULL);
	}
}

static void fill_words(const struct build *b, struct lists *l, GPtrArray **list, const char *section, const char *key)
{
	*list = list_new(l);
	for (char *const *w = ib_ini_list(b->p, section, key); *w; w++)
		list_add(l, *list, *w, NULL, NULL);
}

static void fill_tests(const struct build *b, struct lists *l, struct ib_report *r)
{
	g_autoptr(GArray) entries = ib_ini_entries(b->p);

	r->tests = list_new(l);
	for (guint i = 0; i < entries->len; i++) {
		const struct ib_ini_entry *e = &g_array_index(entries, struct ib_ini_entry, i);
		if (strcmp(e->section, "tests") == 0)
			list_add(l, r->tests, e->name + strlen("done."), g_strdup(e->value), NULL);
	}
}

static bool fill_approvals(const struct build *b, struct lists *l, struct ib_report *r, struct ib_error **err)
{
	r->approvals = list_new(l);
	for (guint i = 0; i < b->plan->missing->len; i++)
		list_add(l, r->approvals, g_ptr_array_index(b->plan->missing, i), g_strdup("required"), NULL);
	return true;
}

static void fill_texts(const struct build *b, struct lists *l, struct ib_report *r)
{
	char *windows = ib_version_text(&b->windows), *iso = g_strconcat(b->label, ".iso", NULL);
	char *sha256 = ib_hex(b->digests.sha256, 32), *base = g_path_get_basename(ib_input_name(b->base));
	char *summary = g_strdup_printf("%u", b->projections_checked);
	char *own[] = { windows, iso, sha256, base, summary };
	const struct {
		const char **to;
		const char *section, *key;
	} direct[] = {
		{ &r->image_name, "profile", "name" },       { &r->customer, "profile", "customer" },
		{ &r->release, "profile", "release" },       { &r->version, "profile", "version" },
		{ &r->product, "profile", "product" },       { &r->stream, "metadata", "stream" },
		{ &r->date, "profile", "date" },             { &r->request_case, "request", "case" },
		{ &r->asked_for, "request", "asked-for" },   { &r->requested, "request", "requested" },
		{ &r->promised, "request", "promised" },     { &r->scenario, "request", "scenario" },
		{ &r->base_sha256, "base", "sha256" },       { &r->update_server, "remove", "update-server" },
		{ &r->legal_name, "support", "legal-name" }, { &r->hotline, "support", "hotline" },
		{ &r->support_scope, "support", "scope" },   { &r->devices, "rollout", "devices" },
		{ &r->branches, "rollout", "branches" },     { &r->days, "rollout", "days" },
		{ &r->line_mbit, "rollout", "line-mbit" },   { &r->patch_days, "rollout", "patch-days" },
		{ &r->clock, "rollout", "clock" },           { &r->publish_url, "publish", "url" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(direct); i++)
		*direct[i].to = text(b, direct[i].section, direct[i].key);
	for (size_t i = 0; i < G_N_ELEMENTS(own); i++)
		g_ptr_array_add(l->keep, own[i]);
	r->edition = b->edition;
	r->windows_version = windows;
	r->iso_name = iso;
	r->iso_sha256 = sha256;
	r->base_name = base;
	r->base_bytes = ib_input_size(b->base);
	r->iso_bytes = b->iso_bytes;
	r->verified = true; /* a build with findings has ended before */
	r->verify_summary = summary;
	if (b->has_metadata) {
		r->clients = b->metadata.clients;
		r->scans = b->metadata.scans;
		r->offers_two = b->metadata.offers_two;
		r->loops = b->metadata.loops;
	}
}

bool report_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	struct ib_report r = { .size = sizeof r };
	struct lists l = { g_ptr_array_new_with_free_func(g_free),
			   g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref) };
	g_autofree char *data = g_build_filename(b->o->data_dir, "manifests", "report", NULL);
	g_autofree char *dir = g_build_filename(b->work_dir, "papers", NULL);
	g_autoptr(GPtrArray) files = NULL;

	fill_texts(b, &l, &r);
	fill_updates(b, &l, &r);
	fill_removals(b, &l, &r);
	fill_features(b, &l, &r);
	fill_changes(b, &l, &r);
	fill_words(b, &l, &r.upgrade_from, "metadata", "upgrade-from");
	fill_tests(b, &l, &r);
	r.notes = b->notes;
	r.after_upgrade = list_new(&l);
	for (guint i = 0; i < b->step->len; i++)
		list_add(&l, r.after_upgrade, g_ptr_array_index(b->step, i), NULL, NULL);
	r.superseded = list_new(&l);
	for (guint i = 0; b->has_metadata && i < b->metadata.superseded->len; i++)
		list_add(&l, r.superseded, g_ptr_array_index(b->metadata.superseded, i), NULL, NULL);
	bool ok = fill_approvals(b, &l, &r, err) && ib_dir_make(dir, err) &&
		  ib_report_write(&r, data, ib_ini_list(b->p, "report", "languages"), dir, &files, err);
	g_ptr_array_unref(l.items);
	g_ptr_array_unref(l.keep);
	return ok && ib_progress_add(progress, 0, err);
}
