/* The tables of metadata, ECMA-335 II.22, and coded indexes, II.24.2.6. */
#include "delta/cli_internal.h"

enum family {
	TYPE_DEF_OR_REF,
	HAS_CONSTANT,
	HAS_CUSTOM_ATTRIBUTE,
	HAS_FIELD_MARSHAL,
	HAS_DECL_SECURITY,
	MEMBER_REF_PARENT,
	HAS_SEMANTICS,
	METHOD_DEF_OR_REF,
	MEMBER_FORWARDED,
	IMPLEMENTATION,
	CUSTOM_ATTRIBUTE_TYPE,
	RESOLUTION_SCOPE,
	TYPE_OR_METHOD_DEF,
};

#define NO_TABLE 0xff

static const struct {
	uint8_t bits;
	uint8_t count;
	uint8_t tables[22];
} families[] = {
	[TYPE_DEF_OR_REF] = { 2, 3, { 0x02, 0x01, 0x1B } },
	[HAS_CONSTANT] = { 2, 3, { 0x04, 0x08, 0x17 } },
	[HAS_CUSTOM_ATTRIBUTE] = { 5, 22, { 0x06, 0x04, 0x01, 0x02, 0x08, 0x09, 0x0A, 0x00, 0x0E, 0x17, 0x14,
					    0x11, 0x1A, 0x1B, 0x20, 0x23, 0x26, 0x27, 0x28, 0x2A, 0x2C, 0x2B } },
	[HAS_FIELD_MARSHAL] = { 1, 2, { 0x04, 0x08 } },
	[HAS_DECL_SECURITY] = { 2, 3, { 0x02, 0x06, 0x20 } },
	[MEMBER_REF_PARENT] = { 3, 5, { 0x02, 0x01, 0x1A, 0x06, 0x1B } },
	[HAS_SEMANTICS] = { 1, 2, { 0x14, 0x17 } },
	[METHOD_DEF_OR_REF] = { 1, 2, { 0x06, 0x0A } },
	[MEMBER_FORWARDED] = { 1, 2, { 0x04, 0x06 } },
	[IMPLEMENTATION] = { 2, 3, { 0x26, 0x23, 0x27 } },
	[CUSTOM_ATTRIBUTE_TYPE] = { 3, 5, { NO_TABLE, NO_TABLE, 0x06, 0x0A, NO_TABLE } },
	[RESOLUTION_SCOPE] = { 2, 4, { 0x00, 0x1A, 0x23, 0x01 } },
	[TYPE_OR_METHOD_DEF] = { 1, 2, { 0x02, 0x06 } },
};

#define FIXED(n) { IB_DELTA_COLUMN_FIXED, n }
#define RVA { IB_DELTA_COLUMN_RVA, 0 }
#define STRING { IB_DELTA_COLUMN_HEAP, IB_DELTA_STRINGS }
#define BLOB { IB_DELTA_COLUMN_HEAP, IB_DELTA_BLOB }
#define GUID { IB_DELTA_COLUMN_HEAP, IB_DELTA_GUID }
#define ROW(table) { IB_DELTA_COLUMN_TABLE, table }
#define CODED(family) { IB_DELTA_COLUMN_CODED, family }

