/* Differentials to files: bases are tried until hashes fit; what does not fit is never handed on. */
#include "package/internal.h"

#include <string.h>

/* Most bases tried for one file: stores hold a few versions of a component. */
#define BASES_MAX 64
/* What a record that needs no base is called. */
#define RECORD_NULL "n\\"

/* One record, what it needs and how its result is judged. */
struct attempt {
	const struct maker *m;
	const struct payload *pl;
	const struct vfile *result; /* an indexed differential that is to be made; NULL: the payload's file */
	const char *what;           /* "f\\", "n\\" or "of the index": for messages */
	bool null;                  /* it is said to need no base */
	GBytes *record;             /* NULL: the base itself is the result */
	struct ib_delta_info info;
	struct ib_base_query query;
	GString *why;
	bool *bad;
};

static void set_hash(struct ib_base_query *q, enum ib_digest_algorithm algorithm, const uint8_t *hash)
{
	q->has_hash = true;
	q->algorithm = algorithm;
	memcpy(q->hash, hash, ib_digest_size(algorithm));
}

/* What names the base: the index, else the record itself. */
static void ask(struct attempt *a, const struct cix_delta *d)
{
	struct ib_base_query *q = &a->query;

	*q = (struct ib_base_query){ .manifest = a->pl->pub.manifest, .file = a->pl->pub.file, .info = &a->info,
				     .size = UINT64_MAX };
	if (a->info.has_source_hash)
		set_hash(q, a->info.hash, a->info.source_hash);
	if (!d || d->basis != BASIS_OUTSIDE)
		return;
	if (d->basis_hash.there)
		set_hash(q, d->basis_hash.algorithm, d->basis_hash.value);
	q->size = d->basis_length;
	q->name = d->basis_name;
}

bool package_check_file(const struct payload *pl, GBytes *bytes, struct ib_error **err)
{
	const struct ib_file *f = pl->pub.file;
	struct hash want = { .there = true, .algorithm = f->has_sha256 ? IB_DIGEST_SHA256 : IB_DIGEST_SHA1 };
	const uint8_t *value = f->has_sha256 ? f->sha256 : f->sha1;
	uint8_t got[IB_DIGEST_MAX];
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);
	size_t size = ib_digest_size(want.algorithm);

	if (!f->has_sha256 && !f->has_sha1)
		return ib_throw(err, IB_ERR_VERIFY, "the manifest of component '%s' gives no hash for file '%s'",
				pl->pub.manifest->keyform, f->name);
	ib_digest_bytes(want.algorithm, data, len, got);
	if (memcmp(got, value, size) == 0)
		return true;
	g_autofree char *got_text = ib_hex(got, size), *want_text = ib_hex(value, size);
	return ib_throw(err, IB_ERR_VERIFY, "file '%s' of component '%s' has %s %s, its manifest says %s", f->name,
			pl->pub.manifest->keyform, f->has_sha256 ? "SHA-256" : "SHA-1", got_text, want_text);
}

/* ---- one base ---- */

/* Whether an error says only that this base, or this record, is not the right one. */
static bool is_miss(const struct ib_error *e)
{
	return ib_error_code(e) == IB_ERR_VERIFY || ib_error_code(e) == IB_ERR_INPUT;
}

static bool is_named(const struct ib_base_query *q, GBytes *base)
{
	struct hash h = { .algorithm = q->algorithm };

	if (q->size != UINT64_MAX && g_bytes_get_size(base) != q->size)
		return false;
	if (!q->has_hash)
		return true;
	memcpy(h.value, q->hash, ib_digest_size(q->algorithm));
	return package_hash_fits(&h, base);
}

static bool judge(const struct attempt *a, GBytes *made, struct ib_error **err)
{
	return a->result ? package_cix_check(a->result->cix, a->result->at, made, err) :
			   package_check_file(a->pl, made, err);
}

/* With one base (NULL: none). *ret stays NULL when it does not fit; the last reason is kept. */
static bool try_base(struct attempt *a, GBytes *base, GBytes **ret, struct ib_error **err)
{
	g_autoptr(GBytes) made = NULL;
	struct ib_error *e = NULL;

	if (base && !is_named(&a->query, base)) {
		g_string_assign(a->why, "what was offered as its base has another hash than the one named");
		return true;
	}
	bool ok = a->record ? ib_delta_apply(base, a->record, NULL, &made, &e) : base != NULL;
	if (ok && !a->record)
		made = g_bytes_ref(base);
	ok = ok && judge(a, made, &e);
	if (ok) {
		*ret = g_steal_pointer(&made);
		return true;
	}
	if (e && !is_miss(e)) {
		*err = e;
		return false;
	}
	if (e) {
		*a->bad |= ib_error_code(e) == IB_ERR_VERIFY;
		g_string_assign(a->why, ib_error_cause(e));
	}
	ib_error_clear(&e);
	return true;
}

static bool try_bases(struct attempt *a, unsigned *ret_tried, GBytes **ret, struct ib_error **err)
{
	const struct ib_payload_source *s = a->m->source;

	for (*ret_tried = 0; s && s->base && !*ret && *ret_tried < BASES_MAX; ++*ret_tried) {
		g_autoptr(GBytes) base = NULL;
		if (!s->base(s->data, &a->query, *ret_tried, &base, err))
			return false;
		if (!base)
			return true;
		if (!try_base(a, base, ret, err))
			return false;
	}
	return true;
}

/* ---- one record ---- */

