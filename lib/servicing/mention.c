/*
 * Which manifests can own a thing that is asked for: its name stands in the text of each that does. To look for a few
 * thousand names in all texts takes a tenth of the time that reading them as XML does, and most texts mention none.
 *
 * Nothing may be overlooked, so in doubt a text counts as one that does. A name is compared by the piece behind the last
 * character that could be written in two ways or divide names; pieces of a text are cut at the same characters.
 * Case, blanks around it and ASCII control characters do not count.
 */
#include "servicing/internal.h"

#include <string.h>

/* Of a byte of the text: ends a piece, counts as a blank, does not count, is part of a longer character. */
enum { PLAIN, CUT, BLANK, SKIP, WIDE };

struct ib_mentions {
	uint64_t *hashes; /* of pieces, 0: free */
	size_t mask;
	bool all;         /* a name that may be written in ways unknown here */
};

#define CUTS "\"'<>\\/&;|"
/* FNV-1a, 64 bit. */
#define HASH_BEGIN UINT64_C(0xcbf29ce484222325)
#define HASH_STEP UINT64_C(0x100000001b3)

static unsigned kind_of(uint8_t c)
{
	if (c == '\r' || (c > 0 && c < ' ' && c != '\t' && c != '\n'))
		return SKIP;
	if (c == ' ' || c == '\t' || c == '\n')
		return BLANK;
	return c >= 0x80 ? WIDE : strchr(CUTS, c) ? CUT : PLAIN;
}

struct tables {
	uint8_t kind[256], upper[256];
};

static const struct tables *tables(void)
{
	static struct tables t;
	static gsize once;

	if (g_once_init_enter(&once)) {
		for (unsigned c = 0; c < 256; c++) {
			t.kind[c] = (uint8_t)kind_of((uint8_t)c);
			t.upper[c] = (uint8_t)(c == '\t' || c == '\n' ? ' ' : g_ascii_toupper((char)c));
		}
		g_once_init_leave(&once, 1);
	}
	return &t;
}

/* Of a piece without wide characters; 0: nothing is in it. */
static uint64_t hash_plain(const uint8_t *p, size_t len, const struct tables *t)
{
	uint64_t h = HASH_BEGIN, last = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned kind = t->kind[p[i]];
		if (kind == SKIP || (kind == BLANK && last == 0))
			continue;
		h = (h ^ t->upper[p[i]]) * HASH_STEP;
		if (kind != BLANK)
			last = h;
	}
	return last;
}

static uint64_t hash_wide(const uint8_t *p, size_t len, const struct tables *t)
{
	g_autofree char *text = g_strndup((const char *)p, len);
	g_autofree char *folded = ib_name_fold(text);

	return hash_plain((const uint8_t *)folded, strlen(folded), t);
}

/* ---- what is asked for ---- */

/* The last name of a path. */
static const char *leaf(const char *path)
{
	const char *slash = strrchr(path, '\\');

	return slash ? slash + 1 : path;
}

/* A name's hash; 0: it can be made in ways that do not show in the text. */
static uint64_t hash_name(const char *name)
{
	const char *piece = name;

	if (ib_svc_name_is_made(name))
		return 0;
	for (const char *p = name; *p; p++)
		if (strchr(CUTS, *p))
			piece = p + 1;
	return hash_wide((const uint8_t *)piece, strlen(piece), tables());
}

static void add(struct ib_mentions *m, uint64_t hash)
{
	size_t at = (size_t)hash & m->mask;

	while (m->hashes[at] && m->hashes[at] != hash)
		at = (at + 1) & m->mask;
	m->hashes[at] = hash;
}

/* An id is two marks, path and name, divided by '|' (ib_svc_effect_id()); of two names the longer is the rarer. */
static void add_id(struct ib_mentions *m, const char *id)
{
	const char *path = strchr(id, '|'), *name = path ? strrchr(id, '|') : NULL;

	if (!name || name == path) {
		m->all = true;
		return;
	}
	g_autofree char *folder = g_strndup(path + 1, (gsize)(name - path - 1));
	const char *a = leaf(folder), *b = name + 1;
	uint64_t hash = hash_name(strlen(a) > strlen(b) ? a : b);
	if (!hash)
		hash = hash_name(strlen(a) > strlen(b) ? b : a);
	if (hash)
		add(m, hash);
	else
		m->all = true;
}

