/* Setup updates: signed cabinets of plain files. */
#include "package/internal.h"

#include <string.h>

#include "archive/archive.h"

/* The update with the file it was judged in: another one that comes under its name later is nobody's business. */
struct setup_update {
	struct ib_setup_update pub;
	struct ib_input *in;
};

static void file_free(gpointer p)
{
	struct ib_setup_file *f = p;

	g_free(f->name);
	g_free(f);
}

void ib_setup_update_free(struct ib_setup_update *u)
{
	if (!u)
		return;
	g_clear_pointer(&u->files, g_ptr_array_unref);
	g_free(u->path);
	g_free(u->signer);
	g_free(u->anchor);
	g_free(u->time);
	ib_input_unref(((struct setup_update *)u)->in);
	g_free(u);
}

static bool is_package_part(const char *name)
{
	return package_has_suffix(name, ".mum") || package_has_suffix(name, ".cab");
}

bool ib_setup_update_probe(const char *path, bool *ret, struct ib_error **err)
{
	struct ib_archive_member m;
	struct ib_archive *a = NULL;
	ib_auto_input in = NULL;
	bool more = true, plain = true;

	if (!ib_input_open(path, &in, err) || !ib_archive_open(in, &a, err))
		return false;
	bool ok = true;
	while (ok && more && plain) {
		ok = ib_archive_next(a, &m, &more, err);
		if (ok && more)
			plain = !is_package_part(m.name);
	}
	ib_archive_free(a);
	if (ok)
		*ret = plain;
	return ok;
}

/* Why Windows has no file of this name, or NULL. */
static const char *path_fault(const char *name)
{
	g_auto(GStrv) parts = g_strsplit(name, "\\", -1);
	const char *fault = NULL;

	for (char **p = parts; *p && !fault; p++)
		fault = ib_name_fault(*p);
	return fault;
}

static bool add_file(struct ib_setup_update *u, GHashTable *names, const struct ib_archive_member *m, struct ib_error **err)
{
	const char *fault = path_fault(m->name);

	if (is_package_part(m->name))
		return ib_throw(err, IB_ERR_INPUT, "it holds '%s': it is a package, not a setup update", m->name);
	if (fault)
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no name of a file in Windows: %s", m->name, fault);
	if (!g_hash_table_add(names, ib_name_fold(m->name)))
		return ib_throw(err, IB_ERR_INPUT, "it holds '%s' twice", m->name);
	if (m->size > IB_SETUP_MAX - u->bytes)
		return ib_throw(err, IB_ERR_INPUT, "its files have more than %" PRIu64 " bytes", IB_SETUP_MAX);
	struct ib_setup_file *f = g_new0(struct ib_setup_file, 1);
	f->name = g_strdelimit(g_strdup(m->name), "\\", '/');
	f->size = m->size;
	u->bytes += m->size;
	g_ptr_array_add(u->files, f);
	return true;
}

static int by_name(gconstpointer a, gconstpointer b)
{
	return ib_name_compare((*(struct ib_setup_file *const *)a)->name, (*(struct ib_setup_file *const *)b)->name);
}

static bool list_files(struct ib_setup_update *u, struct ib_archive *a, struct ib_error **err)
{
	g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct ib_archive_member m;
	bool more = true;

	while (more)
		if (!ib_archive_next(a, &m, &more, err) || (more && !add_file(u, names, &m, err)))
			return false;
	if (!u->files->len)
		return ib_throw(err, IB_ERR_INPUT, "it holds no file");
	g_ptr_array_sort(u->files, by_name);
	return true;
}

static bool judge(struct ib_setup_update *u, struct ib_input *in, const struct ib_anchors *anchors, struct ib_error **err)
{
	ib_auto_signer signer = { 0 };

	if (!anchors)
		return true;
	if (!ib_cabinet_verify(in, anchors, &signer, err))
		return false;
	u->signer = g_strdup(signer.subject);
	u->anchor = g_strdup(signer.anchor);
	u->time = ib_time_text(signer.time);
	return true;
}

bool ib_setup_update_open(const char *path, const struct ib_anchors *anchors, struct ib_setup_update **ret,
			  struct ib_error **err)
{
	struct setup_update *own = g_new0(struct setup_update, 1);
	struct ib_setup_update *u = &own->pub;
	struct ib_archive *a = NULL;

	u->path = g_strdup(path);
	u->files = g_ptr_array_new_with_free_func(file_free);
	bool ok = ib_input_open(path, &own->in, err) && judge(u, own->in, anchors, err) && ib_archive_open(own->in, &a, err) &&
		  list_files(u, a, err);
	ib_archive_free(a);
	if (!ok) {
		ib_setup_update_free(u);
		return ib_while(err, "opening the setup update '%s'", path);
	}
	*ret = u;
	return true;
}

bool ib_setup_update_each(const struct ib_setup_update *u, ib_setup_fn fn, void *data, struct ib_error **err)
{
	struct ib_archive_member m;
	struct ib_archive *a = NULL;
	bool more = true;

	if (!ib_archive_open(((const struct setup_update *)u)->in, &a, err))
		return ib_while(err, "reading the setup update '%s'", u->path);
	bool ok = true;
	while (ok && more) {
		g_autoptr(GBytes) bytes = NULL;
		ok = ib_archive_next(a, &m, &more, err);
		if (!ok || !more)
			break;
		g_autofree char *name = g_strdelimit(g_strdup(m.name), "\\", '/');
		struct ib_setup_file f = { .name = name, .size = m.size };
		ok = ib_archive_bytes(a, IB_SETUP_MAX, &bytes, err) && fn(&f, bytes, data, err);
	}
	ib_archive_free(a);
	return ok || ib_while(err, "reading the setup update '%s'", u->path);
}
