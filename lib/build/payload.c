#include "build/internal.h"

#include <fcntl.h>
#include <unistd.h>

#include "delta/delta.h"

/* imgbuild package: what packages hold, and their complete payload as a folder. */

/* Reading and writing at once. */
#define CHUNK (256u << 10)

struct job {
	const struct ib_payload_request *q;
	struct image_base base;
	struct ib_anchors *anchors;
	char *work;            /* the folder being made; NULL: list */
	JsonArray *packages;
	/* of the package being looked at */
	JsonArray *missing;
	unsigned files, manifests;
	uint64_t bytes;
	unsigned all_missing;
};

static const char *const containers[] = { [IB_PACKAGE_CAB] = "cabinet", [IB_PACKAGE_MSU_CAB] = "msu, cabinet",
					  [IB_PACKAGE_MSU_WIM] = "msu, WIM", [IB_PACKAGE_FOLDER] = "folder" };

/* ---- listing ---- */

static const char *const forms[IB_PAYLOAD_KINDS] = { [IB_PAYLOAD_FILE] = "complete", [IB_PAYLOAD_FORWARD] = "forward",
						     [IB_PAYLOAD_REVERSE] = "reverse", [IB_PAYLOAD_NULL] = "null" };

static JsonObject *file_json(const struct ib_payload_entry *e)
{
	JsonObject *o = json_object_new(), *all = json_object_new();

	json_object_set_string_member(o, "name", e->file->name);
	for (unsigned k = 0; k < IB_PAYLOAD_KINDS; k++)
		if (e->kinds & IB_PAYLOAD_BIT(k))
			json_object_set_int_member(all, forms[k], e->size[k] == UINT64_MAX ? -1 : (gint64)e->size[k]);
	json_object_set_object_member(o, "forms", all);
	return o;
}

/* Entries stand in the order of the manifests: one object a component. */
static JsonArray *components_json(const struct ib_package *p)
{
	const GPtrArray *entries = ib_package_payloads(p), *manifests = ib_package_manifests(p);
	JsonArray *a = json_array_new();

	for (guint i = 0, at = 0; i < manifests->len; i++) {
		const struct ib_manifest *m = g_ptr_array_index(manifests, i);
		JsonObject *o = json_object_new();
		JsonArray *files = json_array_new();
		json_object_set_string_member(o, "component", m->keyform);
		json_object_set_boolean_member(o, "deployment", m->is_deployment);
		for (; at < entries->len && ((const struct ib_payload_entry *)entries->pdata[at])->manifest == m; at++)
			json_array_add_object_element(files, file_json(entries->pdata[at]));
		json_object_set_array_member(o, "files", files);
		json_array_add_object_element(a, o);
	}
	return a;
}

/* How many files have a form, and how many bytes it takes in the package. */
static void set_forms(JsonObject *o, const struct ib_package *p)
{
	const GPtrArray *entries = ib_package_payloads(p);
	JsonObject *all = json_object_new();
	unsigned nothing = 0;

	for (guint i = 0; i < entries->len; i++)
		nothing += ((const struct ib_payload_entry *)entries->pdata[i])->kinds == 0;
	for (unsigned k = 0; k < IB_PAYLOAD_KINDS; k++) {
		JsonObject *form = json_object_new();
		unsigned files = 0;
		uint64_t bytes = 0;
		for (guint i = 0; i < entries->len; i++) {
			const struct ib_payload_entry *e = entries->pdata[i];
			bool has = e->kinds & IB_PAYLOAD_BIT(k);
			files += has;
			bytes += has && e->size[k] != UINT64_MAX ? e->size[k] : 0;
		}
		json_object_set_int_member(form, "files", files);
		json_object_set_int_member(form, "bytes", (gint64)bytes);
		json_object_set_object_member(all, forms[k], form);
	}
	json_object_set_object_member(o, "forms", all);
	json_object_set_int_member(o, "files_not_in_package", nothing);
}

static bool list_package(struct job *j, struct ib_package *p, JsonObject *o, struct ib_error **err)
{
	const GPtrArray *mums = ib_package_mums(p);
	JsonArray *ids = json_array_new();

	for (guint i = 0; i < mums->len; i++)
		json_array_add_string_element(ids, ((const struct ib_mum *)mums->pdata[i])->package_id);
	json_object_set_array_member(o, "mums", ids);
	json_object_set_int_member(o, "files", ib_package_payloads(p)->len);
	set_forms(o, p);
	json_set_strings(o, "compressed_manifests_not_read", ib_package_unread(p));
	json_object_set_array_member(o, "components", components_json(p));
	return true;
}

/* ---- extracting ---- */

