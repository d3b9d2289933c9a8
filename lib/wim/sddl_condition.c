/* wim: conditional expressions of access control entries, text <-> postfix bytes. Source: MS-DTYP 2.4.4.17, 2.5.1.1. */
#include "wim/sddl_internal.h"

#include <string.h>

#define TOKEN_INT64 0x04u
#define TOKEN_STRING 0x10u
#define TOKEN_OCTETS 0x18u
#define TOKEN_COMPOSITE 0x50u
#define TOKEN_SID 0x51u
#define TOKEN_NOT 0xa2u
#define TOKEN_AND 0xa0u
#define TOKEN_OR 0xa1u
#define TOKEN_LOCAL 0xf8u

#define SIGN_NONE 3u

/* Parentheses in parentheses, and operands waiting for their operator: far above what people write. */
#define NESTING_MAX 64u

enum arity { MEMBER, EXISTS, RELATION, SET };

static const struct {
	const char *word;
	uint8_t token;
	enum arity arity;
} operators[] = {
	{ "Member_of", 0x89, MEMBER },		    { "Device_Member_of", 0x8a, MEMBER },
	{ "Member_of_Any", 0x8b, MEMBER },	    { "Device_Member_of_Any", 0x8c, MEMBER },
	{ "Not_Member_of", 0x90, MEMBER },	    { "Not_Device_Member_of", 0x91, MEMBER },
	{ "Not_Member_of_Any", 0x92, MEMBER },	    { "Not_Device_Member_of_Any", 0x93, MEMBER },
	{ "Exists", 0x87, EXISTS },		    { "Not_Exists", 0x8d, EXISTS },
	{ "Contains", 0x86, SET },		    { "Any_of", 0x88, SET },
	{ "Not_Contains", 0x8e, SET },		    { "Not_Any_of", 0x8f, SET },
	{ "==", 0x80, RELATION },		    { "!=", 0x81, RELATION },
	{ "<=", 0x83, RELATION },		    { ">=", 0x85, RELATION },
	{ "<", 0x82, RELATION },		    { ">", 0x84, RELATION },
};

static const struct sddl_word scopes[] = { { "@User.", 0xf9 }, { "@Resource.", 0xfa }, { "@Device.", 0xfb }, { NULL, 0 } };

static bool is_name_char(char c)
{
	return g_ascii_isalnum(c) || (c && strchr(":./_", c));
}

/* ---- text to bytes ---- */

static void skip(struct parser *p)
{
	while (g_ascii_isspace(*p->at))
		p->at++;
}

/* An operator of one of two kinds; words end where a name would. -1: none, nothing taken. */
static int take_operator(struct parser *p, enum arity a, enum arity b)
{
	for (size_t i = 0; i < G_N_ELEMENTS(operators); i++) {
		const char *w = operators[i].word;
		size_t n = strlen(w);
		if ((operators[i].arity != a && operators[i].arity != b) || g_ascii_strncasecmp(p->at, w, n) != 0)
			continue;
		if (g_ascii_isalpha(*w) && (is_name_char(p->at[n]) || p->at[n] == '%'))
			continue;
		p->at += n;
		skip(p);
		return operators[i].token;
	}
	return -1;
}

static void put_token(GByteArray *out, uint8_t token)
{
	g_byte_array_append(out, &token, 1);
}

static void put_counted(GByteArray *out, uint8_t token, const void *data, size_t len)
{
	uint8_t size[4];

	ib_put_le32(size, (uint32_t)len);
	put_token(out, token);
	g_byte_array_append(out, size, sizeof size);
	g_byte_array_append(out, data, (guint)len);
}

static bool put_text(struct parser *p, GByteArray *out, uint8_t token, const char *text)
{
	size_t bytes;
	g_autofree uint8_t *utf16 = ib_utf8_to_utf16(text, &bytes);

	if (!utf16)
		return ib_wim_sddl_bad(p, "a text is not UTF-8");
	put_counted(out, token, utf16, bytes);
	return true;
}