static const struct ib_delta_column schema[IB_DELTA_CLI_KNOWN][IB_DELTA_COLUMNS_MAX + 1] = {
	[0x00] = { FIXED(2), STRING, GUID, GUID, GUID },                                  /* Module */
	[0x01] = { CODED(RESOLUTION_SCOPE), STRING, STRING },                             /* TypeRef */
	[0x02] = { FIXED(4), STRING, STRING, CODED(TYPE_DEF_OR_REF), ROW(0x04), ROW(0x06) }, /* TypeDef */
	[0x03] = { ROW(0x04) },                                                           /* FieldPtr */
	[0x04] = { FIXED(2), STRING, BLOB },                                              /* Field */
	[0x05] = { ROW(0x06) },                                                           /* MethodPtr */
	[0x06] = { RVA, FIXED(2), FIXED(2), STRING, BLOB, ROW(0x08) },                    /* MethodDef */
	[0x07] = { ROW(0x08) },                                                           /* ParamPtr */
	[0x08] = { FIXED(2), FIXED(2), STRING },                                          /* Param */
	[0x09] = { ROW(0x02), CODED(TYPE_DEF_OR_REF) },                                   /* InterfaceImpl */
	[0x0A] = { CODED(MEMBER_REF_PARENT), STRING, BLOB },                              /* MemberRef */
	[0x0B] = { FIXED(2), CODED(HAS_CONSTANT), BLOB },                                 /* Constant */
	[0x0C] = { CODED(HAS_CUSTOM_ATTRIBUTE), CODED(CUSTOM_ATTRIBUTE_TYPE), BLOB },     /* CustomAttribute */
	[0x0D] = { CODED(HAS_FIELD_MARSHAL), BLOB },                                      /* FieldMarshal */
	[0x0E] = { FIXED(2), CODED(HAS_DECL_SECURITY), BLOB },                            /* DeclSecurity */
	[0x0F] = { FIXED(2), FIXED(4), ROW(0x02) },                                       /* ClassLayout */
	[0x10] = { FIXED(4), ROW(0x04) },                                                 /* FieldLayout */
	[0x11] = { BLOB },                                                                /* StandAloneSig */
	[0x12] = { ROW(0x02), ROW(0x14) },                                                /* EventMap */
	[0x13] = { ROW(0x14) },                                                           /* EventPtr */
	[0x14] = { FIXED(2), STRING, CODED(TYPE_DEF_OR_REF) },                            /* Event */
	[0x15] = { ROW(0x02), ROW(0x17) },                                                /* PropertyMap */
	[0x16] = { ROW(0x17) },                                                           /* PropertyPtr */
	[0x17] = { FIXED(2), STRING, BLOB },                                              /* Property */
	[0x18] = { FIXED(2), ROW(0x06), CODED(HAS_SEMANTICS) },                           /* MethodSemantics */
	[0x19] = { ROW(0x02), CODED(METHOD_DEF_OR_REF), CODED(METHOD_DEF_OR_REF) },       /* MethodImpl */
	[0x1A] = { STRING },                                                              /* ModuleRef */
	[0x1B] = { BLOB },                                                                /* TypeSpec */
	[0x1C] = { FIXED(2), CODED(MEMBER_FORWARDED), STRING, ROW(0x1A) },                /* ImplMap */
	[0x1D] = { RVA, ROW(0x04) },                                                      /* FieldRVA */
	[0x1E] = { FIXED(4), FIXED(4) },                                                  /* ENCLog */
	[0x1F] = { FIXED(4) },                                                            /* ENCMap */
	[0x20] = { FIXED(4), FIXED(8), FIXED(4), BLOB, STRING, STRING },                  /* Assembly */
	[0x21] = { FIXED(4) },                                                            /* AssemblyProcessor */
	[0x22] = { FIXED(4), FIXED(4), FIXED(4) },                                        /* AssemblyOS */
	[0x23] = { FIXED(8), FIXED(4), BLOB, STRING, STRING, BLOB },                      /* AssemblyRef */
	[0x24] = { FIXED(4), ROW(0x23) },                                                 /* AssemblyRefProcessor */
	[0x25] = { FIXED(4), FIXED(4), FIXED(4), ROW(0x23) },                             /* AssemblyRefOS */
	[0x26] = { FIXED(4), STRING, BLOB },                                              /* File */
	[0x27] = { FIXED(4), FIXED(4), STRING, STRING, CODED(IMPLEMENTATION) },           /* ExportedType */
	[0x28] = { FIXED(4), FIXED(4), STRING, CODED(IMPLEMENTATION) },                   /* ManifestResource */
	[0x29] = { ROW(0x02), ROW(0x02) },                                                /* NestedClass */
	[0x2A] = { FIXED(2), FIXED(2), CODED(TYPE_OR_METHOD_DEF), STRING },               /* GenericParam */
	[0x2B] = { CODED(METHOD_DEF_OR_REF), BLOB },                                      /* MethodSpec */
	[0x2C] = { ROW(0x2A), CODED(TYPE_DEF_OR_REF) },                                   /* GenericParamConstraint */
};

/* As in drafts of the second edition; the creator has kept it for everything but CLI4. */
static const struct ib_delta_column old_generic_param[IB_DELTA_COLUMNS_MAX + 1] = {
	FIXED(2), FIXED(2), CODED(TYPE_OR_METHOD_DEF), STRING, CODED(TYPE_DEF_OR_REF),
};

const struct ib_delta_column *ib_delta_cli_columns(unsigned table, bool plain)
{
	return table == IB_DELTA_TABLE_GENERICPARAM && !plain ? old_generic_param : schema[table];
}

int ib_delta_cli_coded(unsigned family, uint32_t value, unsigned *ret_bits)
{
	unsigned tag = value & ((1u << families[family].bits) - 1);

	*ret_bits = families[family].bits;
	if (tag >= families[family].count || families[family].tables[tag] == NO_TABLE)
		return -1;
	return families[family].tables[tag];
}

static unsigned width_of(const struct ib_delta_cli_layout *l, struct ib_delta_column c)
{
	switch (c.kind) {
	case IB_DELTA_COLUMN_FIXED:
		return c.what;
	case IB_DELTA_COLUMN_RVA:
		return 4;
	case IB_DELTA_COLUMN_HEAP:
		return l->wide[c.what] ? 4 : 2;
	case IB_DELTA_COLUMN_TABLE:
		return l->rows[c.what] > 0xffff ? 4 : 2;
	}
	for (unsigned i = 0; i < families[c.what].count; i++) {
		uint8_t table = families[c.what].tables[i];
		if (table != NO_TABLE && l->rows[table] >= 1u << (16 - families[c.what].bits))
			return 4;
	}
	return 2;
}

void ib_delta_cli_measure(const struct ib_delta_cli_layout *layout, bool plain, struct ib_delta_cli_tables *ret)
{
	uint64_t at = (uint64_t)layout->streams[IB_DELTA_TABLES].offset + 24 +
		      4 * (unsigned)__builtin_popcountll(layout->valid);

	memset(ret, 0, sizeof(*ret));
	for (unsigned t = 0; t < IB_DELTA_CLI_KNOWN; t++) {
		const struct ib_delta_column *c = ib_delta_cli_columns(t, plain);
		for (unsigned i = 0; c[i].kind != IB_DELTA_COLUMN_NONE; i++) {
			ret->width[t][i] = (uint8_t)width_of(layout, c[i]);
			ret->row_size[t] = (uint8_t)(ret->row_size[t] + ret->width[t][i]);
		}
		ret->rows[t] = layout->rows[t];
		ret->start[t] = at;
		at += (uint64_t)layout->rows[t] * ret->row_size[t];
	}
	ret->end = at;
}