/* Below the work folder; name has '\' between its parts, none of which is ".." (lib/package refused that). */
static bool place(const struct job *j, const char *folder, const char *name, char **ret, struct ib_error **err)
{
	g_autofree char *below = g_strdelimit(g_strdup(name), "\\", G_DIR_SEPARATOR);
	g_autofree char *path = g_build_filename(j->work, folder, below, NULL);
	g_autofree char *dir = g_path_get_dirname(path);

	if (!ib_dir_make(dir, err))
		return false;
	*ret = g_steal_pointer(&path);
	return true;
}

static bool copy(struct ib_stream *stream, int fd, const char *path, uint64_t *ret_bytes, struct ib_error **err)
{
	g_autofree uint8_t *buf = g_malloc(CHUNK);
	struct ib_output out = { .fd = fd, .name = path };
	size_t n = 1;

	for (*ret_bytes = 0; n > 0; *ret_bytes += n) /* to the end: there the hash is checked */
		if (!ib_stream_read(stream, buf, CHUNK, &n, err) || !ib_output_write(&out, *ret_bytes, buf, n, err))
			return false;
	return true;
}

static void add_missing(struct job *j, const struct ib_payload *p)
{
	JsonObject *o = json_object_new();

	json_object_set_string_member(o, "component", p->manifest->keyform);
	json_object_set_string_member(o, "file", p->file->name);
	json_object_set_string_member(o, "reason", p->reason ? p->reason : "nothing brings it");
	json_array_add_object_element(j->missing, o);
	j->all_missing++;
}

static bool extract_file(const struct ib_payload *p, void *data, struct ib_error **err)
{
	struct job *j = data;
	g_autofree char *path = NULL;
	uint64_t bytes;

	if (!p->stream) {
		add_missing(j, p);
		return true;
	}
	if (!place(j, p->manifest->keyform, p->file->name, &path, err))
		return false;
	/* Two packages may bring one component: its file is the same then, its hash is the same manifest's. */
	ib_auto_fd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot create '%s'", path);
	if (!copy(p->stream, fd, path, &bytes, err))
		return false;
	j->files++;
	j->bytes += bytes;
	return true;
}

static bool write_bytes(const struct job *j, const char *stem, const char *suffix, GBytes *bytes, struct ib_error **err)
{
	g_autofree char *name = g_strconcat(stem, suffix, NULL);
	g_autofree char *path = g_build_filename(j->work, name, NULL);
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	return ib_file_write(path, data, len, err);
}

static bool plain_manifest(const struct ib_manifest *m, GBytes *dictionary, GBytes **ret, struct ib_error **err)
{
	if (ib_dcm_kind(m->stored) != IB_DCM_NONE)
		return ib_dcm_decode(m->stored, dictionary, ret, err);
	*ret = g_bytes_ref(m->stored);
	return true;
}

/* Manifests as plain XML, package manifests and catalogs as they are. */
static bool extract_metadata(struct job *j, const struct ib_package *p, struct ib_error **err)
{
	const GPtrArray *manifests = ib_package_manifests(p), *mums = ib_package_mums(p);

	for (guint i = 0; i < manifests->len; i++) {
		const struct ib_manifest *m = manifests->pdata[i];
		g_autoptr(GBytes) plain = NULL;
		if (!plain_manifest(m, j->base.dictionary, &plain, err) ||
		    !write_bytes(j, m->keyform, ".manifest", plain, err))
			return false;
		j->manifests++;
	}
	for (guint i = 0; i < mums->len; i++) {
		const struct ib_mum *m = mums->pdata[i];
		if (!write_bytes(j, m->package_id, ".mum", m->bytes, err) ||
		    (m->catalog && !write_bytes(j, m->package_id, ".cat", m->catalog, err)))
			return false;
	}
	return true;
}

static void add_unread(struct job *j, const struct ib_package *p)
{
	const GPtrArray *unread = ib_package_unread(p);

	for (guint i = 0; i < unread->len; i++) {
		JsonObject *o = json_object_new();
		json_object_set_string_member(o, "manifest", unread->pdata[i]);
		json_object_set_string_member(o, "reason", "it is compressed with a dictionary that only an image has");
		json_array_add_object_element(j->missing, o);
		j->all_missing++;
	}
}

static bool extract_payload(struct job *j, struct ib_package *p, struct ib_error **err)
{
	struct ib_payload_options o = { .size = sizeof o, .threads = j->q->threads, .partial = true };
	struct ib_payload_source source;
	struct ib_bases *bases = NULL;

	if (j->base.store && !ib_store_bases_new(j->base.store, p, &bases, err))
		return false;
	if (bases) {
		source = ib_store_bases_source(bases);
		o.source = &source;
	}
	bool ok = ib_package_each_payload(p, &o, extract_file, j, j->q->progress, err);
	ib_store_bases_free(bases);
	return ok;
}

