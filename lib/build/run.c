#include "build/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

static const struct stage stages[] = {
	{ "base", "open the base image and choose the edition", base_plan, base_apply },
	{ "updates", "install packages in their order", updates_plan, updates_apply },
	{ "remove", "take components out", remove_plan, remove_apply },
	{ "features", "switch optional features", features_plan, features_apply },
	{ "cleanup", "drop from the store what is superseded", cleanup_plan, cleanup_apply },
	{ "apps", "take provisioned apps out", apps_plan, apps_apply },
	{ "drivers", "add driver packages", drivers_plan, drivers_apply },
	{ "registry", "import registry files", registry_plan, registry_apply },
	{ "files", "put files", files_plan, files_apply },
	{ "unattend", "put the answer file and commands of the profile", unattend_plan, unattend_apply },
	{ "values", "write the image's own values", values_plan, values_apply },
	{ "store", "verify the component store in memory", NULL, store_apply },
	{ "recovery", "put winre.wim back into its image", NULL, recovery_apply },
	{ "setup", "refresh Setup and the boot programs", setup_plan, setup_apply },
	{ "media", "write the ISO with its images in place", media_plan, media_apply },
	{ "verify", "read the written ISO back", NULL, written_apply },
	{ "metadata", "generate the upgrade documents", metadata_plan, metadata_apply },
	{ "report", "write the papers", NULL, report_apply },
	{ "sign", "list and sign the digests", sign_plan, sign_apply },
	{ "approvals", "look who must approve", approvals_plan, NULL },
	{ "publish", "look where it goes", publish_plan, NULL },
	{ NULL },
};

/* ---- the plan's lines ---- */

static void item_free(void *p)
{
	struct ib_plan_item *i = p;

	g_free(i->text);
	g_free(i);
}

static struct ib_plan *plan_new(void)
{
	struct ib_plan *plan = g_new0(struct ib_plan, 1);

	plan->items = g_ptr_array_new_with_free_func(item_free);
	plan->warnings = g_ptr_array_new_with_free_func(g_free);
	plan->missing = g_ptr_array_new_with_free_func(g_free);
	return plan;
}

void ib_plan_free(struct ib_plan *plan)
{
	if (!plan)
		return;
	g_free(plan->name);
	g_free(plan->out_dir);
	g_ptr_array_unref(plan->items);
	g_ptr_array_unref(plan->warnings);
	g_ptr_array_unref(plan->missing);
	g_free(plan->json);
	g_free(plan);
}

void plan_add(struct build *b, const char *stage, uint64_t weight_bytes, const char *fmt, ...)
{
	struct ib_plan_item *item = g_new0(struct ib_plan_item, 1);
	va_list ap;

	va_start(ap, fmt);
	item->text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	item->stage = stage;
	item->weight_bytes = weight_bytes;
	g_ptr_array_add(b->plan->items, item);
}

void plan_warn(struct build *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	for (guint i = 0; i < b->plan->warnings->len; i++) {
		if (strcmp(g_ptr_array_index(b->plan->warnings, i), text) == 0) {
			g_free(text);
			return;
		}
	}
	g_ptr_array_add(b->plan->warnings, text);
}

/* ---- the run ---- */

static void target_free(void *p)
{
	struct target *t = p;

	ib_store_free(t->store);
	g_ptr_array_unref(t->updates);
	g_free(t->name);
	g_free(t);
}

static void wim_file_clear(struct wim_file *f)
{
	ib_wim_free(f->wim);
	ib_input_unref(f->in);
}

static void report_item_free(void *p)
{
	struct ib_report_item *i = p;

	g_free((char *)i->name);
	g_free((char *)i->detail);
	g_free((char *)i->reason);
	g_free(i);
}

/* What the profile asks for and this version does not carry out is said, not passed over. */
static bool refuse_or_warn_unsupported(struct build *b, struct ib_error **err)
{
	static const char *const formats[] = { "docx", "pdf", NULL };

	for (const char *const *f = formats; *f; f++) {
		if (!ib_ini_has(b->p, "report", "formats", *f))
			continue;
		g_autofree char *place = ib_ini_place(b->p, "report", "formats");
		ib_throw(err, IB_ERR_INPUT, "%s: papers in format '%s' are not made by this version", place, *f);
		return ib_hint(err, "set [report] formats = html");
	}
	if (ib_ini_is_set(b->p, "report", "compare"))
		plan_warn(b, "[report] compare: baselines are not compared by this version");
	return true;
}

