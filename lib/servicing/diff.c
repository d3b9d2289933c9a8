/* What differs between two images: packages, features, components, services, policies, files and rights. */
#include "servicing/internal.h"

#include <string.h>

#define VALUE_SHOWN 64u /* bytes of binary data that are shown */

const char *ib_diff_kind_word(enum ib_diff_kind kind)
{
	static const char *const words[IB_DIFF_KINDS] = {
		[IB_DIFF_IMAGE] = "image",     [IB_DIFF_PACKAGE] = "package", [IB_DIFF_FEATURE] = "feature",
		[IB_DIFF_COMPONENT] = "component", [IB_DIFF_SERVICE] = "service", [IB_DIFF_POLICY] = "policy",
		[IB_DIFF_FILE] = "file",
	};

	return (unsigned)kind < IB_DIFF_KINDS ? words[kind] : NULL;
}

static void difference_free(void *p)
{
	struct ib_difference *d = p;

	g_free(d->name);
	g_free(d->field);
	g_free(d->a);
	g_free(d->b);
	g_free(d);
}

/* What comparing works with. */
struct diff {
	struct ib_store *s[2];
	GPtrArray *out;
};

/* Two texts; equal ones are no difference. a and b are taken. */
static void add(struct diff *d, enum ib_diff_kind kind, const char *name, const char *field, char *a, char *b)
{
	if (!g_strcmp0(a, b)) {
		g_free(a);
		g_free(b);
		return;
	}
	struct ib_difference *x = g_new0(struct ib_difference, 1);
	*x = (struct ib_difference){ .kind = kind, .name = g_strdup(name), .field = g_strdup(field), .a = a, .b = b };
	g_ptr_array_add(d->out, x);
}

/* Names of one side or both, folded -> what each side says. The pair of texts is owned by the table. */
struct pair {
	char *name, *text[2];
};

static void pair_free(void *p)
{
	struct pair *x = p;

	g_free(x->name);
	g_free(x->text[0]);
	g_free(x->text[1]);
	g_free(x);
}

static GHashTable *pairs_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, pair_free);
}

/* text is taken; a name that is there already keeps the greater text, which for states is the one that counts. */
static void pair_set(GHashTable *pairs, const char *name, int side, char *text)
{
	g_autofree char *folded = ib_name_fold(name);
	struct pair *x = g_hash_table_lookup(pairs, folded);

	if (!x) {
		x = g_new0(struct pair, 1);
		x->name = g_strdup(name);
		g_hash_table_insert(pairs, g_steal_pointer(&folded), x);
	}
	if (x->text[side] && strcmp(x->text[side], text) >= 0) {
		g_free(text);
		return;
	}
	g_free(x->text[side]);
	x->text[side] = text;
}

static void pairs_add(struct diff *d, enum ib_diff_kind kind, const char *field, GHashTable *pairs)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, pairs);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct pair *x = value;
		add(d, kind, x->name, field, g_strdup(x->text[0]), g_strdup(x->text[1]));
	}
}

/* ---- image, packages, features ---- */

static void diff_image(struct diff *d)
{
	const struct ib_store_info *a = ib_store_info(d->s[0]), *b = ib_store_info(d->s[1]);

	add(d, IB_DIFF_IMAGE, "architecture", NULL, g_strdup(a->arch), g_strdup(b->arch));
	add(d, IB_DIFF_IMAGE, "edition", NULL, g_strdup(a->edition), g_strdup(b->edition));
	add(d, IB_DIFF_IMAGE, "product", NULL, g_strdup(a->product), g_strdup(b->product));
	add(d, IB_DIFF_IMAGE, "version", NULL, ib_version_text(&a->version), ib_version_text(&b->version));
	add(d, IB_DIFF_IMAGE, "servicing stack", NULL, ib_version_text(&a->stack), ib_version_text(&b->stack));
}

