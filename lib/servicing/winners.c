/* SideBySide\Winners: which version of each family is projected. */
#include "servicing/internal.h"

#include <string.h>

const struct ib_component *ib_svc_group_top(const struct ib_family *f, const struct ib_version *like)
{
	for (guint i = f->components->len; i-- > 0;) {
		const struct ib_component *c = f->components->pdata[i];
		if (c->installed && c->id.number.part[0] == like->part[0] && c->id.number.part[1] == like->part[1])
			return c;
	}
	return NULL;
}

/* The key of one major.minor: all its installed versions, the highest as default value. */
static bool write_group(struct ib_hive *hive, struct ib_key *family, const struct ib_family *f,
			const struct ib_version *like, struct ib_error **err)
{
	static const uint8_t one[] = { 1 };
	g_autofree char *name = g_strdup_printf("%" PRIu32 ".%" PRIu32, like->part[0], like->part[1]);
	struct ib_key *old = ib_key_find(family, name);
	const struct ib_component *winner = ib_svc_group_top(f, like);
	struct ib_key *key;

	if (old && !ib_key_remove(hive, old, err))
		return false;
	if (!winner)
		return true;
	g_autofree char *version = ib_version_text(&winner->id.number);
	if (!ib_key_make(hive, family, name, &key, err) || !ib_key_set_text(hive, key, "", IB_REG_SZ, version, err))
		return false;
	for (guint i = 0; i < f->components->len; i++) {
		const struct ib_component *c = f->components->pdata[i];
		g_autofree char *text = ib_version_text(&c->id.number);
		bool same = c->id.number.part[0] == like->part[0] && c->id.number.part[1] == like->part[1];
		if (same && c->installed && !ib_key_set(hive, key, text, IB_REG_BINARY, one, sizeof(one), err))
			return false;
	}
	return true;
}

bool ib_svc_winners_write(struct ib_store *s, const struct ib_family *f, struct ib_error **err)
{
	g_autofree char *path = g_strconcat(PATH_WINNERS "\\", f->keyform, NULL);
	const struct ib_component *top = NULL;
	struct ib_hive *hive;
	struct ib_key *key;

	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &hive, err))
		return false;
	for (guint i = 0; i < f->components->len; i++) {
		const struct ib_component *c = f->components->pdata[i];
		top = c->installed ? c : top;
	}
	if (!top) {
		key = ib_key_find(ib_hive_root(hive), path);
		return !key || ib_key_remove(hive, key, err);
	}
	if (!ib_key_make(hive, ib_hive_root(hive), path, &key, err))
		return false;
	g_autofree char *group = g_strdup_printf("%" PRIu32 ".%" PRIu32, top->id.number.part[0], top->id.number.part[1]);
	if (!ib_key_set_text(hive, key, "", IB_REG_SZ, group, err))
		return false;
	for (guint i = 0; i < f->components->len; i++) {
		const struct ib_component *c = f->components->pdata[i];
		const struct ib_component *before = i ? f->components->pdata[i - 1] : NULL;
		bool seen = before && before->id.number.part[0] == c->id.number.part[0] &&
			    before->id.number.part[1] == c->id.number.part[1];
		if (!seen && !write_group(hive, key, f, &c->id.number, err))
			return false;
	}
	return true;
}
