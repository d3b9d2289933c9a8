#include "build/internal.h"

/* Stages store and verify: what was made is looked at twice, in memory and as it lies on the disc. */

/* How many findings a message shows; all are in evidence/verify.json. */
#define SHOWN 5

static JsonObject *verify_json(const struct ib_verify_result *v)
{
	JsonObject *o = json_object_new();
	JsonArray *findings = json_array_new();
	const struct {
		const char *name;
		unsigned n;
	} counts[] = {
		{ "components", v->components }, { "manifests", v->manifests },     { "winners", v->winners },
		{ "projections", v->projections }, { "packages", v->packages },     { "catalogs", v->catalogs },
		{ "services", v->services },       { "drivers", v->drivers },
		       { "blobs_hashed", v->blobs_hashed },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
		json_object_set_int_member(o, counts[i].name, counts[i].n);
	for (guint i = 0; i < v->findings->len; i++) {
		const struct ib_finding *f = g_ptr_array_index(v->findings, i);
		JsonObject *item = json_object_new();
		json_object_set_string_member(item, "id", f->id);
		json_object_set_string_member(item, "subject", f->subject);
		json_object_set_string_member(item, "text", f->text);
		json_array_add_object_element(findings, item);
	}
	json_object_set_array_member(o, "findings", findings);
	return o;
}

static bool throw_findings(const struct ib_verify_result *v, const char *what, struct ib_error **err)
{
	GString *s = g_string_new(NULL);

	for (guint i = 0; i < v->findings->len && i < SHOWN; i++) {
		const struct ib_finding *f = g_ptr_array_index(v->findings, i);
		g_string_append_printf(s, "%s'%s': %s", i ? "; " : "", f->subject, f->text);
	}
	ib_throw(err, IB_ERR_VERIFY, "the component store of '%s' is not whole, %u findings: %s", what, v->findings->len, s->str);
	g_string_free(s, TRUE);
	return false;
}

static bool verify_store(struct build *b, struct ib_store *s, const char *name, const char *pass, struct ib_error **err)
{
	struct ib_verify_result v = { 0 };
	g_autofree char *member = g_strdup_printf("%s: %s", pass, name);

	if (!ib_store_verify(s, NULL, false, &v, NULL, err))
		return ib_while(err, "verifying the component store of '%s'", name);
	json_object_set_object_member(b->verify, member, verify_json(&v));
	b->projections_checked += v.projections;
	bool ok = v.findings->len == 0 ? true : throw_findings(&v, name, err);
	ib_verify_result_clear(&v);
	return ok;
}

/* ---- in memory ---- */

static bool check_residue(struct ib_store *s, const struct removal *r, struct ib_error **err)
{
	g_autoptr(GPtrArray) left = NULL;

	if (!ib_store_residue(s, r->traces, r->removal.technique, &left, err))
		return false;
	if (left->len == 0)
		return true;
	GString *list = g_string_new(NULL);
	for (guint i = 0; i < left->len && i < SHOWN; i++)
		g_string_append_printf(list, "%s%s", i ? "; " : "", (char *)g_ptr_array_index(left, i));
	ib_throw(err, IB_ERR_VERIFY, "component '%s' left %u traces: %s", r->removal.name, left->len, list->str);
	g_string_free(list, TRUE);
	return ib_hint(err, "name them in its removal manifest '%s'", ib_ini_path(r->manifest));
}

static void take_notes(struct build *b, struct ib_store *s)
{
	const GPtrArray *notes = ib_store_notes(s);

	for (guint i = 0; i < notes->len; i++) {
		const struct ib_note *n = g_ptr_array_index(notes, i);
		struct ib_report_item *item = g_new0(struct ib_report_item, 1);
		item->name = g_strdup(n->subject);
		item->detail = g_strdup(n->text);
		item->reason = g_strdup(n->id);
		g_ptr_array_add(b->notes, item);
	}
}

bool store_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	for (guint i = 0; i < b->removals->len; i++)
		if (!check_residue(install_target(b)->store, g_ptr_array_index(b->removals, i), err))
			return false;
	for (guint i = 0; i < b->targets->len; i++) {
		struct target *t = g_ptr_array_index(b->targets, i);
		if (!ib_store_commit(t->store, err) || !verify_store(b, t->store, t->name, "in memory", err))
			return false;
		take_notes(b, t->store);
	}
	return ib_progress_add(progress, 0, err);
}

/* ---- as written ---- */

/* Blobs the base did not have: these are read back and hashed, the others rest on the base's digest. */
static void collect_new(struct ib_wim *base, const struct ib_node *dir, GHashTable *set)
{
	for (struct ib_node *n = ib_node_first(dir); n; n = ib_node_next(n)) {
		const uint8_t *hash = ib_node_hash(n);
		if (hash && !ib_wim_has_blob(base, hash, NULL))
			g_hash_table_add(set, g_bytes_new(hash, IB_WIM_HASH_SIZE));
		if (ib_node_is_dir(n))
			collect_new(base, n, set);
	}
}

