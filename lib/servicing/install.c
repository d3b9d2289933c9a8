/* Installing: stage everything, let the model and Winners know, project, record the packages. */
#include "servicing/internal.h"

#include <string.h>

#define INSTALL_LOCATION "\\\\?\\C:\\Windows\\CbsTemp\\"

/* New components into the model, the installed ones into Winners. */
static bool record_components(struct ib_store *s, const struct ib_plan_install *plan, struct ib_error **err)
{
	struct ib_model *model;

	if (!ib_svc_model(s, &model, err))
		return false;
	for (guint i = 0; i < plan->components->len; i++) {
		const struct ib_plan_component *pc = plan->components->pdata[i];
		struct ib_component *c = ib_svc_model_add(model, &pc->manifest->id);
		if (pc->install)
			c->installed = true;
	}
	for (guint i = 0; i < plan->components->len; i++) {
		const struct ib_plan_component *pc = plan->components->pdata[i];
		const struct ib_component *c = ib_svc_component(model, pc->manifest->keyform);
		if (pc->install && c && !ib_svc_winners_write(s, c->family, err))
			return false;
	}
	return true;
}

/* A selectable update's switch, and who follows which feature. */
static bool record_feature(struct ib_store *s, const struct ib_mum *mum, const struct ib_update *u, uint32_t state,
			   struct ib_error **err)
{
	struct ib_hive *h = s->hives[IB_HIVE_SOFTWARE];
	struct ib_key *key;

	if (u->selectable) {
		g_autofree char *path = g_strconcat(PATH_CBS "\\Notifications\\OptionalFeatures\\", u->name, NULL);
		if (!ib_key_make(h, ib_hive_root(h), path, &key, err) ||
		    !ib_key_set_dword(h, key, "Selection", state == STATE_INSTALLED, err))
			return false;
	}
	if (u->detect_update) {
		g_autofree char *path = g_strconcat(PATH_CBS "\\UpdateDetect\\", u->detect_update, NULL);
		if (!ib_key_make(h, ib_hive_root(h), path, &key, err) ||
		    !ib_key_set_dword(h, key, mum->package_id, state, err))
			return false;
	}
	return true;
}

static bool record_package(struct ib_store *s, const struct ib_plan_package *pp, struct ib_error **err)
{
	struct ib_package_state state = { .mum = pp->mum, .state = pp->state, .owner = pp->owner,
					  .location = INSTALL_LOCATION, .hidden = pp->hidden };

	if (!ib_svc_package_write(s, &state, err))
		return false;
	for (guint i = 0; i < pp->updates->len; i++) {
		const struct ib_plan_update *u = &g_array_index(pp->updates, struct ib_plan_update, i);
		if (!ib_svc_update_state(s, pp->mum->package_id, u->update->name, u->state, err) ||
		    !record_feature(s, pp->mum, u->update, u->state, err))
			return false;
	}
	return ib_svc_supersede(s, pp->mum, err);
}

static bool record_packages(struct ib_store *s, const struct ib_plan_install *plan, struct ib_error **err)
{
	for (guint i = 0; i < plan->packages->len; i++) {
		const struct ib_plan_package *pp = plan->packages->pdata[i];
		if (!record_package(s, pp, err))
			return ib_while(err, "recording the package '%s'", pp->mum->package_id);
	}
	return ib_svc_drop_caches(s, err);
}

static void count_stored(const struct ib_plan_install *plan, struct ib_install_summary *sum)
{
	sum->packages = plan->packages->len;
	for (guint i = 0; i < plan->components->len; i++) {
		const struct ib_plan_component *c = plan->components->pdata[i];
		sum->deployments += !c->stored && c->manifest->is_deployment;
		sum->components += !c->stored && !c->manifest->is_deployment;
	}
}

static bool install(struct ib_store *s, struct ib_package *p, const struct ib_plan_install *plan,
		    struct ib_install_summary *sum, struct ib_progress *progress, struct ib_error **err)
{
	sum->winners_changed = plan->winners->len;
	return ib_svc_stage(s, p, plan, sum, progress, err) && record_components(s, plan, err) &&
	       ib_svc_project(s, plan->winners, sum, err) && record_packages(s, plan, err) && ib_svc_refresh(s, err);
}

bool ib_svc_install_plan(struct ib_store *s, const struct ib_plan_install *plan, struct ib_install_summary *sum,
			 struct ib_error **err)
{
	return ib_svc_stage_metadata(s, plan, NULL, err) && record_components(s, plan, err) &&
	       ib_svc_project(s, plan->winners, sum, err) && record_packages(s, plan, err) && ib_svc_refresh(s, err);
}

/* Manifests of the package die with it: the model must not keep any. It reads its own from the image. */
bool ib_store_install(struct ib_store *s, struct ib_package *p, struct ib_install_summary *ret,
		      struct ib_progress *progress, struct ib_error **err)
{
	IB_CLEANUP(ib_svc_plan_clear) struct ib_plan_install plan = { 0 };
	IB_CLEANUP(ib_applicability_clear) struct ib_applicability_result a = { 0 };
	struct ib_install_summary sum = { 0 };
	const char *id = ib_package_root(p)->package_id;

	if (!ib_svc_check_serviceable(s, err) || !ib_svc_check_applies(s, p, &a, err) || !ib_svc_plan(s, p, &plan, err))
		return ib_while(err, "installing the package '%s'", id);
	count_stored(&plan, &sum);
	if (!install(s, p, &plan, &sum, progress, err))
		return ib_while(err, "installing the package '%s'", id);
	if (ret)
		*ret = sum;
	return true;
}
