/* .reg text, REGEDIT4 and 5.00, into a hive. */
#include "registry/internal.h"

/* Several times what SOFTWARE exports to; the text is held in memory twice. */
#define TEXT_MAX (512u << 20)

struct import {
	struct ib_hive *hive;
	const char *name; /* of the file, for messages */
	char *root;       /* written out in full */
	const char *p;
	unsigned line;
	bool ansi;
	bool wow64; /* a 32-bit program's view */          /* REGEDIT4: text data in hex is in bytes, not in units */
	bool in_key;        /* a key line came before */
	struct ib_key *key; /* where values go; NULL: the key is not of this hive, or was deleted */
	unsigned other;
	struct ib_error **err;
};

static bool IB_PRINTF(2, 3) refuse(struct import *im, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_autofree char *what = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	return ib_throw(im->err, IB_ERR_INPUT, "'%s':%u: %s", im->name, im->line, what);
}

/* ---- reading ---- */

static void skip_blanks(struct import *im)
{
	while (*im->p == ' ' || *im->p == '\t')
		im->p++;
}

static bool at_line_end(const struct import *im)
{
	return *im->p == 0 || *im->p == '\n' || (*im->p == '\r' && im->p[1] == '\n');
}

static void next_line(struct import *im)
{
	while (*im->p && *im->p != '\n')
		im->p++;
	if (*im->p) {
		im->p++;
		im->line++;
	}
}

/* What stands at this place, for messages: at most 20 bytes of the line. */
static const char *excerpt(const struct import *im, char out[24])
{
	const char *end = im->p;

	while ((uint8_t)*end >= 0x20 && g_utf8_next_char(end) - im->p <= 20)
		end = g_utf8_next_char(end);
	memcpy(out, im->p, (size_t)(end - im->p));
	out[end - im->p] = 0;
	return out;
}

/* Only blanks and a comment may follow. */
static bool end_line(struct import *im)
{
	char at[24];

	skip_blanks(im);
	if (!at_line_end(im) && *im->p != ';')
		return refuse(im, "'%s' is left over at the end of the line", excerpt(im, at));
	next_line(im);
	return true;
}

/* A quoted string; line breaks inside belong to it, as regedit writes them. */
static bool read_quoted(struct import *im, GString *out)
{
	unsigned first = im->line;

	g_string_truncate(out, 0);
	for (im->p++; *im->p != '"'; im->p++) {
		if (*im->p == 0) {
			im->line = first; /* where to look for it */
			return refuse(im, "a string has no closing quote");
		}
		if (*im->p == '\\') {
			im->p++;
			if (*im->p != '\\' && *im->p != '"')
				return refuse(im, "a '\\' in a string stands before neither '\\' nor '\"'");
		}
		if (*im->p == '\n')
			im->line++;
		g_string_append_c(out, *im->p);
	}
	im->p++;
	return true;
}

/* A '\' at the end of a line: the list goes on in the next one. */
static bool skip_continuation(struct import *im)
{
	skip_blanks(im);
	while (*im->p == '\\') {
		im->p++;
		skip_blanks(im);
		if (!at_line_end(im))
			return refuse(im, "a '\\' in a list of bytes stands before the end of the line");
		next_line(im);
		skip_blanks(im);
	}
	return true;
}

static bool read_bytes(struct import *im, GByteArray *out)
{
	char at[24];

	for (;;) {
		if (!skip_continuation(im))
			return false;
		if (at_line_end(im) || *im->p == ';')
			return true;
		int high = g_ascii_xdigit_value(*im->p), low = high < 0 ? -1 : g_ascii_xdigit_value(im->p[1]);
		if (high < 0)
			return refuse(im, "'%s' is no hex byte", excerpt(im, at));
		uint8_t byte = (uint8_t)(low < 0 ? high : high << 4 | low);
		im->p += low < 0 ? 1 : 2;
		g_byte_array_append(out, &byte, 1);
		if (!skip_continuation(im))
			return false;
		if (*im->p == ',')
			im->p++;
		else if (!at_line_end(im) && *im->p != ';')
			return refuse(im, "'%s' follows a hex byte, ',' is expected", excerpt(im, at));
	}
}

/* Up to 8 hex digits. */
static bool read_hex_number(struct import *im, uint32_t *ret)
{
	uint32_t v = 0;
	unsigned n = 0;
	char at[24];

	for (; g_ascii_isxdigit(*im->p); im->p++, n++) {
		if (n == 8)
			return refuse(im, "a hex number has more than 8 digits");
		v = v << 4 | (uint32_t)g_ascii_xdigit_value(*im->p);
	}
	if (n == 0)
		return refuse(im, "'%s' is no hex number", excerpt(im, at));
	*ret = v;
	return true;
}