/* One character or "%0041" of a name; end: of the name. */
static bool name_unit(struct parser *p, const char *end, GByteArray *units)
{
	size_t bytes;
	unsigned v = 0;

	if (*p->at != '%') {
		const char *next = g_utf8_find_next_char(p->at, NULL);
		g_autofree char *one = g_strndup(p->at, (gsize)(MIN(next, end) - p->at));
		g_autofree uint8_t *utf16 = ib_utf8_to_utf16(one, &bytes);
		if (!utf16)
			return ib_wim_sddl_bad(p, "a name is not UTF-8");
		g_byte_array_append(units, utf16, (guint)bytes);
		p->at = MIN(next, end);
		return true;
	}
	for (unsigned i = 1; i <= 4; i++) {
		int digit = p->at + i < end ? g_ascii_xdigit_value(p->at[i]) : -1;
		if (digit < 0)
			return ib_wim_sddl_bad(p, "four hexadecimal digits expected after '%'");
		v = v << 4 | (unsigned)digit;
	}
	g_byte_array_append(units, (const uint8_t[2]){ (uint8_t)v, (uint8_t)(v >> 8) }, 2);
	p->at += 5;
	return true;
}

bool ib_wim_sddl_parse_name(struct parser *p, size_t len, GByteArray *units)
{
	const char *end = p->at + len;

	while (p->at < end)
		if (!name_unit(p, end, units))
			return false;
	return true;
}

/* Behind "@User." a name holds whatever is no operator; a local one has few characters, so that it differs from words. */
static size_t name_length(const struct parser *p, uint8_t token)
{
	size_t n = 0;

	if (token != TOKEN_LOCAL)
		return strcspn(p->at, "!&()<>=| \"\t\n\v\f\r");
	while (is_name_char(p->at[n]) || p->at[n] == '%')
		n++;
	return n;
}

static bool attribute(struct parser *p, GByteArray *out)
{
	uint8_t token = TOKEN_LOCAL;

	for (const struct sddl_word *w = scopes; w->text; w++) {
		if (g_ascii_strncasecmp(p->at, w->text, strlen(w->text)) != 0)
			continue;
		p->at += strlen(w->text);
		token = (uint8_t)w->value;
		break;
	}
	GByteArray *units = g_byte_array_new();
	bool ok = token != TOKEN_LOCAL || !g_ascii_isdigit(*p->at) ||
		  ib_wim_sddl_bad(p, "the name of an attribute begins with no digit");
	ok = ok && ib_wim_sddl_parse_name(p, name_length(p, token), units);
	if (ok && units->len == 0)
		ok = ib_wim_sddl_bad(p, "the name of an attribute expected");
	if (ok)
		put_counted(out, token, units->data, units->len);
	g_byte_array_unref(units);
	skip(p);
	return ok;
}

static bool integer(struct parser *p, GByteArray *out)
{
	uint8_t token[11] = { TOKEN_INT64 };
	char sign = *p->at, *end;

	if (sign == '+' || sign == '-')
		p->at++;
	if (!g_ascii_isdigit(*p->at))
		return ib_wim_sddl_bad(p, "a value expected");
	bool hex = p->at[0] == '0' && (p->at[1] == 'x' || p->at[1] == 'X'), octal = p->at[0] == '0' && g_ascii_isdigit(p->at[1]);
	if (hex && !g_ascii_isxdigit(p->at[2]))
		return ib_wim_sddl_bad(p, "a value expected");
	uint64_t v = g_ascii_strtoull(p->at, &end, hex ? 16 : octal ? 8 : 10);
	if (v > (uint64_t)INT64_MAX)
		return ib_wim_sddl_bad(p, "the number is too large");
	p->at = end;
	ib_put_le64(token + 1, sign == '-' ? 0 - v : v);
	token[9] = sign == '+' ? 1 : sign == '-' ? 2 : SIGN_NONE;
	token[10] = hex ? 3 : octal ? 1 : 2;
	g_byte_array_append(out, token, sizeof token);
	return true;
}

int ib_wim_sddl_octet_digit(char c)
{
	return c == '#' ? 0 : g_ascii_xdigit_value(c);
}

