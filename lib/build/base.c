#include "build/internal.h"

#include <string.h>

/* Stage base: the disc, its images, the edition that was asked for. */

struct target *install_target(struct build *b)
{
	return g_ptr_array_index(b->targets, 0);
}

bool base_open_wim(struct build *b, struct wim_file *f, const char *spool, struct ib_wim **ret, struct ib_error **err)
{
	if (!ib_wim_open(f->in, spool, ret, err))
		return ib_while(err, "opening '%s'", f->path);
	ib_wim_set_compressor(*ret, (unsigned)ib_ini_number(b->p, "media", "level", 20), b->o->threads);
	return true;
}

bool base_scratch(struct build *b, struct ib_store **ret, struct ib_error **err)
{
	if (!b->scratch_wim && !base_open_wim(b, &b->install, NULL, &b->scratch_wim, err))
		return false;
	if (!b->scratch &&
	    !ib_store_open(b->scratch_wim, install_target(b)->source_index, b->filetime, &b->scratch, err))
		return ib_while(err, "opening the component store of '%s'", install_target(b)->name);
	*ret = b->scratch;
	return true;
}

void base_scratch_close(struct build *b)
{
	ib_store_free(g_steal_pointer(&b->scratch));
	ib_wim_free(g_steal_pointer(&b->scratch_wim));
}

static bool check_digest(struct build *b, struct ib_error **err)
{
	static const enum ib_digest_algorithm sha256 = IB_DIGEST_SHA256;
	const char *want = ib_ini_text(b->p, "base", "sha256");
	/* Weighs nothing beside the build itself, but can be stopped. */
	struct ib_progress *step = ib_progress_step(b->o->progress, "check the base", 0);
	uint8_t have[1][IB_DIGEST_MAX];

	if (!ib_digest_input(b->base, &sha256, 1, have, step, err))
		return false;
	ib_progress_done(step);
	g_autofree char *hex = ib_hex(have[0], 32);
	if (g_ascii_strcasecmp(hex, want) == 0)
		return true;
	g_autofree char *place = ib_ini_place(b->p, "base", "sha256");
	ib_throw(err, IB_ERR_VERIFY, "'%s' has SHA-256 %s, %s says %s", ib_input_name(b->base), hex, place, want);
	return ib_hint(err, "get the base again, or correct the profile if the base was changed on purpose");
}

static bool find_wim(struct build *b, struct wim_file *f, bool required, struct ib_error **err)
{
	const struct ib_media_entry *e = ib_media_find(b->media, f->path);

	if (!e && !required)
		return true;
	if (!e)
		return ib_throw(err, IB_ERR_INPUT, "'%s' holds no '%s'", ib_input_name(b->base), f->path);
	return ib_media_file(b->media, e, &f->in, err);
}

static char *property_or_empty(struct ib_wim *wim, unsigned index, const char *path)
{
	char *text = ib_wim_image_property(wim, index, path);

	return text ? text : g_strdup("");
}

/* "1 EnterpriseG 'CMGE V2020-L', 2 Enterprise '…'" */
static char *list_editions(struct ib_wim *wim)
{
	GString *s = g_string_new(NULL);

	for (unsigned i = 1; i <= ib_wim_info(wim)->image_count; i++) {
		g_autofree char *id = property_or_empty(wim, i, "WINDOWS/EDITIONID");
		g_autofree char *name = property_or_empty(wim, i, "NAME");
		g_string_append_printf(s, "%s%u %s '%s'", i > 1 ? ", " : "", i, id, name);
	}
	return g_string_free(s, FALSE);
}

static bool edition_matches(struct ib_wim *wim, unsigned index, const char *want)
{
	g_autofree char *number = g_strdup_printf("%u", index);
	g_autofree char *id = property_or_empty(wim, index, "WINDOWS/EDITIONID");
	g_autofree char *name = property_or_empty(wim, index, "NAME");

	return strcmp(want, number) == 0 || ib_name_equal(want, id) || ib_name_equal(want, name);
}

static bool choose_edition(struct build *b, struct ib_wim *wim, unsigned *ret, struct ib_error **err)
{
	const char *want = ib_ini_text(b->p, "base", "edition");
	unsigned found = 0, count = 0;

	for (unsigned i = 1; i <= ib_wim_info(wim)->image_count; i++) {
		if (edition_matches(wim, i, want)) {
			found = i;
			count++;
		}
	}
	*ret = found;
	if (count == 1)
		return true;
	g_autofree char *place = ib_ini_place(b->p, "base", "edition");
	g_autofree char *list = list_editions(wim);
	ib_throw(err, IB_ERR_INPUT, "%s: edition '%s' %s in '%s'", place, want,
		 count ? "means more than one image" : "is not", ib_input_name(b->install.in));
	return ib_hint(err, "it holds: %s", list);
}

