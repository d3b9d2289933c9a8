#include "wim/sddl_internal.h"

#include "digest/digest.h"

const struct sddl_word ib_wim_sddl_types[] = {
	{ "A", 0x00 },	{ "D", 0x01 },	{ "AU", 0x02 }, { "AL", 0x03 }, { "OA", 0x05 }, { "OD", 0x06 },
	{ "OU", 0x07 }, { "OL", 0x08 }, { "XA", 0x09 }, { "XD", 0x0a }, { "ZA", 0x0b }, { "XU", 0x0d },
	{ "ML", 0x11 }, { "RA", 0x12 }, { "SP", 0x13 }, { "TL", 0x14 }, { "FL", 0x15 }, { NULL, 0 },
};

const struct sddl_word ib_wim_sddl_flags[] = {
	{ "OI", 0x01 }, { "CI", 0x02 }, { "NP", 0x04 }, { "IO", 0x08 },
	{ "ID", 0x10 }, { "CR", 0x20 }, { "SA", 0x40 }, { "FA", 0x80 }, { NULL, 0 },
};

const struct sddl_word ib_wim_sddl_rights[] = {
	{ "GA", 0x10000000 }, { "GR", 0x80000000 }, { "GW", 0x40000000 }, { "GX", 0x20000000 },
	{ "CC", 0x1 },	      { "DC", 0x2 },	    { "LC", 0x4 },	  { "SW", 0x8 },
	{ "RP", 0x10 },	      { "WP", 0x20 },	    { "DT", 0x40 },	  { "LO", 0x80 },
	{ "CR", 0x100 },      { "SD", 0x10000 },    { "RC", 0x20000 },	  { "WD", 0x40000 },
	{ "WO", 0x80000 },    { "AS", 0x1000000 },  { "MA", 0x2000000 },  { NULL, 0 },
};

const struct sddl_word ib_wim_sddl_sets[] = {
	{ "FA", 0x1f01ff }, { "FR", 0x120089 }, { "FW", 0x120116 }, { "FX", 0x1200a0 }, { "KA", 0xf003f },
	{ "KR", 0x20019 },  { "KW", 0x20006 },	{ "KX", 0x20019 },  { NULL, 0 },
};

const struct sddl_word ib_wim_sddl_label_rights[] = {
	{ "NW", 0x1 }, { "NR", 0x2 }, { "NX", 0x4 }, { NULL, 0 },
};

/* Those that do not depend on a domain or a machine. */
const struct sddl_sid ib_wim_sddl_sids[] = {
	{ "WD", 1, 1, { 0 } },	       { "CO", 3, 1, { 0 } },	      { "CG", 3, 1, { 1 } },
	{ "OW", 3, 1, { 4 } },	       { "NU", 5, 1, { 2 } },	      { "IU", 5, 1, { 4 } },
	{ "SU", 5, 1, { 6 } },	       { "AN", 5, 1, { 7 } },	      { "ED", 5, 1, { 9 } },
	{ "PS", 5, 1, { 10 } },	       { "AU", 5, 1, { 11 } },	      { "RC", 5, 1, { 12 } },
	{ "SY", 5, 1, { 18 } },	       { "LS", 5, 1, { 19 } },	      { "NS", 5, 1, { 20 } },
	{ "WR", 5, 1, { 33 } },	       { "BA", 5, 2, { 32, 544 } },   { "BU", 5, 2, { 32, 545 } },
	{ "BG", 5, 2, { 32, 546 } },   { "PU", 5, 2, { 32, 547 } },   { "AO", 5, 2, { 32, 548 } },
	{ "SO", 5, 2, { 32, 549 } },   { "PO", 5, 2, { 32, 550 } },   { "BO", 5, 2, { 32, 551 } },
	{ "RE", 5, 2, { 32, 552 } },   { "RU", 5, 2, { 32, 554 } },   { "RD", 5, 2, { 32, 555 } },
	{ "NO", 5, 2, { 32, 556 } },   { "MU", 5, 2, { 32, 558 } },   { "LU", 5, 2, { 32, 559 } },
	{ "IS", 5, 2, { 32, 568 } },   { "CY", 5, 2, { 32, 569 } },   { "ER", 5, 2, { 32, 573 } },
	{ "CD", 5, 2, { 32, 574 } },   { "RA", 5, 2, { 32, 575 } },   { "ES", 5, 2, { 32, 576 } },
	{ "MS", 5, 2, { 32, 577 } },   { "HA", 5, 2, { 32, 578 } },   { "AA", 5, 2, { 32, 579 } },
	{ "RM", 5, 2, { 32, 580 } },   { "UD", 5, 6, { 84 } },	      { "AC", 15, 2, { 2, 1 } },
	{ "LW", 16, 1, { 4096 } },     { "ME", 16, 1, { 8192 } },     { "MP", 16, 1, { 8448 } },
	{ "HI", 16, 1, { 12288 } },    { "SI", 16, 1, { 16384 } },    { "AS", 18, 1, { 1 } },
	{ "SS", 18, 1, { 2 } },	       { "", 0, 0, { 0 } },
};

bool ib_wim_sddl_type_is_plain(uint32_t type)
{
	return type <= 0x03 || type == 0x11 || type == 0x13 || type == 0x14;
}

bool ib_wim_sddl_type_is_object(uint32_t type)
{
	return (type >= 0x05 && type <= 0x08) || type == 0x0b;
}

bool ib_wim_sddl_type_is_conditional(uint32_t type)
{
	return type == 0x09 || type == 0x0a || type == 0x0b || type == 0x0d || type == 0x15;
}

char *ib_sddl_service_sid(const char *service)
{
	g_autofree char *upper = ib_name_fold(service);
	size_t bytes;
	g_autofree uint8_t *utf16 = ib_utf8_to_utf16(upper, &bytes);
	uint8_t hash[IB_SHA1_SIZE];
	GString *sid = g_string_new("S-1-5-80");

	ib_digest_bytes(IB_DIGEST_SHA1, utf16 ? utf16 : hash, utf16 ? bytes : 0, hash);
	for (size_t i = 0; i < sizeof hash; i += 4)
		g_string_append_printf(sid, "-%u", ib_le32(hash + i));
	return g_string_free(sid, FALSE);
}
