/*
 * wim: resource attributes in access control entries, text <-> bytes. Source: MS-DTYP 2.4.10.1, 2.5.1.1, and what Windows
 * made of the texts in Samba's tests: names are escaped like those in conditions, texts are not; octets have no '#' in
 * front; values follow each other without a gap.
 */
#include "wim/sddl_internal.h"

#include <string.h>

#define CLAIM_HEADER 16u
#define TYPE_INT 1u
#define TYPE_UINT 2u
#define TYPE_STRING 3u
#define TYPE_SID 5u
#define TYPE_BOOL 6u
#define TYPE_OCTETS 16u

static const struct sddl_word types[] = {
	{ "TI", TYPE_INT }, { "TU", TYPE_UINT }, { "TS", TYPE_STRING }, { "TD", TYPE_SID }, { "TB", TYPE_BOOL },
	{ "TX", TYPE_OCTETS }, { NULL, 0 },
};

/* ---- text to bytes ---- */

static void skip(struct parser *p)
{
	while (g_ascii_isspace(*p->at))
		p->at++;
}

static bool comma(struct parser *p)
{
	skip(p);
	if (*p->at != ',')
		return ib_wim_sddl_bad(p, "',' expected");
	p->at++;
	skip(p);
	return true;
}

static bool number(struct parser *p, uint32_t type, uint64_t *ret)
{
	bool minus = *p->at == '-' && type == TYPE_INT;
	char *end;

	p->at += minus;
	if (!g_ascii_isdigit(*p->at))
		return ib_wim_sddl_bad(p, "a number expected");
	uint64_t v = g_ascii_strtoull(p->at, &end, 0);
	if ((type == TYPE_INT && v > (uint64_t)INT64_MAX) || (type == TYPE_BOOL && v > 1))
		return ib_wim_sddl_bad(p, "the number is too large");
	p->at = end;
	*ret = minus ? 0 - v : v;
	return true;
}

static bool put_text(struct parser *p, GByteArray *out)
{
	g_autofree char *text = ib_wim_sddl_parse_string(p);
	size_t bytes;
	g_autofree uint8_t *utf16 = text ? ib_utf8_to_utf16(text, &bytes) : NULL;

	if (!utf16)
		return text ? ib_wim_sddl_bad(p, "a text is not UTF-8") : false;
	g_byte_array_append(out, utf16, (guint)bytes);
	g_byte_array_append(out, (const uint8_t[2]){ 0 }, 2);
	return true;
}

/* The quoted name, with its NUL. */
static bool put_name(struct parser *p, GByteArray *out)
{
	const char *end = *p->at == '"' ? strchr(p->at + 1, '"') : NULL;

	if (!end)
		return ib_wim_sddl_bad(p, "a text in double quotes expected");
	p->at++;
	if (!ib_wim_sddl_parse_name(p, (size_t)(end - p->at), out))
		return false;
	p->at++;
	for (guint i = 0; i + 1 < out->len; i += 2)
		if (ib_le16(out->data + i) == 0)
			return ib_wim_sddl_bad(p, "a name holds a NUL");
	g_byte_array_append(out, (const uint8_t[2]){ 0 }, 2);
	return true;
}

/* Octets: two digits a byte; a first half byte may be missing. */
static bool put_octets(struct parser *p, GByteArray *out)
{
	size_t n = 0;

	while (ib_wim_sddl_octet_digit(p->at[n]) >= 0)
		n++;
	if (n == 0)
		return ib_wim_sddl_bad(p, "hexadecimal digits expected");
	for (size_t i = 0; i < n; i++) {
		uint8_t digit = (uint8_t)ib_wim_sddl_octet_digit(p->at[i]);
		if (i == 0 || (n - i) % 2 == 0)
			g_byte_array_append(out, &digit, 1);
		else
			out->data[out->len - 1] = (uint8_t)(out->data[out->len - 1] << 4 | digit);
	}
	p->at += n;
	return true;
}

static bool put_value(struct parser *p, uint32_t type, GByteArray *out)
{
	uint8_t raw[8], sid[SID_SIZE_MAX];
	size_t size;
	uint64_t v;
	guint at = out->len;

	if (type == TYPE_STRING)
		return put_text(p, out);
	if (type == TYPE_SID || type == TYPE_OCTETS) {
		g_byte_array_append(out, (const uint8_t[4]){ 0 }, 4);
		if (type == TYPE_SID && !ib_wim_sddl_parse_sid(p, sid, &size))
			return false;
		if (type == TYPE_SID)
			g_byte_array_append(out, sid, (guint)size);
		else if (!put_octets(p, out))
			return false;
		ib_put_le32(out->data + at, out->len - at - 4);
		return true;
	}
	if (!number(p, type, &v))
		return false;
	ib_put_le64(raw, v);
	g_byte_array_append(out, raw, sizeof raw);
	return true;
}

/* Values into `data`, where each begins into `starts`. */
static bool parse_values(struct parser *p, uint32_t type, GByteArray *data, GArray *starts)
{
	for (skip(p); *p->at == ','; skip(p)) {
		uint32_t at = data->len;
		p->at++;
		skip(p);
		if (!put_value(p, type, data))
			return false;
		if (data->len > ACL_SIZE_MAX)
			return ib_wim_sddl_bad(p, "the attribute is too long");
		g_array_append_val(starts, at);
	}
	return true;
}