/* ---- values ---- */

static bool set_text(struct import *im, const char *name)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (!read_quoted(im, text))
		return false;
	return !im->key || ib_key_set_text(im->hive, im->key, name, IB_REG_SZ, text->str, im->err);
}

static bool set_dword(struct import *im, const char *name)
{
	uint32_t number;

	im->p += strlen("dword:");
	skip_blanks(im);
	if (!read_hex_number(im, &number))
		return false;
	return !im->key || ib_key_set_dword(im->hive, im->key, name, number, im->err);
}

/* REGEDIT4 writes text data as bytes of a code page it does not name. */
static bool widen(struct import *im, GByteArray *bytes)
{
	guint n = bytes->len;

	g_byte_array_set_size(bytes, n * 2);
	for (guint i = n; i > 0; i--) {
		uint8_t c = bytes->data[i - 1];
		if (c >= 0x80)
			return refuse(im, "the byte 0x%02x of a REGEDIT4 text belongs to an unknown code page", c);
		ib_put_le16(bytes->data + 2 * (size_t)(i - 1), c);
	}
	return true;
}

static bool set_hex(struct import *im, const char *name)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	uint32_t type = IB_REG_BINARY;

	im->p += strlen("hex");
	if (*im->p == '(') {
		im->p++;
		if (!read_hex_number(im, &type))
			return false;
		if (*im->p++ != ')')
			return refuse(im, "'hex(' has no ')'");
	}
	if (*im->p != ':')
		return refuse(im, "':' is expected behind 'hex'");
	im->p++;
	if (!read_bytes(im, bytes))
		return false;
	bool text = type == IB_REG_SZ || type == IB_REG_EXPAND_SZ || type == IB_REG_MULTI_SZ || type == IB_REG_LINK;
	if (im->ansi && text && !widen(im, bytes))
		return false;
	return !im->key || ib_key_set(im->hive, im->key, name, type, bytes->data, bytes->len, im->err);
}

static bool read_value(struct import *im)
{
	g_autoptr(GString) name = g_string_new(NULL);
	char at[24];

	if (!im->in_key)
		return refuse(im, "a value stands before the first key");
	if (*im->p == '@')
		im->p++;
	else if (!read_quoted(im, name))
		return false;
	skip_blanks(im);
	if (*im->p != '=')
		return refuse(im, "'=' is expected behind a value's name");
	im->p++;
	skip_blanks(im);
	bool ok;
	if (*im->p == '"') {
		ok = set_text(im, name->str);
	} else if (*im->p == '-') {
		im->p++;
		ok = true;
		if (im->key)
			ib_key_unset(im->hive, im->key, name->str);
	} else if (g_ascii_strncasecmp(im->p, "dword:", 6) == 0) {
		ok = set_dword(im, name->str);
	} else if (g_ascii_strncasecmp(im->p, "hex", 3) == 0) {
		ok = set_hex(im, name->str);
	} else {
		ok = refuse(im, "the value '%s' has an unknown form '%s'", name->str, excerpt(im, at));
	}
	return ok && end_line(im);
}

/* ---- keys ---- */

/* CurrentControlSet exists only while Windows runs: offline it is the set that Select\Default names. */
static bool resolve_control_set(struct import *im, char **path)
{
	if (g_ascii_strcasecmp(im->root, "HKEY_LOCAL_MACHINE\\SYSTEM") != 0)
		return true;
	g_autofree char *first = ib_reg_control_set_path(*path, 0);
	if (strcmp(first, *path) == 0)
		return true;
	unsigned set = ib_hive_control_set(im->hive);
	if (set == 0)
		return refuse(im, "the hive has no usable 'Select\\Default', so CurrentControlSet cannot be found");
	char *full = ib_reg_control_set_path(*path, set);
	g_free(*path);
	*path = full;
	return true;
}

/* Keys that 32-bit programs have of their own. */
static void redirect(struct import *im, char **path)
{
	if (!im->wow64 || g_ascii_strcasecmp(im->root, "HKEY_LOCAL_MACHINE\\SOFTWARE") != 0)
		return;
	char *there = ib_reg_wow64_path(*path);
	g_free(*path);
	*path = there;
}

/* The path inside the hive; NULL in *ret when the key is not of this hive. */
static bool locate(struct import *im, const char *text, char **ret)
{
	g_autofree char *full = ib_reg_full_path(text);
	size_t n = strlen(im->root);

	*ret = NULL;
	if (g_ascii_strncasecmp(full, im->root, n) != 0 || (full[n] != 0 && full[n] != '\\'))
		return true;
	*ret = g_strdup(full[n] ? full + n + 1 : "");
	redirect(im, ret);
	if (resolve_control_set(im, ret))
		return true;
	g_clear_pointer(ret, g_free);
	return false;
}

