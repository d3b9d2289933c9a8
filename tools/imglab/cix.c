#include "cix.h"

#include <string.h>

#include "delta.h"
#include "digest/digest.h"
#include "xmltext.h"

#define NS "urn:ContainerIndex"
#define FILETIME_EPOCH INT64_C(11644473600)
/* Files that are made from files that are made from files …: so many deep at most. */
#define CHAIN_MAX 5
/* Each so many-th file with a name of its own is plain. */
#define PLAIN_ONE_IN 6
/* Of a .psf: its magic, version 2.2, and where records begin. */
#define PSF_FIRST 128

static char *hash_text(enum ib_digest_algorithm algorithm, GBytes *bytes)
{
	uint8_t digest[IB_DIGEST_MAX];
	gsize size;
	const void *data = g_bytes_get_data(bytes, &size);

	ib_digest_bytes(algorithm, data, size, digest);
	g_autofree char *hex = ib_hex(digest, ib_digest_size(algorithm));
	return g_ascii_strup(hex, -1);
}

static void put_hash(struct lab_xml *x, enum ib_digest_algorithm algorithm, GBytes *bytes)
{
	g_autofree char *value = hash_text(algorithm, bytes);

	lab_xml_empty(x, "Hash", "alg", algorithm == IB_DIGEST_SHA1 ? "SHA1" : "SHA256", "value", value, NULL);
}

static void open_container(struct lab_xml *x, const char *name, const char *type, const char *version, uint64_t length)
{
	g_autofree char *bytes = g_strdup_printf("%" PRIu64, length);

	lab_xml_open(x, "Container", "xmlns", NS, "name", name, "type", type, "length", bytes, "version", version, NULL);
	lab_xml_open(x, "Files", NULL);
}

static GBytes *close_container(struct lab_xml *x)
{
	lab_xml_close(x, "Files");
	lab_xml_close(x, "Container");
	return lab_xml_end(x);
}

static void open_file(struct lab_xml *x, size_t id, const char *name, GBytes *bytes, int64_t when)
{
	g_autofree char *number = g_strdup_printf("%zu", id);
	g_autofree char *length = g_strdup_printf("%zu", g_bytes_get_size(bytes));
	g_autofree char *time = g_strdup_printf("%" PRId64, (when + FILETIME_EPOCH) * 10000000);

	lab_xml_open(x, "File", "id", number, "name", name, "length", length, "time", time, "attr", "128", NULL);
}

/* ---- numbered members ---- */

/* A file on its way into an index. */
struct entry {
	const struct lab_member *file;
	size_t basis;  /* another entry; SIZE_MAX: none */
	unsigned depth; /* bases below it */
	GBytes *source; /* what its member holds; NULL: an exact copy of its basis */
	bool delta;
};

static GBytes *keep_delta(struct lab_arena *a, GBytes *source, GBytes *target)
{
	struct lab_delta d = { .source = source, .target = target };

	return lab_keep(a, lab_delta_make(&d), (GDestroyNotify)g_bytes_unref);
}

static const char *suffix(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot : "";
}

/* The entry a file is best made from: one with the same bytes, else the last of its kind that is not too deep. */
static size_t find_basis(const struct entry *entries, size_t i, bool *ret_same)
{
	size_t basis = SIZE_MAX;

	*ret_same = false;
	for (size_t j = i; j-- > 0;) {
		if (g_bytes_equal(entries[j].file->bytes, entries[i].file->bytes)) {
			*ret_same = true;
			return j;
		}
		if (basis == SIZE_MAX && entries[j].depth < CHAIN_MAX &&
		    g_str_equal(suffix(entries[j].file->name), suffix(entries[i].file->name)))
			basis = j;
	}
	return basis;
}

