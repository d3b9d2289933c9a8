/* Payload: which member is which file, and streams that check what flows through them. */
#include "package/internal.h"

#include <string.h>

/* ---- the index ---- */

static char *payload_key(const char *keyform, const char *file)
{
	g_autofree char *full = g_strconcat(keyform, "\\", file, NULL);

	return ib_name_fold(full);
}

static bool same_hash(const struct ib_file *a, const struct ib_file *b)
{
	return a->has_sha256 == b->has_sha256 && a->has_sha1 == b->has_sha1 &&
	       memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0 && memcmp(a->sha1, b->sha1, sizeof(a->sha1)) == 0;
}

static bool index_file(struct ib_package *p, const struct ib_manifest *m, const struct ib_file *f,
		       struct ib_error **err)
{
	g_autofree char *key = payload_key(m->keyform, f->name);
	const struct payload *known = g_hash_table_lookup(p->payload, key);

	/* One payload may have several destinations, but only one content. */
	if (known)
		return same_hash(known->pub.file, f) ||
		       ib_throw(err, IB_ERR_INPUT, "component '%s' names file '%s' twice, with different hashes",
				m->keyform, f->name);
	struct payload *payload = g_new0(struct payload, 1);
	payload->pub.manifest = m;
	payload->pub.file = f;
	g_ptr_array_add(p->payloads, payload);
	g_hash_table_insert(p->payload, g_steal_pointer(&key), payload);
	return true;
}

/*
 * Differentials lie in folders f, r and n of a component. They are told from a
 * component's own folder of that name by the manifest, which names final files only.
 */
static bool check_differential(const struct ib_package *p, const char *name, struct ib_error **err)
{
	g_auto(GStrv) parts = g_strsplit(name, "\\", -1);
	guint n = g_strv_length(parts);

	/* In an .msu the inner cabinet's name comes first. */
	for (guint i = 0; i + 2 < n; i++) {
		bool delta = parts[i + 1][0] && !parts[i + 1][1] && strchr("fFrRnN", parts[i + 1][0]);
		g_autofree char *rest = g_strjoinv("\\", parts + i);
		g_autofree char *key = ib_name_fold(rest);
		if (delta && !g_hash_table_contains(p->payload, key)) {
			ib_throw(err, IB_ERR_INPUT, "package '%s' carries differentials, which cannot be read yet: '%s'",
				 p->container.path, name);
			return ib_hint(err, "get the package with complete files");
		}
	}
	return true;
}

static void note_member(struct ib_package *p, const struct ib_package_member *member)
{
	const char *slash = p->cabinet ? strchr(member->name, '\\') : NULL;
	g_autofree char *key = ib_name_fold(slash ? slash + 1 : member->name);
	struct payload *payload = g_hash_table_lookup(p->payload, key);

	if (!payload)
		return;
	payload->pub.kinds |= IB_PAYLOAD_BIT(IB_PAYLOAD_FILE);
	payload->pub.size[IB_PAYLOAD_FILE] = member->size;
}

bool package_index_payload(struct ib_package *p, struct ib_error **err)
{
	for (guint i = 0; i < p->manifests->len; i++) {
		const struct ib_manifest *m = g_ptr_array_index(p->manifests, i);
		for (guint j = 0; j < m->files->len; j++) {
			if (!index_file(p, m, g_ptr_array_index(m->files, j), err))
				return false;
		}
	}
	for (guint i = 0; i < p->members->len; i++) {
		const struct ib_package_member *member = g_ptr_array_index(p->members, i);
		note_member(p, member);
		if (!check_differential(p, member->name, err))
			return false;
	}
	return true;
}

/* ---- the checking stream ---- */

struct check {
	struct ib_stream base;
	struct ib_stream *inner; /* borrowed */
	const struct payload *payload;
	struct ib_digest *digest;
	bool checked;
};