static char *state_text(uint32_t state)
{
	static const struct {
		uint32_t state;
		const char *word;
	} words[] = { { STATE_ABSENT, "absent" }, { STATE_STAGED, "staged" }, { STATE_SUPERSEDED, "superseded" },
		      { STATE_INSTALL_PENDING, "install pending" }, { STATE_INSTALLED, "installed" },
		      { STATE_PERMANENT, "permanent" } };

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (words[i].state == state)
			return g_strdup(words[i].word);
	return g_strdup_printf("0x%02x", state);
}

static bool diff_packages(struct diff *d, struct ib_error **err)
{
	g_autoptr(GHashTable) packages = pairs_new();
	g_autoptr(GHashTable) features = pairs_new();

	for (int side = 0; side < 2; side++) {
		const GPtrArray *list;
		if (!ib_store_packages(d->s[side], &list, err))
			return false;
		for (guint i = 0; i < list->len; i++) {
			const struct ib_installed *p = list->pdata[i];
			pair_set(packages, p->package_id, side, state_text(p->state));
			for (guint k = 0; p->state >= STATE_STAGED && k < p->features->len; k++) {
				const struct ib_feature_state *f = p->features->pdata[k];
				/* "on" sorts behind "off": a feature that any package has on is on. */
				pair_set(features, f->name, side, g_strdup(f->state >= STATE_INSTALL_PENDING ? "on" : "off"));
			}
		}
	}
	pairs_add(d, IB_DIFF_PACKAGE, NULL, packages);
	pairs_add(d, IB_DIFF_FEATURE, NULL, features);
	return true;
}

/* ---- components ---- */

static bool diff_components(struct diff *d, struct ib_error **err)
{
	g_autoptr(GHashTable) pairs = pairs_new();

	for (int side = 0; side < 2; side++) {
		struct ib_model *m;
		if (!ib_svc_model(d->s[side], &m, err))
			return false;
		g_autoptr(GPtrArray) winners = ib_svc_winners(m);
		for (guint i = 0; i < winners->len; i++) {
			const struct ib_component *c = winners->pdata[i];
			g_autofree char *name = g_strdup_printf("%s (%s%s%s, %" PRIu32 ".%" PRIu32 ")", c->id.name,
								c->id.arch ? c->id.arch : "neutral", c->id.culture ? ", " : "",
								c->id.culture ? c->id.culture : "", c->id.number.part[0],
								c->id.number.part[1]);
			pair_set(pairs, name, side, ib_version_text(&c->id.number));
		}
	}
	pairs_add(d, IB_DIFF_COMPONENT, NULL, pairs);
	return true;
}

/* ---- registry ---- */

static char *value_text(const struct ib_value *v)
{
	g_autofree char *text = v ? ib_value_text(v) : NULL;
	g_auto(GStrv) strings = v ? ib_value_strings(v) : NULL;
	uint64_t number;
	size_t len;

	if (!v)
		return NULL;
	if (text)
		return g_steal_pointer(&text);
	if (strings)
		return g_strjoinv(", ", strings);
	if (ib_value_number(v, &number))
		return g_strdup_printf("%" PRIu64, number);
	const uint8_t *data = ib_value_data(v, &len);
	g_autofree char *hex = ib_hex(data, MIN(len, VALUE_SHOWN));
	return len > VALUE_SHOWN ? g_strdup_printf("%s... (%zu bytes)", hex, len) : g_steal_pointer(&hex);
}

/* What a key is called in a difference, and which kind it belongs to. */
struct tree {
	struct diff *d;
	enum ib_diff_kind kind;
	const char *root;  /* shown before the key's path below the place; NULL: the first name is the thing's own */
	const char *place; /* path of the compared key in its hive */
};

static char *below(const struct tree *t, const struct ib_key *k)
{
	g_autofree char *path = ib_key_path(k);
	size_t len = strlen(t->place);

	return g_strdup(path[len] == '\\' ? path + len + 1 : path + len);
}

