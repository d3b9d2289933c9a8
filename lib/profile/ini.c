#include "profile/internal.h"

#include <string.h>

struct reader {
	const char *file;
	unsigned line;
	const char *section; /* in the copy that is being read */
	GPtrArray *entries;
	GHashTable *seen; /* "section\nname" -> entry */
	struct entry *last; /* what a continuation line continues */
};

void entry_free(struct entry *e)
{
	g_free(e->section);
	g_free(e->name);
	g_free(e->value);
	g_strfreev(e->items);
	g_free(e);
}

bool entry_throw(const struct entry *e, struct ib_error **err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_autofree char *text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	return ib_throw(err, IB_ERR_INPUT, "%s:%u: %s", e->file, e->line, text);
}

static bool line_throw(const struct reader *r, struct ib_error **err, const char *what)
{
	return ib_throw(err, IB_ERR_INPUT, "%s:%u: %s", r->file, r->line, what);
}

static bool read_section(struct reader *r, char *text, struct ib_error **err)
{
	size_t len = strlen(text);

	if (len < 3 || text[len - 1] != ']')
		return line_throw(r, err, "a section is written [name]");
	text[len - 1] = 0;
	r->section = g_strstrip(text + 1);
	r->last = NULL;
	return *r->section ? true : line_throw(r, err, "a section needs a name");
}

static bool read_key(struct reader *r, char *text, struct ib_error **err)
{
	char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return line_throw(r, err, "a line is 'key = value', '[section]' or a comment");
	if (!r->section)
		return line_throw(r, err, "a key stands before the first [section]");
	bool append = equals[-1] == '+';
	equals[append ? -1 : 0] = 0;
	struct entry *e = g_new0(struct entry, 1);
	e->section = g_strdup(r->section);
	e->name = g_strdup(g_strstrip(text));
	e->value = g_strdup(g_strstrip(equals + 1));
	e->append = append;
	e->file = r->file;
	e->line = r->line;
	g_ptr_array_add(r->entries, e);
	r->last = e;
	if (!*e->name)
		return line_throw(r, err, "a key needs a name");
	char *id = g_strdup_printf("%s\n%s", e->section, e->name);
	struct entry *first = g_hash_table_lookup(r->seen, id);
	g_hash_table_insert(r->seen, id, e);
	if (first)
		return ib_throw(err, IB_ERR_INPUT, "%s:%u: key '%s' is given twice in section '[%s]', first at line %u",
				r->file, r->line, e->name, e->section, first->line);
	return true;
}

static bool read_line(struct reader *r, char *text, struct ib_error **err)
{
	bool indented = g_ascii_isspace(*text);

	g_strstrip(text);
	if (!*text || *text == '#' || *text == ';')
		return true;
	if (indented) {
		if (!r->last)
			return line_throw(r, err, "a line that begins with white space continues a value, there is none above");
		char *joined = g_strdup_printf("%s%s%s", r->last->value, *r->last->value ? " " : "", text);
		g_free(r->last->value);
		r->last->value = joined;
		return true;
	}
	return *text == '[' ? read_section(r, text, err) : read_key(r, text, err);
}

/* Editors on Windows write UTF-16, or the code page of the language, which in China is GBK. */
static bool check_text(const char *text, size_t len, const char *file, struct ib_error **err)
{
	const char *bad;
	unsigned line = 1;

	if (len >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0)) {
		ib_throw(err, IB_ERR_INPUT, "'%s' is UTF-16", file);
		return ib_hint(err, "save it as UTF-8");
	}
	if (memchr(text, 0, len))
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds a NUL byte, it is no text file", file);
	if (g_utf8_validate(text, (gssize)len, &bad))
		return true;
	for (const char *p = text; p < bad; p++)
		line += *p == '\n';
	ib_throw(err, IB_ERR_INPUT, "%s:%u: this is not UTF-8", file, line);
	return ib_hint(err, "save the file as UTF-8; it may be in a code page (Chinese: GBK, iconv -f gbk -t utf-8)");
}

bool ini_read(const char *text, size_t len, const char *file, GPtrArray *entries, struct ib_error **err)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct reader r = { .file = g_intern_string(file), .entries = entries, .seen = seen };

	if (len > IB_INI_MAX)
		return ib_throw(err, IB_ERR_INPUT, "'%s' has %zu bytes, a profile has at most %u", file, len, IB_INI_MAX);
	if (len == 0) /* no bytes may come as no pointer */
		return true;
	if (!check_text(text, len, file, err))
		return false;
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
		text += 3;
		len -= 3;
	}
	g_autofree char *copy = g_strndup(text, len);
	for (char *at = copy, *next; at; at = next) {
		next = strchr(at, '\n');
		if (next)
			*next++ = 0;
		r.line++;
		if (!read_line(&r, at, err))
			return false;
	}
	return true;
}
