#include "report/internal.h"

#include <string.h>

/* Facts: every single value a paper shows, as text that is the same in all languages. */

static bool is_invisible(gunichar c)
{
	switch (g_unichar_type(c)) {
	case G_UNICODE_CONTROL:
	case G_UNICODE_FORMAT: /* among them the marks that turn the direction of writing */
	case G_UNICODE_LINE_SEPARATOR:
	case G_UNICODE_PARAGRAPH_SEPARATOR:
	case G_UNICODE_PRIVATE_USE:
	case G_UNICODE_UNASSIGNED:
		return true;
	default:
		return false;
	}
}

char *report_clean(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	g_autoptr(GString) out = g_string_new(NULL);

	for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		if (c == '\n' || c == '\t' || c == '\r')
			g_string_append_c(out, ' ');
		else if (is_invisible(c))
			g_string_append_printf(out, "[U+%04X]", c);
		else
			g_string_append_unichar(out, c);
	}
	return g_strdup(out->str);
}

struct facts {
	GHashTable *values; /* id -> text */
	GHashTable *known;
};

/* Takes text; NULL and "" are "not provided". */
static void add(struct facts *f, const char *id, char *text)
{
	g_hash_table_add(f->known, g_strdup(id));
	if (text && *text)
		g_hash_table_insert(f->values, g_strdup(id), report_clean(text));
	g_free(text);
}

static char *grouped(uint64_t n)
{
	g_autofree char *digits = g_strdup_printf("%" PRIu64, n);
	g_autoptr(GString) out = g_string_new(NULL);
	size_t len = strlen(digits);

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			g_string_append_c(out, ',');
		g_string_append_c(out, digits[i]);
	}
	return g_strdup(out->str);
}

/* Above this a double has no places for units. */
#define WHOLE_MAX 1e15

static bool is_whole(double d)
{
	return d < WHOLE_MAX && d == (double)(uint64_t)d;
}

/* Whole numbers as they are, others with two decimals or four digits; no locale. */
static char *decimal(double d)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	if (d < WHOLE_MAX && (d >= 1000 || is_whole(d)))
		return grouped((uint64_t)(d + 0.5));
	g_ascii_formatd(text, sizeof text, d >= WHOLE_MAX ? "%.3e" : d < 0.1 ? "%.4f" : "%.2f", d);
	return g_strdup(text);
}

/* What was rounded is not called equal. */
static const char *equals(double d)
{
	return is_whole(d) ? "=" : "≈";
}

/* A positive number as the profile gives it; 0 when it is none. */
static double number(const char *text)
{
	char *end;

	if (!text || !g_ascii_isdigit(*text))
		return 0;
	double d = g_ascii_strtod(text, &end);
	return *end == '\0' && d >= 0.001 && d < 1e12 ? d : 0;
}

/* ---- arithmetic ---- */

/* A result and how it came about; nothing when a number for it is not provided (value 0). */
static void add_result(struct facts *f, const char *id, double value, const char *unit, const char *formula)
{
	g_autofree char *formula_id = g_strconcat(id, "-formula", NULL), *text = decimal(value);

	add(f, formula_id, value > 0 ? g_strdup_printf("%s %s %s%s", formula, equals(value), text, unit) : NULL);
	add(f, id, value > 0 ? g_strdup(text) : NULL);
}

static void add_transfer(struct facts *f, const struct ib_report *r)
{
	double bytes = (double)r->iso_bytes, line = number(r->line_mbit), branches = number(r->branches);
	double devices = number(r->devices), days = number(r->days);
	double hours = line > 0 ? bytes * 8 / (line * 1e6) / 3600 : 0, each = branches > 0 ? devices / branches : 0;
	g_autofree char *size = grouped(r->iso_bytes);
	g_autofree char *line_formula = g_strdup_printf("%s × 8 ÷ (%s × 1,000,000)", size, r->line_mbit ? r->line_mbit : "");
	g_autofree char *hours_formula = g_strconcat(line_formula, " ÷ 3,600", NULL);
	g_autofree char *total_formula = g_strdup_printf("%s × %s ÷ 1,000,000,000", size, r->branches ? r->branches : "");
	g_autofree char *each_formula =
		g_strdup_printf("%s ÷ %s", r->devices ? r->devices : "", r->branches ? r->branches : "");
	g_autofree char *all_formula = g_strdup_printf("%s × %s ÷ 86,400", each_formula, line_formula);
	g_autofree char *pace_formula = g_strdup_printf("%s ÷ %s", r->devices ? r->devices : "", r->days ? r->days : "");

	add_result(f, "hours", hours, " h", hours_formula);
	add_result(f, "total-gb", bytes * branches / 1e9, " GB", total_formula);
	add_result(f, "devices-per-branch", each, "", each_formula);
	add_result(f, "branch-days", each * hours / 24, " d", all_formula);
	add_result(f, "devices-per-day", days > 0 ? devices / days : 0, "", pace_formula);
}

