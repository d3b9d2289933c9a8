/* Container indexes (cix): what the files of a package are made of. Names and numbers only; cix_bytes.c has bytes. */
#include "package/internal.h"

#include <string.h>

/* Most files of an index: that of a cumulative update for servers has about 120,000. */
#define FILES_MAX 500000u
/* Most ways to make the files: an express index has dozens for each. */
#define DELTAS_MAX 2000000u

static bool bad(const struct cix *c, const struct ib_xml_node *node, struct ib_error **err, const char *fmt, ...)
	IB_PRINTF(4, 5);

static bool bad(const struct cix *c, const struct ib_xml_node *node, struct ib_error **err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_autofree char *why = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	return ib_throw(err, IB_ERR_INPUT, "index '%s', line %u: %s", c->what, ib_xml_line(node), why);
}

static bool number(const struct cix *c, const struct ib_xml_node *node, const char *name, bool required,
		   uint64_t *ret, struct ib_error **err)
{
	const char *text = ib_xml_attr(node, name);
	guint64 v;

	if (!text && !required)
		return true;
	if (!text || !g_ascii_string_to_unsigned(text, 10, 0, INT64_MAX, &v, NULL))
		return bad(c, node, err, "attribute '%s' of '%s' is %s%.40s%s", name, ib_xml_name(node),
			   text ? "'" : "missing", text ? text : "", text ? "', no number" : "");
	*ret = v;
	return true;
}

/* ---- hashes ---- */

static const struct {
	const char *name;
	enum ib_digest_algorithm algorithm;
	unsigned rank; /* the strongest of several counts */
} algorithms[] = {
	{ "SHA256", IB_DIGEST_SHA256, 3 },
	{ "SHA1", IB_DIGEST_SHA1, 2 },
	{ "MD5", IB_DIGEST_MD5, 1 },
};

/* The strongest Hash below node. Kinds nobody here knows are no proof, so they are passed over. */
static bool read_hash(const struct cix *c, const struct ib_xml_node *node, struct hash *ret, struct ib_error **err)
{
	unsigned rank = 0;

	for (const struct ib_xml_node *h = ib_xml_first(node, "Hash"); h; h = ib_xml_next(h, "Hash")) {
		const char *alg = ib_xml_attr(h, "alg"), *value = ib_xml_attr(h, "value");
		size_t i = 0;
		while (i < G_N_ELEMENTS(algorithms) && (!alg || g_ascii_strcasecmp(alg, algorithms[i].name) != 0))
			i++;
		/* A hash of a part, or of the file with some fields cleared, says nothing about the whole. */
		if (i == G_N_ELEMENTS(algorithms) || algorithms[i].rank < rank || ib_xml_attr(h, "norm") ||
		    ib_xml_attr(h, "offset"))
			continue;
		g_autoptr(GBytes) raw = value ? ib_unhex(value, strlen(value)) : NULL;
		if (!raw || g_bytes_get_size(raw) != ib_digest_size(algorithms[i].algorithm))
			return bad(c, h, err, "'%.80s' is no %s", value ? value : "", algorithms[i].name);
		rank = algorithms[i].rank;
		ret->there = true;
		ret->algorithm = algorithms[i].algorithm;
		memcpy(ret->value, g_bytes_get_data(raw, NULL), g_bytes_get_size(raw));
	}
	return true;
}

bool package_hash_fits(const struct hash *h, GBytes *bytes)
{
	uint8_t got[IB_DIGEST_MAX];
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	ib_digest_bytes(h->algorithm, data, len, got);
	return memcmp(got, h->value, ib_digest_size(h->algorithm)) == 0;
}

/* ---- files ---- */

static const char *keep(struct cix *c, const char *text)
{
	return text ? g_string_chunk_insert_const(c->strings, text) : NULL;
}

/* A name as Windows writes it, that stays below where it is put. */
static bool file_name(struct cix *c, const struct ib_xml_node *node, const char **ret, struct ib_error **err)
{
	const char *text = ib_xml_attr(node, "name");

	if (!text || !*text)
		return bad(c, node, err, "a file has no name");
	g_autofree char *name = g_strdelimit(g_strdup(text[0] == '\\' || text[0] == '/' ? text + 1 : text), "/", '\\');
	g_auto(GStrv) parts = g_strsplit(name, "\\", -1);
	for (char **p = parts; *p; p++)
		if (!**p || strcmp(*p, ".") == 0 || strcmp(*p, "..") == 0 || strchr(*p, ':'))
			return bad(c, node, err, "the name '%.160s' leads out of the package", text);
	*ret = keep(c, name);
	return true;
}

