/* wim, private: the words of SDDL, shared by reading and writing it. Source: MS-DTYP 2.4, 2.5.1. */
#ifndef IB_WIM_SDDL_INTERNAL_H
#define IB_WIM_SDDL_INTERNAL_H

#include "wim/wim.h"

/* Control bits of a descriptor. */
#define SD_DACL_PRESENT 0x4u
#define SD_SACL_PRESENT 0x10u
#define SD_DACL_REQUEST 0x100u   /* AR; the SACL's bit is the next one, as of all below */
#define SD_DACL_INHERITED 0x400u /* AI */
#define SD_DACL_PROTECTED 0x1000u /* P */
#define SD_SELF_RELATIVE 0x8000u
#define SD_HEADER_SIZE 20u

#define ACE_RESOURCE_ATTRIBUTE 0x12u
#define ACE_OBJECT_PRESENT 0x1u
#define ACE_INHERITED_PRESENT 0x2u

#define SID_SUBS_MAX 15u
/* revision, count, six bytes of authority, fifteen numbers */
#define SID_SIZE_MAX 68u
/* An ACL's size field has 16 bits. */
#define ACL_SIZE_MAX 65535u

struct sddl_word {
	const char *text;
	uint32_t value;
};

struct sddl_sid {
	char text[3];
	uint8_t authority;
	uint8_t count;
	uint32_t subs[6];
};

/* All end with an entry without text. */
extern const struct sddl_word ib_wim_sddl_types[];
extern const struct sddl_word ib_wim_sddl_flags[];
extern const struct sddl_word ib_wim_sddl_rights[];
/* Sets of rights, tried before the single ones when writing. */
extern const struct sddl_word ib_wim_sddl_sets[];
extern const struct sddl_word ib_wim_sddl_label_rights[];
extern const struct sddl_sid ib_wim_sddl_sids[];

/* What is left of a text being read. */
struct parser {
	const char *text, *at;
	struct ib_error **err;
};
/* ---- sddl_parse.c ---- */
bool ib_wim_sddl_bad(struct parser *p, const char *what);
bool ib_wim_sddl_parse_sid(struct parser *p, uint8_t sid[SID_SIZE_MAX], size_t *ret_size);
/* ---- sddl_format.c; r stands at the SID ---- */
bool ib_wim_sddl_format_sid(GString *out, struct ib_reader *r, struct ib_error **err);
/* ---- sddl_condition.c ---- */
bool ib_wim_sddl_parse_condition(struct parser *p, GByteArray *out);
bool ib_wim_sddl_format_condition(GString *out, const uint8_t *data, size_t len, struct ib_error **err);
/* "…": owned by the caller; NULL: thrown. */
char *ib_wim_sddl_parse_string(struct parser *p);
/* A name of len bytes with "%0041" in it, as UTF-16. */
bool ib_wim_sddl_parse_name(struct parser *p, size_t len, GByteArray *units);
/* Value of a digit in octets, where '#' is 0, too; -1: none. */
int ib_wim_sddl_octet_digit(char c);
bool ib_wim_sddl_show_string(GString *out, const uint8_t *units, size_t bytes, struct ib_error **err);
void ib_wim_sddl_show_octets(GString *out, const uint8_t *data, size_t len);
/* ---- sddl_claim.c ---- */
bool ib_wim_sddl_parse_claim(struct parser *p, GByteArray *out);
bool ib_wim_sddl_format_claim(GString *out, const uint8_t *data, size_t len, struct ib_error **err);

/* Types whose entries are an access mask and a SID, and those with object GUIDs between. */
bool ib_wim_sddl_type_is_plain(uint32_t type);
bool ib_wim_sddl_type_is_object(uint32_t type);
/* Types with a condition behind the SID. */
bool ib_wim_sddl_type_is_conditional(uint32_t type);

#endif
