/*
 * Manifests of the store: read, unpacked with the image's own dictionary, compared with their component keys.
 *
 * In a real image 27,668 of 28,069 manifests are compressed. Whoever asks about all of them asks ib_svc_manifests_each(),
 * which reads, unpacks and parses on all processors and hands them over in order.
 */
#include "servicing/internal.h"

#include <string.h>

#include "delta/delta.h"
#include "digest/digest.h"

/* wcp.dll has 3 MB. */
#define WCP_LIMIT (64u << 20)
/* Parsed manifests alive at once: some 50 KB each. */
#define BATCH 512u

#define STACK_COMPONENT "Microsoft-Windows-ServicingStack"

/* ---- the dictionary ---- */

static int newest_first(gconstpointer a, gconstpointer b)
{
	const struct ib_component *x = *(struct ib_component *const *)a, *y = *(struct ib_component *const *)b;

	return ib_version_compare(&y->id.number, &x->id.number);
}

/* Servicing stacks for the image's own processor: struct ib_component *, the newest first. */
static GPtrArray *stacks(struct ib_store *s, struct ib_model *model)
{
	GPtrArray *out = g_ptr_array_new();

	for (guint i = 0; i < model->families->len; i++) {
		const struct ib_family *f = model->families->pdata[i];
		for (guint k = 0; k < f->components->len; k++) {
			struct ib_component *c = f->components->pdata[k];
			if (!g_ascii_strcasecmp(c->id.name, STACK_COMPONENT) && c->id.arch &&
			    !g_ascii_strcasecmp(c->id.arch, s->arch))
				g_ptr_array_add(out, c);
		}
	}
	g_ptr_array_sort(out, newest_first);
	return out;
}

/* The dictionary of one stack; *ret stays NULL when its wcp.dll is not there or holds none. */
static bool dictionary_of(struct ib_store *s, const struct ib_component *stack, GBytes **ret, struct ib_error **err)
{
	g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s\\wcp.dll", stack->keyform);
	g_autoptr(GBytes) wcp = NULL;
	ib_auto_error why = NULL;

	if (!ib_image_find(s->image, path))
		return true;
	if (!ib_image_read(s->image, path, WCP_LIMIT, &wcp, err))
		return false;
	if (!ib_dcm_dictionary(wcp, ret, &why))
		ib_debug("servicing", "'%s' holds no manifest dictionary: %s", path, ib_error_cause(why));
	else if (!ib_dcm_dictionary_usual(*ret))
		ib_debug("servicing", "'%s' holds another manifest dictionary than the usual one", path);
	return true;
}

bool ib_store_dictionary(struct ib_store *s, GBytes **ret, struct ib_error **err)
{
	struct ib_model *model;

	if (!s->dictionary_known) {
		if (!ib_svc_model(s, &model, err))
			return false;
		g_autoptr(GPtrArray) list = stacks(s, model);
		for (guint i = 0; !s->dictionary && i < list->len; i++)
			if (!dictionary_of(s, list->pdata[i], &s->dictionary, err))
				return ib_while(err, "looking for the manifest dictionary");
		s->dictionary_known = true;
	}
	*ret = s->dictionary;
	return true;
}

/* ---- one manifest ---- */

/* A compressed manifest needs the dictionary. */
static bool check_dictionary(GBytes *stored, GBytes *dictionary, struct ib_error **err)
{
	if (ib_dcm_kind(stored) != IB_DCM_DCM || dictionary)
		return true;
	ib_throw(err, IB_ERR_INPUT, "the manifest is compressed (DCM), and the image has no dictionary to read it with");
	return ib_hint(err, "it is a resource of wcp.dll in the WinSxS folder of the servicing stack");
}

/* What a thread needs to read a manifest without touching the store. */
struct reading {
	struct ib_component *component;
	char *name;                 /* file name */
	uint8_t blob[IB_WIM_HASH_SIZE];
	uint8_t want[32];           /* S256H */
	bool has_want;
	bool missing;               /* no such file: a note was made */
	struct ib_manifest *manifest;
	struct ib_error *error;
};

