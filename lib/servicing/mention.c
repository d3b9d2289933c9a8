/*
 * Which manifests can own a thing that is asked for: the names in its path stand in the text of each that does. To look
 * for a few thousand names in all texts takes a tenth of the time that reading them as XML does, and most texts mention
 * none.
 *
 * Nothing may be overlooked, so in doubt a text counts as one that does. A name is compared by the piece behind the last
 * character that could be written in two ways or divide names; pieces of a text are cut at the same characters.
 * Case, blanks around it and ASCII control characters do not count.
 */
#include "servicing/internal.h"

#include <string.h>

/* Of a byte of the text: ends a piece, counts as a blank, does not count, is part of a longer character, may begin a macro. */
enum { PLAIN, CUT, BLANK, SKIP, WIDE, LOOK };

/* A name that is looked for, in an open hash table. */
struct word {
	uint64_t hash;   /* 0: free */
	uint32_t number;
	uint32_t listed; /* things that are listed with it */
	uint32_t things; /* the first of them, plus one */
};

/* A thing: a text that brings it has all of these words. Listed with the one that lists the fewest. */
struct thing {
	uint32_t begin, count; /* in numbers */
	uint32_t next;         /* listed with the same word, plus one */
};

struct ib_mentions {
	struct word *words;
	size_t mask;
	uint32_t count;  /* words */
	GArray *numbers; /* uint32_t: of words */
	GArray *things;  /* struct thing */
	bool all;        /* a thing whose names may all be written in ways unknown here */
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
	if (c == '$')
		return LOOK;
	return c >= 0x80 ? WIDE : strchr(CUTS, c) ? CUT : PLAIN; /* NUL is a cut, too */
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

static struct word *find(const struct ib_mentions *m, uint64_t hash)
{
	size_t at = (size_t)hash & m->mask;

