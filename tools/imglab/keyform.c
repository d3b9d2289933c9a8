/* Names derived from identities; facts from the published descriptions of the component store. */
#include <stdio.h>
#include <string.h>

#include "keyform.h"

/* The multiplier that joins partial hashes. */
static const uint64_t prime = 0x1FFFFFFF7u;

uint64_t lab_hash_text(const char *text)
{
	uint32_t lane[4] = { 0 };

	for (size_t i = 0; text[i]; i++)
		lane[i & 3] = lane[i & 3] * 0x1003Fu + (uint8_t)g_ascii_tolower(text[i]);
	return ((lane[0] * prime + lane[1]) * prime + lane[2]) * prime + lane[3];
}

static bool is_neutral(const char *culture)
{
	return !culture || !*culture || g_str_equal(culture, "*") || !g_ascii_strcasecmp(culture, "neutral") ||
	       !g_ascii_strcasecmp(culture, "none");
}

static uint64_t hash_identity(const struct lab_identity *id, bool with_version)
{
	const char *const pairs[][2] = {
		{ "name", id->name },
		{ "culture", is_neutral(id->culture) ? NULL : id->culture },
		{ "type", id->type },
		{ "version", with_version ? id->version : NULL },
		{ "publicKeyToken", id->token },
		{ "processorArchitecture", id->arch },
		{ "versionScope", id->scope },
	};
	uint64_t key = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
		const char *value = pairs[i][1];

		if (value && *value)
			key = key * prime + lab_hash_text(pairs[i][0]) * prime + lab_hash_text(value);
	}
	return key;
}

/* Lower case, without the characters that vanish, cut in the middle when too long. */
static char *readable(const char *text, size_t limit)
{
	g_autoptr(GString) s = g_string_new(NULL);

	for (; *text; text++)
		if (!strchr(" ()[]", *text))
			g_string_append_c(s, g_ascii_tolower(*text));
	if (s->len > limit) {
		size_t half = (limit - 2) / 2;

		g_string_erase(s, (gssize)half, (gssize)(s->len - 2 * half));
		g_string_insert(s, (gssize)half, "..");
	}
	return g_strdup(s->str);
}

static char *readable_culture(const struct lab_identity *id)
{
	return is_neutral(id->culture) ? g_strdup("none") : readable(id->culture, 8);
}

char *lab_key_long(const struct lab_identity *id)
{
	g_autofree char *name = readable(id->name, 40);
	g_autofree char *culture = readable_culture(id);
	g_autofree char *arch = g_ascii_strdown(id->arch, -1);

	return g_strdup_printf("%s_%s_%s_%s_%s_%016" G_GINT64_MODIFIER "x", arch, name, id->token, id->version,
			       culture, hash_identity(id, true));
}

char *lab_key_family(const struct lab_identity *id)
{
	g_autofree char *name = readable(id->name, 40);
	g_autofree char *culture = readable_culture(id);
	g_autofree char *arch = g_ascii_strdown(id->arch, -1);

	return g_strdup_printf("%s_%s_%s_%s_%016" G_GINT64_MODIFIER "x", arch, name, id->token, culture,
			       hash_identity(id, false));
}

char *lab_key_short(const struct lab_identity *id)
{
	g_autofree char *name = readable(id->name, 24);

	return g_strdup_printf("%s_%s_%s_%016" G_GINT64_MODIFIER "x", name, id->token, id->version,
			       hash_identity(id, true));
}

char *lab_package_id(const struct lab_identity *id)
{
	return g_strdup_printf("%s~%s~%s~%s~%s", id->name, id->token, id->arch,
			       is_neutral(id->culture) ? "" : id->culture, id->version);
}

char *lab_identity_text(const struct lab_identity *id)
{
	g_autoptr(GString) s = g_string_new(id->name);

	g_string_append_printf(s, ", Culture=%s", is_neutral(id->culture) ? "neutral" : id->culture);
	if (id->type)
		g_string_append_printf(s, ", Type=%s", id->type);
	g_string_append_printf(s, ", Version=%s, PublicKeyToken=%s, ProcessorArchitecture=%s", id->version,
			       id->token, id->arch);
	if (id->scope)
		g_string_append(s, ", versionScope=NonSxS");
	return g_string_free(g_steal_pointer(&s), FALSE);
}

char *lab_value_file(const char *file)
{
	if (strlen(file) <= 25)
		return g_strdup_printf("f!%s", file);
	return g_strdup_printf("f!%.25s_%016" G_GINT64_MODIFIER "x", file, lab_hash_text(file));
}

char *lab_value_reference(const char *reference)
{
	g_autofree char *lower = g_ascii_strdown(reference, -1);

	return g_strdup_printf("CBS_%.60s_%016" G_GINT64_MODIFIER "x", lower, lab_hash_text(reference));
}

/* Fields of one line of CSV; a field may stand in double quotes. */
static GPtrArray *split_csv(const char *line)
{
	GPtrArray *fields = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GString) s = g_string_new(NULL);
	bool quoted = false;

	for (;; line++) {
		if (*line == '"') {
			quoted = !quoted;
		} else if (!*line || *line == '\r' || (*line == ',' && !quoted)) {
			g_ptr_array_add(fields, g_strdup(s->str));
			g_string_truncate(s, 0);
			if (*line != ',')
				return fields;
		} else {
			g_string_append_c(s, *line);
		}
	}
}

static char *row_name(const char *form, const struct lab_identity *id)
{
	if (g_str_equal(form, "long"))
		return lab_key_long(id);
	if (g_str_equal(form, "family"))
		return lab_key_family(id);
	if (g_str_equal(form, "short"))
		return lab_key_short(id);
	if (g_str_equal(form, "package"))
		return lab_package_id(id);
	if (g_str_equal(form, "f!"))
		return lab_value_file(id->name);
	g_autofree char *value = lab_value_reference(id->name);

	return g_strconcat(form, value, NULL);
}

unsigned lab_keyform_check(const char *csv, unsigned *ret_rows)
{
	g_auto(GStrv) lines = g_strsplit(csv, "\n", -1);
	unsigned bad = 0;

	*ret_rows = 0;
	for (size_t i = 1; lines[0] && lines[i]; i++) {
		g_autoptr(GPtrArray) fields = split_csv(lines[i]);

		if (fields->len < 9)
			continue;
		const char *const *f = (const char *const *)fields->pdata;
		struct lab_identity id = { .name = f[1], .version = f[2], .arch = f[3], .culture = f[4],
					   .token = f[5], .type = *f[6] ? f[6] : NULL,
					   .scope = *f[7] ? f[7] : NULL };
		g_autofree char *name = row_name(f[0], &id);

		++*ret_rows;
		if (!g_str_equal(name, f[8]) && ++bad)
			fprintf(stderr, "keyform: line %zu: got '%s', want '%s'\n", i + 1, name, f[8]);
	}
	return bad;
}