static bool check_end(struct check *c, struct ib_error **err)
{
	const struct ib_file *f = c->payload->pub.file;
	const uint8_t *want = f->has_sha256 ? f->sha256 : f->sha1;
	size_t size = f->has_sha256 ? IB_SHA256_SIZE : IB_SHA1_SIZE;
	uint8_t got[IB_DIGEST_MAX];

	if (c->checked)
		return true;
	ib_digest_final(c->digest, got);
	c->checked = memcmp(got, want, size) == 0;
	if (c->checked)
		return true;
	g_autofree char *got_text = ib_hex(got, size), *want_text = ib_hex(want, size);
	return ib_throw(err, IB_ERR_VERIFY, "file '%s' of component '%s' has %s %s, its manifest says %s", f->name,
			c->payload->pub.manifest->keyform, f->has_sha256 ? "SHA-256" : "SHA-1", got_text, want_text);
}

static bool check_read(struct ib_stream *s, void *buf, size_t cap, size_t *ret_n, struct ib_error **err)
{
	struct check *c = (struct check *)s;
	size_t n;

	if (!ib_stream_read(c->inner, buf, cap, &n, err))
		return false;
	if (n > 0)
		ib_digest_update(c->digest, buf, n);
	else if (cap > 0 && !check_end(c, err))
		return false;
	*ret_n = n;
	return true;
}

/* ---- each ---- */

struct each {
	struct ib_package *p;
	ib_payload_fn fn;
	void *data;
	struct ib_progress *progress;
	GHashTable *seen; /* const struct payload * */
};

static bool give(struct each *e, const struct member *m, const struct payload *payload, struct ib_error **err)
{
	const struct ib_file *f = payload->pub.file;

	if (!f->has_sha256 && !f->has_sha1)
		return ib_throw(err, IB_ERR_VERIFY, "the manifest of component '%s' gives no hash for file '%s'",
				payload->pub.manifest->keyform, f->name);
	struct check c = {
		.base = { .read = check_read },
		.inner = m->stream,
		.payload = payload,
		.digest = ib_digest_new(f->has_sha256 ? IB_DIGEST_SHA256 : IB_DIGEST_SHA1),
	};
	struct ib_payload out = { .manifest = payload->pub.manifest, .file = f, .size = m->size, .stream = &c.base };
	bool ok = e->fn(&out, e->data, err);
	ib_digest_free(c.digest);
	return ok;
}

static bool each_member(const struct member *m, void *data, struct ib_error **err)
{
	struct each *e = data;

	if (!m->stream || !strchr(m->name, '\\'))
		return true;
	g_autofree char *key = ib_name_fold(m->name);
	const struct payload *payload = g_hash_table_lookup(e->p->payload, key);
	/* A second member of that name can only have the same content: the hash is the same. */
	if (payload && g_hash_table_add(e->seen, (gpointer)payload) && !give(e, m, payload, err))
		return false;
	return m->size == UINT64_MAX || ib_progress_add(e->progress, m->size, err);
}

/* Files that manifests name and no member is, in the order of the manifests. */
static bool each_missing(struct each *e, struct ib_error **err)
{
	for (guint i = 0; i < e->p->manifests->len; i++) {
		const struct ib_manifest *m = g_ptr_array_index(e->p->manifests, i);
		for (guint j = 0; j < m->files->len; j++) {
			const struct ib_file *f = g_ptr_array_index(m->files, j);
			g_autofree char *key = payload_key(m->keyform, f->name);
			const struct payload *payload = g_hash_table_lookup(e->p->payload, key);
			if (!g_hash_table_add(e->seen, (gpointer)payload))
				continue;
			struct ib_payload out = { .manifest = m, .file = f, .reason = "the package does not bring it" };
			if (!e->fn(&out, e->data, err))
				return false;
		}
	}
	return true;
}

bool ib_package_each_payload(struct ib_package *p, const struct ib_payload_options *options, ib_payload_fn fn,
			     void *data, struct ib_progress *progress, struct ib_error **err)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	struct each e = { .p = p, .fn = fn, .data = data, .progress = progress, .seen = seen };

	if (!package_walk(&p->container, each_member, &e, err) || !each_missing(&e, err))
		return ib_while(err, "reading the files of package '%s'", p->container.path);
	return true;
}