/* RAW, PA30 and PA31, also as CIX_SOURCE_PA30; anything else is kept by its name, for the message. */
static enum source_type source_type(const char *text)
{
	const char *type = g_str_has_prefix(text, "CIX_SOURCE_") ? text + strlen("CIX_SOURCE_") : text;

	if (g_ascii_strcasecmp(type, "RAW") == 0)
		return SOURCE_RAW;
	return g_ascii_strcasecmp(type, "PA30") == 0 || g_ascii_strcasecmp(type, "PA31") == 0 ? SOURCE_DELTA
												 : SOURCE_UNKNOWN;
}

static bool read_source(struct cix *c, const struct ib_xml_node *node, struct cix_delta *d, struct ib_error **err)
{
	const char *type = ib_xml_attr(node, "type");

	if (!node)
		return true;
	if (!type)
		return bad(c, node, err, "a source has no type");
	d->source = source_type(type);
	d->type = keep(c, type);
	d->name = keep(c, ib_xml_attr(node, "name"));
	d->offset = d->length = UINT64_MAX;
	return number(c, node, "offset", !d->name, &d->offset, err) && number(c, node, "length", !d->name, &d->length, err) &&
	       read_hash(c, node, &d->source_hash, err);
}

static bool read_basis(struct cix *c, const struct ib_xml_node *node, struct cix_delta *d, struct ib_error **err)
{
	const char *file = ib_xml_attr(node, "file");

	d->basis_length = UINT64_MAX;
	if (!node)
		return true;
	d->basis_name = keep(c, ib_xml_attr(node, "name"));
	if (!number(c, node, "length", false, &d->basis_length, err) || !read_hash(c, node, &d->basis_hash, err))
		return false;
	d->basis = file ? BASIS_FILE : BASIS_OUTSIDE;
	d->basis_id = keep(c, file); /* looked up when all files are known */
	return true;
}

/* How little a way to make a file needs; the least is taken. */
static unsigned rank(const struct cix_delta *d)
{
	if (d->source == SOURCE_UNKNOWN)
		return 5;
	if (d->source != SOURCE_DELTA)
		return d->basis == BASIS_OUTSIDE ? 4 : 0;
	return d->basis == BASIS_NONE ? 1 : d->basis == BASIS_FILE ? 2 : 3;
}

static bool add_delta(struct cix *c, const struct ib_xml_node *node, struct cix_file *f, unsigned *best,
		      struct ib_error **err)
{
	struct cix_delta d = { 0 };

	if (c->deltas->len >= DELTAS_MAX)
		return bad(c, node, err, "it has more than %u deltas, the most accepted", DELTAS_MAX);
	if (!read_source(c, ib_xml_first(node, "Source"), &d, err) || !read_basis(c, ib_xml_first(node, "Basis"), &d, err))
		return false;
	if (d.source == SOURCE_NONE && d.basis == BASIS_NONE)
		return bad(c, node, err, "a delta of '%.160s' has neither source nor basis", f->name);
	if (d.source == SOURCE_RAW && d.basis != BASIS_NONE)
		return bad(c, node, err, "'%.160s' is raw, yet has a basis", f->name);
	if (rank(&d) < *best) {
		*best = rank(&d);
		f->chosen = c->deltas->len;
	}
	f->count++;
	g_array_append_val(c->deltas, d);
	return true;
}

static bool add_file(struct cix *c, const struct ib_xml_node *node, struct ib_error **err)
{
	struct cix_file f = { .first = c->deltas->len, .line = ib_xml_line(node) };
	const char *id = ib_xml_attr(node, "id");
	unsigned best = G_MAXUINT;

	if (c->files->len >= FILES_MAX)
		return bad(c, node, err, "it has more than %u files, the most accepted", FILES_MAX);
	if (!file_name(c, node, &f.name, err) || !number(c, node, "length", true, &f.length, err) ||
	    !read_hash(c, node, &f.hash, err))
		return false;
	for (const struct ib_xml_node *d = ib_xml_first(node, "Delta"); d; d = ib_xml_next(d, "Delta"))
		if (!add_delta(c, d, &f, &best, err))
			return false;
	if (f.count == 0)
		return bad(c, node, err, "'%.160s' has no delta, so nothing says what it is made of", f.name);
	char *key = ib_name_fold(f.name);
	if (!g_hash_table_insert(c->by_name, key, GUINT_TO_POINTER(c->files->len)))
		return bad(c, node, err, "it names '%.160s' twice", f.name);
	if (id && !g_hash_table_insert(c->by_id, (gpointer)keep(c, id), GUINT_TO_POINTER(c->files->len)))
		return bad(c, node, err, "two files have the id '%.40s'", id);
	g_array_append_val(c->files, f);
	return true;
}

/* ---- bases inside the index ---- */

