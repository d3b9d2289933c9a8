/* Capabilities: what features on demand are called, and finding one in a folder of cabinets. */
#include "package/internal.h"

#include <string.h>

#include "archive/archive.h"

#define VERSION_PARTS 4

/* "1.0" is 0.0.1.0: parts that are left out are the first ones. NULL stays NULL; g_free. */
static char *full_version(const char *version)
{
	if (!version || !*version)
		return NULL;
	GString *out = g_string_new(version);
	unsigned parts = 1;

	for (const char *p = version; (p = strchr(p, '.')); p++)
		parts++;
	for (; parts < VERSION_PARTS; parts++)
		g_string_prepend(out, "0.");
	return g_string_free(out, FALSE);
}

char *ib_capability_text(const char *name, const char *language, const char *version)
{
	g_autofree char *full = full_version(version);

	return g_strdup_printf("%s~~~%s~%s", name, language ? language : "", full ? full : "");
}

static bool is_version(const char *text)
{
	struct ib_version v;

	return ib_version_parse(text, &v);
}

bool ib_capability_name_parse(const char *text, struct ib_capability_name *ret, struct ib_error **err)
{
	g_auto(GStrv) parts = g_strsplit(text, "~", 6);
	guint n = g_strv_length(parts);
	/* Key token and architecture have their places, and are never given. */
	bool fits = n == 1 || (n == 5 && !*parts[1] && !*parts[2]);

	if (!fits || !*parts[0] || (n == 5 && *parts[4] && !is_version(parts[4]))) {
		ib_throw(err, IB_ERR_INPUT, "'%.80s' is no name of a capability", text);
		return ib_hint(err, "it is called 'OpenSSH.Server', or as DISM lists it, 'OpenSSH.Server~~~~0.0.1.0'");
	}
	*ret = (struct ib_capability_name){ .name = g_strdup(parts[0]) };
	if (n == 5) {
		ret->language = g_strdup(parts[3]);
		ret->version = full_version(parts[4]);
	}
	return true;
}

void ib_capability_name_clear(struct ib_capability_name *n)
{
	g_clear_pointer(&n->name, g_free);
	g_clear_pointer(&n->language, g_free);
	g_clear_pointer(&n->version, g_free);
}

bool ib_capability_name_fits(const struct ib_capability_name *n, const char *name, const char *version)
{
	g_autofree char *full = full_version(version), *want = full_version(n->version);
	struct ib_version a, b;

	if (!name || g_ascii_strcasecmp(n->name, name))
		return false;
	return !want || (full && ib_version_parse(want, &a) && ib_version_parse(full, &b) &&
			 ib_version_compare(&a, &b) == 0);
}

/* ---- looking into cabinets ---- */

static bool read_member(struct ib_cabinet *c, const struct ib_cabinet_file *f, GBytes **ret, struct ib_error **err)
{
	struct ib_archive *a = NULL;
	struct ib_archive_member m;
	bool more = true, ok = ib_cabinet_read(c, f->folder, &a, err), found = false;

	while (ok && more && !found) {
		ok = ib_archive_next(a, &m, &more, err);
		found = ok && more && strcmp(m.name, f->name) == 0;
	}
	if (ok && !found)
		ok = ib_throw(err, IB_ERR_INPUT, "its '%s' is not where its table says", f->name);
	ok = ok && ib_archive_bytes(a, MUM_MAX, ret, err);
	ib_archive_free(a);
	return ok;
}

bool ib_mum_of_cabinet(const char *path, struct ib_mum **ret, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	struct ib_cabinet *c = NULL;
	ib_auto_input in = NULL;
	bool ok = ib_input_open(path, &in, err) && ib_cabinet_open(in, &c, err);
	const struct ib_cabinet_file *root = NULL;

	*ret = NULL;
	for (size_t i = 0; ok && !root && i < ib_cabinet_count(c); i++) {
		const struct ib_cabinet_file *f = ib_cabinet_file(c, i);
		root = g_ascii_strcasecmp(f->name, "update.mum") == 0 ? f : NULL;
	}
	if (ok && root)
		ok = read_member(c, root, &bytes, err) && ib_mum_parse(bytes, "update.mum", ret, err);
	ib_cabinet_free(c);
	return ok || ib_while(err, "looking at '%s'", path);
}
