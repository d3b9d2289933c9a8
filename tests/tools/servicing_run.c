/*
 * Services one image of a WIM, driven by shell tests: one operation per argument, in order.
 *
 *   tool_servicing_run WIM INDEX OP...
 *   trust=PEM  source=FILE  info  packages  applicable=FILE  plan=FILE  install=FILE  feature=NAME:on|off
 *   features  no-payload=FEATURE  payload=FILE  no-capability=NAME  draft=NAME  cleanup  reset-base  uninstall=PACKAGE  technique=uninstall|empty-winner|surgery  list.KIND=a,b  remove=NAME  traces  residue  notes  commit  reopen  verify  verify-full  write=OUT
 *
 * The clock is fixed. Exit status: the error's code.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "servicing/servicing.h"

/* 2021-09-27 00:00 UTC. */
#define NOW_UNIX 1632700800
#define NOW_FILETIME 132771744000000000u

struct run {
	struct ib_wim *wim;
	unsigned index;
	struct ib_store *store;
	struct ib_anchors *anchors;
	struct ib_stock *stock;
	struct ib_removal removal;
	char **traces;
};

static bool open_package(struct run *r, const char *path, struct ib_package **ret, struct ib_error **err)
{
	struct ib_package_options o = { .size = sizeof(o) };
	struct ib_package_trust trust = { 0 };
	bool ok = ib_store_dictionary(r->store, &o.dictionary, err) && ib_package_open(path, &o, ret, err) &&
		  ib_package_verify(*ret, r->anchors, &trust, err);

	ib_package_trust_clear(&trust);
	return ok;
}

static void print_summary(const char *word, const struct ib_install_summary *s)
{
	printf("%s packages=%u deployments=%u components=%u winners=%u files_new=%u files_changed=%u files_removed=%u "
	       "values_set=%u values_removed=%u services=%u payload=%" PRIu64 " complete=%u deltas=%u elsewhere=%u "
	       "sources=%u\n",
	       word, s->packages, s->deployments, s->components, s->winners_changed, s->files_new, s->files_changed,
	       s->files_removed, s->values_set, s->values_removed, s->services, s->payload_bytes, s->payload_complete,
	       s->payload_deltas, s->payload_elsewhere, s->payload_sources);
}

static bool do_package(struct run *r, const char *op, const char *path, struct ib_error **err)
{
	struct ib_package *p = NULL;
	struct ib_install_summary sum = { 0 };
	struct ib_applicability_result a = { 0 };
	bool ok = open_package(r, path, &p, err);

	if (ok && !strcmp(op, "applicable")) {
		ok = ib_store_applicable(r->store, p, &a, err);
		if (ok)
			printf("applicable %d %s %s\n", a.verdict, a.dism_code ? a.dism_code : "-", a.reason ? a.reason : "-");
		ib_applicability_clear(&a);
	} else if (ok && !strcmp(op, "plan")) {
		ok = ib_store_plan(r->store, p, &sum, err);
	} else if (ok) {
		ok = ib_store_install(r->store, p, &sum, NULL, err);
	}
	if (ok && strcmp(op, "applicable"))
		print_summary(op, &sum);
	ib_package_free(p);
	return ok;
}

/* A package or a WIM that complete files may come from. */
static bool do_source(struct run *r, const char *path, struct ib_error **err)
{
	struct ib_package *p;
	struct ib_wim *wim;

	if (!r->stock)
		r->stock = ib_stock_new(NULL);
	ib_store_set_stock(r->store, r->stock);
	if (g_str_has_suffix(path, ".wim")) {
		if (!ib_wim_open_file(path, NULL, &wim, err))
			return false;
		ib_stock_add_wim(r->stock, wim, 0);
		return true;
	}
	if (!open_package(r, path, &p, err))
		return false;
	ib_stock_add_package(r->stock, p);
	return true;
}

static void do_info(struct run *r)
{
	const struct ib_store_info *i = ib_store_info(r->store);
	g_autofree char *v = ib_version_text(&i->version);
	g_autofree char *stack = ib_version_text(&i->stack);

	printf("info %s %s '%s' %s stack=%s packages=%u components=%u deployments=%u\n", i->arch, i->edition, i->product, v,
	       stack, i->packages, i->components, i->deployments);
}