	while (m->words[at].hash && m->words[at].hash != hash)
		at = (at + 1) & m->mask;
	return &m->words[at];
}

/* Twice the room; words keep their numbers. */
static void grow(struct ib_mentions *m)
{
	g_autofree struct word *old = m->words;
	size_t room = m->mask + 1;

	m->mask = 2 * room - 1;
	m->words = g_new0(struct word, 2 * room);
	for (size_t i = 0; i < room; i++)
		if (old[i].hash)
			*find(m, old[i].hash) = old[i];
}

static uint64_t add_word(struct ib_mentions *m, const char *name)
{
	uint64_t hash = hash_name(name);

	if (!hash)
		return 0;
	if (2 * m->count > m->mask)
		grow(m);
	struct word *w = find(m, hash);
	if (!w->hash)
		*w = (struct word){ .hash = hash, .number = m->count++ };
	g_array_append_val(m->numbers, w->number);
	return hash;
}

/* An id is two marks, path and name, divided by '|' (ib_svc_effect_id()). */
static void add_id(struct ib_mentions *m, const char *id)
{
	g_auto(GStrv) names = g_strsplit_set(strchr(id, '|') + 1, "\\|", -1);
	struct thing thing = { .begin = m->numbers->len };
	uint64_t rarest = 0;

	for (char **p = names; *p; p++) {
		uint64_t hash = add_word(m, *p);
		if (hash && (!rarest || find(m, hash)->listed < find(m, rarest)->listed))
			rarest = hash;
	}
	if (!rarest) {
		m->all = true;
		return;
	}
	struct word *w = find(m, rarest);
	thing.count = m->numbers->len - thing.begin;
	thing.next = w->things;
	g_array_append_val(m->things, thing);
	w->things = m->things->len;
	w->listed++;
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

	m->mask = 1023;
	m->words = g_new0(struct word, m->mask + 1);
	m->numbers = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	m->things = g_array_new(FALSE, FALSE, sizeof(struct thing));
	add_ids(m, ids);
	if (folders)
		add_ids(m, folders);
	return m;
}

void ib_svc_mentions_clear(struct ib_mentions **m)
{
	g_array_unref((*m)->numbers);
	g_array_unref((*m)->things);
	g_free((*m)->words);
	g_free(*m);
}

/* ---- a text ---- */

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

/* Another encoding is said, in which bytes mean something else. */
static bool is_recoded(const char *text, size_t len)
{
	size_t head = MIN(len, 200);
	const char *encoding = memmem(text, head, "encoding", 8), *end = text + head;

	return encoding && !memmem(encoding, (size_t)(end - encoding), "utf-8", 5) &&
	       !memmem(encoding, (size_t)(end - encoding), "UTF-8", 5);
}

/* Whether what begins here hides a name: characters by number, a section that needs no cuts, a macro that is glued to it. */
static bool is_unclear(const char *text, const char *p, const char *end)
{
	switch (*p) {
	case '\0':
		return true;
	case '&':
		return begins(p, end, "&#");
	case '<':
		return begins(p, end, "<![CDATA[");
	case '$':
		return begins(p, end, "$(") && !macro_is_clear(text, p, end);
	}
	return false;
}

/* What a text was seen to have. */
struct seen {
	const struct ib_mentions *m;
	uint8_t *bits;  /* by a word's number */
	GArray *lists;  /* uint32_t: the first thing listed with each word seen, plus one */
};

static void see(struct seen *s, uint64_t hash)
{
	const struct word *w = hash ? find(s->m, hash) : NULL;

	if (!w || !w->hash || s->bits[w->number])
		return;
	s->bits[w->number] = 1;
	if (w->things)
		g_array_append_val(s->lists, w->things);
}

/* Marks what pieces of a text there are. @return false when some may be hidden */
static bool see_pieces(struct seen *s, const uint8_t *text, const uint8_t *end)
{
	const struct tables *t = tables();

	for (const uint8_t *p = text; p < end; p++) {
		const uint8_t *begin = p;
		uint64_t h = HASH_BEGIN, last = 0;
		unsigned kind = PLAIN;
		bool wide = false;
		for (; p < end && (kind = t->kind[*p]) != CUT; p++) {
			if (kind == LOOK && is_unclear((const char *)text, (const char *)p, (const char *)end))
				return false;
			wide |= kind == WIDE;
			if (kind == SKIP || (kind == BLANK && last == 0))
				continue;
			h = (h ^ t->upper[*p]) * HASH_STEP;
			if (kind != BLANK)
				last = h;
		}
		see(s, wide ? hash_wide(begin, (size_t)(p - begin), t) : last);
		if (p < end && is_unclear((const char *)text, (const char *)p, (const char *)end))
			return false;
	}
	return true;
}

static bool has_all(const struct seen *s, const struct thing *t)
{
	for (uint32_t i = t->begin; i < t->begin + t->count; i++)
		if (!s->bits[g_array_index(s->m->numbers, uint32_t, i)])
			return false;
	return true;
}

static bool has_thing(const struct seen *s)
{
	for (guint i = 0; i < s->lists->len; i++) {
		const struct thing *t;
		for (uint32_t at = g_array_index(s->lists, uint32_t, i); at; at = t->next) {
			t = &g_array_index(s->m->things, struct thing, at - 1);
			if (has_all(s, t))
				return true;
		}
	}
	return false;
}

bool ib_svc_mentions_any(const struct ib_mentions *m, const char *keyform, GBytes *text)
{
	gsize len;
	const char *data = g_bytes_get_data(text, &len);

	if (m->all || (len > 0 && is_recoded(data, len)))
		return true;
	g_autofree uint8_t *bits = g_malloc0(m->count + 1);
	g_autoptr(GArray) lists = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	struct seen s = { .m = m, .bits = bits, .lists = lists };
	/* Migration rules have the key form of their component for a name, which is in no text. */
	see(&s, hash_wide((const uint8_t *)keyform, strlen(keyform), tables()));
	return !see_pieces(&s, (const uint8_t *)data, (const uint8_t *)data + len) || has_thing(&s);
}
