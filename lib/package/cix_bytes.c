/* The bytes behind an index: its sources, numbered members or ranges of a .psf, and what is made of them. */
#include "package/internal.h"

#include <string.h>

/* A .psf begins so; then major and minor version, 2 and 2 in all known ones. */
#define PSF_MAGIC "PSTREAM"
#define PSF_HEADER 12
#define PSF_MAJOR 2

/* ---- where the bytes are ---- */

static void mark_bases(struct cix *c)
{
	c->is_basis = g_malloc0(c->files->len + 1);
	c->results = g_new0(struct place, c->files->len + 1);
	for (guint i = 0; i < c->files->len; i++)
		if (package_cix_delta(c, i)->basis == BASIS_FILE)
			c->is_basis[package_cix_delta(c, i)->basis_file] = 1;
}

void package_cix_use_unit(struct cix *c, struct unit *unit, struct spool *spool)
{
	c->unit = unit;
	c->spool = spool;
	c->members = g_new0(struct place, unit->files->len + 1);
	mark_bases(c);
}

static bool check_psf(struct ib_input *psf, struct ib_error **err)
{
	uint8_t h[PSF_HEADER] = { 0 };

	if (!ib_input_read(psf, 0, h, (size_t)MIN(ib_input_size(psf), (uint64_t)sizeof(h)), err))
		return false;
	if (memcmp(h, PSF_MAGIC, sizeof(PSF_MAGIC)) != 0)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no .psf: it does not begin with '%s'", ib_input_name(psf),
				PSF_MAGIC);
	if (ib_le16(h + 8) > PSF_MAJOR)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has version %u.%u, up to %u is read here", ib_input_name(psf),
				ib_le16(h + 8), ib_le16(h + 10), PSF_MAJOR);
	return true;
}

bool package_cix_use_psf(struct cix *c, struct ib_input *psf, struct spool *spool, struct ib_error **err)
{
	if (!check_psf(psf, err))
		return false;
	if (c->container_length != UINT64_MAX && c->container_length > ib_input_size(psf))
		return ib_throw(err, IB_ERR_INPUT, "'%s' ends early: its index '%s' says %" PRIu64 " bytes, it has %" PRIu64,
				ib_input_name(psf), c->what, c->container_length, ib_input_size(psf));
	c->psf = ib_input_ref(psf);
	c->spool = spool;
	mark_bases(c);
	return true;
}

/* ---- numbered members ---- */

static bool want_member(struct cix *c, const struct cix_delta *d, uint8_t *wanted, struct ib_error **err)
{
	guint i;

	if (d->source == SOURCE_NONE || d->source == SOURCE_UNKNOWN)
		return true;
	if (!d->name || !package_unit_find(c->unit, d->name, &i))
		return ib_throw(err, IB_ERR_INPUT, "index '%s' takes bytes from '%.80s', which the package lacks", c->what,
				d->name ? d->name : "a .psf");
	if (package_unit_file(c->unit, i)->size > IB_DELTA_TARGET_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %" PRIu64 " bytes, at most %" PRIu64 " are accepted", d->name,
				package_unit_file(c->unit, i)->size, IB_DELTA_TARGET_MAX);
	wanted[i] = !c->members[i].there;
	return true;
}

static bool take_member(guint i, struct ib_stream *stream, void *data, struct ib_error **err)
{
	struct cix *c = data;
	g_autoptr(GBytes) bytes = NULL;

	return ib_stream_bytes(stream, IB_DELTA_TARGET_MAX, package_unit_file(c->unit, i)->name, &bytes, err) &&
	       package_spool_add(c->spool, bytes, &c->members[i], err);
}

