/*
 * Types in signatures, ECMA-335 II.23.2, walked as the creator walks them: it stops early at a number of things, takes
 * the count of generic parameters for the count of parameters, and looks at the first local variable only.
 */
#include "delta/cli_internal.h"

enum element {
	VOID = 0x01,
	FIRST_PLAIN = 0x02, /* BOOLEAN */
	LAST_PLAIN = 0x0E,  /* STRING */
	PTR = 0x0F,
	BYREF = 0x10,
	VALUETYPE = 0x11,
	CLASS = 0x12,
	VAR = 0x13,
	ARRAY = 0x14,
	GENERICINST = 0x15,
	TYPEDBYREF = 0x16,
	NATIVE_INT = 0x18,
	NATIVE_UINT = 0x19,
	OBJECT = 0x1C,
	SZARRAY = 0x1D,
	MVAR = 0x1E,
	CMOD_REQD = 0x1F,
	CMOD_OPT = 0x20,
	SENTINEL = 0x41,
	PINNED = 0x45,
};

#define KIND 0x0Fu /* of a signature, in its first byte */
#define KIND_FIELD 6u
#define KIND_LOCALS 7u
#define KIND_PROPERTY 8u
#define KIND_METHODS 5u /* up to here: calling conventions */

struct walk {
	struct ib_delta_job *j;
	const uint8_t *sig;
	size_t size;
	size_t at;
	uint8_t *out;
	bool ended;
};

/* A compressed number and the bytes it takes; ends the walk when there is none. */
static uint32_t number(struct walk *w, unsigned *ret_width)
{
	const uint8_t *p = w->sig + w->at;
	size_t left = w->size - w->at;
	unsigned width = left == 0 ? 5 : !(p[0] & 0x80) ? 1 : !(p[0] & 0x40) ? 2 : !(p[0] & 0x20) ? 4 : 5;

	if (width > left) {
		w->ended = true;
		*ret_width = 0;
		return 0;
	}
	w->at += width;
	*ret_width = width;
	return width == 1 ? p[0] : width == 2 ? ib_be16(p) & 0x3fffu : ib_be32(p) & 0x1fffffffu;
}

static unsigned skip_number(struct walk *w)
{
	unsigned width;

	return number(w, &width);
}

/* A compressed TypeDefOrRef: mapped and written again, if it takes no more bytes than before. */
static void type_token(struct walk *w)
{
	/* a TypeRef goes by the map of TypeDefs: so does the creator */
	static const uint8_t tables[] = { 0x02, 0x02, 0x1B };
	unsigned width;
	size_t at = w->at;
	uint32_t v = number(w, &width), tag = v & 3;

	if (w->ended || tag > 2)
		return;
	v = ib_delta_cli_index(&w->j->to->cli_map.tables[tables[tag]], v >> 2) << 2 | tag;
	uint8_t *p = w->out + at;
	if (v < 0x80)
		p[0] = (uint8_t)v;
	else if (v < 0x4000 && width >= 2)
		ib_put_be16(p, (uint16_t)(v | 0x8000));
	else if (v < 0x20000000 && width >= 4)
		ib_put_be32(p, v | 0xC0000000u);
}

static void array_shape(struct walk *w)
{
	skip_number(w); /* rank */
	for (unsigned lists = 0; lists < 2; lists++) { /* sizes, lower bounds */
		uint32_t n = skip_number(w);
		for (uint32_t i = 0; i < n && !w->ended; i++)
			skip_number(w);
	}
}

static bool is_modifier(uint8_t e)
{
	return e == CMOD_REQD || e == CMOD_OPT;
}

/* The innermost of a type; false when another type follows, of which this is a pointer, a reference, … */
static bool element(struct walk *w, uint8_t e)
{
	switch (e) {
	case PTR:
	case BYREF:
	case SZARRAY:
	case PINNED:
	case SENTINEL:
	case GENERICINST: /* of which only the type itself is looked at, not its arguments */
		return false;
	case CMOD_REQD:
	case CMOD_OPT:
		type_token(w);
		return false;
	case VALUETYPE:
	case CLASS:
		type_token(w);
		return true;
	case VAR:
	case MVAR:
		skip_number(w);
		return true;
	case VOID:
	case TYPEDBYREF:
	case NATIVE_INT:
	case NATIVE_UINT:
	case OBJECT:
		return true;
	}
	w->ended |= e < FIRST_PLAIN || e > LAST_PLAIN;
	return true;
}

/* One type; outer: where a method ends the walk at VOID. */
static void type(struct walk *w, bool method)
{
	unsigned arrays = 0;
	bool outer = method;

	for (;;) {
		if (w->ended || w->at >= w->size) {
			w->ended = true;
			return;
		}
		uint8_t e = w->sig[w->at++];
		if (outer && (e == VOID || e == TYPEDBYREF)) {
			w->ended = true;
			return;
		}
		if (e == ARRAY)
			arrays++;
		else if (element(w, e))
			break;
		outer &= is_modifier(e);
	}
	for (; arrays > 0 && !w->ended; arrays--)
		array_shape(w);
}

/* A count of parameters, what is returned, and the parameters. */
static void method(struct walk *w, bool ends_at_void)
{
	uint32_t n = skip_number(w);

	for (uint64_t i = 0; i <= n && !w->ended; i++)
		type(w, ends_at_void);
}

void ib_delta_cli_signature(struct ib_delta_job *j, unsigned table, const uint8_t *sig, size_t size, uint8_t *out)
{
	struct walk w = { .j = j, .sig = sig, .size = size, .out = out };

	if (size == 0)
		return;
	if (table == IB_DELTA_TABLE_TYPESPEC) {
		if (!is_modifier(sig[0]))
			type(&w, false);
		return;
	}
	unsigned kind = sig[w.at++] & KIND;
	if (kind == KIND_FIELD) {
		if (table != IB_DELTA_TABLE_STANDALONESIG || size < 2 || sig[1] != BYREF)
			type(&w, false);
	} else if (kind == KIND_LOCALS) {
		if (skip_number(&w) > 0)
			type(&w, false);
	} else if (kind == KIND_PROPERTY) {
		method(&w, false);
	} else if (kind <= KIND_METHODS) {
		method(&w, true);
	}
}