/* Services: the first name is the service, the rest of the path and the value are the field. */
static void name_of(const struct tree *t, const struct ib_key *k, const char *value, char **ret_name, char **ret_field)
{
	g_autofree char *path = below(t, k);
	const char *shown = value ? *value ? value : "(default)" : NULL;

	if (t->root) {
		*ret_name = *path ? g_strdup_printf("%s\\%s", t->root, path) : g_strdup(t->root);
		*ret_field = g_strdup(shown);
		return;
	}
	char *slash = strchr(path, '\\');
	*ret_name = slash ? g_strndup(path, (gsize)(slash - path)) : g_strdup(path);
	*ret_field = slash ? g_strdup_printf("%s%s%s", slash + 1, shown ? "\\" : "", shown ? shown : "") : g_strdup(shown);
}

/* A key that only one side has: all its values, so that each is named; the key itself when it has none. */
static void add_key(const struct tree *t, struct ib_key *k, int side)
{
	g_autofree char *path = below(t, k);

	if (!t->root && !strchr(path, '\\')) { /* a whole service: its values would only repeat that */
		g_autofree char *image = value_text(ib_key_value(k, "ImagePath"));
		char *text = image ? g_steal_pointer(&image) : g_strdup("present");
		add(t->d, t->kind, path, NULL, side ? NULL : text, side ? text : NULL);
		return;
	}
	for (size_t i = 0; i < ib_key_value_count(k); i++) {
		const struct ib_value *v = ib_key_value_at(k, i);
		g_autofree char *name = NULL, *field = NULL;
		char *text = value_text(v);
		name_of(t, k, ib_value_name(v), &name, &field);
		add(t->d, t->kind, name, field, side ? NULL : text, side ? text : NULL);
	}
	for (size_t i = 0; i < ib_key_count(k); i++)
		add_key(t, ib_key_child(k, i), side);
	if (!ib_key_value_count(k) && !ib_key_count(k)) {
		g_autofree char *name = NULL, *field = NULL;
		name_of(t, k, NULL, &name, &field);
		add(t->d, t->kind, name, field, side ? NULL : g_strdup("present"), side ? g_strdup("present") : NULL);
	}
}

static char *sddl_text(GBytes *descriptor)
{
	ib_auto_error ignored = NULL;
	char *text;

	if (!descriptor)
		return g_strdup("none");
	if (ib_sddl_format(descriptor, &text, &ignored))
		return text;
	return ib_hex(g_bytes_get_data(descriptor, NULL), g_bytes_get_size(descriptor));
}

static bool on_change(enum ib_hive_change change, struct ib_key *a, struct ib_key *b, const struct ib_value *va,
		      const struct ib_value *vb, void *data)
{
	const struct tree *t = data;
	const struct ib_value *v = va ? va : vb;
	g_autofree char *name = NULL, *field = NULL;

	if (change == IB_HIVE_KEY_ADDED || change == IB_HIVE_KEY_REMOVED) {
		add_key(t, a ? a : b, a ? 0 : 1);
		return true;
	}
	if (change == IB_HIVE_CLASS_CHANGED)
		return true;
	name_of(t, a, change == IB_HIVE_SECURITY_CHANGED ? "(security)" : ib_value_name(v), &name, &field);
	if (change == IB_HIVE_SECURITY_CHANGED)
		add(t->d, t->kind, name, field, sddl_text(ib_key_security(a)), sddl_text(ib_key_security(b)));
	else
		add(t->d, t->kind, name, field, value_text(va), value_text(vb));
	return true;
}

static bool diff_tree(struct diff *d, enum ib_hive_id id, const char *const places[2], enum ib_diff_kind kind, const char *root,
		      struct ib_error **err)
{
	struct ib_key *k[2] = { NULL, NULL };