bool package_cix_fetch(struct cix *c, const uint8_t *files, unsigned threads, struct ib_error **err)
{
	if (!c->unit)
		return true;
	g_autofree uint8_t *wanted = g_malloc0(c->unit->files->len + 1);
	g_autofree uint8_t *seen = g_malloc0(c->files->len + 1);

	for (guint i = 0; i < c->files->len; i++) {
		if (!files[i])
			continue;
		for (guint at = i; !seen[at] && !c->results[at].there; at = package_cix_delta(c, at)->basis_file) {
			seen[at] = 1;
			if (!want_member(c, package_cix_delta(c, at), wanted, err))
				return false;
			if (package_cix_delta(c, at)->basis != BASIS_FILE)
				break;
		}
	}
	return package_unit_each(c->unit, wanted, threads, take_member, c, err);
}

/* ---- records ---- */

static bool read_range(struct cix *c, const struct cix_delta *d, GBytes **ret, struct ib_error **err)
{
	if (d->length > IB_DELTA_TARGET_MAX)
		return ib_throw(err, IB_ERR_INPUT, "a range of %" PRIu64 " bytes is too long, at most %" PRIu64 " are accepted",
				d->length, IB_DELTA_TARGET_MAX);
	void *data = g_try_malloc((size_t)d->length + 1);
	if (!data)
		return ib_throw_memory(err);
	if (!ib_input_read(c->psf, d->offset, data, (size_t)d->length, err)) {
		g_free(data);
		return false;
	}
	*ret = g_bytes_new_take(data, (gsize)d->length);
	return true;
}

bool package_cix_range(const struct cix *c, const struct cix_delta *d, struct ib_error **err)
{
	uint64_t size = ib_input_size(c->psf);

	if (d->name)
		return ib_throw(err, IB_ERR_INPUT, "its bytes are in '%.80s', not in the .psf", d->name);
	if (d->offset > size || d->length > size - d->offset)
		return ib_throw(err, IB_ERR_INPUT, "its range of %" PRIu64 " bytes at %" PRIu64 " leaves '%s', which has %"
				PRIu64, d->length, d->offset, ib_input_name(c->psf), size);
	return true;
}

/* The bytes a delta takes from the package, checked by their own hash. */
static bool record(struct cix *c, const struct cix_delta *d, GBytes **ret, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	guint i = 0;

	if (d->source == SOURCE_UNKNOWN)
		return ib_throw(err, IB_ERR_INPUT, "it is stored as '%.40s', which cannot be read here", d->type);
	if (c->psf) {
		if (!package_cix_range(c, d, err) || !read_range(c, d, &bytes, err))
			return false;
	} else if (!d->name || !package_unit_find(c->unit, d->name, &i) || !c->members[i].there) {
		return ib_throw(err, IB_ERR_INPUT, "the package lacks its source '%.80s'", d->name ? d->name : "");
	} else if (!package_spool_read(c->spool, &c->members[i], &bytes, err)) {
		return false;
	}
	if (d->source_hash.there && !package_hash_fits(&d->source_hash, bytes))
		return ib_throw(err, IB_ERR_VERIFY, "its bytes in the package do not have the %s the index '%s' gives",
				ib_digest_name(d->source_hash.algorithm), c->what);
	*ret = g_steal_pointer(&bytes);
	return true;
}

/* ---- files ---- */

bool package_cix_check(const struct cix *c, guint file, GBytes *bytes, struct ib_error **err)
{
	const struct cix_file *f = package_cix_file(c, file);

	if (g_bytes_get_size(bytes) != f->length)
		return ib_throw(err, IB_ERR_VERIFY, "'%s' has %zu bytes, the index '%s' says %" PRIu64, f->name,
				g_bytes_get_size(bytes), c->what, f->length);
	if (f->hash.there && !package_hash_fits(&f->hash, bytes))
		return ib_throw(err, IB_ERR_VERIFY, "'%s' does not have the %s the index '%s' gives", f->name,
				ib_digest_name(f->hash.algorithm), c->what);
	return true;
}