static bool check_min_version(const struct ib_ini *p, struct ib_error **err)
{
	const char *least = ib_ini_text(p, "profile", "min-version");
	struct ib_version want, have;

	if (!least)
		return true;
	if (!ib_version_parse(least, &want) || !ib_version_parse(IB_VERSION, &have))
		return ib_throw(err, IB_ERR_INPUT, "[profile] min-version '%s' is no version", least);
	if (ib_version_compare(&want, &have) <= 0)
		return true;
	return ib_throw(err, IB_ERR_INPUT, "the profile needs imgbuild %s or later, this is %s", least, IB_VERSION);
}

/* A link to a folder keeps leading there: the workspace lies beside the folder itself, on its disk. */
static void follow(char **path)
{
	char *real = realpath(*path, NULL);

	if (!real)
		return;
	g_free(*path);
	*path = g_strdup(real);
	free(real);
}

static void set_folders(struct build *b)
{
	g_autofree char *given = b->o->out_dir ? g_strdup(b->o->out_dir) : g_build_filename("out", b->label, NULL);
	g_autofree char *parent = NULL, *name = NULL, *hidden = NULL;

	b->final_dir = g_canonicalize_filename(given, NULL);
	if (g_file_test(b->final_dir, G_FILE_TEST_IS_SYMLINK))
		follow(&b->final_dir);
	parent = g_path_get_dirname(b->final_dir);
	name = g_path_get_basename(b->final_dir);
	hidden = g_strconcat(".work-", name, NULL);
	b->work_dir = g_build_filename(parent, hidden, NULL);
	g_autofree char *iso = g_strconcat(b->label, ".iso", NULL);
	b->iso_path = g_build_filename(b->work_dir, iso, NULL);
}

static void build_free(struct build *b);

static struct build *build_new(const struct ib_build_options *o, struct ib_error **err)
{
	struct build *b = g_new0(struct build, 1);

	b->o = o;
	b->plan = plan_new();
	b->install.path = "sources/install.wim";
	b->winre.path = "winre.wim";
	b->boot.path = "sources/boot.wim";
	b->targets = g_ptr_array_new_with_free_func(target_free);
	b->updates = g_ptr_array_new_with_free_func((GDestroyNotify)build_update_free);
	b->removals = g_ptr_array_new_with_free_func((GDestroyNotify)removal_free);
	b->uninstalls = g_ptr_array_new_with_free_func((GDestroyNotify)uninstalled_free);
	b->drivers = g_ptr_array_new_with_free_func(driver_item_free);
	b->apps = g_ptr_array_new_with_free_func(app_item_free);
	b->added = g_ptr_array_new_with_free_func(added_item_free);
	b->step = g_ptr_array_new_with_free_func(g_free);
	b->setups = g_ptr_array_new_with_free_func((GDestroyNotify)ib_setup_update_free);
	b->media_files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, media_file_free);
	b->notes = g_ptr_array_new_with_free_func(report_item_free);
	b->times = g_array_new(FALSE, FALSE, sizeof(struct stage_time));
	b->verify = json_object_new();
	struct ib_ini_options io = { .sets = o->sets, .vars_file = o->vars_file, .warn_unused = true };
	if (!ib_ini_load(o->profile, ib_profile_keys, &io, &b->p, err) || !check_min_version(b->p, err)) {
		build_free(b);
		return NULL;
	}
	b->label = g_strdup(ib_ini_text(b->p, "media", "label"));
	ib_date_parse(ib_ini_text(b->p, "profile", "date"), &b->epoch);
	b->filetime = ib_filetime(b->epoch);
	set_folders(b);
	b->plan->name = g_strdup(ib_ini_text(b->p, "profile", "name"));
	b->plan->out_dir = g_strdup(b->final_dir);
	return b;
}