static bool parse_octets(struct parser *p, GByteArray *out)
{
	for (p->at++; ib_wim_sddl_octet_digit(*p->at) >= 0; p->at += 2) {
		int lo = ib_wim_sddl_octet_digit(p->at[1]);
		if (lo < 0)
			return ib_wim_sddl_bad(p, "an even number of hexadecimal digits expected");
		put_token(out, (uint8_t)(ib_wim_sddl_octet_digit(*p->at) << 4 | lo));
	}
	return true;
}

char *ib_wim_sddl_parse_string(struct parser *p)
{
	const char *end = *p->at == '"' ? strchr(p->at + 1, '"') : NULL;

	if (!end) {
		ib_wim_sddl_bad(p, "a text in double quotes expected");
		return NULL;
	}
	char *text = g_strndup(p->at + 1, (gsize)(end - p->at - 1));
	p->at = end + 1;
	return text;
}

static bool octets(struct parser *p, GByteArray *out)
{
	GByteArray *bytes = g_byte_array_new();
	bool ok = parse_octets(p, bytes);

	if (ok)
		put_counted(out, TOKEN_OCTETS, bytes->data, bytes->len);
	g_byte_array_unref(bytes);
	return ok;
}

static bool literal_sid(struct parser *p, GByteArray *out)
{
	uint8_t sid[SID_SIZE_MAX];
	size_t size;

	p->at += 3; /* SID */
	skip(p);
	if (*p->at != '(')
		return ib_wim_sddl_bad(p, "'(' expected");
	p->at++;
	if (!ib_wim_sddl_parse_sid(p, sid, &size))
		return false;
	skip(p);
	if (*p->at != ')')
		return ib_wim_sddl_bad(p, "')' expected");
	p->at++;
	put_counted(out, TOKEN_SID, sid, size);
	return true;
}

static bool is_sid(const struct parser *p)
{
	return g_ascii_strncasecmp(p->at, "SID", 3) == 0 && (p->at[3] == '(' || g_ascii_isspace(p->at[3]));
}

static bool value(struct parser *p, GByteArray *out)
{
	bool ok;

	if (*p->at == '"') {
		g_autofree char *text = ib_wim_sddl_parse_string(p);
		ok = text && put_text(p, out, TOKEN_STRING, text);
	} else if (*p->at == '#') {
		ok = octets(p, out);
	} else if (is_sid(p)) {
		ok = literal_sid(p, out);
	} else {
		ok = integer(p, out);
	}
	skip(p);
	return ok;
}

/* One value, or several in braces. */
static bool values(struct parser *p, GByteArray *out, bool (*one)(struct parser *p, GByteArray *out))
{
	if (*p->at != '{')
		return one(p, out);
	GByteArray *all = g_byte_array_new();
	bool ok = true;
	do {
		p->at++;
		skip(p);
		ok = one(p, all);
	} while (ok && *p->at == ',');
	if (ok && *p->at != '}')
		ok = ib_wim_sddl_bad(p, "',' or '}' expected");
	if (ok) {
		p->at++;
		put_counted(out, TOKEN_COMPOSITE, all->data, all->len);
	}
	g_byte_array_unref(all);
	skip(p);
	return ok;
}

static bool member_sid(struct parser *p, GByteArray *out)
{
	if (!is_sid(p))
		return ib_wim_sddl_bad(p, "'SID(…)' expected");
	bool ok = literal_sid(p, out);
	skip(p);
	return ok;
}

static bool relation(struct parser *p, GByteArray *out)
{
	if (!attribute(p, out))
		return false;
	int token = take_operator(p, RELATION, SET);
	if (token < 0)
		return true; /* an attribute alone: true when it is not zero or empty */
	if (*p->at == '@' ? !attribute(p, out) : !values(p, out, value))
		return false;
	put_token(out, (uint8_t)token);
	return true;
}

static bool any_of(struct parser *p, GByteArray *out, unsigned depth);

static bool term(struct parser *p, GByteArray *out, unsigned depth)
{
	int token;

	skip(p);
	if (depth > NESTING_MAX)
		return ib_wim_sddl_bad(p, "the expression is nested too deeply");
	if (*p->at == '!') {
		p->at++;
		if (!term(p, out, depth + 1))
			return false;
		put_token(out, TOKEN_NOT);
		return true;
	}
	if (*p->at == '(') {
		p->at++;
		if (!any_of(p, out, depth + 1))
			return false;
		if (*p->at != ')')
			return ib_wim_sddl_bad(p, "')' expected");
		p->at++;
		skip(p);
		return true;
	}
	if ((token = take_operator(p, MEMBER, MEMBER)) >= 0) {
		if (!values(p, out, member_sid))
			return false;
	} else if ((token = take_operator(p, EXISTS, EXISTS)) >= 0) {
		if (!attribute(p, out))
			return false;
	} else {
		return relation(p, out);
	}
	put_token(out, (uint8_t)token);
	return true;
}