static bool extract_package(struct job *j, struct ib_package *p, JsonObject *o, struct ib_error **err)
{
	j->missing = json_array_new();
	json_object_set_array_member(o, "missing", j->missing);
	j->files = j->manifests = 0;
	j->bytes = 0;
	if (!extract_payload(j, p, err) || !extract_metadata(j, p, err))
		return false;
	add_unread(j, p);
	json_object_set_int_member(o, "files", j->files);
	json_object_set_int_member(o, "manifests", j->manifests);
	json_object_set_int_member(o, "bytes", (gint64)j->bytes);
	return true;
}

/* ---- both ---- */

static bool judge(struct job *j, struct ib_package *p, JsonObject *o, struct ib_error **err)
{
	struct ib_package_trust trust = { 0 };

	if (!j->anchors) {
		json_object_set_string_member(o, "verdict", "not judged: no --trust was given");
		return true;
	}
	if (!ib_package_verify(p, j->anchors, &trust, err))
		return false;
	json_object_set_string_member(o, "verdict", "good");
	json_object_set_string_member(o, "signer", trust.signer);
	ib_package_trust_clear(&trust);
	return true;
}

static bool take_package(struct job *j, struct ib_package *p, struct ib_error **err)
{
	JsonObject *o = json_object_new();

	json_array_add_object_element(j->packages, o);
	json_object_set_string_member(o, "file", ib_package_path(p));
	if (ib_package_cabinet(p))
		json_object_set_string_member(o, "cabinet", ib_package_cabinet(p));
	json_object_set_string_member(o, "container", containers[ib_package_container(p)]);
	json_object_set_string_member(o, "package", ib_package_root(p)->package_id);
	return judge(j, p, o, err) && (j->work ? extract_package(j, p, o, err) : list_package(j, p, o, err));
}

static bool take_file(struct job *j, const char *path, struct ib_error **err)
{
	struct ib_package_options o = { .size = sizeof o, .dictionary = j->base.dictionary, .threads = j->q->threads,
					.progress = j->q->progress };
	g_autoptr(GPtrArray) all = NULL;

	if (!ib_package_open_all(path, &o, &all, err))
		return false;
	for (guint i = 0; i < all->len; i++)
		if (!take_package(j, all->pdata[i], err))
			return ib_while(err, "reading the package '%s'", path);
	return true;
}

static bool take_files(struct job *j, struct ib_error **err)
{
	for (char *const *f = j->q->files; *f; f++)
		if (!take_file(j, *f, err))
			return false;
	return true;
}

/* The folder is made beside its place; what lies there already is not ours to replace. */
static bool begin_folder(struct job *j, struct ib_error **err)
{
	if (!j->q->out)
		return true;
	if (g_file_test(j->q->out, G_FILE_TEST_EXISTS)) {
		ib_throw(err, IB_ERR_INPUT, "'%s' exists", j->q->out);
		return ib_hint(err, "name a folder that does not exist yet");
	}
	g_autofree char *parent = g_path_get_dirname(j->q->out), *name = g_path_get_basename(j->q->out);
	j->work = g_strdup_printf("%s/.work-%s-%d", parent, name, (int)getpid());
	return ib_dir_remove(j->work, err) && ib_dir_make(j->work, err);
}

static bool end_folder(struct job *j, bool keep, struct ib_error **err)
{
	if (!j->work)
		return true;
	if (!keep)
		return ib_dir_remove(j->work, err);
	return ib_dir_sync(j->work, err) && ib_dir_publish(j->work, j->q->out, err);
}

static bool run(struct job *j, struct ib_error **err)
{
	if (j->q->trust && *j->q->trust && !check_anchors(j->q->trust, j->q->now, &j->anchors, err))
		return false;
	return (!j->q->base || image_base_open(j->q->base, &j->base, err)) && begin_folder(j, err) && take_files(j, err);
}

bool ib_package_payload(const struct ib_payload_request *request, char **ret_json, unsigned *ret_missing,
			struct ib_error **err)
{
	struct job j = { .q = request, .packages = json_array_new() };
	g_autoptr(JsonObject) o = json_object_new();
	ib_auto_error ignored = NULL;

	if (request->out)
		json_object_set_string_member(o, "output", request->out);
	if (request->base)
		json_object_set_string_member(o, "base", request->base);
	json_object_set_array_member(o, "packages", j.packages);
	bool ok = run(&j, err);
	bool keep = ok && (j.all_missing == 0 || request->partial);
	if (ok)
		ok = end_folder(&j, keep, err);
	else
		(void)!end_folder(&j, false, &ignored); /* the first error counts */
	if (ok) {
		if (request->out) {
			json_object_set_boolean_member(o, "written", keep);
			json_object_set_int_member(o, "missing", j.all_missing);
		}
		*ret_json = json_text(o);
		*ret_missing = j.all_missing;
	}
	image_base_clear(&j.base);
	ib_anchors_free(j.anchors);
	g_free(j.work);
	return ok;
}