/* One file from its base (NULL: none). An outside base: *ret_outside, and ret are the record's bytes. */
static bool make_one(struct cix *c, guint file, GBytes *base, struct cix_result *ret, struct ib_error **err)
{
	const struct cix_file *f = package_cix_file(c, file);
	const struct cix_delta *d = package_cix_delta(c, file);
	const struct ib_delta_options limit = { .target_max = CLAMP(f->length, 1, IB_DELTA_TARGET_MAX) };
	g_autoptr(GBytes) bytes = NULL, made = NULL;
	struct ib_delta_info info;

	if (d->source != SOURCE_NONE && !record(c, d, &bytes, err))
		return false;
	ret->outside = d->basis == BASIS_OUTSIDE;
	if (d->source == SOURCE_DELTA && d->basis == BASIS_NONE) {
		if (!ib_delta_info(bytes, &info, err))
			return false;
		ret->outside = info.has_source_hash;
	}
	if (ret->outside) {
		ret->bytes = g_steal_pointer(&bytes);
		return true;
	}
	if (d->source == SOURCE_DELTA && !ib_delta_apply(base, bytes, &limit, &made, err))
		return false;
	if (d->source == SOURCE_NONE)
		made = g_bytes_ref(base);
	else if (!made)
		made = g_steal_pointer(&bytes);
	if (!package_cix_check(c, file, made, err))
		return false;
	ret->bytes = g_steal_pointer(&made);
	return true;
}

/* What others are based on is made once. Two threads may both make it: the same bytes twice, no harm. */
static bool keep_result(struct cix *c, guint file, GBytes *bytes, struct ib_error **err)
{
	struct place place;

	if (!c->is_basis[file])
		return true;
	if (!package_spool_add(c->spool, bytes, &place, err))
		return false;
	g_mutex_lock(&c->lock);
	c->results[file] = place;
	g_mutex_unlock(&c->lock);
	return true;
}

static bool known_result(struct cix *c, guint file, GBytes **ret, struct ib_error **err)
{
	g_mutex_lock(&c->lock);
	struct place place = c->results[file];
	g_mutex_unlock(&c->lock);
	*ret = NULL;
	return !place.there || package_spool_read(c->spool, &place, ret, err);
}

/* Down to a file that needs no other or is known, noting the way. */
static bool find_start(struct cix *c, guint file, GArray *way, GBytes **ret_base, struct ib_error **err)
{
	for (guint at = file;; at = package_cix_delta(c, at)->basis_file) {
		if (!known_result(c, at, ret_base, err))
			return false;
		if (*ret_base)
			return true;
		g_array_append_val(way, at);
		if (package_cix_delta(c, at)->basis != BASIS_FILE)
			return true;
	}
}

static bool get(struct cix *c, guint file, GArray *way, struct cix_result *ret, struct ib_error **err)
{
	g_autoptr(GBytes) base = NULL;

	if (!find_start(c, file, way, &base, err))
		return false;
	for (guint i = way->len; i > 0; i--) {
		guint at = g_array_index(way, guint, i - 1);
		struct cix_result made = { 0 };
		if (!make_one(c, at, base, &made, err))
			return ib_while(err, "making '%s'", package_cix_file(c, at)->name);
		if (made.outside && at == file) {
			*ret = made;
			return true;
		}
		g_clear_pointer(&base, g_bytes_unref);
		base = made.bytes;
		if (made.outside)
			return ib_throw(err, IB_ERR_INPUT, "'%s' is based on '%s', whose own base lies outside of the package",
					package_cix_file(c, file)->name, package_cix_file(c, at)->name);
		if (!keep_result(c, at, base, err))
			return false;
	}
	*ret = (struct cix_result){ .bytes = g_steal_pointer(&base) };
	return true;
}

bool package_cix_get(struct cix *c, guint file, struct cix_result *ret, struct ib_error **err)
{
	g_autoptr(GArray) way = g_array_new(FALSE, FALSE, sizeof(guint));

	if (!get(c, file, way, ret, err))
		return ib_while(err, "resolving '%s' of index '%s'", package_cix_file(c, file)->name, c->what);
	return true;
}
