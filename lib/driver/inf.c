/* The INF parser: sections, lines, fields, strings. */
#include "driver/internal.h"

#include <string.h>

/* Windows takes no longer string (MAX_INF_STRING_LENGTH). */
#define FIELD_MAX 4096u
/* Fields after %strings% are in place: a short name may stand for a long text many times over. */
#define EXPANDED_MAX (64u << 20)
/* The display drivers with the longest INF files have some 3,000. */
#define SECTIONS_MAX 16384u

struct ib_inf {
	char *name;
	GPtrArray *sections;   /* struct ib_inf_section *, owned */
	GHashTable *by_name;   /* folded -> section */
	GHashTable *strings;   /* folded -> text, borrowed from sections */
	size_t expanded;
};

static void line_free(void *p)
{
	struct ib_inf_line *l = p;

	g_free((char *)l->key);
	g_strfreev(l->fields);
	g_free(l);
}

static void section_free(void *p)
{
	struct ib_inf_section *s = p;

	g_ptr_array_unref(s->lines);
	g_free((char *)s->name);
	g_free(s);
}

bool inf_throw(const struct ib_inf *inf, unsigned line, struct ib_error **err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_autofree char *text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	return ib_throw(err, IB_ERR_INPUT, "%s:%u: %s", inf->name, line, text);
}

/* ---- lines ---- */

struct cursor {
	struct ib_inf *inf;
	const char *at;
	unsigned line;
	struct ib_inf_section *section; /* NULL before the first */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f' || c == '\r';
}

static void skip_blank(struct cursor *c)
{
	while (is_blank(*c->at))
		c->at++;
}

static void skip_line(struct cursor *c)
{
	c->at += strcspn(c->at, "\n");
	if (*c->at) {
		c->at++;
		c->line++;
	}
}

/* A '\' with nothing but a comment behind it joins the next line. */
static bool continues(const char *at)
{
	at++;
	while (is_blank(*at))
		at++;
	return *at == '\n' || *at == ';';
}

/*
 * One field or key, up to the character that ends it (',', '=' where a key may stand, the line's end), which is not
 * consumed. Quotes may begin and end inside; an open one ends with the line, as Windows has it.
 */
static char *take_field(struct cursor *c, bool key_allowed)
{
	GString *s = g_string_new(NULL);
	size_t keep = 0; /* what is quoted is kept with its blanks */
	bool quoted = false;

	skip_blank(c);
	for (;; c->at++) {
		char ch = *c->at;
		if (!ch || ch == '\n')
			break;
		if (ch == '"') {
			bool twice = quoted && c->at[1] == '"';
			if (!twice) {
				quoted = !quoted;
				keep = s->len;
				continue;
			}
			c->at++;
		} else if (!quoted && (ch == ',' || ch == ';' || (ch == '=' && key_allowed))) {
			break;
		} else if (!quoted && ch == '\\' && continues(c->at)) {
			skip_line(c);
			skip_blank(c);
			c->at--;
			continue;
		}
		if (ch == '\r' && (c->at[1] == '\n' || !c->at[1]))
			continue;
		g_string_append_c(s, ch);
		if (quoted || !is_blank(ch))
			keep = s->len;
	}
	g_string_truncate(s, keep);
	return g_string_free(s, FALSE);
}

static bool take_line(struct cursor *c, struct ib_error **err)
{
	struct ib_inf_line *l = g_new0(struct ib_inf_line, 1);
	GPtrArray *fields = g_ptr_array_new();

	l->line = c->line;
	char *first = take_field(c, true);
	if (*c->at == '=') {
		l->key = first;
		c->at++;
		first = take_field(c, false);
	}
	g_ptr_array_add(fields, first);
	while (*c->at == ',') {
		c->at++;
		g_ptr_array_add(fields, take_field(c, false));
	}
	skip_line(c);
	l->count = fields->len;
	g_ptr_array_add(fields, NULL);
	l->fields = (char **)g_ptr_array_free(fields, FALSE);
	g_ptr_array_add(c->section->lines, l);
	for (char **f = l->fields; *f; f++)
		if (strlen(*f) > FIELD_MAX)
			return inf_throw(c->inf, l->line, err, "a field has %zu bytes, %u are allowed", strlen(*f), FIELD_MAX);
	return true;
}

