#include "build/internal.h"

/* Verify a build folder, an ISO or a WIM from outside: nothing of the run that made it is needed. */

#define SUMS_MAX (16u << 20)
#define SIGNATURE_MAX (1u << 20)

void ib_check_result_clear(struct ib_check_result *r)
{
	g_clear_pointer(&r->signer, g_free);
	g_clear_pointer(&r->signing_time, g_free);
	g_clear_pointer(&r->lines, g_ptr_array_unref);
	g_clear_pointer(&r->findings, g_ptr_array_unref);
	g_clear_pointer(&r->store, g_ptr_array_unref);
	g_clear_pointer(&r->json, g_free);
}

static void store_finding_free(void *p)
{
	struct ib_check_finding *f = p;

	g_free(f->image);
	g_free(f->subject);
	g_free(f->text);
	g_free(f);
}

static JsonArray *store_findings_json(const struct ib_check_result *r)
{
	JsonArray *a = json_array_new();

	for (guint i = 0; r->store && i < r->store->len; i++) {
		const struct ib_check_finding *f = g_ptr_array_index(r->store, i);
		JsonObject *o = json_object_new();
		json_object_set_string_member(o, "image", f->image);
		json_object_set_string_member(o, "id", f->id);
		json_object_set_string_member(o, "subject", f->subject);
		json_object_set_string_member(o, "text", f->text);
		json_array_add_object_element(a, o);
	}
	return a;
}

void check_finish(struct ib_check_result *r)
{
	g_autoptr(JsonObject) o = json_object_new();

	json_object_set_boolean_member(o, "good", r->findings->len == 0);
	json_object_set_int_member(o, "files", r->files);
	if (r->signer)
		json_object_set_string_member(o, "signer", r->signer);
	if (r->signing_time)
		json_object_set_string_member(o, "signed", r->signing_time);
	json_set_strings(o, "checked", r->lines);
	json_set_strings(o, "findings", r->findings);
	json_object_set_array_member(o, "store_findings", store_findings_json(r));
	r->json = json_text(o);
}

bool check_anchors(char *const *files, int64_t now, struct ib_anchors **ret, struct ib_error **err)
{
	struct ib_anchors *a = ib_anchors_new(now);

	for (; files && *files; files++) {
		if (!ib_anchors_add_file(a, *files, err)) {
			ib_anchors_free(a);
			return false;
		}
	}
	*ret = a;
	return true;
}

bool check_signature(GBytes *list, GBytes *sig, char *const *anchors_files, int64_t now, struct ib_check_result *r,
		     struct ib_error **err)
{
	struct ib_anchors *anchors = NULL;
	struct ib_signer signer = { 0 };
	ib_auto_error bad = NULL;

	if (!anchors_files || !*anchors_files) {
		g_ptr_array_add(r->lines, g_strdup("the signature of SHA256SUMS was not judged: no --trust was given"));
		return true;
	}
	if (!check_anchors(anchors_files, now, &anchors, err))
		return false;
	bool ok = ib_cms_verify_detached(sig, g_bytes_get_data(list, NULL), g_bytes_get_size(list), anchors, &signer, &bad);
	ib_anchors_free(anchors);
	if (!ok) {
		g_ptr_array_add(r->findings, g_strdup_printf("the signature of SHA256SUMS: %s", ib_error_cause(bad)));
		return true;
	}
	r->signer = g_strdup(signer.subject);
	r->signing_time = ib_time_text(signer.claimed_time);
	ib_signer_fini(&signer);
	g_ptr_array_add(r->lines, g_strdup_printf("SHA256SUMS is signed by '%s'", r->signer));
	return true;
}

/* ---- images ---- */

static void add_findings(struct ib_check_result *r, const struct ib_verify_result *v, const char *name)
{
	g_ptr_array_add(r->lines, g_strdup_printf("'%s': %u components, %u winners, %u projected files, %u packages, %u blobs hashed",
						  name, v->components, v->winners, v->projections, v->packages, v->blobs_hashed));
	for (guint i = 0; i < v->findings->len; i++) {
		const struct ib_finding *f = g_ptr_array_index(v->findings, i);
		g_ptr_array_add(r->findings, g_strdup_printf("'%s': %s: %s", name, f->subject, f->text));
		struct ib_check_finding *of = g_new0(struct ib_check_finding, 1);
		*of = (struct ib_check_finding){ g_strdup(name), g_strdup(f->subject), g_strdup(f->text), f->id };
		if (!r->store)
			r->store = g_ptr_array_new_with_free_func(store_finding_free);
		g_ptr_array_add(r->store, of);
	}
}

static bool verify_wim(struct ib_input *in, const struct ib_anchors *anchors, const struct ib_check_options *o,
		       struct ib_check_result *r, struct ib_error **err);

