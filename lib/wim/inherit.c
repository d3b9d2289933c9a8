/* wim: the descriptor Windows gives a new file in a folder. Rules: MS-DTYP 2.5.3.4 (CreateSecurityDescriptor). */
#include "wim/sddl_internal.h"

#include <string.h>

#define ACE_OI 0x01u
#define ACE_CI 0x02u
#define ACE_NP 0x04u
#define ACE_IO 0x08u
#define ACE_ID 0x10u
/* Audit bits and the critical flag are not about inheritance: they stay. */
#define ACE_INHERITANCE (ACE_OI | ACE_CI | ACE_NP | ACE_IO | ACE_ID)

/* CREATOR OWNER and CREATOR GROUP, S-1-3-0 and S-1-3-1, without their last number. */
static const uint8_t creator[8] = { 1, 1, 0, 0, 0, 0, 0, 3 };

struct heir {
	const uint8_t *sd;
	size_t size;
	bool dir;
	GByteArray *acl;
	unsigned count;
};

static bool bad(struct ib_error **err)
{
	return ib_throw(err, IB_ERR_INPUT, "the parent's security descriptor is malformed");
}

/* Length of the SID at an offset; 0 when it does not fit. */
static size_t sid_at(const struct heir *h, size_t at)
{
	if (at < SD_HEADER_SIZE || at > h->size || h->size - at < 8)
		return 0;
	size_t n = 8 + (size_t)h->sd[at + 1] * 4;
	return h->sd[at] == 1 && h->sd[at + 1] <= SID_SUBS_MAX && n <= h->size - at ? n : 0;
}

/* Generic rights as files have them. */
static uint32_t map_rights(uint32_t mask)
{
	static const struct {
		uint32_t generic, file;
	} map[] = { { 0x80000000, 0x120089 }, { 0x40000000, 0x120116 }, { 0x20000000, 0x1200a0 }, { 0x10000000, 0x1f01ff } };

	for (size_t i = 0; i < G_N_ELEMENTS(map); i++)
		if (mask & map[i].generic)
			mask = (mask & ~map[i].generic) | map[i].file;
	return mask;
}

static void add_ace(struct heir *h, const uint8_t *ace, size_t size, uint8_t flags)
{
	guint at = h->acl->len;

	g_byte_array_append(h->acl, ace, (guint)size);
	h->acl->data[at + 1] = flags;
	h->count++;
}

/* The entry as it acts on the new file itself: rights mapped, the creator's SID replaced by owner or group. */
static bool add_effective(struct heir *h, const uint8_t *ace, size_t size, uint8_t flags, struct ib_error **err)
{
	g_autofree uint8_t *copy = g_memdup2(ace, size);
	const uint8_t *sid = ace + 8;
	size_t field = 0, n;

	ib_put_le32(copy + 4, map_rights(ib_le32(ace + 4)));
	if (ib_wim_sddl_type_is_plain(ace[0]) && size >= 20 && memcmp(sid, creator, sizeof creator) == 0 && ib_le32(sid + 8) < 2)
		field = ib_le32(sid + 8) == 0 ? 4 : 8;
	if (field == 0) {
		add_ace(h, copy, size, flags);
		return true;
	}
	uint32_t at = ib_le32(h->sd + field);
	if (at == 0)
		return true; /* nobody to put there */
	n = sid_at(h, at);
	if (n == 0)
		return bad(err);
	copy = g_realloc(copy, 8 + n);
	memcpy(copy + 8, h->sd + at, n);
	ib_put_le16(copy + 2, (uint16_t)(8 + n));
	add_ace(h, copy, 8 + n, flags);
	return true;
}

static bool is_effective_as_it_is(const uint8_t *ace, size_t size)
{
	bool is_creator = size >= 20 && memcmp(ace + 8, creator, sizeof creator) == 0;

	return map_rights(ib_le32(ace + 4)) == ib_le32(ace + 4) && !is_creator;
}