static bool take_header(struct cursor *c, struct ib_error **err)
{
	size_t end = strcspn(c->at, "]\n");

	if (c->at[end] != ']')
		return inf_throw(c->inf, c->line, err, "the section's name does not end with ']'");
	g_autofree char *name = g_strstrip(g_strndup(c->at + 1, end - 1));
	g_autofree char *folded = ib_name_fold(name);
	skip_line(c);
	c->section = g_hash_table_lookup(c->inf->by_name, folded);
	if (c->section)
		return true;
	if (c->inf->sections->len >= SECTIONS_MAX)
		return inf_throw(c->inf, c->line, err, "there are more than %u sections", SECTIONS_MAX);
	c->section = g_new0(struct ib_inf_section, 1);
	c->section->name = g_steal_pointer(&name);
	c->section->lines = g_ptr_array_new_with_free_func(line_free);
	g_ptr_array_add(c->inf->sections, c->section);
	g_hash_table_insert(c->inf->by_name, g_steal_pointer(&folded), c->section);
	return true;
}

static bool take_all(struct cursor *c, struct ib_error **err)
{
	while (*c->at) {
		skip_blank(c);
		if (*c->at == '\n' || *c->at == ';' || !*c->at) {
			skip_line(c);
		} else if (*c->at == '[') {
			if (!take_header(c, err))
				return false;
		} else if (!c->section) {
			return inf_throw(c->inf, c->line, err, "text stands before the first section");
		} else if (!take_line(c, err)) {
			return false;
		}
	}
	return true;
}

/* ---- strings ---- */

static void add_strings(struct ib_inf *inf, const char *section)
{
	const struct ib_inf_section *s = ib_inf_section(inf, section);

	for (guint i = 0; s && i < s->lines->len; i++) {
		const struct ib_inf_line *l = s->lines->pdata[i];
		g_autofree char *folded = l->key ? ib_name_fold(l->key) : NULL;
		if (folded && !g_hash_table_contains(inf->strings, folded))
			g_hash_table_insert(inf->strings, g_steal_pointer(&folded), l->fields[0]);
	}
}

/* [Strings.0804], then another of the same primary language, then [Strings]. */
static void find_strings(struct ib_inf *inf, uint16_t language)
{
	if (language) {
		g_autofree char *full = g_strdup_printf("Strings.%04x", language);
		g_autofree char *primary = g_strdup_printf("Strings.%04x", language & 0x3ff);
		add_strings(inf, full);
		add_strings(inf, primary);
	}
	add_strings(inf, "Strings");
}

static bool all_digits(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!g_ascii_isdigit(p[i]))
			return false;
	return len > 0;
}

/* Appends what %name% stands for; what is no string stays, percent signs and all (%SystemRoot% is meant so). */
static void append_string(const struct ib_inf *inf, GString *out, const char *name, size_t len)
{
	g_autofree char *text = g_strndup(name, len);
	g_autofree char *folded = ib_name_fold(text);
	const char *value = folded ? g_hash_table_lookup(inf->strings, folded) : NULL;

	if (value)
		g_string_append(out, value);
	else if (all_digits(name, len) || (*name == '-' && all_digits(name + 1, len - 1)))
		g_string_append_printf(out, "%c%s%c", DIRECTORY_BEGIN, text, DIRECTORY_END);
	else
		g_string_append_printf(out, "%%%s%%", text);
}

static char *substitute(const struct ib_inf *inf, const char *text)
{
	GString *out = g_string_new(NULL);

	while (*text && out->len <= FIELD_MAX) {
		const char *end = *text == '%' ? strchr(text + 1, '%') : NULL;
		if (!end) {
			g_string_append_c(out, *text++);
			continue;
		}
		if (end == text + 1)
			g_string_append_c(out, '%');
		else
			append_string(inf, out, text + 1, (size_t)(end - text - 1));
		text = end + 1;
	}
	return g_string_free(out, FALSE);
}

static bool replace(struct ib_inf *inf, char **field, unsigned line, struct ib_error **err)
{
	if (!strchr(*field, '%'))
		return true;
	char *text = substitute(inf, *field);
	size_t len = strlen(text);
	g_free(*field);
	*field = text;
	inf->expanded += len;
	if (len > FIELD_MAX)
		return inf_throw(inf, line, err, "a field has more than %u bytes once its strings are in place", FIELD_MAX);
	if (inf->expanded > EXPANDED_MAX)
		return inf_throw(inf, line, err, "the strings grow to more than %u bytes", EXPANDED_MAX);
	return true;
}