static bool apply_key(struct import *im, const char *path, bool delete)
{
	if (!delete)
		return ib_key_make(im->hive, im->hive->root, path, &im->key, im->err) ||
		       ib_while(im->err, "applying '%s':%u", im->name, im->line);
	struct ib_key *k = ib_key_find(im->hive->root, path);
	return !k || ib_key_remove(im->hive, k, im->err) ||
	       ib_while(im->err, "applying '%s':%u", im->name, im->line);
}

/* The ']' that ends a key line: names may hold others, but only a comment or nothing follows this one. */
static const char *key_end(const char *p)
{
	for (; *p && *p != '\n'; p++) {
		if (*p != ']')
			continue;
		const char *q = p + 1 + strspn(p + 1, " \t\r");
		if (*q == 0 || *q == '\n' || *q == ';')
			return p;
	}
	return NULL;
}

static bool read_key(struct import *im)
{
	const char *start = im->p + 1, *end = key_end(start);
	g_autofree char *path = NULL;

	if (!end || end == start)
		return refuse(im, "a key line has no key, or no ']' at its end");
	bool delete = *start == '-';
	g_autofree char *text = g_strndup(start + delete, (gsize)(end - start) - delete);
	if (!locate(im, text, &path))
		return false;
	im->in_key = true;
	im->key = NULL;
	if (!path)
		im->other++;
	else if (!apply_key(im, path, delete))
		return false;
	im->p = end + 1;
	return end_line(im);
}

/* ---- the whole ---- */

static bool read_header(struct import *im)
{
	static const char v5[] = "Windows Registry Editor Version 5.00", v4[] = "REGEDIT4";

	while (*im->p == '\n' || *im->p == '\r')
		next_line(im);
	if (strncmp(im->p, v5, sizeof(v5) - 1) == 0)
		im->p += sizeof(v5) - 1;
	else if (strncmp(im->p, v4, sizeof(v4) - 1) == 0) {
		im->p += sizeof(v4) - 1;
		im->ansi = true;
	} else {
		return refuse(im, "neither '%s' nor '%s' stands in the first line", v5, v4);
	}
	return end_line(im);
}

static bool read_all(struct import *im)
{
	char at[24];

	if (!read_header(im))
		return false;
	while (*im->p) {
		skip_blanks(im);
		bool ok = true;
		if (at_line_end(im) || *im->p == ';')
			next_line(im);
		else if (*im->p == '[')
			ok = read_key(im);
		else if (*im->p == '@' || *im->p == '"')
			ok = read_value(im);
		else
			ok = refuse(im, "'%s' begins neither a key nor a value", excerpt(im, at));
		if (!ok)
			return false;
	}
	return true;
}

/* The file as UTF-8; owned by the caller. */
static char *decode(const char *text, size_t len, const char *name, struct ib_error **err)
{
	char *utf8 = NULL;

	if (len > TEXT_MAX) {
		ib_throw(err, IB_ERR_INPUT, "'%s' has %zu bytes, at most %u are accepted", name, len, TEXT_MAX);
		return NULL;
	}
	if (len >= 2 && memcmp(text, "\xff\xfe", 2) == 0) {
		utf8 = ib_utf16_to_utf8(text + 2, len - 2);
	} else {
		size_t bom = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
		if (g_utf8_validate(text + bom, (gssize)(len - bom), NULL))
			utf8 = g_strndup(text + bom, len - bom);
	}
	if (!utf8 && !ib_throw(err, IB_ERR_INPUT, "'%s' is neither UTF-16LE nor UTF-8 text", name))
		ib_hint(err, "save it with regedit as version 5.00, or convert it to UTF-8");
	return utf8;
}

static bool import_text(struct import *im, const char *root, const char *text, size_t len, unsigned *ret_other)
{
	g_autofree char *full = ib_reg_full_path(root);
	g_autofree char *utf8 = decode(text, len, im->name, im->err);

	im->root = full;
	im->p = utf8;
	im->line = 1;
	if (!utf8 || !read_all(im))
		return false;
	if (ret_other)
		*ret_other = im->other;
	return true;
}

bool ib_hive_import(struct ib_hive *h, const char *root, const char *text, size_t len, const char *name,
		    unsigned *ret_other, struct ib_error **err)
{
	struct import im = { .hive = h, .name = name, .err = err };

	return import_text(&im, root, text, len, ret_other);
}

bool ib_hive_import_32(struct ib_hive *h, const char *root, const char *text, size_t len, const char *name,
		       unsigned *ret_other, struct ib_error **err)
{
	struct import im = { .hive = h, .name = name, .err = err, .wow64 = true };

	return import_text(&im, root, text, len, ret_other);
}