static char *base_text(const struct ib_base_query *q)
{
	GString *s = g_string_new(NULL);

	if (q->name)
		g_string_append_printf(s, " '%s'", q->name);
	if (q->has_hash) {
		g_autofree char *hex = ib_hex(q->hash, ib_digest_size(q->algorithm));
		g_string_append_printf(s, " with %s %s", ib_digest_name(q->algorithm), hex);
	}
	if (q->size != UINT64_MAX)
		g_string_append_printf(s, " of %" PRIu64 " bytes", q->size);
	return g_string_free(s, FALSE);
}

static void explain(struct attempt *a, unsigned tried, GString *why)
{
	g_autofree char *transforms = ib_delta_transforms(a->info.flags), *base = base_text(&a->query);

	if (why->len > 0)
		g_string_append(why, "; ");
	if (!a->record)
		g_string_append_printf(why, "it is the unchanged file%s, which nobody has", base);
	else if (tried == 0)
		g_string_append_printf(why, "its differential %s (transforms %s) needs a base%s, which nobody has", a->what,
				       transforms, base);
	else
		g_string_append_printf(why, "its differential %s (transforms %s) fits none of %u bases tried: %s", a->what,
				       transforms, tried, a->why->str);
}

/* Whether a record can do without a base: PA31 says so, of PA30 it is seen by trying. */
static bool may_be_null(const struct attempt *a)
{
	return a->record && !a->info.has_source_hash && !a->query.has_hash;
}

static bool try_record(struct attempt *a, GBytes **ret, GString *why, struct ib_error **err)
{
	bool null = a->null || may_be_null(a), first = a->null || (null && a->info.pa31);
	unsigned tried = 0;

	if (first && !try_base(a, NULL, ret, err))
		return false;
	if (!*ret && !first && !try_bases(a, &tried, ret, err))
		return false;
	if (!*ret && null && !first) {
		g_autofree char *last = g_strdup(a->why->str); /* a base's failure says more than that of none */
		if (!try_base(a, NULL, ret, err))
			return false;
		if (tried > 0)
			g_string_assign(a->why, last);
	}
	if (!*ret)
		explain(a, tried + first, why);
	return true;
}

/* d: what the index says about the base, or NULL. */
static bool apply_record(const struct maker *m, const struct payload *pl, const struct vfile *result, const char *what,
			 GBytes *record, const struct cix_delta *d, GBytes **ret, GString *why, bool *bad,
			 struct ib_error **err)
{
	g_autoptr(GString) last = g_string_new(NULL);
	struct attempt a = { .m = m, .pl = pl, .result = result, .what = what, .record = record, .why = last, .bad = bad,
			     .null = strcmp(what, RECORD_NULL) == 0 };
	struct ib_error *e = NULL;

	*ret = NULL;
	if (record && !ib_delta_info(record, &a.info, &e)) {
		if (why->len > 0)
			g_string_append(why, "; ");
		g_string_append_printf(why, "its differential %s cannot be read: %s", what, ib_error_cause(e));
		*bad |= ib_error_code(e) == IB_ERR_VERIFY;
		ib_error_clear(&e);
		return true;
	}
	ask(&a, d);
	return try_record(&a, ret, why, err);
}

bool package_vfile_bytes(const struct maker *m, const struct vfile *vf, GBytes *member, GBytes **ret, GString *why,
			 struct ib_error **err)
{
	struct cix_result r = { 0 };
	bool bad = false;

	if (member || !vf->cix) {
		*ret = member ? g_bytes_ref(member) : NULL;
		return true;
	}
	if (!package_cix_get(vf->cix, vf->at, &r, err))
		return false;
	if (!r.outside) {
		*ret = r.bytes;
		return true;
	}
	bool ok = apply_record(m, vf->payload, vf->kind == IB_PAYLOAD_FILE ? NULL : vf, "of the index", r.bytes,
			       package_cix_delta(vf->cix, vf->at), ret, why, &bad, err);
	if (r.bytes)
		g_bytes_unref(r.bytes);
	return ok;
}

/* ---- all of them ---- */

static bool from_elsewhere(const struct maker *m, const struct payload *pl, GBytes **ret, GString *why,
			   struct ib_error **err)
{
	const struct ib_payload_source *s = m->source;
	struct ib_error *e = NULL;
	g_autoptr(GBytes) bytes = NULL;

	if (!s || !s->complete)
		return true;
	if (!s->complete(s->data, pl->pub.manifest, pl->pub.file, &bytes, err))
		return false;
	if (!bytes)
		return true;
	if (package_check_file(pl, bytes, &e)) {
		*ret = g_steal_pointer(&bytes);
		return true;
	}
	g_string_append_printf(why, "%swhat a payload source offers is another file: %s", why->len ? "; " : "",
			       ib_error_cause(e));
	ib_error_clear(&e);
	return true;
}

bool package_make_file(const struct maker *m, const struct payload *pl, GBytes *const records[IB_PAYLOAD_KINDS],
		       GBytes **ret, GString *why, bool *ret_bad, struct ib_error **err)
{
	const struct cix_delta *history = pl->history;

	*ret = NULL;
	if (records[IB_PAYLOAD_NULL] && !apply_record(m, pl, NULL, RECORD_NULL, records[IB_PAYLOAD_NULL], NULL, ret, why, ret_bad,
						      err))
		return false;
	if (!*ret && records[IB_PAYLOAD_FORWARD] &&
	    !apply_record(m, pl, NULL, "f\\", records[IB_PAYLOAD_FORWARD], history, ret, why, ret_bad, err))
		return false;
	if (!*ret && !from_elsewhere(m, pl, ret, why, err))
		return false;
	if (!*ret && why->len == 0)
		g_string_append_printf(why, "the package does not bring it%s%s%s",
				       history && history->source == SOURCE_RAW ? ", it is to be taken unchanged from '" : "",
				       history && history->source == SOURCE_RAW ? history->name : "",
				       history && history->source == SOURCE_RAW ? "'" : "");
	return true;
}