	for (int side = 0; side < 2; side++) {
		struct ib_hive *h;
		if (!ib_svc_hive_present(d->s[side], id))
			continue;
		if (!ib_store_hive(d->s[side], id, &h, err))
			return false;
		k[side] = ib_key_find(ib_hive_root(h), places[side]);
	}
	struct tree t = { .d = d, .kind = kind, .root = root, .place = places[0] };
	if (k[0] && k[1]) {
		ib_hive_diff(k[0], k[1], on_change, &t);
		return true;
	}
	for (int side = 0; side < 2; side++) {
		t.place = places[side];
		if (k[side] && root)
			add_key(&t, k[side], side);
		for (size_t i = 0; k[side] && !root && i < ib_key_count(k[side]); i++)
			add_key(&t, ib_key_child(k[side], i), side);
	}
	return true;
}

/* Where policies, and what acts like them, are kept. */
static const struct {
	enum ib_hive_id hive;
	const char *path, *shown; /* in SYSTEM below the control set */
} policies[] = {
	{ IB_HIVE_SOFTWARE, "Policies", "HKLM\\SOFTWARE\\Policies" },
	{ IB_HIVE_SOFTWARE, "Microsoft\\Windows\\CurrentVersion\\Policies",
	  "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies" },
	{ IB_HIVE_SYSTEM, "Policies", "HKLM\\SYSTEM\\CurrentControlSet\\Policies" },
	{ IB_HIVE_SYSTEM, "Control\\Lsa", "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa" },
	{ IB_HIVE_SYSTEM, "Control\\SecurityProviders", "HKLM\\SYSTEM\\CurrentControlSet\\Control\\SecurityProviders" },
	{ IB_HIVE_USER, "Software\\Policies", "HKCU\\Software\\Policies" },
	{ IB_HIVE_USER, "Software\\Microsoft\\Windows\\CurrentVersion\\Policies",
	  "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Policies" },
	{ IB_HIVE_DEFAULT, "Software\\Policies", "HKU\\.DEFAULT\\Software\\Policies" },
};

static bool diff_registry(struct diff *d, struct ib_error **err)
{
	for (size_t i = 0; i < G_N_ELEMENTS(policies); i++) {
		bool system = policies[i].hive == IB_HIVE_SYSTEM;
		g_autofree char *a = system ? g_strdup_printf("ControlSet%03u\\%s", d->s[0]->control_set, policies[i].path)
					    : g_strdup(policies[i].path);
		g_autofree char *b = system ? g_strdup_printf("ControlSet%03u\\%s", d->s[1]->control_set, policies[i].path)
					    : g_strdup(policies[i].path);
		const char *const places[2] = { a, b };
		if (!diff_tree(d, policies[i].hive, places, IB_DIFF_POLICY, policies[i].shown, err))
			return false;
	}
	g_autofree char *a = g_strdup_printf("ControlSet%03u\\Services", d->s[0]->control_set);
	g_autofree char *b = g_strdup_printf("ControlSet%03u\\Services", d->s[1]->control_set);
	const char *const places[2] = { a, b };
	return diff_tree(d, IB_HIVE_SYSTEM, places, IB_DIFF_SERVICE, NULL, err);
}

/* ---- files ---- */

/* What other kinds tell better: the store, its packages and catalogs, and the hives. */
static const char *const told_elsewhere[] = {
	"Windows\\WinSxS", "Windows\\servicing", "Windows\\System32\\CatRoot", "Windows\\System32\\config",
	"Users\\Default\\NTUSER.DAT",
};

static bool is_told_elsewhere(const char *path)
{
	for (size_t i = 0; i < G_N_ELEMENTS(told_elsewhere); i++)
		if (ib_name_equal(path, told_elsewhere[i]))
			return true;
	return false;
}

static char *content_text(struct diff *d, int side, const struct ib_node *n)
{
	const uint8_t *hash = ib_node_hash(n);
	g_autofree char *hex = hash ? ib_hex(hash, IB_WIM_HASH_SIZE) : g_strdup("empty");

	return g_strdup_printf("%" PRIu64 " bytes, SHA-1 %s", ib_node_size(d->s[side]->image, n), hex);
}

static bool same_bytes(const void *a, const void *b, size_t n)
{
	return a && b ? !memcmp(a, b, n) : a == b;
}

