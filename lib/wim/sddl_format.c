/* wim: a self-relative security descriptor to SDDL text. */
#include "wim/sddl_internal.h"

#include <string.h>

static bool bad(struct ib_error **err, const char *what)
{
	return ib_throw(err, IB_ERR_INPUT, "the security descriptor is malformed: %s", what);
}

/* ---- SIDs ---- */

static const char *short_sid(const uint8_t *sid)
{
	if (memcmp(sid + 2, "\0\0\0\0\0", 5) != 0)
		return NULL;
	for (const struct sddl_sid *s = ib_wim_sddl_sids; *s->text; s++) {
		unsigned i = 0;
		if (sid[7] != s->authority || sid[1] != s->count)
			continue;
		while (i < s->count && ib_le32(sid + 8 + (size_t)i * 4) == s->subs[i])
			i++;
		if (i == s->count)
			return s->text;
	}
	return NULL;
}

/* r stands at the SID. */
bool ib_wim_sddl_format_sid(GString *out, struct ib_reader *r, struct ib_error **err)
{
	const uint8_t *sid = ib_reader_take(r, 8);

	if (!sid || sid[0] != 1 || sid[1] > SID_SUBS_MAX || !ib_reader_take(r, (size_t)sid[1] * 4))
		return bad(err, "a SID does not fit");
	const char *name = short_sid(sid);
	if (name) {
		g_string_append(out, name);
		return true;
	}
	uint64_t authority = (uint64_t)ib_be16(sid + 2) << 32 | ib_be32(sid + 4);
	g_string_append_printf(out, authority >> 32 ? "S-1-0x%012" PRIx64 : "S-1-%" PRIu64, authority);
	for (unsigned i = 0; i < sid[1]; i++)
		g_string_append_printf(out, "-%u", ib_le32(sid + 8 + (size_t)i * 4));
	return true;
}

/* ---- access control entries ---- */

static const char *type_name(uint32_t type)
{
	for (const struct sddl_word *w = ib_wim_sddl_types; w->text; w++)
		if (w->value == type)
			return w->text;
	return NULL;
}

/* Words for all bits of value; false, writing nothing, when there are not words for all. */
static bool words(GString *out, const struct sddl_word *table, uint32_t value)
{
	uint32_t left = value;

	for (const struct sddl_word *w = table; w->text; w++)
		left &= ~w->value;
	if (left)
		return false;
	for (const struct sddl_word *w = table; w->text; w++)
		if (value & w->value)
			g_string_append(out, w->text);
	return true;
}

static void format_rights(GString *out, uint32_t type, uint32_t mask)
{
	for (const struct sddl_word *w = ib_wim_sddl_sets; w->text; w++) {
		if (w->value == mask) {
			g_string_append(out, w->text);
			return;
		}
	}
	if (!words(out, type == 0x11 ? ib_wim_sddl_label_rights : ib_wim_sddl_rights, mask))
		g_string_append_printf(out, "0x%x", mask);
}

