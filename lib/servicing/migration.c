/*
 * WinSxS\\migration.xml: the list of manifests with rules for an in-place upgrade, one `file` element each. Known are
 * these elements, not all around them: entries are put behind the last one, written as that one is.
 */
#include "servicing/internal.h"

#include <string.h>

#define LIST_PATH DIR_WINSXS "\\migration.xml"
#define LIST_LIMIT (16u << 20) /* a real list has some hundred entries */
#define OPEN "<file>"
#define CLOSE "</file>"
#define SUFFIX ".manifest"

/* Blanks before a place, back to what is none. */
static const char *before_blanks(const char *text, const char *at)
{
	while (at > text && g_ascii_isspace(at[-1]))
		at--;
	return at;
}

/* The entry with this name in any case: where its element begins; NULL when there is none. */
static const char *find_entry(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = text; (p = strstr(p, OPEN)); p += strlen(OPEN)) {
		const char *have = p + strlen(OPEN);
		if (!g_ascii_strncasecmp(have, name, len) && g_str_has_prefix(have + len, CLOSE))
			return p;
	}
	return NULL;
}

char *ib_svc_migration_edit(const char *text, const char *keyform, bool on)
{
	const char *last = g_strrstr(text, OPEN);
	const char *close = last ? strstr(last, CLOSE) : NULL;

	if (!close || close == last + strlen(OPEN))
		return NULL;
	bool suffixed = close - last > (ptrdiff_t)strlen(OPEN SUFFIX) &&
			!g_ascii_strncasecmp(close - strlen(SUFFIX), SUFFIX, strlen(SUFFIX));
	g_autofree char *name = g_strconcat(keyform, suffixed ? SUFFIX : "", NULL);
	const char *entry = find_entry(text, name), *blanks;
	if (on == (entry != NULL))
		return g_strdup(text);
	if (!on) {
		blanks = before_blanks(text, entry);
		const char *rest = strstr(entry, CLOSE) + strlen(CLOSE);
		return g_strdup_printf("%.*s%s", (int)(blanks - text), text, rest);
	}
	blanks = before_blanks(text, last);
	close += strlen(CLOSE);
	return g_strdup_printf("%.*s%.*s" OPEN "%s" CLOSE "%s", (int)(close - text), text, (int)(last - blanks), blanks, name,
			       close);
}

static bool put(struct ib_store *s, struct ib_node *node, const char *text, struct ib_error **err)
{
	uint8_t hash[IB_WIM_HASH_SIZE];

	return ib_wim_add_bytes(s->wim, text, strlen(text), hash, err) &&
	       ib_image_set_content(s->image, node, hash, s->time, err);
}

bool ib_svc_migration_list(struct ib_store *s, const char *keyform, bool on, bool *ret_changed, struct ib_error **err)
{
	struct ib_node *node = ib_image_find(s->image, LIST_PATH);
	g_autoptr(GBytes) bytes = NULL;
	g_autofree char *now = NULL;
	g_autofree char *text = NULL;
	size_t len;

	*ret_changed = false;
	if (node && !ib_image_read(s->image, LIST_PATH, LIST_LIMIT, &bytes, err))
		return ib_while(err, "reading the list of migration rules");
	const char *data = bytes ? g_bytes_get_data(bytes, &len) : NULL;
	if (data && g_utf8_validate(data, (gssize)len, NULL)) { /* no NUL in it either */
		text = g_strndup(data, len);
		now = ib_svc_migration_edit(text, keyform, on);
	}
	if (!now) {
		if (on)
			ib_svc_note(s, "migration", keyform, "its migration rules are not listed in migration.xml, %s",
				    node ? "whose form is another one than is known" : "which the image does not have");
		return true;
	}
	*ret_changed = strcmp(text, now) != 0;
	return !*ret_changed || put(s, node, now, err);
}