static bool replace_strings(struct ib_inf *inf, struct ib_error **err)
{
	for (guint i = 0; i < inf->sections->len; i++) {
		struct ib_inf_section *s = inf->sections->pdata[i];
		if (g_ascii_strncasecmp(s->name, "Strings", 7) == 0 && (!s->name[7] || s->name[7] == '.'))
			continue; /* strings do not stand for strings */
		for (guint k = 0; k < s->lines->len; k++) {
			struct ib_inf_line *l = s->lines->pdata[k];
			if (l->key && !replace(inf, (char **)&l->key, l->line, err))
				return false;
			for (char **f = l->fields; *f; f++)
				if (!replace(inf, f, l->line, err))
					return false;
		}
	}
	return true;
}

/* ---- the whole ---- */

static bool parse(struct ib_inf *inf, GBytes *bytes, uint16_t language, struct ib_error **err)
{
	g_autofree char *text = NULL;

	if (!inf_text(bytes, inf->name, language, &text, err))
		return false;
	struct cursor c = { .inf = inf, .at = text, .line = 1 };
	if (!take_all(&c, err))
		return false;
	find_strings(inf, language);
	if (!replace_strings(inf, err))
		return false;
	const char *signature = ib_inf_value(inf, "Version", "Signature", 0);
	if (signature && (!g_ascii_strcasecmp(signature, "$Windows NT$") || !g_ascii_strcasecmp(signature, "$Chicago$")))
		return true;
	return ib_throw(err, IB_ERR_INPUT, "'%s' is no INF: its [Version] has no Signature of Windows", inf->name);
}

bool ib_inf_parse(GBytes *bytes, const char *name, uint16_t language, struct ib_inf **ret, struct ib_error **err)
{
	ib_auto_inf inf = g_new0(struct ib_inf, 1);

	inf->name = g_strdup(name);
	inf->sections = g_ptr_array_new_with_free_func(section_free);
	inf->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	inf->strings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (!parse(inf, bytes, language, err))
		return false;
	*ret = g_steal_pointer(&inf);
	return true;
}

void ib_inf_free(struct ib_inf *inf)
{
	if (!inf)
		return;
	g_hash_table_unref(inf->strings);
	g_hash_table_unref(inf->by_name);
	g_ptr_array_unref(inf->sections);
	g_free(inf->name);
	g_free(inf);
}

void ib_inf_clear(struct ib_inf **inf)
{
	ib_inf_free(g_steal_pointer(inf));
}

/* ---- looking ---- */

const char *ib_inf_name(const struct ib_inf *inf)
{
	return inf->name;
}

size_t ib_inf_count(const struct ib_inf *inf)
{
	return inf->sections->len;
}

const struct ib_inf_section *ib_inf_at(const struct ib_inf *inf, size_t i)
{
	return i < inf->sections->len ? inf->sections->pdata[i] : NULL;
}

const struct ib_inf_section *ib_inf_section(const struct ib_inf *inf, const char *name)
{
	g_autofree char *folded = ib_name_fold(name);

	return folded ? g_hash_table_lookup(inf->by_name, folded) : NULL;
}

const char *ib_inf_value(const struct ib_inf *inf, const char *section, const char *key, unsigned i)
{
	const struct ib_inf_section *s = ib_inf_section(inf, section);

	for (guint k = 0; s && k < s->lines->len; k++) {
		const struct ib_inf_line *l = s->lines->pdata[k];
		if (l->key && ib_name_equal(l->key, key))
			return i < l->count ? l->fields[i] : NULL;
	}
	return NULL;
}

const char *inf_field(const struct ib_inf_line *l, unsigned i)
{
	return i < l->count ? l->fields[i] : "";
}

bool inf_number(const char *text, int64_t *ret)
{
	bool minus = *text == '-';
	const char *p = text + (minus || *text == '+');
	bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
	guint64 n;

	if (!g_ascii_string_to_unsigned(p + (hex ? 2 : 0), hex ? 16 : 10, 0, G_MAXUINT32, &n, NULL))
		return false;
	*ret = minus ? -(int64_t)n : (int64_t)n;
	return true;
}