static void plan_entry(struct lab_arena *a, struct entry *entries, size_t i)
{
	struct entry *e = &entries[i];
	bool same;

	e->basis = find_basis(entries, i, &same);
	if (!same && i % PLAIN_ONE_IN == 0) {
		e->basis = SIZE_MAX;
		e->source = e->file->bytes;
		return;
	}
	if (e->basis != SIZE_MAX)
		e->depth = entries[e->basis].depth + 1;
	if (same)
		return;
	e->delta = true;
	e->source = keep_delta(a, e->basis == SIZE_MAX ? NULL : entries[e->basis].file->bytes, e->file->bytes);
}

/* The first two files that are made from others become each other's basis. */
static void make_cycle(struct entry *entries, size_t n)
{
	size_t first = SIZE_MAX;

	for (size_t i = 0; i < n; i++) {
		if (!entries[i].delta || entries[i].basis == SIZE_MAX)
			continue;
		if (first == SIZE_MAX) {
			first = i;
			continue;
		}
		entries[first].basis = i;
		entries[i].basis = first;
		return;
	}
}

static void put_entry(struct lab_xml *x, const struct entry *entries, size_t i, int64_t when, enum lab_cix_flaw flaw)
{
	const struct entry *e = &entries[i];
	g_autofree char *name = g_strdup_printf("%zu", i);

	open_file(x, i + 1, e->file->name, e->file->bytes, when);
	put_hash(x, IB_DIGEST_SHA1, entries[flaw == LAB_CIX_HASH && i == 1 ? 0 : i].file->bytes);
	lab_xml_open(x, "Delta", NULL);
	if (e->source) {
		lab_xml_open(x, "Source", "type", e->delta ? "PA30" : "RAW", "name", name, NULL);
		put_hash(x, IB_DIGEST_SHA1, e->source);
		lab_xml_close(x, "Source");
	}
	if (e->basis != SIZE_MAX) {
		g_autofree char *basis = g_strdup_printf("%zu", e->basis + 1);

		lab_xml_empty(x, "Basis", "file", basis, NULL);
	}
	lab_xml_close(x, "Delta");
	lab_xml_close(x, "File");
}

static void add_member(struct lab_arena *a, GPtrArray *members, const char *name, GBytes *bytes)
{
	struct lab_member *m = lab_alloc(a, sizeof(*m));

	*m = (struct lab_member){ .name = name, .bytes = bytes };
	g_ptr_array_add(members, m);
}

static GBytes *spoil(struct lab_arena *a, GBytes *bytes)
{
	gsize size;
	const uint8_t *data = g_bytes_get_data(bytes, &size);
	uint8_t *copy = g_memdup2(data, size);

	copy[size / 2] ^= 0x20;
	return lab_keep(a, g_bytes_new_take(copy, size), (GDestroyNotify)g_bytes_unref);
}

GPtrArray *lab_cix_numbered(struct lab_arena *a, const GPtrArray *files, const char *name, int64_t when,
			    enum lab_cix_flaw flaw)
{
	struct entry *entries = lab_alloc(a, files->len * sizeof(*entries));
	GPtrArray *members = lab_array(a);
	struct lab_xml x = lab_xml_begin();
	bool flawed = false;

	for (size_t i = 0; i < files->len; i++) {
		entries[i].file = files->pdata[i];
		plan_entry(a, entries, i);
	}
	if (flaw == LAB_CIX_CYCLE)
		make_cycle(entries, files->len);
	open_container(&x, name, "CAB", "1.0", 0);
	for (size_t i = 0; i < files->len; i++)
		put_entry(&x, entries, i, when, flaw);
	add_member(a, members, "_manifest_.cix.xml",
		   lab_keep(a, close_container(&x), (GDestroyNotify)g_bytes_unref));
	for (size_t i = 0; i < files->len; i++) {
		GBytes *source = entries[i].source;
		bool hit = source && !flawed && entries[i].delta;

		if (!source || (hit && flaw == LAB_CIX_NO_MEMBER)) {
			flawed |= source != NULL;
			continue;
		}
		if (hit && flaw == LAB_CIX_SPOILED)
			source = spoil(a, source);
		flawed |= hit;
		add_member(a, members, lab_printf(a, "%zu", i), source);
	}
	return members;
}