static bool do_packages(struct run *r, struct ib_error **err)
{
	const GPtrArray *list;

	if (!ib_store_packages(r->store, &list, err))
		return false;
	for (guint i = 0; i < list->len; i++) {
		const struct ib_installed *p = list->pdata[i];
		printf("package %s 0x%x %s\n", p->package_id, p->state, p->release_type ? p->release_type : "-");
		for (guint k = 0; k < p->features->len; k++) {
			const struct ib_feature_state *f = p->features->pdata[k];
			printf("feature %s 0x%x\n", f->name, f->state);
		}
	}
	return true;
}

static bool do_feature(struct run *r, const char *arg, struct ib_error **err)
{
	g_auto(GStrv) parts = g_strsplit(arg, ":", 2);
	bool changed;

	if (!ib_store_set_feature(r->store, parts[0], parts[1] && !strcmp(parts[1], "on"), &changed, err))
		return false;
	printf("feature %s %s\n", arg, changed ? "changed" : "was so");
	return true;
}

static bool do_features(struct run *r, struct ib_error **err)
{
	static const char *const words[] = { "disabled", "enabled", "payload-removed" };
	g_autoptr(GPtrArray) list = NULL;
	g_autoptr(GPtrArray) capabilities = NULL;

	if (!ib_store_features(r->store, &list, err) || !ib_store_capabilities(r->store, &capabilities, err))
		return false;
	for (guint i = 0; i < list->len; i++) {
		const struct ib_feature *f = list->pdata[i];
		printf("optional %s %s default=%s parent=%s satellites=%u\n", f->name, words[f->condition],
		       f->default_on ? "on" : "off", f->parent ? f->parent : "-", f->satellites);
	}
	for (guint i = 0; i < capabilities->len; i++) {
		const struct ib_capability *c = capabilities->pdata[i];
		printf("capability %s 0x%x\n", c->name, c->state);
	}
	return true;
}

static bool do_payload(struct run *r, const char *op, const char *arg, struct ib_error **err)
{
	struct ib_package *p = NULL;
	unsigned n = 0;
	bool ok;

	if (!strcmp(op, "no-payload")) {
		ok = ib_store_remove_payload(r->store, arg, &n, err);
	} else {
		ok = open_package(r, arg, &p, err) && ib_store_add_payload(r->store, p, &n, NULL, err);
		ib_package_free(p);
	}
	if (ok)
		printf("%s %u\n", op, n);
	return ok;
}

static bool do_list(struct run *r, const char *kind, const char *arg)
{
	const struct {
		const char *kind;
		char ***list;
	} kinds[] = { { "packages", &r->removal.packages }, { "components", &r->removal.components },
		      { "files", &r->removal.files }, { "services", &r->removal.services },
		      { "svchost", &r->removal.svchost }, { "tasks", &r->removal.tasks },
		      { "values", &r->removal.values }, { "keys", &r->removal.keys },
		      { "firewall", &r->removal.firewall }, { "event_sources", &r->removal.event_sources } };

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (!strcmp(kinds[i].kind, kind)) {
			g_strfreev(*kinds[i].list);
			*kinds[i].list = g_strsplit(arg, ",", -1);
			return true;
		}
	return false;
}

static bool do_remove(struct run *r, const char *name, struct ib_error **err)
{
	struct ib_removal_summary sum = { 0 };

	r->removal.name = name;
	g_strfreev(r->traces);
	r->traces = NULL;
	if (!ib_store_traces(r->store, &r->removal, &r->traces, err) || !ib_store_remove(r->store, &r->removal, &sum, err))
		return false;
	printf("removed packages=%u components=%u files=%u services=%u tasks=%u values=%u keys=%u\n", sum.packages,
	       sum.components, sum.files, sum.services, sum.tasks, sum.values, sum.keys);
	for (guint i = 0; i < sum.lines->len; i++)
		printf("gone %s\n", (const char *)sum.lines->pdata[i]);
	ib_removal_summary_clear(&sum);
	return true;
}