/* The recovery environment inside an installed image. One that cannot be read is a finding. */
static bool verify_recovery(struct ib_wim *wim, struct ib_image *image, const char *name, const struct ib_anchors *anchors,
			    const struct ib_check_options *o, struct ib_check_result *r, struct ib_error **err)
{
	ib_auto_error why = NULL;
	ib_auto_input in = NULL;

	if (recovery_open(wim, image, g_get_tmp_dir(), &in, &why) && (!in || verify_wim(in, anchors, o, r, &why)))
		return true;
	if (ib_error_code(why) != IB_ERR_INPUT && ib_error_code(why) != IB_ERR_VERIFY) {
		*err = g_steal_pointer(&why);
		return false;
	}
	g_ptr_array_add(r->findings, g_strdup_printf("'%s': winre.wim: %s", name, ib_error_cause(why)));
	return true;
}

static bool verify_image(struct ib_wim *wim, unsigned index, const struct ib_anchors *anchors,
			 const struct ib_check_options *o, struct ib_check_result *r, struct ib_error **err)
{
	g_autofree char *name = ib_wim_image_property(wim, index, "NAME");
	struct ib_verify_result v = { 0 };
	struct ib_store *store = NULL;
	struct ib_image *image = NULL;

	if (!ib_wim_image(wim, index, &image, err))
		return false;
	if (!ib_image_find(image, "Windows\\System32\\config\\SOFTWARE")) {
		g_ptr_array_add(r->lines, g_strdup_printf("'%s' is no Windows image: it has no component store to check", name));
		return true;
	}
	bool ok = ib_store_open(wim, index, 0, &store, err) && ib_store_verify(store, anchors, o->full, &v, o->progress, err);
	if (ok)
		add_findings(r, &v, name ? name : "image");
	ib_verify_result_clear(&v);
	ib_store_free(store);
	return ok && verify_recovery(wim, image, name ? name : "image", anchors, o, r, err);
}

static bool verify_wim(struct ib_input *in, const struct ib_anchors *anchors, const struct ib_check_options *o,
		       struct ib_check_result *r, struct ib_error **err)
{
	struct ib_wim *wim = NULL;
	bool ok = ib_wim_open(in, NULL, &wim, err);

	for (unsigned i = 1; ok && i <= ib_wim_info(wim)->image_count; i++)
		ok = verify_image(wim, i, anchors, o, r, err);
	if (ok && o->full) {
		ok = ib_wim_verify_blobs(wim, NULL, o->progress, err);
		g_ptr_array_add(r->lines, g_strdup_printf("'%s': every blob was read and hashed", ib_input_name(in)));
	}
	ib_wim_free(wim);
	return ok ? true : ib_while(err, "verifying '%s'", ib_input_name(in));
}

/* Setup and boot programs of another month than boot.wim's do not work with it. */
static bool verify_programs(struct ib_media *media, struct ib_check_result *r, struct ib_error **err)
{
	const struct ib_media_entry *e = ib_media_find(media, "sources/boot.wim");
	struct ib_wim *wim = NULL;
	ib_auto_input in = NULL;
	unsigned compared = 0;

	if (!e)
		return true;
	bool ok = ib_media_file(media, e, &in, err) && ib_wim_open(in, NULL, &wim, err) &&
		  setup_compare(media, wim, r->findings, &compared, err);
	ib_wim_free(wim);
	if (ok && compared)
		g_ptr_array_add(r->lines, g_strdup_printf("%u programs of the medium were compared with boot.wim's", compared));
	return ok;
}

static bool verify_iso(struct ib_input *in, const struct ib_anchors *anchors, const struct ib_check_options *o,
		       struct ib_check_result *r, struct ib_error **err)
{
	static const char *const wims[] = { "sources/boot.wim", "sources/install.wim" };
	ib_auto_media media = NULL;

	if (!ib_media_open(in, &media, err))
		return false;
	if (ib_media_kind(media) == IB_MEDIA_UDF) {
		if (!ib_media_verify(in, err))
			return false;
		g_ptr_array_add(r->lines, g_strdup_printf("'%s': every descriptor of the disc is sound", ib_input_name(in)));
	}
	for (size_t i = 0; i < G_N_ELEMENTS(wims); i++) {
		const struct ib_media_entry *e = ib_media_find(media, wims[i]);
		ib_auto_input wim = NULL;
		if (e && (!ib_media_file(media, e, &wim, err) || !verify_wim(wim, anchors, o, r, err)))
			return false;
	}
	return verify_programs(media, r, err);
}

/* ---- a folder ---- */

static bool check_local(const char *dir, const struct sum_line *l, struct ib_progress *progress,
			struct ib_check_result *r, struct ib_error **err)
{
	static const enum ib_digest_algorithm sha256 = IB_DIGEST_SHA256;
	g_autofree char *path = g_build_filename(dir, l->name, NULL);
	uint8_t have[1][IB_DIGEST_MAX];
	ib_auto_input in = NULL;

