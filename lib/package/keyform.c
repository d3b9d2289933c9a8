/*
 * Names made from identities. Facts: docs/formats/cbs.md, "Names"; proved by
 * tests/data/keyform_vectors.csv (names of Windows' own files and keys).
 */
#include "package/internal.h"

#include <string.h>

/* The modulus-like factor that joins parts of a hash, and the one inside a text. */
#define PAIR_FACTOR UINT64_C(0x1FFFFFFF7)
#define TEXT_FACTOR 0x1003Fu

/* Most characters of the readable parts; longer ones keep their two ends around "..". */
#define NAME_LONG_MAX 40
#define NAME_SHORT_MAX 24
#define CULTURE_MAX 8
/* Characters kept of a file name and of an update reference in value names. */
#define FILE_VALUE_MAX 25
#define UPDATE_VALUE_MAX 60

/* Four interleaved 32-bit sums over the lower-cased characters, then joined. */
uint64_t ib_keyform_hash(const char *text)
{
	uint32_t sum[4] = { 0 };
	unsigned i = 0;

	for (const char *p = text; *p; i++) {
		uint32_t unit = (uint8_t)*p;
		gunichar c = unit < 0x80 ? (gunichar)-1 : g_utf8_get_char_validated(p, -1);
		bool valid = c != (gunichar)-1 && c != (gunichar)-2;
		if (valid)
			unit = (uint32_t)g_unichar_tolower(c);
		else if (unit < 0x80)
			unit = (uint32_t)g_ascii_tolower((char)unit);
		sum[i & 3] = sum[i & 3] * TEXT_FACTOR + unit;
		p = valid ? g_utf8_next_char(p) : p + 1;
	}
	return (((uint64_t)sum[0] * PAIR_FACTOR + sum[1]) * PAIR_FACTOR + sum[2]) * PAIR_FACTOR + sum[3];
}

static uint64_t key_hash(const struct ib_identity *id, bool with_version)
{
	const struct {
		const char *attr;
		const char *value;
	} parts[] = { /* the order is part of the hash */
		{ "name", id->name },
		{ "culture", id->culture },
		{ "type", id->type },
		{ "version", with_version ? id->version : NULL },
		{ "publicKeyToken", id->token },
		{ "processorArchitecture", id->arch },
		{ "versionScope", id->scope },
	};
	uint64_t key = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		if (parts[i].value)
			key = key * PAIR_FACTOR + ib_keyform_hash(parts[i].attr) * PAIR_FACTOR +
			      ib_keyform_hash(parts[i].value);
	}
	return key;
}

/* Only these characters of a name are shown; the hash is over all of them. */
static bool is_shown(char c)
{
	return g_ascii_isalnum(c) || c == '-' || c == '.' || c == '_';
}

static void append_shortened(GString *s, const char *text, size_t limit)
{
	size_t len = strlen(text), end = (limit - 2) / 2;

	if (len <= limit) {
		g_string_append(s, text);
		return;
	}
	g_string_append_len(s, text, (gssize)end);
	g_string_append(s, "..");
	g_string_append(s, text + len - end);
}

static void append_name(GString *s, const char *name, size_t limit)
{
	g_autoptr(GString) shown = g_string_new(NULL);

	for (const char *p = name; *p; p++) {
		if (is_shown(*p))
			g_string_append_c(shown, *p);
	}
	append_shortened(s, shown->str, limit);
}

static const char *or_none(const char *text)
{
	return text ? text : "none";
}

char *ib_keyform(const struct ib_identity *id, enum ib_keyform form)
{
	GString *s = g_string_new(NULL);

	if (form != IB_KEYFORM_SHORT)
		g_string_append_printf(s, "%s_", or_none(id->arch));
	append_name(s, id->name, form == IB_KEYFORM_SHORT ? NAME_SHORT_MAX : NAME_LONG_MAX);
	g_string_append_printf(s, "_%s_", or_none(id->token));
	if (form != IB_KEYFORM_FAMILY)
		g_string_append_printf(s, "%s_", id->version);
	if (form != IB_KEYFORM_SHORT) {
		append_shortened(s, or_none(id->culture), CULTURE_MAX);
		g_string_append_c(s, '_');
	}
	g_string_ascii_down(s);
	g_string_append_printf(s, "%016" PRIx64, key_hash(id, form != IB_KEYFORM_FAMILY));
	return g_string_free(s, FALSE);
}

char *ib_package_id(const struct ib_identity *id)
{
	return g_strdup_printf("%s~%s~%s~%s~%s", id->name, id->token ? id->token : "", id->arch ? id->arch : "",
			       id->culture ? id->culture : "", id->version);
}

char *ib_identity_text(const struct ib_identity *id)
{
	GString *s = g_string_new(id->name);

	g_string_append_printf(s, ", Culture=%s", id->culture ? id->culture : "neutral");
	if (id->type)
		g_string_append_printf(s, ", Type=%s", id->type);
	g_string_append_printf(s, ", Version=%s", id->version);
	if (id->token)
		g_string_append_printf(s, ", PublicKeyToken=%s", id->token);
	if (id->arch)
		g_string_append_printf(s, ", ProcessorArchitecture=%s", id->arch);
	/* Windows spells this one value its own way, however the manifest does. */
	if (id->scope)
		g_string_append_printf(s, ", versionScope=%s",
				       g_ascii_strcasecmp(id->scope, "NonSxS") == 0 ? "NonSxS" : id->scope);
	return g_string_free(s, FALSE);
}

/* The first max characters of text, in bytes; a broken sequence counts a character a byte. */
static size_t head_bytes(const char *text, size_t max)
{
	const char *p = text;

	for (size_t i = 0; i < max && *p; i++) {
		gunichar c = g_utf8_get_char_validated(p, -1);
		p = c != (gunichar)-1 && c != (gunichar)-2 ? g_utf8_next_char(p) : p + 1;
	}
	return (size_t)(p - text);
}

char *ib_file_value_name(const char *file)
{
	size_t head = head_bytes(file, FILE_VALUE_MAX);

	if (file[head] == '\0')
		return g_strconcat("f!", file, NULL);
	return g_strdup_printf("f!%.*s_%016" PRIx64, (int)head, file, ib_keyform_hash(file));
}

char *ib_update_value_name(const char *package_id, const char *update)
{
	g_autofree char *ref = g_strconcat(package_id, ".", update, NULL);
	g_autofree char *lower = g_ascii_strdown(ref, -1);

	return g_strdup_printf("CBS_%.*s_%016" PRIx64, (int)head_bytes(lower, UPDATE_VALUE_MAX), lower,
			       ib_keyform_hash(ref));
}
