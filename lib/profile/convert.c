#include "profile/internal.h"

#include <string.h>

bool pattern_covers(const char *pattern, const char *name)
{
	size_t n = strlen(pattern);

	if (n > 0 && pattern[n - 1] == '*')
		return strncmp(pattern, name, n - 1) == 0 && strlen(name) >= n;
	return strcmp(pattern, name) == 0;
}

static char **split_list(const char *text)
{
	g_auto(GStrv) raw = g_strsplit(text, ",", -1);
	GPtrArray *out = g_ptr_array_new();

	for (char **p = raw; *p; p++) {
		g_strstrip(*p);
		if (**p)
			g_ptr_array_add(out, g_strdup(*p));
	}
	g_ptr_array_add(out, NULL);
	return (char **)g_ptr_array_free(out, FALSE);
}

static char *resolve(const struct entry *e, const char *path)
{
	if (g_path_is_absolute(path) || !*path)
		return g_strdup(path);
	g_autofree char *dir = g_path_get_dirname(e->file);
	return strcmp(dir, ".") == 0 ? g_strdup(path) : g_build_filename(dir, path, NULL);
}

static bool check_text(struct entry *e, struct ib_error **err)
{
	return true;
}

static bool check_path(struct entry *e, struct ib_error **err)
{
	char *full = resolve(e, e->value);

	g_free(e->value);
	e->value = full;
	return true;
}

static bool check_list(struct entry *e, struct ib_error **err)
{
	e->items = split_list(e->value);
	return true;
}

static bool check_paths(struct entry *e, struct ib_error **err)
{
	e->items = split_list(e->value);
	for (char **p = e->items; *p; p++) {
		char *full = resolve(e, *p);
		g_free(*p);
		*p = full;
	}
	return true;
}

static bool check_flag(struct entry *e, struct ib_error **err)
{
	if (strcmp(e->value, "yes") == 0 || strcmp(e->value, "no") == 0)
		return true;
	return entry_throw(e, err, "'%s' is 'yes' or 'no', not '%s'", e->name, e->value);
}

static bool check_number(struct entry *e, struct ib_error **err)
{
	const char *range = e->key->words, *to = range ? strstr(range, "..") : NULL;
	uint64_t n, least = to ? g_ascii_strtoull(range, NULL, 10) : 0;
	uint64_t most = to ? g_ascii_strtoull(to + strlen(".."), NULL, 10) : INT64_MAX;

	if (!g_ascii_string_to_unsigned(e->value, 10, 0, INT64_MAX, &n, NULL))
		return entry_throw(e, err, "'%s' is a whole number, not '%s'", e->name, e->value);
	if (n < least || n > most)
		return entry_throw(e, err, "'%s' is a number from %s, not '%s'", e->name, range, e->value);
	return true;
}

static bool check_date(struct entry *e, struct ib_error **err)
{
	int64_t t;

	if (ib_date_parse(e->value, &t))
		return true;
	return entry_throw(e, err, "'%s' is a date YYYY-MM-DD, not '%s'", e->name, e->value);
}

static bool check_version(struct entry *e, struct ib_error **err)
{
	g_auto(GStrv) parts = g_strsplit(e->value, ".", -1);
	bool good = g_strv_length(parts) == 4;

	for (char **p = parts; good && *p; p++)
		good = g_ascii_string_to_unsigned(*p, 10, 0, UINT32_MAX, NULL, NULL);
	if (good)
		return true;
	return entry_throw(e, err, "'%s' is four numbers with dots (2020.1.2109.21), not '%s'", e->name, e->value);
}

static bool check_sha256(struct entry *e, struct ib_error **err)
{
	g_autoptr(GBytes) b = ib_unhex(e->value, strlen(e->value));

	if (b && g_bytes_get_size(b) == 32)
		return true;
	return entry_throw(e, err, "'%s' is 64 hex digits, not '%s'", e->name, e->value);
}

