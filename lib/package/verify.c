/* The chain catalog -> mum -> manifest. Files are checked against their manifest when they are read. */
#include "package/internal.h"

struct chain {
	const struct ib_package *p;
	const struct ib_anchors *anchors;
	GPtrArray *catalogs; /* struct ib_catalog *, verified */
	struct ib_package_trust trust;
};

static bool has_content(const struct ib_catalog *c, GBytes *bytes)
{
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);
	uint8_t hash[IB_DIGEST_MAX];

	ib_digest_bytes(IB_DIGEST_SHA256, data, len, hash);
	if (ib_catalog_has(c, IB_DIGEST_SHA256, hash))
		return true;
	ib_digest_bytes(IB_DIGEST_SHA1, data, len, hash); /* all that Windows 7's catalogs have */
	return ib_catalog_has(c, IB_DIGEST_SHA1, hash);
}

static bool verify_mum(struct chain *c, const struct ib_mum *mum, struct ib_error **err)
{
	g_autofree char *name = g_strconcat(mum == c->p->root ? "update" : mum->package_id, ".cat", NULL);
	struct ib_catalog *catalog;
	struct ib_catalog_verdict verdict;
	gsize len;

	if (!mum->catalog)
		return ib_throw(err, IB_ERR_VERIFY, "package '%s' is unsigned: its catalog '%s' is missing",
				mum->package_id, name);
	const void *data = g_bytes_get_data(mum->catalog, &len);
	if (!ib_catalog_parse(data, len, name, &catalog, err))
		return false;
	g_ptr_array_add(c->catalogs, catalog);
	if (!ib_catalog_verify(catalog, c->anchors, &verdict, err))
		return ib_while(err, "verifying catalog '%s'", name);
	if (mum == c->p->root) {
		c->trust.signer = g_strdup(verdict.signer.subject);
		c->trust.anchor = g_strdup(verdict.signer.anchor);
		c->trust.time = ib_time_text(verdict.signer.time);
	}
	ib_catalog_verdict_fini(&verdict);
	if (!has_content(catalog, mum->bytes))
		return ib_throw(err, IB_ERR_VERIFY, "the description of package '%s' is not a member of its catalog '%s'",
				mum->package_id, name);
	c->trust.catalogs++;
	c->trust.members++;
	return true;
}

static bool verify_manifest(struct chain *c, const struct ib_manifest *m, struct ib_error **err)
{
	for (guint i = 0; i < c->catalogs->len; i++) {
		const struct ib_catalog *catalog = g_ptr_array_index(c->catalogs, i);
		if (ib_catalog_has(catalog, IB_DIGEST_SHA256, m->sha256)) {
			c->trust.members++;
			return true;
		}
	}
	for (guint i = 0; i < c->catalogs->len; i++) {
		if (has_content(g_ptr_array_index(c->catalogs, i), m->stored)) {
			c->trust.members++;
			return true;
		}
	}
	return ib_throw(err, IB_ERR_VERIFY, "manifest '%s.manifest' is a member of none of the package's %u catalogs",
			m->keyform, c->catalogs->len);
}

static bool verify_all(struct chain *c, struct ib_error **err)
{
	for (guint i = 0; i < c->p->mums->len; i++) {
		if (!verify_mum(c, g_ptr_array_index(c->p->mums, i), err))
			return false;
	}
	for (guint i = 0; i < c->p->manifests->len; i++) {
		if (!verify_manifest(c, g_ptr_array_index(c->p->manifests, i), err))
			return false;
	}
	c->trust.unchecked = c->p->unread->len;
	return true;
}

bool ib_package_verify(struct ib_package *p, const struct ib_anchors *anchors, struct ib_package_trust *ret,
		       struct ib_error **err)
{
	struct chain c = {
		.p = p,
		.anchors = anchors,
		.catalogs = g_ptr_array_new_with_free_func((GDestroyNotify)ib_catalog_free),
	};
	bool ok = verify_all(&c, err);

	g_ptr_array_unref(c.catalogs);
	if (!ok) {
		ib_package_trust_clear(&c.trust);
		return ib_while(err, "verifying package '%s'", p->container->path);
	}
	*ret = c.trust;
	return true;
}

void ib_package_trust_clear(struct ib_package_trust *t)
{
	g_free(t->signer);
	g_free(t->anchor);
	g_free(t->time);
	t->signer = t->anchor = t->time = NULL;
}