struct target *add_target(struct build *b, enum target_role role, struct wim_file *f, struct ib_wim *wim, unsigned index)
{
	struct target *t = g_new0(struct target, 1);

	t->role = role;
	t->file = f;
	t->source_index = index;
	t->name = property_or_empty(wim, index, "NAME");
	t->updates = g_ptr_array_new();
	g_ptr_array_add(b->targets, t);
	return t;
}

static bool plan_install(struct build *b, struct ib_error **err)
{
	struct ib_wim *wim = NULL;
	unsigned index;

	if (!base_open_wim(b, &b->install, NULL, &wim, err))
		return false;
	bool ok = choose_edition(b, wim, &index, err);
	if (ok) {
		struct target *t = add_target(b, TARGET_INSTALL, &b->install, wim, index);
		b->edition = property_or_empty(wim, index, "WINDOWS/EDITIONID");
		b->product_name = property_or_empty(wim, index, "WINDOWS/PRODUCTNAME");
		plan_add(b, "base", 0, "service image %u '%s' of %s, edition %s", index, t->name, b->install.path, b->edition);
		if (!ib_ini_flag(b->p, "media", "keep-editions") && ib_wim_info(wim)->image_count > 1)
			plan_add(b, "base", 0, "leave out the other %u images of %s", ib_wim_info(wim)->image_count - 1,
				 b->install.path);
		ok = recovery_plan(b, wim, index, err);
	}
	ib_wim_free(wim);
	return ok;
}

static bool plan_boot(struct build *b, struct ib_error **err)
{
	struct ib_wim *wim = NULL;

	if (!b->boot.in)
		return true;
	if (!base_open_wim(b, &b->boot, NULL, &wim, err))
		return false;
	for (unsigned i = 1; i <= ib_wim_info(wim)->image_count; i++)
		add_target(b, TARGET_BOOT, &b->boot, wim, i);
	plan_add(b, "base", 0, "service %u images of %s", ib_wim_info(wim)->image_count, b->boot.path);
	ib_wim_free(wim);
	return true;
}

bool base_plan(struct build *b, struct ib_error **err)
{
	const char *path = ib_ini_text(b->p, "base", "image");

	if (!ib_input_open(path, &b->base, err)) {
		g_autofree char *place = ib_ini_place(b->p, "base", "image");
		return ib_while(err, "opening the base image, %s", place);
	}
	if (!check_digest(b, err) || !ib_media_open(b->base, &b->media, err) ||
	    !find_wim(b, &b->install, true, err) || !find_wim(b, &b->boot, false, err))
		return ib_while(err, "opening the base image '%s'", path);
	/* The plan is delivered: it names files, not where they lie on this machine. */
	g_autofree char *name = g_path_get_basename(path);
	plan_add(b, "base", 0, "base '%s', %" PRIu64 " bytes, its SHA-256 is the profile's", name,
		 ib_input_size(b->base));
	return plan_install(b, err) && plan_boot(b, err);
}

/* Drop the images that are not asked for, from the last, so that indices stay valid. */
static bool drop_editions(struct build *b, struct ib_wim *wim, struct ib_error **err)
{
	unsigned keep = install_target(b)->source_index;

	if (ib_ini_flag(b->p, "media", "keep-editions"))
		return true;
	for (unsigned i = ib_wim_info(wim)->image_count; i >= 1; i--)
		if (i != keep && !ib_wim_drop_image(wim, i, err))
			return false;
	return true;
}

bool base_open_install(struct build *b, const char *spool, struct ib_wim **ret, struct ib_error **err)
{
	struct ib_wim *wim;

	if (!base_open_wim(b, &b->install, spool, &wim, err))
		return false;
	if (!drop_editions(b, wim, err)) {
		ib_wim_free(wim);
		return false;
	}
	*ret = wim;
	return true;
}

/* Where a target's image lies in the open WIM. */
static unsigned current_index(struct build *b, const struct target *t)
{
	bool alone = t->role == TARGET_INSTALL && !ib_ini_flag(b->p, "media", "keep-editions");

	return alone ? 1 : t->source_index;
}

bool base_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	if (!base_open_install(b, b->work_dir, &b->install.wim, err))
		return false;
	if ((b->winre.in && !base_open_wim(b, &b->winre, b->work_dir, &b->winre.wim, err)) ||
	    (b->boot.in && !base_open_wim(b, &b->boot, b->work_dir, &b->boot.wim, err)))
		return false;
	for (guint i = 0; i < b->targets->len; i++) {
		struct target *t = g_ptr_array_index(b->targets, i);
		if (!ib_store_open(t->file->wim, current_index(b, t), b->filetime, &t->store, err))
			return ib_while(err, "opening the component store of '%s'", t->name);
		ib_store_set_stock(t->store, b->stock);
	}
	return ib_progress_add(progress, 0, err);
}