	if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
		g_ptr_array_add(r->findings, g_strdup_printf("'%s' is missing", l->name));
		return true;
	}
	if (!ib_input_open(path, &in, err) || !ib_digest_input(in, &sha256, 1, have, progress, err))
		return false;
	r->files++;
	if (memcmp(have[0], l->digest, IB_SHA256_SIZE) != 0)
		g_ptr_array_add(r->findings, g_strdup_printf("'%s' is not the file that was listed: its SHA-256 differs", l->name));
	return true;
}

/* Files nobody listed are a finding: they were not signed. */
static bool find_unlisted(const char *dir, const GPtrArray *sums, struct ib_check_result *r, struct ib_error **err)
{
	g_autoptr(GHashTable) listed = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) names = NULL;

	g_hash_table_add(listed, (void *)"SHA256SUMS");
	g_hash_table_add(listed, (void *)"SHA256SUMS.p7s");
	for (guint i = 0; i < sums->len; i++)
		g_hash_table_add(listed, ((struct sum_line *)g_ptr_array_index(sums, i))->name);
	if (!folder_files(dir, &names, err))
		return false;
	for (guint i = 0; i < names->len; i++)
		if (!g_hash_table_contains(listed, g_ptr_array_index(names, i)))
			g_ptr_array_add(r->findings,
					g_strdup_printf("'%s' is not in SHA256SUMS", (char *)g_ptr_array_index(names, i)));
	return true;
}

static bool check_folder_signature(const char *dir, GBytes *list, const struct ib_check_options *o,
				   struct ib_check_result *r, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(dir, "SHA256SUMS.p7s", NULL);
	g_autoptr(GBytes) sig = NULL;

	if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
		g_ptr_array_add(r->findings, g_strdup("SHA256SUMS is not signed"));
		return true;
	}
	return ib_file_read(path, SIGNATURE_MAX, &sig, err) &&
	       check_signature(list, sig, o->anchors_files, o->now, r, err);
}

static bool verify_folder(const char *dir, const struct ib_check_options *o, struct ib_check_result *r,
			  struct ib_error **err)
{
	g_autofree char *path = g_build_filename(dir, "SHA256SUMS", NULL);
	g_autoptr(GPtrArray) sums = NULL;
	g_autoptr(GBytes) list = NULL;

	if (!ib_file_read(path, SUMS_MAX, &list, err))
		return ib_hint(err, "'%s' is no build folder", dir);
	g_autofree char *text = g_strndup(g_bytes_get_data(list, NULL), g_bytes_get_size(list));
	if (!sums_parse(text, path, &sums, err) || !check_folder_signature(dir, list, o, r, err))
		return false;
	for (guint i = 0; i < sums->len; i++)
		if (!check_local(dir, g_ptr_array_index(sums, i), o->progress, r, err))
			return false;
	g_ptr_array_add(r->lines, g_strdup_printf("%u of %u listed files were compared", r->files, sums->len));
	if (!find_unlisted(dir, sums, r, err))
		return false;
	for (guint i = 0; o->full && i < sums->len; i++) {
		const struct sum_line *l = g_ptr_array_index(sums, i);
		g_autofree char *iso = g_build_filename(dir, l->name, NULL);
		ib_auto_input in = NULL;
		if (g_str_has_suffix(l->name, ".iso") &&
		    (!ib_input_open(iso, &in, err) || !verify_iso(in, NULL, o, r, err)))
			return false;
	}
	return true;
}

bool ib_build_verify(const char *path, const struct ib_check_options *o, struct ib_check_result *ret,
		     struct ib_error **err)
{
	struct ib_check_result r = { .lines = g_ptr_array_new_with_free_func(g_free),
				     .findings = g_ptr_array_new_with_free_func(g_free) };
	struct ib_anchors *anchors = NULL;
	ib_auto_input in = NULL;
	uint8_t magic[8] = { 0 };
	bool ok;

	if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
		ok = verify_folder(path, o, &r, err);
	} else {
		ok = check_anchors(o->anchors_files, o->now, &anchors, err) && ib_input_open(path, &in, err) &&
		     ib_input_read(in, 0, magic, (size_t)MIN(8u, ib_input_size(in)), err);
		const struct ib_anchors *judge = anchors && ib_anchors_count(anchors) ? anchors : NULL;
		if (ok && memcmp(magic, "MSWIM\0\0", 8) == 0)
			ok = verify_wim(in, judge, o, &r, err);
		else if (ok)
			ok = verify_iso(in, judge, o, &r, err);
		ib_anchors_free(anchors);
	}
	if (!ok) {
		ib_check_result_clear(&r);
		return false;
	}
	check_finish(&r);
	*ret = r;
	return true;
}