static bool inherit_ace(struct heir *h, const uint8_t *ace, size_t size, struct ib_error **err)
{
	uint8_t flags = ace[1], other = flags & (uint8_t)~ACE_INHERITANCE;
	bool passes_on = h->dir && !(flags & ACE_NP) && flags & (ACE_OI | ACE_CI);
	uint8_t kept = other | ACE_ID | (flags & (ACE_OI | ACE_CI));

	if (!(flags & (h->dir ? ACE_CI : ACE_OI))) {
		if (passes_on)
			add_ace(h, ace, size, kept | ACE_IO);
		return true;
	}
	if (passes_on && is_effective_as_it_is(ace, size)) {
		add_ace(h, ace, size, kept);
		return true;
	}
	if (!add_effective(h, ace, size, other | ACE_ID, err))
		return false;
	if (passes_on)
		add_ace(h, ace, size, kept | ACE_IO);
	return true;
}

static bool inherit_acl(struct heir *h, uint32_t at, struct ib_error **err)
{
	if (at < SD_HEADER_SIZE || at > h->size || h->size - at < 8 || ib_le16(h->sd + at + 2) > h->size - at)
		return bad(err);
	struct ib_reader r = ib_reader_over(h->sd + at, ib_le16(h->sd + at + 2));
	ib_reader_seek(&r, 8);
	for (unsigned n = ib_le16(h->sd + at + 4); n > 0; n--) {
		const uint8_t *ace = ib_reader_take(&r, 4);
		size_t size = ace ? ib_le16(ace + 2) : 0;
		if (size < 8 || !ib_reader_take(&r, size - 4))
			return bad(err);
		if (!inherit_ace(h, ace, size, err))
			return false;
	}
	return h->acl->len <= ACL_SIZE_MAX || bad(err);
}

static void put_part(GByteArray *sd, size_t field, const uint8_t *data, size_t len)
{
	if (len == 0)
		return;
	ib_put_le32(sd->data + field, sd->len);
	g_byte_array_append(sd, data, (guint)len);
}

static GBytes *assemble(struct heir *h, size_t owner, size_t group)
{
	GByteArray *sd = g_byte_array_new();

	g_byte_array_set_size(sd, SD_HEADER_SIZE);
	memset(sd->data, 0, SD_HEADER_SIZE);
	sd->data[0] = 1;
	ib_put_le16(sd->data + 2, SD_SELF_RELATIVE | SD_DACL_PRESENT | SD_DACL_INHERITED);
	put_part(sd, 16, h->acl->data, h->acl->len);
	put_part(sd, 4, h->sd + ib_le32(h->sd + 4), owner);
	put_part(sd, 8, h->sd + ib_le32(h->sd + 8), group);
	return g_byte_array_free_to_bytes(sd);
}

static bool inherit(struct heir *h, GBytes *parent, GBytes **ret, struct ib_error **err)
{
	size_t owner = 0, group = 0;
	uint32_t at = ib_le32(h->sd + 16);

	if (ib_le32(h->sd + 4) && !(owner = sid_at(h, ib_le32(h->sd + 4))))
		return bad(err);
	if (ib_le32(h->sd + 8) && !(group = sid_at(h, ib_le32(h->sd + 8))))
		return bad(err);
	if (at && !inherit_acl(h, at, err))
		return false;
	if (h->count == 0) { /* nothing to inherit: the folder's own is the nearest thing to a default */
		*ret = g_bytes_ref(parent);
		return true;
	}
	h->acl->data[0] = at ? h->sd[at] : 2;
	ib_put_le16(h->acl->data + 2, (uint16_t)h->acl->len);
	ib_put_le16(h->acl->data + 4, (uint16_t)h->count);
	*ret = assemble(h, owner, group);
	return true;
}

bool ib_security_inherit(GBytes *parent, bool dir, GBytes **ret, struct ib_error **err)
{
	gsize size;
	struct heir h = { .sd = g_bytes_get_data(parent, &size), .dir = dir };

	h.size = size;
	if (size < SD_HEADER_SIZE || h.sd[0] != 1 || !(ib_le16(h.sd + 2) & SD_SELF_RELATIVE))
		return bad(err);
	h.acl = g_byte_array_new();
	g_byte_array_set_size(h.acl, 8);
	memset(h.acl->data, 0, 8);
	bool ok = inherit(&h, parent, ret, err);
	g_byte_array_unref(h.acl);
	return ok;
}