/* ---- ranges of a .psf ---- */

static bool is_differential(const char *name)
{
	const char *kind = strchr(name, '\\');

	return kind && strchr("frn", kind[1]) && kind[2] == '\\';
}

static void put_range(struct lab_xml *x, GByteArray *psf, GBytes *bytes, const char *type)
{
	g_autofree char *offset = g_strdup_printf("%u", psf->len);
	g_autofree char *length = g_strdup_printf("%zu", g_bytes_get_size(bytes));

	lab_xml_open(x, "Delta", NULL);
	lab_xml_open(x, "Source", "type", type, "offset", offset, "length", length, NULL);
	put_hash(x, IB_DIGEST_SHA256, bytes);
	lab_xml_close(x, "Source");
	lab_xml_close(x, "Delta");
}

static void put_psf_file(struct lab_arena *a, struct lab_xml *x, GByteArray *psf, const struct lab_member *m, size_t id,
			 int64_t when)
{
	bool packed = !is_differential(m->name) && id % 2 == 0;
	GBytes *stored = packed ? keep_delta(a, NULL, m->bytes) : m->bytes;
	gsize size;
	const uint8_t *data = g_bytes_get_data(stored, &size);

	open_file(x, id, m->name, m->bytes, when);
	put_hash(x, IB_DIGEST_SHA256, m->bytes);
	put_range(x, psf, stored, packed ? "PA30" : "RAW");
	lab_xml_close(x, "File");
	if (size)
		g_byte_array_append(psf, data, (guint)size);
}

struct lab_psf lab_cix_psf(struct lab_arena *a, const GPtrArray *files, const char *name, int64_t when,
			   enum lab_cix_flaw flaw)
{
	static const uint8_t head[PSF_FIRST] = "PSTREAM\0\2\0\2";
	GByteArray *psf = g_byte_array_append(g_byte_array_new(), head, sizeof(head));
	struct lab_xml x = lab_xml_begin();
	struct lab_psf ret;

	open_container(&x, name, "PSF", "1", 0);
	for (size_t i = 0; i < files->len; i++)
		put_psf_file(a, &x, psf, files->pdata[i], i + 1, when);
	ret.index = lab_keep(a, close_container(&x), (GDestroyNotify)g_bytes_unref);
	if (flaw == LAB_CIX_NO_MEMBER)
		g_byte_array_set_size(psf, psf->len - 1);
	if (flaw == LAB_CIX_SPOILED)
		psf->data[PSF_FIRST + 20] ^= 1;
	ret.bytes = lab_keep(a, g_byte_array_free_to_bytes(psf), (GDestroyNotify)g_bytes_unref);
	return ret;
}

/* ---- history ---- */

GBytes *lab_cix_history(const GPtrArray *rows, int64_t when)
{
	struct lab_xml x = lab_xml_begin();

	open_container(&x, "PSFX.CIX", "PSFX", "2", 0);
	for (guint i = 0; i < rows->len; i++) {
		const struct lab_history *h = rows->pdata[i];

		open_file(&x, i + 1, h->path, h->target, when);
		put_hash(&x, IB_DIGEST_SHA256, h->target);
		lab_xml_open(&x, "Delta", NULL);
		lab_xml_empty(&x, "Source", "type", "PA30", "name", h->source, NULL);
		if (h->basis) {
			g_autofree char *length = g_strdup_printf("%zu", g_bytes_get_size(h->basis));

			lab_xml_open(&x, "Basis", "length", length, NULL);
			put_hash(&x, IB_DIGEST_SHA256, h->basis);
			lab_xml_close(&x, "Basis");
		}
		lab_xml_close(&x, "Delta");
		lab_xml_close(&x, "File");
	}
	return close_container(&x);
}