/* sha256: of the text. */
static bool check_hash(const struct reading *r, const uint8_t *sha256, struct ib_error **err)
{
	if (!r->has_want || !memcmp(r->want, sha256, sizeof(r->want)))
		return true;
	g_autofree char *is = ib_hex(sha256, IB_SHA256_SIZE), *must = ib_hex(r->want, sizeof(r->want));
	ib_throw(err, IB_ERR_VERIFY, "the manifest has SHA-256 %s, its component key says %s", is, must);
	return ib_svc_damaged(err);
}

/* Whether this manifest need not be read: nothing in its text is what is asked for. sha256: gets the text's, then. */
static bool is_beside(GBytes *stored, GBytes *dictionary, const struct ib_mentions *mentions, const char *keyform,
		      bool *ret, uint8_t *sha256, struct ib_error **err)
{
	g_autoptr(GBytes) text = NULL;

	*ret = false;
	if (!mentions)
		return true;
	if (!ib_manifest_text(stored, dictionary, &text, err))
		return false;
	gsize len;
	const void *data = g_bytes_get_data(text, &len);
	*ret = !ib_svc_mentions_any(mentions, keyform, text);
	if (*ret)
		ib_digest_bytes(IB_DIGEST_SHA256, data, len, sha256);
	return true;
}

/* mentions: NULL, or what the text must name to be read; else r->manifest stays NULL. */
static bool read_one(struct ib_wim *wim, GBytes *dictionary, const struct ib_mentions *mentions, struct reading *r,
		     struct ib_error **err)
{
	g_autoptr(GBytes) stored = NULL;
	uint8_t sha256[IB_SHA256_SIZE];
	bool beside;

	if (!ib_wim_read_shared(wim, r->blob, METADATA_LIMIT, &stored, err) || !check_dictionary(stored, dictionary, err) ||
	    !is_beside(stored, dictionary, mentions, r->component->keyform, &beside, sha256, err) ||
	    (!beside && !ib_manifest_parse(stored, dictionary, r->name, &r->manifest, err)))
		return ib_svc_damaged(err) || ib_while(err, "reading the manifest '%s' of the image", r->name);
	return check_hash(r, beside ? sha256 : r->manifest->sha256, err) ||
	       ib_while(err, "reading the manifest '%s' of the image", r->name);
}

static void reading_clear(void *p)
{
	struct reading *r = p;

	g_clear_pointer(&r->name, g_free);
	g_clear_pointer(&r->manifest, ib_manifest_free);
	ib_error_clear(&r->error);
}

/* Everything about a component that only the store's own thread may look up. */
static void prepare(struct ib_store *s, struct ib_hive *components, struct ib_component *c, struct reading *ret)
{
	g_autofree char *path = g_strdup_printf(DIR_MANIFESTS "\\%s.manifest", c->keyform);
	struct ib_node *node = ib_image_find(s->image, path);
	struct ib_key *key = components ? ib_svc_component_key(components, c->keyform) : NULL;
	const struct ib_value *v = key ? ib_key_value(key, "S256H") : NULL;
	size_t len = 0;
	const uint8_t *want = v ? ib_value_data(v, &len) : NULL;
	const uint8_t *hash = node ? ib_node_hash(node) : NULL;

	*ret = (struct reading){ .component = c, .name = g_strconcat(c->keyform, ".manifest", NULL), .missing = !node };
	if (hash)
		memcpy(ret->blob, hash, sizeof(ret->blob));
	if (want && len == sizeof(ret->want)) {
		memcpy(ret->want, want, len);
		ret->has_want = true;
	}
	if (!node)
		ib_svc_note(s, "manifest-missing", c->keyform, "the store has no manifest of this component");
}

