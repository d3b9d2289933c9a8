#include "base/base.h"

#include <string.h>

struct ib_error {
	enum ib_code code;
	int errnum;
	char *cause;
	char *hint;
	GPtrArray *steps; /* innermost first */
	bool is_static;
};

static struct ib_error out_of_memory = {
	.code = IB_ERR_SYSTEM,
	.cause = (char *)"out of memory",
	.hint = (char *)"close other programs, or lower -j",
	.is_static = true,
};

/* Most bytes of one text: what is longer was made long by its input, and its beginning says what is wrong. */
#define TEXT_MAX 800

/* What would move the cursor, hide or turn text around in a terminal: controls and directions. */
static bool is_unseen(gunichar c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

/*
 * A text that may quote a stranger's: one line, of bounded length, nothing in it that a terminal obeys.
 * raw: taken; result: owned by the caller (g_free)
 */
static char *tidy(char *raw)
{
	g_autofree char *text = raw;
	size_t len = strlen(text);
	g_autofree char *valid = g_utf8_make_valid(text, (gssize)MIN(len, TEXT_MAX));
	GString *s = g_string_sized_new(MIN(len, TEXT_MAX) + 32);

	for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		if (is_unseen(c))
			g_string_append_printf(s, "\\u%04x", c);
		else
			g_string_append_unichar(s, c);
	}
	if (len > TEXT_MAX)
		g_string_append_printf(s, "… (%zu bytes more)", len - TEXT_MAX);
	return g_string_free(s, FALSE);
}

static void throw_text(struct ib_error **err, enum ib_code code, int errnum, char *cause)
{
	g_return_if_fail(err != NULL);
	/* A second throw would hide the first: keep the first, it is the cause. */
	if (*err) {
		g_free(cause);
		return;
	}
	struct ib_error *e = g_new0(struct ib_error, 1);
	e->code = code;
	e->errnum = errnum;
	e->cause = tidy(cause);
	e->steps = g_ptr_array_new_with_free_func(g_free);
	*err = e;
}

bool ib_throw(struct ib_error **err, enum ib_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	throw_text(err, code, 0, g_strdup_vprintf(fmt, ap));
	va_end(ap);
	return false;
}

bool ib_throw_errno(struct ib_error **err, enum ib_code code, int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	if (errnum) {
		char *full = g_strdup_printf("%s: %s", text, g_strerror(errnum));
		g_free(text);
		text = full;
	}
	throw_text(err, code, errnum, text);
	return false;
}

bool ib_throw_memory(struct ib_error **err)
{
	if (!*err)
		*err = &out_of_memory;
	return false;
}

bool ib_while(struct ib_error **err, const char *fmt, ...)
{
	if (!*err || (*err)->is_static)
		return false;
	va_list ap;
	va_start(ap, fmt);
	g_ptr_array_add((*err)->steps, tidy(g_strdup_vprintf(fmt, ap)));
	va_end(ap);
	return false;
}

bool ib_hint(struct ib_error **err, const char *fmt, ...)
{
	if (!*err || (*err)->is_static)
		return false;
	va_list ap;
	va_start(ap, fmt);
	g_free((*err)->hint);
	(*err)->hint = tidy(g_strdup_vprintf(fmt, ap));
	va_end(ap);
	return false;
}

enum ib_code ib_error_code(const struct ib_error *e)
{
	return e->code;
}

const char *ib_error_cause(const struct ib_error *e)
{
	return e->cause;
}

const char *ib_error_hint(const struct ib_error *e)
{
	return e->hint;
}

size_t ib_error_steps(const struct ib_error *e)
{
	return e->steps ? e->steps->len : 0;
}

const char *ib_error_step(const struct ib_error *e, size_t i)
{
	size_t n = ib_error_steps(e);

	return i < n ? g_ptr_array_index(e->steps, n - 1 - i) : NULL;
}

int ib_error_errno(const struct ib_error *e)
{
	return e->errnum;
}

void ib_error_clear(struct ib_error **err)
{
	struct ib_error *e = *err;

	*err = NULL;
	if (!e || e->is_static)
		return;
	g_free(e->cause);
	g_free(e->hint);
	g_ptr_array_unref(e->steps);
	g_free(e);
}

char *ib_error_format(const struct ib_error *e, const char *program)
{
	size_t n = ib_error_steps(e);
	GString *s = g_string_new(NULL);

	if (n == 0) {
		g_string_append_printf(s, "%s: error: %s\n", program, e->cause);
	} else {
		g_string_append_printf(s, "%s: error: failed while %s\n", program, ib_error_step(e, 0));
		for (size_t i = 1; i < n; i++)
			g_string_append_printf(s, "  while %s\n", ib_error_step(e, i));
		g_string_append_printf(s, "  cause: %s\n", e->cause);
	}
	if (e->hint)
		g_string_append_printf(s, "  hint: %s\n", e->hint);
	return g_string_free(s, FALSE);
}