static bool check_images(struct build *b, struct wim_file *f, struct ib_wim *base, struct ib_wim *wim,
			 struct ib_progress *progress, struct ib_error **err)
{
	g_autoptr(GHashTable) fresh = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);

	for (unsigned i = 1; i <= ib_wim_info(wim)->image_count; i++) {
		struct ib_image *image = NULL;
		struct ib_store *store = NULL;
		g_autofree char *name = ib_wim_image_property(wim, i, "NAME");
		if (!ib_wim_image(wim, i, &image, err) || !ib_store_open(wim, i, b->filetime, &store, err))
			return ib_while(err, "opening image %u of the written '%s'", i, f->path);
		collect_new(base, ib_image_root(image), fresh);
		bool ok = verify_store(b, store, name ? name : f->path, "as written", err);
		ib_store_free(store);
		if (!ok)
			return false;
	}
	const char *member = f == &b->install ? "install_blobs_read_back" : f == &b->winre ? "winre_blobs_read_back"
										   : "boot_blobs_read_back";
	json_object_set_int_member(b->verify, member, g_hash_table_size(fresh));
	return ib_wim_verify_blobs(wim, fresh, progress, err);
}

/* winre.wim as it lies in the written install.wim. */
static bool check_recovery(struct build *b, struct ib_wim *install, struct ib_progress *progress, struct ib_error **err)
{
	unsigned index = ib_ini_flag(b->p, "media", "keep-editions") ? install_target(b)->source_index : 1;
	struct ib_wim *wim = NULL, *base = NULL;
	struct ib_image *image = NULL;
	ib_auto_input in = NULL;

	if (!recovery_changed(b))
		return true;
	if (!ib_wim_image(install, index, &image, err) || !recovery_open(install, image, b->work_dir, &in, err))
		return false;
	if (!in)
		return ib_throw(err, IB_ERR_VERIFY, "the written '%s' holds no winre.wim", b->install.path);
	bool ok = ib_wim_open(in, NULL, &wim, err) && base_open_wim(b, &b->winre, NULL, &base, err) &&
		  check_images(b, &b->winre, base, wim, progress, err);
	ib_wim_free(base);
	ib_wim_free(wim);
	return ok || ib_while(err, "checking winre.wim in the written '%s'", b->install.path);
}

static bool check_programs(struct ib_media *media, struct ib_wim *boot, struct ib_error **err)
{
	g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func(g_free);
	unsigned compared;

	if (!setup_compare(media, boot, findings, &compared, err))
		return false;
	return findings->len == 0 ||
	       ib_throw(err, IB_ERR_VERIFY, "the written medium: %s", (const char *)g_ptr_array_index(findings, 0));
}

static bool check_wim(struct build *b, struct ib_media *media, struct wim_file *f, struct ib_progress *progress,
		      struct ib_error **err)
{
	ib_auto_input in = NULL;
	struct ib_wim *wim = NULL, *base = NULL;
	const struct ib_media_entry *e = ib_media_find(media, f->path);

	if (!e)
		return ib_throw(err, IB_ERR_VERIFY, "the written ISO holds no '%s'", f->path);
	bool ok = ib_media_file(media, e, &in, err) && ib_wim_open(in, NULL, &wim, err) &&
		  base_open_wim(b, f, NULL, &base, err) && check_images(b, f, base, wim, progress, err) &&
		  (f != &b->install || check_recovery(b, wim, progress, err)) &&
		  (f != &b->boot || !g_hash_table_size(b->media_files) || check_programs(media, wim, err));
	ib_wim_free(base);
	ib_wim_free(wim);
	return ok;
}

static bool digest_iso(struct build *b, struct ib_input *iso, struct ib_progress *progress, struct ib_error **err)
{
	enum ib_digest_algorithm which[] = { IB_DIGEST_SHA1, IB_DIGEST_SHA256, IB_DIGEST_SM3 };
	uint8_t sums[3][IB_DIGEST_MAX];

	b->digests.has_sm3 = ib_ini_has(b->p, "sign", "digests", "sm3");
	if (!ib_digest_input(iso, which, b->digests.has_sm3 ? 3 : 2, sums, progress, err))
		return false;
	memcpy(b->digests.sha1, sums[0], IB_DIGEST_MAX);
	memcpy(b->digests.sha256, sums[1], IB_DIGEST_MAX);
	memcpy(b->digests.sm3, sums[2], IB_DIGEST_MAX);
	return true;
}

bool written_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	ib_auto_input iso = NULL;
	ib_auto_media media = NULL;
	g_autofree char *dir = g_build_filename(b->work_dir, "evidence", NULL);

	if (!ib_input_open(b->iso_path, &iso, err) || !ib_media_verify(iso, err) || !ib_media_open(iso, &media, err) ||
	    !check_wim(b, media, &b->install, progress, err) ||
	    (b->boot.in && !check_wim(b, media, &b->boot, progress, err)) || !digest_iso(b, iso, progress, err))
		return ib_while(err, "reading back what was written");
	return ib_dir_make(dir, err) && json_write(b, "evidence/verify.json", b->verify, err);
}