/* Devices that come after the days of the customer's patch rule have passed. */
static void add_patch_rule(struct facts *f, const struct ib_report *r)
{
	double devices = number(r->devices), days = number(r->days), rule = number(r->patch_days);
	bool has = devices > 0 && days > 0 && rule > 0, late = has && days > rule;
	g_autofree char *formula =
		late ? g_strdup_printf("%s × (%s − %s) ÷ %s", r->devices, r->days, r->patch_days, r->days) : g_strdup("");

	add_result(f, "late-devices", late ? devices * (days - rule) / days : 0, "", formula);
	if (has && !late) {
		add(f, "late-devices", g_strdup("0"));
		add(f, "late-devices-formula", g_strdup_printf("%s ≤ %s", r->days, r->patch_days));
	}
}

/* ---- single values ---- */

/* "ICBC-L-2020.1.2109.21": what stands in every page's foot, so letters, digits, '.' and '-' only. */
static char *document_number(const struct ib_report *r)
{
	if (!r->version)
		return NULL;
	g_autofree char *raw = r->stream ? g_strdup_printf("%s-%s", r->stream, r->version) : g_strdup(r->version);
	for (char *c = raw; *c; c++)
		*c = g_ascii_isalnum(*c) || *c == '.' ? g_ascii_toupper(*c) : '-';
	return g_steal_pointer(&raw);
}

/* An address may name an account, never its password. */
static char *without_password(const char *url)
{
	const char *host = url ? strstr(url, "://") : NULL;

	if (!host)
		return g_strdup(url);
	host += 3;
	size_t authority = strcspn(host, "/?#");
	const char *at = g_strrstr_len(host, (gssize)authority, "@"), *colon = memchr(host, ':', authority);
	if (!at || !colon || colon > at)
		return g_strdup(url);
	return g_strdup_printf("%.*s%s", (int)(colon - url), url, at);
}

static char *bytes_text(uint64_t bytes)
{
	return bytes ? grouped(bytes) : NULL;
}

static void add_strings(struct facts *f, const struct ib_report *r)
{
	const struct {
		const char *id, *value;
	} strings[] = {
		{ "image-name", r->image_name },       { "customer", r->customer },
		{ "release", r->release },             { "version", r->version },
		{ "product", r->product },             { "edition", r->edition },
		{ "windows-version", r->windows_version }, { "stream", r->stream },
		{ "date", r->date },                   { "request-case", r->request_case },
		{ "asked-for", r->asked_for },         { "requested", r->requested },
		{ "promised", r->promised },           { "base-name", r->base_name },
		{ "base-sha256", r->base_sha256 },     { "iso-name", r->iso_name },
		{ "iso-sha256", r->iso_sha256 },       { "update-server", r->update_server },
		{ "legal-name", r->legal_name },       { "hotline", r->hotline },
		{ "support-scope", r->support_scope }, { "devices", r->devices },
		{ "branches", r->branches },           { "days", r->days },
		{ "line-mbit", r->line_mbit },         { "patch-days", r->patch_days },
		{ "clock", r->clock },                 { "verify-summary", r->verify_summary },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(strings); i++)
		add(f, strings[i].id, g_strdup(strings[i].value));
}

/* Both are YYYY-MM-DD, checked where they are read; anything else gives no statement. */
static char *late(const struct ib_report *r)
{
	int64_t promised, date;

	if (!r->promised || !r->date || !ib_date_parse(r->promised, &promised) || !ib_date_parse(r->date, &date) ||
	    date <= promised)
		return NULL;
	return g_strdup_printf("%" PRId64, (date - promised) / 86400);
}

GHashTable *report_facts(const struct ib_report *r, GHashTable **ret_known)
{
	struct facts f = { g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
			   g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) };
	bool metadata = r->stream != NULL;

	add_strings(&f, r);
	add(&f, "number", document_number(r));
	add(&f, "days-late", late(r));
	add(&f, "base-bytes", bytes_text(r->base_bytes));
	add(&f, "iso-bytes", bytes_text(r->iso_bytes));
	add(&f, "publish-url", without_password(r->publish_url));
	add(&f, "clients", metadata ? g_strdup_printf("%u", r->clients) : NULL);
	add(&f, "scans", metadata ? g_strdup_printf("%u", r->scans) : NULL);
	add(&f, "offers-two", metadata ? g_strdup_printf("%u", r->offers_two) : NULL);
	add(&f, "loops", metadata ? g_strdup_printf("%u", r->loops) : NULL);
	add(&f, "superseded-count", metadata ? g_strdup_printf("%u", r->superseded ? r->superseded->len : 0) : NULL);
	add(&f, "verified", r->verified ? g_strdup("yes") : NULL);
	add_transfer(&f, r);
	add_patch_rule(&f, r);
	*ret_known = f.known;
	return f.values;
}