/* check: compare with the component key, too. */
static bool read_manifest(struct ib_store *s, struct ib_component *c, bool check, struct ib_manifest **ret,
			  struct ib_error **err)
{
	IB_CLEANUP(reading_clear) struct reading r = { 0 };
	struct ib_hive *components = NULL;
	GBytes *dictionary;

	*ret = NULL;
	if (c->unreadable)
		return true;
	if ((check && !ib_store_hive(s, IB_HIVE_COMPONENTS, &components, err)) || !ib_store_dictionary(s, &dictionary, err))
		return false;
	prepare(s, components, c, &r);
	c->unreadable = r.missing;
	if (!r.missing && (!ib_wim_settle_blob(s->wim, r.blob, err) || !read_one(s->wim, dictionary, NULL, &r, err)))
		return false;
	*ret = g_steal_pointer(&r.manifest);
	return true;
}

bool ib_svc_manifest_read(struct ib_store *s, struct ib_component *c, struct ib_manifest **ret, struct ib_error **err)
{
	return read_manifest(s, c, true, ret, err);
}

bool ib_svc_manifest_read_unchecked(struct ib_store *s, struct ib_component *c, struct ib_manifest **ret,
				    struct ib_error **err)
{
	return read_manifest(s, c, false, ret, err);
}

bool ib_svc_manifest(struct ib_store *s, struct ib_component *c, const struct ib_manifest **ret, struct ib_error **err)
{
	if (!c->manifest && !ib_svc_manifest_read(s, c, &c->manifest, err))
		return false;
	*ret = c->manifest;
	return true;
}

/* ---- many ---- */

struct batch {
	struct ib_wim *wim;
	GBytes *dictionary;
	const struct ib_mentions *mentions;
	struct reading *readings;
	guint count;
};

static void work(unsigned index, void *data)
{
	const struct batch *b = data;
	struct reading *r = &b->readings[index];

	if (!r->missing && !r->component->manifest && !read_one(b->wim, b->dictionary, b->mentions, r, &r->error))
		g_clear_pointer(&r->manifest, ib_manifest_free);
}

static bool deliver(struct batch *b, ib_manifest_fn fn, void *data, struct ib_error **err)
{
	for (guint i = 0; i < b->count; i++) {
		struct reading *r = &b->readings[i];
		if (r->error) {
			*err = g_steal_pointer(&r->error);
			return false;
		}
		const struct ib_manifest *m = r->component->manifest ? r->component->manifest : r->manifest;
		if (!fn && r->manifest)
			r->component->manifest = g_steal_pointer(&r->manifest);
		if (fn && m && !fn(r->component, m, data, err))
			return false;
		reading_clear(r); /* as early as possible: a batch of large ones takes much memory */
	}
	return true;
}

bool ib_svc_manifests_each(struct ib_store *s, const GPtrArray *components, const struct ib_mentions *mentions,
			   ib_manifest_fn fn, void *data, struct ib_error **err)
{
	g_autofree struct reading *readings = g_new0(struct reading, BATCH);
	struct batch b = { .wim = s->wim, .readings = readings, .mentions = mentions };
	struct ib_hive *hive;
	bool ok = true;

	if (!ib_store_hive(s, IB_HIVE_COMPONENTS, &hive, err) || !ib_store_dictionary(s, &b.dictionary, err))
		return false;
	for (guint at = 0; ok && at < components->len; at += b.count) {
		b.count = MIN(BATCH, components->len - at);
		for (guint i = 0; i < b.count; i++)
			prepare(s, hive, components->pdata[at + i], &readings[i]);
		for (guint i = 0; ok && i < b.count; i++)
			ok = readings[i].missing || ib_wim_settle_blob(s->wim, readings[i].blob, err);
		if (ok) {
			ib_parallel(b.count, 0, work, &b);
			ok = deliver(&b, fn, data, err);
		}
		for (guint i = 0; i < b.count; i++)
			reading_clear(&readings[i]);
	}
	return ok;
}