static void add_ids(struct ib_mentions *m, GHashTable *ids)
{
	GHashTableIter it;
	gpointer id;

	g_hash_table_iter_init(&it, ids);
	while (g_hash_table_iter_next(&it, &id, NULL))
		add_id(m, id);
}

struct ib_mentions *ib_svc_mentions_new(GHashTable *ids, GHashTable *folders)
{
	struct ib_mentions *m = g_new0(struct ib_mentions, 1);
	size_t room = 64, count = g_hash_table_size(ids) + (folders ? g_hash_table_size(folders) : 0);

	while (room < 4 * count)
		room *= 2;
	m->mask = room - 1;
	m->hashes = g_new0(uint64_t, room);
	add_ids(m, ids);
	if (folders)
		add_ids(m, folders);
	return m;
}

void ib_svc_mentions_clear(struct ib_mentions **m)
{
	g_free((*m)->hashes);
	g_free(*m);
}

/* ---- a text ---- */

static bool has(const struct ib_mentions *m, uint64_t hash)
{
	for (size_t at = (size_t)hash & m->mask; m->hashes[at]; at = (at + 1) & m->mask)
		if (m->hashes[at] == hash)
			return true;
	return false;
}

static bool begins(const char *text, const char *end, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(end - text) >= len && !g_ascii_strncasecmp(text, word, len);
}

/*
 * Whether a macro hides no name: it stands for whole names ("$(runtime.system32)\…") or for itself. Texts of a string
 * table may be a part of one.
 */
static bool macro_is_clear(const char *text, const char *open, const char *end)
{
	const char *name = open + 2, *close = memchr(open, ')', (size_t)(end - open));

	if (!close || begins(name, end, "string.") || begins(name, end, "resourceString."))
		return false;
	return !begins(name, end, "runtime.") || (open > text && strchr("\"'\\/", open[-1]) && close + 1 < end &&
						  strchr("\"'\\/", close[1]));
}

/* Whether names may be written in ways that pieces do not show: other encodings, characters by number, glued macros. */
static bool is_unclear(const char *text, size_t len)
{
	const char *end = text + len;
	size_t head = MIN(len, 200);

	if (memchr(text, '\0', len) || memmem(text, len, "&#", 2) || memmem(text, len, "<![CDATA[", 9))
		return true;
	const char *encoding = memmem(text, head, "encoding", 8);
	if (encoding && !memmem(encoding, (size_t)(text + head - encoding), "utf-8", 5) &&
	    !memmem(encoding, (size_t)(text + head - encoding), "UTF-8", 5))
		return true;
	for (const char *p = text; (p = memmem(p, (size_t)(end - p), "$(", 2)); p += 2)
		if (!macro_is_clear(text, p, end))
			return true;
	return false;
}

static bool any_piece(const struct ib_mentions *m, const uint8_t *p, const uint8_t *end)
{
	const struct tables *t = tables();

	while (p < end) {
		const uint8_t *begin = p;
		uint64_t h = HASH_BEGIN, last = 0;
		unsigned kind = PLAIN;
		for (; p < end && (kind = t->kind[*p]) != CUT && kind != WIDE; p++) {
			if (kind == SKIP || (kind == BLANK && last == 0))
				continue;
			h = (h ^ t->upper[*p]) * HASH_STEP;
			if (kind != BLANK)
				last = h;
		}
		if (p < end && kind == WIDE) {
			while (p < end && t->kind[*p] != CUT)
				p++;
			last = hash_wide(begin, (size_t)(p - begin), t);
		}
		if (last && has(m, last))
			return true;
		p++;
	}
	return false;
}

bool ib_svc_mentions_any(const struct ib_mentions *m, const char *keyform, GBytes *text)
{
	gsize len;
	const char *data = g_bytes_get_data(text, &len);

	/* Migration rules have the key form of their component for a name, which is in no text. */
	return m->all || has(m, hash_name(keyform)) ||
	       (len > 0 && (is_unclear(data, len) || any_piece(m, (const uint8_t *)data, (const uint8_t *)data + len)));
}