static bool check_url(struct entry *e, struct ib_error **err)
{
	g_autoptr(GUri) uri = g_uri_parse(e->value, G_URI_FLAGS_HAS_PASSWORD, NULL);

	if (!uri)
		return entry_throw(e, err, "'%s' is an address like sftp://user@host:port/folder, not '%s'", e->name, e->value);
	if (g_uri_get_password(uri)) {
		entry_throw(e, err, "'%s' holds a password", e->name);
		return ib_hint(err, "take it out; log in with a key ([publish] key), or give password = env:NAME");
	}
	return true;
}

static bool word_known(const char *words, const char *word, struct entry *e, struct ib_error **err)
{
	g_auto(GStrv) known = g_strsplit(words, "|", -1);

	if (g_strv_contains((const char *const *)known, word))
		return true;
	const char *near = ib_nearest(word, (const char *const *)known);
	g_autofree char *list = g_strjoinv(", ", known);
	entry_throw(e, err, "'%s' knows %s, not '%s'", e->name, list, word);
	return near ? ib_hint(err, "did you mean '%s'?", near) : false;
}

static bool check_word(struct entry *e, struct ib_error **err)
{
	return word_known(e->key->words, e->value, e, err);
}

static bool check_words(struct entry *e, struct ib_error **err)
{
	e->items = split_list(e->value);
	for (char **p = e->items; *p; p++)
		if (!word_known(e->key->words, *p, e, err))
			return false;
	return true;
}

static bool throw_literal(struct entry *e, struct ib_error **err)
{
	entry_throw(e, err, "'%s' holds a secret itself; a profile only holds references", e->name);
	return ib_hint(err, "give env:NAME, or file:PATH of a file with mode 0600");
}

static bool check_secret(struct entry *e, struct ib_error **err)
{
	if (g_str_has_prefix(e->value, "env:") && e->value[4])
		return true;
	if (!g_str_has_prefix(e->value, "file:") || !e->value[5])
		return throw_literal(e, err);
	g_autofree char *full = resolve(e, e->value + 5);
	g_free(e->value);
	e->value = g_strconcat("file:", full, NULL);
	return true;
}

static bool check_key(struct entry *e, struct ib_error **err)
{
	if (strstr(e->value, "-----BEGIN") || strstr(e->value, "pin-value"))
		return throw_literal(e, err);
	if (g_str_has_prefix(e->value, "pkcs11:") || strcmp(e->value, "agent") == 0)
		return true;
	return check_path(e, err);
}

/* The shortest field of a disc that holds its label has room for so many. */
#define LABEL_MAX 30u

/* It is the name of the ISO, too. */
static bool check_label(struct entry *e, struct ib_error **err)
{
	size_t len = strlen(e->value);
	const char *fault = ib_name_fault(e->value);

	for (size_t i = 0; i < len; i++)
		if (e->value[i] < 0x20 || e->value[i] > 0x7e)
			fault = "a disc's label is printable ASCII";
	if (len < 1 || len > LABEL_MAX)
		fault = "a disc's label has 1 to 30 characters";
	if (*e->value == '.')
		fault = "it names a file, which would be hidden";
	return !fault || entry_throw(e, err, "'%s' cannot be '%s': %s", e->name, e->value, fault);
}

static bool (*const checks[])(struct entry *, struct ib_error **) = {
	[IB_INI_TEXT] = check_text,     [IB_INI_PATH] = check_path,   [IB_INI_LIST] = check_list,
	[IB_INI_PATHS] = check_paths,   [IB_INI_FLAG] = check_flag,   [IB_INI_NUMBER] = check_number,
	[IB_INI_DATE] = check_date,     [IB_INI_VERSION] = check_version, [IB_INI_SHA256] = check_sha256,
	[IB_INI_URL] = check_url,       [IB_INI_WORD] = check_word,   [IB_INI_WORDS] = check_words,
	[IB_INI_SECRET] = check_secret, [IB_INI_KEY] = check_key,     [IB_INI_LABEL] = check_label,
};

bool entry_convert(struct entry *e, struct ib_error **err)
{
	return checks[e->key->type](e, err);
}