static void build_free(struct build *b)
{
	if (!b)
		return;
	base_scratch_close(b);
	g_ptr_array_unref(b->targets);
	wim_file_clear(&b->install);
	wim_file_clear(&b->winre);
	wim_file_clear(&b->boot);
	g_ptr_array_unref(b->updates);
	g_ptr_array_unref(b->removals);
	g_ptr_array_unref(b->uninstalls);
	g_ptr_array_unref(b->step);
	ib_cleanup_summary_clear(&b->cleaned);
	g_ptr_array_unref(b->drivers);
	g_ptr_array_unref(b->apps);
	g_ptr_array_unref(b->added);
	g_ptr_array_unref(b->setups);
	g_hash_table_unref(b->media_files);
	g_ptr_array_unref(b->notes);
	g_array_unref(b->times);
	json_object_unref(b->verify);
	ib_media_free(b->media);
	ib_input_unref(b->base);
	ib_stock_free(b->stock);
	ib_anchors_free(b->anchors);
	ib_metadata_result_clear(&b->metadata);
	ib_ini_free(b->p);
	ib_plan_free(b->plan);
	g_free(b->label);
	g_free(b->final_dir);
	g_free(b->work_dir);
	g_free(b->iso_path);
	g_free(b->edition);
	g_free(b->product_name);
	g_free(b);
}

/* A build replaces its folder as a whole: what is there must be an earlier build, not somebody's files. */
static bool check_out_dir(struct build *b, struct ib_error **err)
{
	g_autofree char *mark = g_build_filename(b->final_dir, "build.json", NULL);
	g_autoptr(GDir) dir = NULL;

	if (!g_file_test(b->final_dir, G_FILE_TEST_EXISTS) || g_file_test(mark, G_FILE_TEST_EXISTS))
		return true;
	if (!g_file_test(b->final_dir, G_FILE_TEST_IS_DIR))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no folder", b->final_dir);
	dir = g_dir_open(b->final_dir, 0, NULL);
	if (dir && !g_dir_read_name(dir))
		return true;
	ib_throw(err, IB_ERR_INPUT, "'%s' is no build folder, and a build would replace all that it holds", b->final_dir);
	return ib_hint(err, "give another folder with -o, or remove this one");
}

static bool plan_all(struct build *b, struct ib_error **err)
{
	if (!check_out_dir(b, err) || !refuse_or_warn_unsupported(b, err))
		return false;
	struct ib_progress *step = b->planning = ib_progress_step(b->o->progress, "plan", 0);
	for (const struct stage *s = stages; s->name; s++)
		if (!ib_progress_add(step, 0, err) || (s->plan && !s->plan(b, err)))
			return ib_while(err, "planning stage '%s' of profile '%s'", s->name, b->o->profile);
	ib_progress_done(step);
	b->planning = NULL;
	base_scratch_close(b);
	b->plan->json = plan_json(b);
	return true;
}

bool ib_build_plan(const struct ib_build_options *options, struct ib_plan **ret, struct ib_error **err)
{
	struct build *b = build_new(options, err);

	if (!b)
		return false;
	bool ok = plan_all(b, err);
	if (ok)
		*ret = g_steal_pointer(&b->plan);
	else
		ib_while(err, "planning '%s'", b->plan->name);
	build_free(b);
	return ok;
}

/* ---- the workspace ---- */

static bool is_file_at(int fd, const char *path)
{
	struct stat mine, there;

	return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

/* One build of a folder at a time: the lock lives as long as the fd. */
static bool lock_workspace(struct build *b, int *ret_fd, struct ib_error **err)
{
	g_autofree char *parent = g_path_get_dirname(b->work_dir);
	g_autofree char *lock = g_strconcat(b->work_dir, ".lock", NULL);

	if (!ib_dir_make(parent, err))
		return false;
	int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot create '%s'", lock);
	/* The other build removes the file when it ends: a lock on a removed file keeps nobody out. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_file_at(fd, lock)) {
		close(fd);
		ib_throw(err, IB_ERR_SYSTEM, "another build of '%s' is running", b->final_dir);
		return ib_hint(err, "wait for it, or give another folder with -o");
	}
	*ret_fd = fd;
	return true;
}

static bool apply_all(struct build *b, struct ib_error **err)
{
	struct ib_progress *steps[32] = { NULL };
	size_t n = 0;

	for (const struct stage *s = stages; s->name; s++, n++) {
		uint64_t weight = 1u << 20; /* even a stage without data takes a moment */
		for (guint i = 0; i < b->plan->items->len; i++) {
			const struct ib_plan_item *item = g_ptr_array_index(b->plan->items, i);
			if (strcmp(item->stage, s->name) == 0)
				weight += item->weight_bytes;
		}
		steps[n] = ib_progress_step(b->o->progress, s->summary, weight);
	}
	n = 0;
	for (const struct stage *s = stages; s->name; s++, n++) {
		gint64 start = g_get_monotonic_time();
		if (!ib_progress_add(steps[n], 0, err) || (s->apply && !s->apply(b, steps[n], err)))
			return ib_while(err, "running stage '%s' of profile '%s'", s->name, b->o->profile);
		ib_progress_done(steps[n]);
		struct stage_time t = { s->name, (double)(g_get_monotonic_time() - start) / 1e6 };
		g_array_append_val(b->times, t);
	}
	return true;
}

