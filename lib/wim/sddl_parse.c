/* wim: SDDL text to a self-relative security descriptor. */
#include "wim/sddl_internal.h"

#include <string.h>

bool ib_wim_sddl_bad(struct parser *p, const char *what)
{
	return ib_throw(p->err, IB_ERR_INPUT, "security descriptor '%s', character %zu: %s", p->text,
			(size_t)(p->at - p->text) + 1, what);
}

static void skip_space(struct parser *p)
{
	while (g_ascii_isspace(*p->at))
		p->at++;
}

static bool take(struct parser *p, const char *word)
{
	size_t n = strlen(word);

	if (g_ascii_strncasecmp(p->at, word, n) != 0)
		return false;
	p->at += n;
	return true;
}

static bool expect(struct parser *p, char c)
{
	skip_space(p);
	if (*p->at != c)
		return ib_wim_sddl_bad(p, c == ';' ? "';' expected" : "')' expected");
	p->at++;
	skip_space(p);
	return true;
}

/* One word of a table; 0-terminated tables; false when none fits, without an error. */
static bool word(struct parser *p, const struct sddl_word *table, uint32_t *value)
{
	for (; table->text; table++) {
		if (take(p, table->text)) {
			*value |= table->value;
			return true;
		}
	}
	return false;
}

/* Decimal, 0x hexadecimal or 0 octal. */
static bool number(struct parser *p, uint64_t max, uint64_t *ret)
{
	char *end;

	if (!g_ascii_isdigit(*p->at))
		return ib_wim_sddl_bad(p, "a number expected");
	uint64_t v = g_ascii_strtoull(p->at, &end, *p->at == '0' ? 0 : 10);
	if (v > max)
		return ib_wim_sddl_bad(p, "the number is too large");
	p->at = end;
	*ret = v;
	return true;
}

/* ---- SIDs ---- */

static bool numeric_sid(struct parser *p, uint8_t *sid, size_t *ret_size)
{
	uint64_t value = 0;
	unsigned count = 0;

	p->at += 4; /* S-1- */
	if (!number(p, (G_GUINT64_CONSTANT(1) << 48) - 1, &value))
		return false;
	sid[0] = 1;
	for (unsigned i = 0; i < 6; i++)
		sid[2 + i] = (uint8_t)(value >> (40 - 8 * i));
	while (*p->at == '-') {
		if (count == SID_SUBS_MAX)
			return ib_wim_sddl_bad(p, "a SID has at most 15 numbers");
		p->at++;
		if (!number(p, UINT32_MAX, &value))
			return false;
		ib_put_le32(sid + 8 + (size_t)count++ * 4, (uint32_t)value);
	}
	if (count == 0)
		return ib_wim_sddl_bad(p, "a SID needs at least one number after its authority");
	sid[1] = (uint8_t)count;
	*ret_size = 8 + (size_t)count * 4;
	return true;
}

bool ib_wim_sddl_parse_sid(struct parser *p, uint8_t sid[SID_SIZE_MAX], size_t *ret_size)
{
	skip_space(p);
	if (g_ascii_strncasecmp(p->at, "S-1-", 4) == 0)
		return numeric_sid(p, sid, ret_size);
	for (const struct sddl_sid *s = ib_wim_sddl_sids; *s->text; s++) {
		if (!take(p, s->text))
			continue;
		memset(sid, 0, 8);
		sid[0] = 1;
		sid[1] = s->count;
		sid[7] = s->authority;
		for (unsigned i = 0; i < s->count; i++)
			ib_put_le32(sid + 8 + (size_t)i * 4, s->subs[i]);
		*ret_size = 8 + (size_t)s->count * 4;
		return true;
	}
	return ib_wim_sddl_bad(p, "a SID expected: S-1-… or two letters that do not depend on a domain");
}

/* ---- access control entries ---- */