static bool chain(struct parser *p, GByteArray *out, unsigned depth, const char *word, uint8_t token,
		  bool (*part)(struct parser *p, GByteArray *out, unsigned depth))
{
	if (!part(p, out, depth))
		return false;
	while (strncmp(p->at, word, 2) == 0) {
		p->at += 2;
		if (!part(p, out, depth))
			return false;
		put_token(out, token);
	}
	return true;
}

static bool all_of(struct parser *p, GByteArray *out, unsigned depth)
{
	return chain(p, out, depth, "&&", TOKEN_AND, term);
}

static bool any_of(struct parser *p, GByteArray *out, unsigned depth)
{
	return chain(p, out, depth, "||", TOKEN_OR, all_of);
}

bool ib_wim_sddl_parse_condition(struct parser *p, GByteArray *out)
{
	skip(p);
	if (*p->at != '(')
		return ib_wim_sddl_bad(p, "a condition in parentheses expected");
	p->at++;
	g_byte_array_append(out, (const uint8_t *)"artx", 4);
	if (!any_of(p, out, 0))
		return false;
	if (*p->at != ')')
		return ib_wim_sddl_bad(p, "an operator or ')' expected");
	p->at++;
	return true;
}

/* ---- bytes to text ---- */

static bool malformed(struct ib_error **err, const char *what)
{
	return ib_throw(err, IB_ERR_INPUT, "the security descriptor has a condition that cannot be shown: %s", what);
}

static bool is_keyword(const uint8_t *units, size_t bytes)
{
	for (size_t i = 0; i < G_N_ELEMENTS(operators); i++) {
		size_t n = 0;
		const char *w = operators[i].word;
		while (w[n] && 2 * n < bytes && ib_le16(units + 2 * n) < 128 &&
		       g_ascii_tolower((char)ib_le16(units + 2 * n)) == g_ascii_tolower(w[n]))
			n++;
		if (!w[n] && 2 * n == bytes)
			return true;
	}
	return false;
}

static void show_name(GString *out, const uint8_t *units, size_t bytes)
{
	bool escape = is_keyword(units, bytes) || (bytes > 1 && units[1] == 0 && g_ascii_isdigit(units[0]));

	for (size_t i = 0; i + 1 < bytes; i += 2) {
		uint16_t u = ib_le16(units + i);
		if (u < 128 && is_name_char((char)u) && !(escape && i == 0))
			g_string_append_c(out, (char)u);
		else
			g_string_append_printf(out, "%%%04x", u);
	}
}

void ib_wim_sddl_show_octets(GString *out, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		g_string_append_printf(out, "%02x", data[i]);
}

bool ib_wim_sddl_show_string(GString *out, const uint8_t *units, size_t bytes, struct ib_error **err)
{
	g_autofree char *text = ib_utf16_to_utf8(units, bytes);

	if (!text || strchr(text, '"'))
		return malformed(err, "a text holds a quote or a NUL");
	g_string_append_printf(out, "\"%s\"", text);
	return true;
}

static bool show_integer(GString *out, struct ib_reader *r, struct ib_error **err)
{
	static const char *const signs[] = { "", "+", "-", "" };
	uint64_t v = ib_reader_le64(r);
	uint8_t sign = ib_reader_u8(r), base = ib_reader_u8(r);

	if (r->bad || sign < 1 || sign > 3 || base < 1 || base > 3)
		return malformed(err, "a number does not fit");
	if (sign == 2)
		v = 0 - v;
	else if (v >> 63)
		return malformed(err, "a number has the wrong sign");
	if (v >> 63)
		return malformed(err, "a number is too large");
	g_string_append(out, signs[sign]);
	g_string_append_printf(out, base == 1 ? "0%" PRIo64 : base == 2 ? "%" PRIu64 : "0x%" PRIx64, v);
	return true;
}