static void format_guid(GString *out, const uint8_t *g)
{
	g_string_append_printf(out, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", ib_le32(g), ib_le16(g + 4),
			       ib_le16(g + 6), g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
}

static bool format_guids(GString *out, struct ib_reader *r, bool object)
{
	uint32_t present = object ? ib_reader_le32(r) : 0;

	for (uint32_t bit = ACE_OBJECT_PRESENT; bit <= ACE_INHERITED_PRESENT; bit <<= 1) {
		const uint8_t *guid = present & bit ? ib_reader_take(r, 16) : NULL;
		g_string_append_c(out, ';');
		if (guid)
			format_guid(out, guid);
	}
	return !r->bad;
}

static bool format_extra(GString *out, uint32_t type, const struct ib_reader *r, struct ib_error **err)
{
	return type == ACE_RESOURCE_ATTRIBUTE ? ib_wim_sddl_format_claim(out, r->data + r->at, r->size - r->at, err)
					      : ib_wim_sddl_format_condition(out, r->data + r->at, r->size - r->at, err);
}

static bool format_ace(GString *out, struct ib_reader *acl, struct ib_error **err)
{
	const uint8_t *head = ib_reader_take(acl, 4);
	size_t size = head ? ib_le16(head + 2) : 0;

	if (size < 8 || !ib_reader_take(acl, size - 4))
		return bad(err, "an entry does not fit its list");
	const char *name = type_name(head[0]);
	bool object = ib_wim_sddl_type_is_object(head[0]);
	bool extra = ib_wim_sddl_type_is_conditional(head[0]) || head[0] == ACE_RESOURCE_ATTRIBUTE;
	if (!name || (!object && !extra && !ib_wim_sddl_type_is_plain(head[0])))
		return ib_throw(err, IB_ERR_INPUT,
				"the security descriptor has an entry of type %u, which is not shown as text", head[0]);
	struct ib_reader r = ib_reader_over(head + 4, size - 4);
	uint32_t mask = ib_reader_le32(&r);
	g_string_append_printf(out, "(%s;", name);
	words(out, ib_wim_sddl_flags, head[1]);
	g_string_append_c(out, ';');
	format_rights(out, head[0], mask);
	if (!format_guids(out, &r, object))
		return bad(err, "an entry's GUIDs do not fit");
	g_string_append_c(out, ';');
	if (!ib_wim_sddl_format_sid(out, &r, err) || (extra && !format_extra(out, head[0], &r, err)))
		return false;
	g_string_append_c(out, ')');
	return true;
}

/* ---- lists and the descriptor ---- */

static bool format_acl(GString *out, GBytes *sd, uint32_t at, struct ib_error **err)
{
	gsize size;
	const uint8_t *data = g_bytes_get_data(sd, &size);
	struct ib_reader r = ib_reader_over(data, size);

	ib_reader_seek(&r, at);
	const uint8_t *head = ib_reader_take(&r, 8);
	uint16_t length = head ? ib_le16(head + 2) : 0;
	if (length < 8 || at < SD_HEADER_SIZE || length > size - at)
		return bad(err, "a list does not fit");
	struct ib_reader acl = ib_reader_over(head + 8, length - 8u);
	for (unsigned n = ib_le16(head + 4); n > 0; n--)
		if (!format_ace(out, &acl, err))
			return false;
	return true;
}

static bool format_list(GString *out, GBytes *sd, unsigned shift, uint32_t at, struct ib_error **err)
{
	uint16_t control = ib_le16((const uint8_t *)g_bytes_get_data(sd, NULL) + 2);

	if (!(control & (shift ? SD_SACL_PRESENT : SD_DACL_PRESENT)))
		return true;
	g_string_append(out, shift ? "S:" : "D:");
	if (control & SD_DACL_PROTECTED << shift)
		g_string_append(out, "P");
	if (control & SD_DACL_REQUEST << shift)
		g_string_append(out, "AR");
	if (control & SD_DACL_INHERITED << shift)
		g_string_append(out, "AI");
	if (at == 0) {
		g_string_append(out, "NO_ACCESS_CONTROL");
		return true;
	}
	return format_acl(out, sd, at, err);
}

static bool format_sid_part(GString *out, const char *letter, GBytes *sd, uint32_t at, struct ib_error **err)
{
	gsize size;
	const uint8_t *data = g_bytes_get_data(sd, &size);
	struct ib_reader r = ib_reader_over(data, size);

	if (at == 0)
		return true;
	ib_reader_seek(&r, at);
	g_string_append(out, letter);
	return ib_wim_sddl_format_sid(out, &r, err);
}

bool ib_sddl_format(GBytes *descriptor, char **ret, struct ib_error **err)
{
	gsize size;
	const uint8_t *data = g_bytes_get_data(descriptor, &size);

	if (size < SD_HEADER_SIZE || data[0] != 1 || !(ib_le16(data + 2) & SD_SELF_RELATIVE))
		return bad(err, "it is not self-relative");
	GString *out = g_string_new(NULL);
	if (!format_sid_part(out, "O:", descriptor, ib_le32(data + 4), err) ||
	    !format_sid_part(out, "G:", descriptor, ib_le32(data + 8), err) ||
	    !format_list(out, descriptor, 0, ib_le32(data + 16), err) ||
	    !format_list(out, descriptor, 1, ib_le32(data + 12), err)) {
		g_string_free(out, TRUE);
		return false;
	}
	*ret = g_string_free(out, FALSE);
	return true;
}