static void assemble(GByteArray *out, uint32_t type, uint32_t flags, const GByteArray *data, const GArray *starts)
{
	uint32_t first = CLAIM_HEADER + starts->len * 4; /* data begins with the name */
	uint8_t head[CLAIM_HEADER] = { 0 }, offset[4];

	ib_put_le32(head, first);
	ib_put_le16(head + 4, (uint16_t)type);
	ib_put_le32(head + 8, flags);
	ib_put_le32(head + 12, starts->len);
	g_byte_array_append(out, head, sizeof head);
	for (guint i = 0; i < starts->len; i++) {
		ib_put_le32(offset, first + g_array_index(starts, uint32_t, i));
		g_byte_array_append(out, offset, sizeof offset);
	}
	g_byte_array_append(out, data->data, data->len);
}

static bool parse_type(struct parser *p, uint32_t *ret)
{
	for (const struct sddl_word *w = types; w->text; w++) {
		if (g_ascii_strncasecmp(p->at, w->text, 2) != 0)
			continue;
		p->at += 2;
		*ret = w->value;
		return true;
	}
	return ib_wim_sddl_bad(p, "TI, TU, TS, TD, TX or TB expected");
}

static bool parse_claim(struct parser *p, GByteArray *data, GArray *starts, GByteArray *out)
{
	uint32_t type = 0;
	uint64_t flags = 0;

	if (!put_name(p, data) || !comma(p) || !parse_type(p, &type) || !comma(p) || !number(p, TYPE_UINT, &flags))
		return false;
	if (flags > UINT32_MAX)
		return ib_wim_sddl_bad(p, "the number is too large");
	if (!parse_values(p, type, data, starts))
		return false;
	if (*p->at != ')')
		return ib_wim_sddl_bad(p, "',' or ')' expected");
	p->at++;
	assemble(out, type, (uint32_t)flags, data, starts);
	return true;
}

bool ib_wim_sddl_parse_claim(struct parser *p, GByteArray *out)
{
	skip(p);
	if (*p->at != '(')
		return ib_wim_sddl_bad(p, "an attribute in parentheses expected");
	p->at++;
	skip(p);
	GByteArray *data = g_byte_array_new();
	GArray *starts = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	bool ok = parse_claim(p, data, starts, out);
	g_byte_array_unref(data);
	g_array_unref(starts);
	return ok;
}

/* ---- bytes to text ---- */

static bool malformed(struct ib_error **err)
{
	return ib_throw(err, IB_ERR_INPUT, "the security descriptor is malformed: a resource attribute does not fit");
}

static bool show_text(GString *out, struct ib_reader r, struct ib_error **err)
{
	size_t start = r.at;

	while (ib_reader_le16(&r) != 0)
		;
	return r.bad ? malformed(err) : ib_wim_sddl_show_string(out, r.data + start, r.at - 2 - start, err);
}

/* As SDDL escapes names: what could end one, and all that is not ASCII. */
static bool show_name(GString *out, struct ib_reader r, struct ib_error **err)
{
	uint16_t u;

	g_string_append_c(out, '"');
	while ((u = ib_reader_le16(&r)) != 0)
		if (u > 0x20 && u < 0x7f && !strchr("!&()<>=|\"%", (char)u))
			g_string_append_c(out, (char)u);
		else
			g_string_append_printf(out, "%%%04x", u);
	g_string_append_c(out, '"');
	return r.bad ? malformed(err) : true;
}

static bool show_block(GString *out, uint32_t type, struct ib_reader r, struct ib_error **err)
{
	uint32_t len = ib_reader_le32(&r);
	const uint8_t *data = ib_reader_take(&r, len);

	if (r.bad)
		return malformed(err);
	if (type == TYPE_OCTETS && len > 0) {
		ib_wim_sddl_show_octets(out, data, len);
		return true;
	}
	if (type == TYPE_OCTETS) /* no text gives them */
		return malformed(err);
	struct ib_reader sid = ib_reader_over(data, len);
	return ib_wim_sddl_format_sid(out, &sid, err);
}

static bool show_value(GString *out, uint32_t type, struct ib_reader r, struct ib_error **err)
{
	if (type == TYPE_STRING)
		return show_text(out, r, err);
	if (type == TYPE_SID || type == TYPE_OCTETS)
		return show_block(out, type, r, err);
	uint64_t v = ib_reader_le64(&r);
	if (r.bad || (type == TYPE_BOOL && v > 1) || v == G_GUINT64_CONSTANT(1) << 63)
		return malformed(err);
	g_string_append_printf(out, type == TYPE_INT ? "%" PRId64 : "%" PRIu64, v);
	return true;
}

bool ib_wim_sddl_format_claim(GString *out, const uint8_t *data, size_t len, struct ib_error **err)
{
	struct ib_reader r = ib_reader_over(data, len), at = r;
	uint32_t name = ib_reader_le32(&r), type = ib_reader_le32(&r) & 0xffff, flags = ib_reader_le32(&r),
		 count = ib_reader_le32(&r);
	const struct sddl_word *w = types;

	while (w->text && w->value != type)
		w++;
	if (r.bad || !w->text || count > (len - CLAIM_HEADER) / 4)
		return malformed(err);
	g_string_append(out, ";(");
	ib_reader_seek(&at, name);
	if (!show_name(out, at, err))
		return false;
	g_string_append_printf(out, ",%s,0x%x", w->text, flags);
	for (uint32_t i = 0; i < count; i++) {
		at = ib_reader_over(data, len);
		ib_reader_seek(&at, ib_reader_le32(&r));
		g_string_append_c(out, ',');
		if (out->len > 8 * ACL_SIZE_MAX || !show_value(out, type, at, err))
			return out->len > 8 * ACL_SIZE_MAX ? malformed(err) : false;
	}
	g_string_append_c(out, ')');
	return true;
}