static bool same_security(struct diff *d, const struct ib_node *a, const struct ib_node *b)
{
	GBytes *x = ib_node_security(d->s[0]->image, a), *y = ib_node_security(d->s[1]->image, b);

	return x == y || (x && y && g_bytes_equal(x, y));
}

/* One file or folder on both sides. */
static void diff_node(struct diff *d, const char *path, const struct ib_node *a, const struct ib_node *b)
{
	if (ib_node_is_dir(a) != ib_node_is_dir(b)) {
		add(d, IB_DIFF_FILE, path, "kind", g_strdup(ib_node_is_dir(a) ? "folder" : "file"),
		    g_strdup(ib_node_is_dir(b) ? "folder" : "file"));
		return;
	}
	if (!ib_node_is_dir(a) && !same_bytes(ib_node_hash(a), ib_node_hash(b), IB_WIM_HASH_SIZE))
		add(d, IB_DIFF_FILE, path, "content", content_text(d, 0, a), content_text(d, 1, b));
	if (ib_node_attributes(a) != ib_node_attributes(b))
		add(d, IB_DIFF_FILE, path, "attributes", g_strdup_printf("0x%x", ib_node_attributes(a)),
		    g_strdup_printf("0x%x", ib_node_attributes(b)));
	if (!same_security(d, a, b))
		add(d, IB_DIFF_FILE, path, "security", sddl_text(ib_node_security(d->s[0]->image, a)),
		    sddl_text(ib_node_security(d->s[1]->image, b)));
}

/* One side has it alone: a folder is one line, with all below it. */
static void add_alone(struct diff *d, const char *path, const struct ib_node *n, int side)
{
	char *text = ib_node_is_dir(n) ? g_strdup("folder") : content_text(d, side, n);

	add(d, IB_DIFF_FILE, path, NULL, side ? NULL : text, side ? text : NULL);
}

static void diff_folders(struct diff *d, const char *path, const struct ib_node *a, const struct ib_node *b)
{
	struct ib_node *x = ib_node_first(a), *y = ib_node_first(b);

	/* Siblings come in the order of their names; lib/wim bounds the depth. */
	while (x || y) {
		int order = !x ? 1 : !y ? -1 : ib_name_compare(ib_node_name(x), ib_node_name(y));
		g_autofree char *full = g_strdup_printf("%s%s%s", path, *path ? "\\" : "", ib_node_name(order <= 0 ? x : y));
		bool skipped = is_told_elsewhere(full);
		if (!skipped && order)
			add_alone(d, full, order < 0 ? x : y, order < 0 ? 0 : 1);
		else if (!skipped)
			diff_node(d, full, x, y);
		if (!skipped && !order && ib_node_is_dir(x) && ib_node_is_dir(y))
			diff_folders(d, full, x, y);
		x = order <= 0 ? ib_node_next(x) : x;
		y = order >= 0 ? ib_node_next(y) : y;
	}
}

/* ---- all of it ---- */

static int by_place(gconstpointer p, gconstpointer q)
{
	const struct ib_difference *a = *(struct ib_difference *const *)p, *b = *(struct ib_difference *const *)q;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	int order = ib_name_compare(a->name, b->name);
	return order ? order : g_strcmp0(a->field, b->field);
}

bool ib_store_diff(struct ib_store *a, struct ib_store *b, GPtrArray **ret, struct ib_error **err)
{
	struct diff d = { .s = { a, b }, .out = g_ptr_array_new_with_free_func(difference_free) };

	diff_image(&d);
	if (!diff_packages(&d, err) || !diff_components(&d, err) || !diff_registry(&d, err)) {
		g_ptr_array_unref(d.out);
		return ib_while(err, "comparing two images");
	}
	diff_folders(&d, "", ib_image_root(a->image), ib_image_root(b->image));
	g_ptr_array_sort(d.out, by_place);
	*ret = d.out;
	return true;
}