static bool show_value(GString *out, uint8_t token, struct ib_reader *r, bool braces, struct ib_error **err);

static bool show_composite(GString *out, const uint8_t *data, size_t len, struct ib_error **err)
{
	struct ib_reader r = ib_reader_over(data, len);
	const char *before = "{";

	if (len == 0)
		return malformed(err, "an empty set");
	for (; r.at < r.size; before = ", ") {
		g_string_append(out, before);
		if (!show_value(out, ib_reader_u8(&r), &r, false, err))
			return false;
	}
	g_string_append_c(out, '}');
	return true;
}

static bool show_counted(GString *out, uint8_t token, const uint8_t *data, size_t len, struct ib_error **err)
{
	struct ib_reader sid = ib_reader_over(data, len);

	switch (token) {
	case TOKEN_STRING:
		return ib_wim_sddl_show_string(out, data, len, err);
	case TOKEN_OCTETS:
		g_string_append_c(out, '#');
		ib_wim_sddl_show_octets(out, data, len);
		return true;
	case TOKEN_COMPOSITE:
		return show_composite(out, data, len, err);
	default:
		g_string_append(out, "SID(");
		if (!ib_wim_sddl_format_sid(out, &sid, err) || sid.at != len)
			return malformed(err, "a SID does not fit");
		g_string_append_c(out, ')');
		return true;
	}
}

static bool show_value(GString *out, uint8_t token, struct ib_reader *r, bool braces, struct ib_error **err)
{
	if (token >= 1 && token <= TOKEN_INT64)
		return show_integer(out, r, err);
	if (token != TOKEN_STRING && token != TOKEN_OCTETS && token != TOKEN_SID && !(token == TOKEN_COMPOSITE && braces))
		return malformed(err, "an unknown token");
	uint32_t len = ib_reader_le32(r);
	const uint8_t *data = ib_reader_take(r, len);
	return data || (len == 0 && !r->bad) ? show_counted(out, token, data, len, err) : malformed(err, "a value does not fit");
}

static bool show_attribute(GString *out, uint8_t token, struct ib_reader *r, struct ib_error **err)
{
	uint32_t len = ib_reader_le32(r);
	const uint8_t *data = ib_reader_take(r, len);

	if (!data || len == 0 || len % 2)
		return malformed(err, "the name of an attribute does not fit");
	for (const struct sddl_word *w = scopes; w->text; w++)
		if (w->value == token)
			g_string_append(out, w->text);
	show_name(out, data, len);
	return true;
}

/* What an operand is decides where it may stand; text that would not be read again is not made. */
enum operand { IS_VALUE, IS_ATTRIBUTE, IS_TERM };

struct operand_text {
	enum operand is;
	bool scoped, sids; /* an attribute with '@'; SIDs only */
	enum { IS_OR, IS_AND, IS_TIGHT } binds;
	GString *text;
};

static void operand_clear(void *p)
{
	g_string_free(((struct operand_text *)p)->text, TRUE);
}

static struct operand_text *top(GArray *stack, unsigned below)
{
	return stack->len > below ? &g_array_index(stack, struct operand_text, stack->len - 1 - below) : NULL;
}

static bool is_condition(const struct operand_text *o)
{
	return o && o->is != IS_VALUE;
}

/* Only parentheses that are needed: so shown text is never nested deeper than what was read. */
static void bracket(struct operand_text *o, unsigned least)
{
	if (o->binds >= least)
		return;
	g_string_prepend_c(o->text, '(');
	g_string_append_c(o->text, ')');
}

static bool combine(GArray *stack, bool and, struct ib_error **err)
{
	struct operand_text *b = top(stack, 0), *a = top(stack, 1);

	if (!is_condition(a) || !is_condition(b) || a->text->len + b->text->len > 4 * ACL_SIZE_MAX)
		return malformed(err, "an operator lacks an operand");
	bracket(a, and ? IS_AND : IS_OR);
	bracket(b, and ? IS_TIGHT : IS_AND); /* of equals the left one is done first */
	g_string_append_printf(a->text, " %s %s", and ? "&&" : "||", b->text->str);
	a->is = IS_TERM;
	a->binds = and ? IS_AND : IS_OR;
	g_array_set_size(stack, stack->len - 1);
	return true;
}