static bool do_technique(struct run *r, const char *word, struct ib_error **err)
{
	static const char *const words[] = { "uninstall", "empty-winner", "surgery" };

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (!strcmp(words[i], word)) {
			r->removal.technique = (enum ib_removal_technique)i;
			return true;
		}
	return ib_throw(err, IB_ERR_USAGE, "'%s' is no technique", word);
}

static bool do_uninstall(struct run *r, const char *pattern, struct ib_error **err)
{
	struct ib_removal_summary sum = { 0 };

	if (!ib_store_uninstall(r->store, pattern, &sum, err))
		return false;
	printf("uninstalled packages=%u components=%u files=%u values=%u\n", sum.packages, sum.components, sum.files, sum.values);
	for (guint i = 0; i < sum.lines->len; i++)
		printf("gone %s\n", (const char *)sum.lines->pdata[i]);
	ib_removal_summary_clear(&sum);
	return true;
}

static bool do_cleanup(struct run *r, bool reset_base, struct ib_error **err)
{
	struct ib_cleanup_summary sum = { 0 };

	if (!ib_store_cleanup(r->store, reset_base, &sum, err))
		return false;
	printf("cleaned packages=%u deployments=%u components=%u bytes=%" PRIu64 " kept=%u kept_bytes=%" PRIu64 " bases=%u\n",
	       sum.packages, sum.deployments, sum.components, sum.bytes, sum.kept, sum.kept_bytes, sum.bases);
	for (guint i = 0; i < sum.lines->len; i++)
		printf("gone %s\n", (const char *)sum.lines->pdata[i]);
	ib_cleanup_summary_clear(&sum);
	return true;
}

static bool do_draft(struct run *r, const char *name, struct ib_error **err)
{
	g_autofree char *text = NULL;

	if (!ib_store_draft(r->store, name, &text, err))
		return false;
	fputs(text, stdout);
	return true;
}

static bool do_residue(struct run *r, struct ib_error **err)
{
	g_autoptr(GPtrArray) out = NULL;
	char *none[] = { NULL };

	if (!ib_store_residue(r->store, r->traces ? r->traces : none, r->removal.technique, &out, err))
		return false;
	printf("residue %u\n", out->len);
	for (guint i = 0; i < out->len; i++)
		printf("left %s\n", (const char *)out->pdata[i]);
	return true;
}

static bool do_verify(struct run *r, bool full, struct ib_error **err)
{
	struct ib_verify_result v = { 0 };

	if (!ib_store_verify(r->store, r->anchors, full, &v, NULL, err))
		return false;
	printf("verify components=%u manifests=%u winners=%u projections=%u packages=%u catalogs=%u services=%u hashed=%u "
	       "findings=%u\n",
	       v.components, v.manifests, v.winners, v.projections, v.packages, v.catalogs, v.services, v.blobs_hashed,
	       v.findings->len);
	for (guint i = 0; i < v.findings->len; i++) {
		const struct ib_finding *f = v.findings->pdata[i];
		printf("finding %s %s: %s\n", f->id, f->subject, f->text);
	}
	ib_verify_result_clear(&v);
	return true;
}

static bool do_write(struct run *r, const char *path, struct ib_error **err)
{
	ib_auto_fd fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct ib_output out = { .fd = fd, .name = path };
	struct ib_wim_write_options o = { .size = sizeof(o), .time = NOW_FILETIME };
	uint64_t size;

	if (fd < 0)
		return ib_throw(err, IB_ERR_SYSTEM, "cannot create '%s'", path);
	return ib_wim_write(r->wim, &out, &o, &size, err) && ftruncate(fd, (off_t)size) == 0;
}