static bool parse_type(struct parser *p, uint32_t *ret)
{
	size_t n = strspn(p->at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

	for (const struct sddl_word *w = ib_wim_sddl_types; w->text; w++) {
		if (strlen(w->text) != n || g_ascii_strncasecmp(w->text, p->at, n) != 0)
			continue;
		p->at += n;
		*ret = w->value;
		return true;
	}
	return ib_wim_sddl_bad(p, "unknown type of entry");
}

static bool parse_flags(struct parser *p, uint32_t *ret)
{
	*ret = 0;
	for (skip_space(p); *p->at != ';'; skip_space(p))
		if (!word(p, ib_wim_sddl_flags, ret))
			return ib_wim_sddl_bad(p, "unknown flag of an entry");
	return true;
}

static bool parse_rights(struct parser *p, uint32_t *ret)
{
	uint64_t value = 0;

	*ret = 0;
	skip_space(p);
	if (g_ascii_isdigit(*p->at)) {
		if (!number(p, UINT32_MAX, &value))
			return false;
		*ret = (uint32_t)value;
		return true;
	}
	for (; *p->at != ';'; skip_space(p))
		if (!word(p, ib_wim_sddl_rights, ret) && !word(p, ib_wim_sddl_sets, ret) &&
		    !word(p, ib_wim_sddl_label_rights, ret))
			return ib_wim_sddl_bad(p, "unknown right");
	return true;
}

/* A GUID's text to its bytes in a descriptor; nothing before the ';' is no GUID. */
static bool parse_guid(struct parser *p, uint8_t guid[16], bool *ret_any)
{
	static const uint8_t place[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	unsigned n = 0;

	skip_space(p);
	*ret_any = *p->at != ';';
	while (*ret_any && n < 16) {
		int hi = g_ascii_xdigit_value(p->at[0]), lo = hi < 0 ? -1 : g_ascii_xdigit_value(p->at[1]);
		if (lo < 0)
			return ib_wim_sddl_bad(p, "a GUID expected");
		guid[place[n++]] = (uint8_t)(hi << 4 | lo);
		p->at += 2;
		if (n != 4 && n != 6 && n != 8 && n != 10)
			continue;
		if (*p->at != '-')
			return ib_wim_sddl_bad(p, "a GUID expected");
		p->at++;
	}
	return true;
}

/* What stands behind the SID: a condition or a resource attribute; the entry is filled to four bytes. */
static bool parse_extra(struct parser *p, uint32_t type, GByteArray *acl, guint at)
{
	static const uint8_t zero[4];
	bool condition = ib_wim_sddl_type_is_conditional(type);

	if (!condition && type != ACE_RESOURCE_ATTRIBUTE)
		return true;
	if (!expect(p, ';') || !(condition ? ib_wim_sddl_parse_condition(p, acl) : ib_wim_sddl_parse_claim(p, acl)))
		return false;
	g_byte_array_append(acl, zero, (4 - (acl->len - at) % 4) % 4);
	return acl->len <= ACL_SIZE_MAX || ib_wim_sddl_bad(p, "the list has more than 65535 bytes");
}

static bool parse_ace(struct parser *p, GByteArray *acl, bool *ret_object)
{
	uint32_t type = 0, flags = 0, mask = 0;
	uint8_t head[12] = { 0 }, guids[2][16], sid[SID_SIZE_MAX];
	bool any[2];
	size_t sid_size;
	guint at = acl->len;

	p->at++; /* ( */
	skip_space(p);
	if (!parse_type(p, &type) || !expect(p, ';') || !parse_flags(p, &flags) || !expect(p, ';') ||
	    !parse_rights(p, &mask) || !expect(p, ';') || !parse_guid(p, guids[0], &any[0]) || !expect(p, ';') ||
	    !parse_guid(p, guids[1], &any[1]) || !expect(p, ';') || !ib_wim_sddl_parse_sid(p, sid, &sid_size))
		return false;
	bool object = ib_wim_sddl_type_is_object(type);
	if (!object && (any[0] || any[1]))
		return ib_wim_sddl_bad(p, "only object entries have GUIDs");
	head[0] = (uint8_t)type;
	head[1] = (uint8_t)flags;
	ib_put_le32(head + 4, mask);
	ib_put_le32(head + 8, (any[0] ? ACE_OBJECT_PRESENT : 0) | (any[1] ? ACE_INHERITED_PRESENT : 0));
	g_byte_array_append(acl, head, object ? 12 : 8);
	for (unsigned i = 0; i < 2; i++)
		if (any[i])
			g_byte_array_append(acl, guids[i], 16);
	g_byte_array_append(acl, sid, (guint)sid_size);
	if (!parse_extra(p, type, acl, at) || !expect(p, ')'))
		return false;
	ib_put_le16(acl->data + at + 2, (uint16_t)(acl->len - at));
	*ret_object |= object;
	return true;
}

/* ---- lists and the descriptor ---- */

struct parts {
	uint16_t control;
	GByteArray *owner, *group, *dacl, *sacl; /* NULL: absent */
};

/* shift 0: DACL, 1: SACL: the control bits lie next to each other. */
static bool parse_acl(struct parser *p, struct parts *parts, unsigned shift, GByteArray **ret)
{
	static const uint8_t empty[8] = { 2 };
	GByteArray *acl = g_byte_array_new();
	bool object = false;
	unsigned count = 0;

	*ret = acl;
	g_byte_array_append(acl, empty, sizeof empty);
	parts->control |= shift ? SD_SACL_PRESENT : SD_DACL_PRESENT;
	for (skip_space(p); g_ascii_isalpha(*p->at) && p->at[1] != ':'; skip_space(p)) {
		if (take(p, "NO_ACCESS_CONTROL")) {
			g_clear_pointer(ret, g_byte_array_unref);
			return true;
		}
		if (take(p, "AR"))
			parts->control |= (uint16_t)(SD_DACL_REQUEST << shift);
		else if (take(p, "AI"))
			parts->control |= (uint16_t)(SD_DACL_INHERITED << shift);
		else if (take(p, "P"))
			parts->control |= (uint16_t)(SD_DACL_PROTECTED << shift);
		else
			return ib_wim_sddl_bad(p, "unknown flag of a list");
	}
	for (; *p->at == '('; skip_space(p), count++) {
		if (!parse_ace(p, acl, &object))
			return false;
		if (acl->len > ACL_SIZE_MAX)
			return ib_wim_sddl_bad(p, "the list has more than 65535 bytes");
	}
	acl->data[0] = object ? 4 : 2;
	ib_put_le16(acl->data + 2, (uint16_t)acl->len);
	ib_put_le16(acl->data + 4, (uint16_t)count);
	return true;
}

static bool parse_sid_part(struct parser *p, GByteArray **ret)
{
	uint8_t sid[SID_SIZE_MAX];
	size_t size;

	if (*ret)
		return ib_wim_sddl_bad(p, "a part is given twice");
	if (!ib_wim_sddl_parse_sid(p, sid, &size))
		return false;
	*ret = g_byte_array_new();
	g_byte_array_append(*ret, sid, (guint)size);
	return true;
}

static bool parse_part(struct parser *p, struct parts *parts)
{
	if (take(p, "O:"))
		return parse_sid_part(p, &parts->owner);
	if (take(p, "G:"))
		return parse_sid_part(p, &parts->group);
	bool sacl = take(p, "S:");
	if (!sacl && !take(p, "D:"))
		return ib_wim_sddl_bad(p, "'O:', 'G:', 'D:' or 'S:' expected");
	if (parts->control & (sacl ? SD_SACL_PRESENT : SD_DACL_PRESENT))
		return ib_wim_sddl_bad(p, "a part is given twice");
	return parse_acl(p, parts, sacl, sacl ? &parts->sacl : &parts->dacl);
}

static void put_part(GByteArray *sd, size_t field, const GByteArray *part)
{
	if (!part)
		return;
	ib_put_le32(sd->data + field, sd->len);
	g_byte_array_append(sd, part->data, part->len);
}

static GBytes *assemble(const struct parts *parts)
{
	GByteArray *sd = g_byte_array_new();

	g_byte_array_set_size(sd, SD_HEADER_SIZE);
	memset(sd->data, 0, SD_HEADER_SIZE);
	sd->data[0] = 1;
	ib_put_le16(sd->data + 2, parts->control | SD_SELF_RELATIVE);
	put_part(sd, 12, parts->sacl);
	put_part(sd, 16, parts->dacl);
	put_part(sd, 4, parts->owner);
	put_part(sd, 8, parts->group);
	return g_byte_array_free_to_bytes(sd);
}

bool ib_sddl_parse(const char *text, GBytes **ret, struct ib_error **err)
{
	struct parser p = { .text = text, .at = text, .err = err };
	struct parts parts = { .control = 0 };
	bool ok = true;

	for (skip_space(&p); ok && *p.at; skip_space(&p))
		ok = parse_part(&p, &parts);
	if (ok)
		*ret = assemble(&parts);
	GByteArray *all[] = { parts.owner, parts.group, parts.dacl, parts.sacl };
	for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
		if (all[i])
			g_byte_array_unref(all[i]);
	return ok;
}