static bool relate(GArray *stack, const char *word, struct ib_error **err)
{
	struct operand_text *b = top(stack, 0), *a = top(stack, 1);

	if (!a || a->is != IS_ATTRIBUTE || b->is == IS_TERM || (b->is == IS_ATTRIBUTE && !b->scoped))
		return malformed(err, "a comparison lacks an operand");
	g_string_append_printf(a->text, " %s %s", word, b->text->str);
	a->is = IS_TERM;
	g_array_set_size(stack, stack->len - 1);
	return true;
}

static bool apply(GArray *stack, uint8_t token, struct ib_error **err)
{
	struct operand_text *o = top(stack, 0);
	size_t i = 0;

	if (token == TOKEN_AND || token == TOKEN_OR)
		return combine(stack, token == TOKEN_AND, err);
	while (i < G_N_ELEMENTS(operators) && operators[i].token != token)
		i++;
	if (token != TOKEN_NOT && i == G_N_ELEMENTS(operators))
		return malformed(err, "an unknown token");
	if (token != TOKEN_NOT && (operators[i].arity == RELATION || operators[i].arity == SET))
		return relate(stack, operators[i].word, err);
	bool fits = o && (token == TOKEN_NOT ? is_condition(o) :
			  operators[i].arity == EXISTS ? o->is == IS_ATTRIBUTE : o->is == IS_VALUE && o->sids);
	if (!fits)
		return malformed(err, "an operator lacks its operand");
	bracket(o, IS_TIGHT);
	g_string_prepend(o->text, token == TOKEN_NOT ? "!" : " ");
	if (token != TOKEN_NOT)
		g_string_prepend(o->text, operators[i].word);
	o->is = IS_TERM;
	o->binds = IS_TIGHT;
	return true;
}

static bool push(GArray *stack, uint8_t token, struct ib_reader *r, struct ib_error **err)
{
	struct operand_text o = { .is = token >= TOKEN_LOCAL ? IS_ATTRIBUTE : IS_VALUE, .scoped = token > TOKEN_LOCAL,
				  .binds = IS_TIGHT, .text = g_string_new(NULL) };

	if (stack->len >= NESTING_MAX) {
		g_string_free(o.text, TRUE);
		return malformed(err, "too many operands wait for an operator");
	}
	g_array_append_val(stack, o);
	struct operand_text *at = top(stack, 0);
	if (o.is == IS_ATTRIBUTE)
		return show_attribute(at->text, token, r, err);
	if (!show_value(at->text, token, r, true, err))
		return false;
	at->sids = g_str_has_prefix(at->text->str, "SID(") || g_str_has_prefix(at->text->str, "{SID(");
	return true;
}

/* Zeros behind the last token fill the entry to four bytes. */
static bool only_padding(const struct ib_reader *r)
{
	size_t at = r->at;

	while (at < r->size && r->data[at] == 0)
		at++;
	return at == r->size && r->size - r->at < 4;
}

bool ib_wim_sddl_format_condition(GString *out, const uint8_t *data, size_t len, struct ib_error **err)
{
	struct ib_reader r = ib_reader_over(data, len);
	GArray *stack = g_array_new(FALSE, FALSE, sizeof(struct operand_text));
	const uint8_t *magic = ib_reader_take(&r, 4);
	bool ok = magic && memcmp(magic, "artx", 4) == 0;

	g_array_set_clear_func(stack, operand_clear);
	if (!ok)
		malformed(err, "it does not begin with 'artx'");
	while (ok && !only_padding(&r)) {
		uint8_t token = ib_reader_u8(&r);
		ok = token >= TOKEN_LOCAL || token < 0x80 ? push(stack, token, &r, err) : apply(stack, token, err);
	}
	if (ok && (stack->len != 1 || !is_condition(top(stack, 0))))
		ok = malformed(err, "operands are left over");
	if (ok)
		g_string_append_printf(out, ";(%s)", top(stack, 0)->text->str);
	g_array_unref(stack);
	return ok;
}