static bool do_plain(struct run *r, const char *op, struct ib_error **err)
{
	if (!strcmp(op, "info"))
		return do_info(r), true;
	if (!strcmp(op, "packages"))
		return do_packages(r, err);
	if (!strcmp(op, "commit"))
		return ib_store_commit(r->store, err);
	if (!strcmp(op, "reopen")) {
		g_clear_pointer(&r->store, ib_store_free);
		return ib_store_open(r->wim, r->index, NOW_FILETIME, &r->store, err);
	}
	if (!strcmp(op, "verify") || !strcmp(op, "verify-full"))
		return do_verify(r, !strcmp(op, "verify-full"), err);
	if (!strcmp(op, "cleanup") || !strcmp(op, "reset-base"))
		return do_cleanup(r, !strcmp(op, "reset-base"), err);
	if (!strcmp(op, "features"))
		return do_features(r, err);
	if (!strcmp(op, "residue"))
		return do_residue(r, err);
	if (!strcmp(op, "traces")) {
		for (char **p = r->traces; p && *p; p++)
			printf("trace %s\n", *p);
		return true;
	}
	if (!strcmp(op, "notes")) {
		const GPtrArray *notes = ib_store_notes(r->store);
		for (guint i = 0; i < notes->len; i++) {
			const struct ib_note *n = notes->pdata[i];
			printf("note %s %s: %s\n", n->id, n->subject, n->text);
		}
		return true;
	}
	return ib_throw(err, IB_ERR_USAGE, "'%s' is no operation", op);
}

static bool do_op(struct run *r, const char *text, struct ib_error **err)
{
	g_auto(GStrv) parts = g_strsplit(text, "=", 2);
	const char *op = parts[0], *arg = parts[1];

	if (!arg)
		return do_plain(r, op, err);
	if (!strcmp(op, "trust"))
		return ib_anchors_add_file(r->anchors, arg, err);
	if (!strcmp(op, "applicable") || !strcmp(op, "plan") || !strcmp(op, "install"))
		return do_package(r, op, arg, err);
	if (!strcmp(op, "source"))
		return do_source(r, arg, err);
	if (!strcmp(op, "feature"))
		return do_feature(r, arg, err);
	if (g_str_has_prefix(op, "list.") && do_list(r, op + 5, arg))
		return true;
	if (!strcmp(op, "remove"))
		return do_remove(r, arg, err);
	if (!strcmp(op, "technique"))
		return do_technique(r, arg, err);
	if (!strcmp(op, "no-payload") || !strcmp(op, "payload"))
		return do_payload(r, op, arg, err);
	if (!strcmp(op, "no-capability")) {
		struct ib_removal_summary sum = { 0 };
		bool ok = ib_store_remove_capability(r->store, arg, &sum, err);
		if (ok)
			printf("uncapable packages=%u components=%u\n", sum.packages, sum.components);
		ib_removal_summary_clear(&sum);
		return ok;
	}
	if (!strcmp(op, "draft"))
		return do_draft(r, arg, err);
	if (!strcmp(op, "uninstall"))
		return do_uninstall(r, arg, err);
	if (!strcmp(op, "write"))
		return do_write(r, arg, err);
	return ib_throw(err, IB_ERR_USAGE, "'%s' is no operation", text);
}

static bool run(struct run *r, int argc, char **argv, struct ib_error **err)
{
	ib_auto_input in = NULL;

	r->index = (unsigned)g_ascii_strtoull(argv[2], NULL, 10);
	r->anchors = ib_anchors_new(NOW_UNIX);
	if (!ib_input_open(argv[1], &in, err) || !ib_wim_open(in, NULL, &r->wim, err) ||
	    !ib_store_open(r->wim, r->index, NOW_FILETIME, &r->store, err))
		return false;
	for (int i = 3; i < argc; i++)
		if (!do_op(r, argv[i], err))
			return false;
	return true;
}

int main(int argc, char **argv)
{
	struct run r = { 0 };
	ib_auto_error err = NULL;
	int status = 0;

	if (argc < 3)
		return IB_ERR_USAGE;
	if (!run(&r, argc, argv, &err)) {
		g_autofree char *text = ib_error_format(err, "servicing_run");
		fputs(text, stderr);
		status = ib_error_code(err);
	}
	g_strfreev(r.removal.packages);
	g_strfreev(r.removal.components);
	g_strfreev(r.removal.files);
	g_strfreev(r.removal.services);
	g_strfreev(r.removal.svchost);
	g_strfreev(r.removal.tasks);
	g_strfreev(r.removal.values);
	g_strfreev(r.removal.keys);
	g_strfreev(r.removal.firewall);
	g_strfreev(r.removal.event_sources);
	g_strfreev(r.traces);
	ib_store_free(r.store);
	ib_stock_free(r.stock);
	ib_wim_free(r.wim);
	ib_anchors_free(r.anchors);
	return status;
}