/* How the folder was built: for publishing it later, and the times, which no signature covers. */
static bool write_job(struct build *b, struct ib_error **err)
{
	g_autoptr(JsonObject) job = json_object_new();
	g_autofree char *dir = g_build_filename(b->work_dir, "records", NULL);
	g_autofree char *profile = g_canonicalize_filename(b->o->profile, NULL);
	JsonArray *sets = json_array_new();

	json_object_set_string_member(job, "profile", profile);
	if (b->o->vars_file) {
		g_autofree char *vars = g_canonicalize_filename(b->o->vars_file, NULL);
		json_object_set_string_member(job, "vars", vars);
	}
	for (char *const *s = b->o->sets; s && *s; s++)
		json_array_add_string_element(sets, *s);
	json_object_set_array_member(job, "sets", sets);
	json_object_set_object_member(job, "seconds", times_json(b));
	return ib_dir_make(dir, err) && json_write(b, "records/job.json", job, err);
}

static bool make_folder(struct build *b, struct ib_error **err)
{
	if (!ib_dir_remove(b->work_dir, err) || !ib_dir_make(b->work_dir, err))
		return ib_while(err, "making the workspace");
	if (!apply_all(b, err) || !write_job(b, err) || !approvals_keep(b->final_dir, b->work_dir, err) ||
	    !ib_dir_sync(b->work_dir, err))
		return false;
	return ib_dir_publish(b->work_dir, b->final_dir, err);
}

static bool deliver_if_asked(struct build *b, struct ib_build_result *r, struct ib_error **err)
{
	const char *when = ib_ini_text(b->p, "publish", "when");
	bool wanted = b->o->publish || strcmp(when, "approved") == 0;
	struct ib_ini_options vars = { .sets = b->o->sets, .vars_file = b->o->vars_file };

	if (!approvals_missing(b->p, &vars, b->final_dir, b->o->now, &r->missing, err))
		return false;
	if (!wanted || r->missing->len > 0)
		return true;
	return deliver_folder(b->p, b->o, b->final_dir, &r->published, err);
}

static struct ib_build_result *collect(struct build *b, struct ib_error **err)
{
	struct ib_build_result *r = g_new0(struct ib_build_result, 1);
	g_autofree char *iso = g_strconcat(b->label, ".iso", NULL);

	r->out_dir = g_strdup(b->final_dir);
	r->iso = g_build_filename(b->final_dir, iso, NULL);
	r->iso_sha256 = ib_hex(b->digests.sha256, 32);
	r->warnings = g_ptr_array_ref(b->plan->warnings);
	r->json = build_json(b, true);
	if (!folder_files(b->final_dir, &r->files, err) || !deliver_if_asked(b, r, err)) {
		ib_build_result_free(r);
		return NULL;
	}
	return r;
}

void ib_build_result_free(struct ib_build_result *r)
{
	if (!r)
		return;
	g_free(r->out_dir);
	g_free(r->iso);
	g_free(r->iso_sha256);
	g_clear_pointer(&r->files, g_ptr_array_unref);
	g_clear_pointer(&r->warnings, g_ptr_array_unref);
	g_clear_pointer(&r->missing, g_ptr_array_unref);
	g_free(r->published);
	g_free(r->json);
	g_free(r);
}

bool ib_build_run(const struct ib_build_options *options, struct ib_build_result **ret, struct ib_error **err)
{
	struct build *b = build_new(options, err);
	struct ib_build_result *r = NULL;
	ib_auto_error cleanup = NULL;
	ib_auto_fd lock = -1;

	if (!b)
		return false;
	b->applies = true;
	if (plan_all(b, err) && lock_workspace(b, &lock, err)) {
		if (make_folder(b, err))
			r = collect(b, err);
		else
			(void)!ib_dir_remove(b->work_dir, &cleanup); /* the error in flight says more */
	}
	if (lock >= 0) {
		g_autofree char *name = g_strconcat(b->work_dir, ".lock", NULL);
		unlink(name);
	}
	if (!r)
		ib_while(err, "building '%s'", b->plan->name);
	build_free(b);
	*ret = r;
	return r != NULL;
}