static bool link_bases(struct cix *c, struct ib_error **err)
{
	for (guint i = 0; i < c->files->len; i++) {
		const struct cix_file *f = &g_array_index(c->files, struct cix_file, i);
		for (guint k = 0; k < f->count; k++) {
			struct cix_delta *d = &g_array_index(c->deltas, struct cix_delta, f->first + k);
			gpointer at;
			if (d->basis != BASIS_FILE)
				continue;
			if (!g_hash_table_lookup_extended(c->by_id, d->basis_id, NULL, &at))
				return ib_throw(err, IB_ERR_INPUT, "index '%s', line %u: '%.160s' is based on file '%.40s', "
						"which is not there", c->what, f->line, f->name, d->basis_id);
			d->basis_file = GPOINTER_TO_UINT(at);
		}
	}
	return true;
}

/* Follow each file's bases to the end: mark what is on the way, what is done, and refuse to come by twice. */
static bool check_cycles(struct cix *c, struct ib_error **err)
{
	enum { NEW, ON_THE_WAY, DONE };
	g_autofree uint8_t *state = g_malloc0(c->files->len + 1);
	guint at;

	for (guint i = 0; i < c->files->len; i++) {
		for (at = i; state[at] == NEW; at = package_cix_delta(c, at)->basis_file) {
			state[at] = ON_THE_WAY;
			if (package_cix_delta(c, at)->basis != BASIS_FILE)
				break;
		}
		if (state[at] == ON_THE_WAY && package_cix_delta(c, at)->basis == BASIS_FILE) {
			const struct cix_file *f = package_cix_file(c, at);
			return ib_throw(err, IB_ERR_INPUT, "index '%s', line %u: '%.160s' is based on itself, by way of others",
					c->what, f->line, f->name);
		}
		for (at = i; state[at] == ON_THE_WAY; at = package_cix_delta(c, at)->basis_file) {
			state[at] = DONE;
			if (package_cix_delta(c, at)->basis != BASIS_FILE)
				break;
		}
	}
	return true;
}

/* ---- the index ---- */

const struct cix_file *package_cix_file(const struct cix *c, guint i)
{
	return &g_array_index(c->files, struct cix_file, i);
}

const struct cix_delta *package_cix_delta(const struct cix *c, guint i)
{
	return &g_array_index(c->deltas, struct cix_delta, package_cix_file(c, i)->chosen);
}

bool package_cix_find(const struct cix *c, const char *name, guint *ret)
{
	g_autofree char *key = ib_name_fold(name);
	gpointer value;

	if (!g_hash_table_lookup_extended(c->by_name, key, NULL, &value))
		return false;
	*ret = GPOINTER_TO_UINT(value);
	return true;
}

static bool read_all(struct cix *c, const struct ib_xml_node *root, struct ib_error **err)
{
	if (strcmp(ib_xml_name(root), "Container") != 0)
		return bad(c, root, err, "the root element is '%.40s', not 'Container'", ib_xml_name(root));
	c->container_length = UINT64_MAX;
	if (!number(c, root, "length", false, &c->container_length, err))
		return false;
	const struct ib_xml_node *files = ib_xml_first(root, "Files");
	if (!files)
		return bad(c, root, err, "it has no element 'Files'");
	for (const struct ib_xml_node *f = ib_xml_first(files, "File"); f; f = ib_xml_next(f, "File"))
		if (!add_file(c, f, err))
			return false;
	return link_bases(c, err) && check_cycles(c, err);
}

bool package_cix_parse(GBytes *bytes, const char *what, struct cix **ret, struct ib_error **err)
{
	struct cix *c = g_new0(struct cix, 1);
	ib_auto_xml doc = NULL;
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	c->what = g_strdup(what);
	c->strings = g_string_chunk_new(1 << 16);
	c->files = g_array_new(FALSE, FALSE, sizeof(struct cix_file));
	c->deltas = g_array_new(FALSE, FALSE, sizeof(struct cix_delta));
	c->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	c->by_id = g_hash_table_new(g_str_hash, g_str_equal);
	g_mutex_init(&c->lock);
	if (!ib_xml_parse(data, len, what, &doc, err) || !read_all(c, ib_xml_root(doc), err)) {
		package_cix_free(c);
		return false;
	}
	*ret = c;
	return true;
}

void package_cix_free(struct cix *c)
{
	if (!c)
		return;
	g_array_unref(c->files);
	g_array_unref(c->deltas);
	g_hash_table_unref(c->by_name);
	g_hash_table_unref(c->by_id);
	g_string_chunk_free(c->strings);
	ib_input_unref(c->psf);
	g_free(c->members);
	g_free(c->results);
	g_free(c->is_basis);
	g_mutex_clear(&c->lock);
	g_free(c->what);
	g_free(c);
}
