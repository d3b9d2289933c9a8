/* Choosing: decorations of section names, directory numbers, models. */
#include "driver/internal.h"

#include <string.h>

/* Suites that a client system reports: a single user's terminal services. */
#define SUITE_CLIENT 0x100u

/* ---- decorations ---- */

/* "NTamd64" to the architecture behind NT; "" for NT alone; NULL when it begins otherwise. */
static const char *take_arch(const char **at)
{
	static const char *const names[] = { "amd64", "arm64", "x86", "ia64", "arm" };
	const char *p = *at;

	if (g_ascii_strncasecmp(p, "NT", 2) != 0)
		return NULL;
	p += 2;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		size_t n = strlen(names[i]);
		if (g_ascii_strncasecmp(p, names[i], n) || (p[n] && p[n] != '.'))
			continue;
		*at = p + n;
		return names[i];
	}
	*at = p;
	return *p && *p != '.' ? NULL : "";
}

/* .major.minor.product.suite.build: -1 where nothing stands. */
static bool take_numbers(const char *at, int64_t ret[5])
{
	for (unsigned i = 0; i < 5; i++)
		ret[i] = -1;
	for (unsigned i = 0; *at; i++) {
		size_t n = strcspn(at + 1, ".");
		g_autofree char *text = g_strndup(at + 1, n);
		if (i >= 5 || (*text && (!inf_number(text, &ret[i]) || ret[i] < 0)))
			return false;
		at += 1 + n;
	}
	return true;
}

static uint64_t or_zero(int64_t n)
{
	return n < 0 ? 0 : (uint64_t)n;
}

bool ib_inf_decoration(const char *text, const struct ib_driver_target *t, uint64_t *ret_rank)
{
	const char *at = text, *arch = take_arch(&at);
	int64_t n[5];

	if (!arch || !take_numbers(at, n) || (*arch && g_ascii_strcasecmp(arch, t->arch)))
		return false;
	uint64_t want = or_zero(n[0]) << 32 | or_zero(n[1]), have = (uint64_t)t->major << 32 | t->minor;
	if (want > have || (n[2] > 0 && (n[2] != 1) != t->server) ||
	    (n[3] > 0 && (t->server || !(n[3] & SUITE_CLIENT))) || or_zero(n[4]) > t->build)
		return false;
	/* A newer system first, then what says more. */
	if (ret_rank)
		*ret_rank = MIN(or_zero(n[0]), 0xfff) << 52 | MIN(or_zero(n[1]), 0xfff) << 40 |
			    MIN(or_zero(n[4]), 0xffffff) << 16 | (uint64_t)(n[2] > 0) << 3 | (uint64_t)(n[3] > 0) << 2 |
			    (uint64_t)(*arch != 0) << 1 | 1;
	return true;
}

const struct ib_inf_section *ib_inf_best_section(const struct ib_inf *inf, const char *name,
						 const struct ib_driver_target *t)
{
	const struct ib_inf_section *best = ib_inf_section(inf, name);
	size_t len = strlen(name);
	uint64_t best_rank = 0, rank;

	for (size_t i = 0; i < ib_inf_count(inf); i++) {
		const struct ib_inf_section *s = ib_inf_at(inf, i);
		if (strlen(s->name) <= len || s->name[len] != '.')
			continue;
		g_autofree char *front = g_strndup(s->name, len);
		if (!g_utf8_validate(front, -1, NULL) || !ib_name_equal(front, name) ||
		    !ib_inf_decoration(s->name + len + 1, t, &rank) || rank <= best_rank)
			continue;
		best = s;
		best_rank = rank;
	}
	return best;
}

/* ---- directory numbers ---- */

static const struct {
	unsigned number;
	const char *path;
} directories[] = {
	{ 10, "Windows" },
	{ 11, "Windows\\System32" },
	{ 12, "Windows\\System32\\drivers" },
	{ 17, "Windows\\INF" },
	{ 18, "Windows\\Help" },
	{ 20, "Windows\\Fonts" },
	{ 21, "Windows\\System32\\viewers" },
	{ 23, "Windows\\System32\\spool\\drivers\\color" },
	{ 24, "" },
	{ 25, "Windows" },
	{ 30, "" },
	{ 50, "Windows\\System" },
	{ 51, "Windows\\System32\\spool" },
	{ 52, "Windows\\System32\\spool\\drivers" },
	{ 53, "Users\\Default" },
	{ 54, "" },
	/* CSIDL numbers, from 16384 on */
	{ 16419, "ProgramData" },
	{ 16420, "Windows" },
	{ 16421, "Windows\\System32" },
	{ 16422, "Program Files" },
	{ 16425, "Windows\\SysWOW64" },
	{ 16426, "Program Files (x86)" },
	{ 16427, "Program Files\\Common Files" },
	{ 16428, "Program Files (x86)\\Common Files" },
	{ 16430, "Users\\Public\\Documents" },
};

const char *ib_inf_directory(unsigned number)
{
	for (size_t i = 0; i < G_N_ELEMENTS(directories); i++)
		if (directories[i].number == number)
			return directories[i].path;
	return NULL;
}

static char *directory_text(const char *digits, enum ib_inf_paths form, const char *store)
{
	guint64 number;

	if (!g_ascii_string_to_unsigned(digits, 10, 0, G_MAXUINT32, &number, NULL))
		return NULL;
	g_autofree char *in_store = number == 13 && store ?
		g_strconcat("Windows\\System32\\DriverStore\\FileRepository\\", store, NULL) : NULL;
	const char *path = in_store ? in_store : ib_inf_directory((unsigned)number);
	if (!path || form == IB_INF_IMAGE)
		return g_strdup(path);
	if (form == IB_INF_FULL)
		return g_strconcat("C:", *path ? "\\" : "", path, NULL);
	return g_str_has_prefix(path, "Windows\\") ? g_strdup(path + strlen("Windows\\")) : NULL;
}

char *ib_inf_expand(const char *field, enum ib_inf_paths form, const char *store)
{
	GString *out = g_string_new(NULL);

	for (const char *p = field; *p;) {
		const char *end = *p == DIRECTORY_BEGIN ? strchr(p, DIRECTORY_END) : NULL;
		if (!end) {
			g_string_append_c(out, *p++);
			continue;
		}
		g_autofree char *digits = g_strndup(p + 1, (gsize)(end - p - 1));
		g_autofree char *text = directory_text(digits, form, store);
		if (!text) {
			g_string_free(out, TRUE);
			return NULL;
		}
		g_string_append(out, text);
		p = end + 1;
	}
	return g_string_free(out, FALSE);
}

/* ---- models ---- */

/* The models section a [Manufacturer] line means: the best decoration it lists. NULL: none is for the target. */
static char *models_section(const struct ib_inf_line *l, const struct ib_driver_target *t)
{
	const char *best = NULL, *base = inf_field(l, 0);
	uint64_t best_rank = 0, rank;

	for (unsigned i = 1; i < l->count; i++) {
		if (!ib_inf_decoration(l->fields[i], t, &rank) || rank <= best_rank)
			continue;
		/* "NT" alone, without an architecture, is 32-bit Windows' */
		if (g_ascii_strcasecmp(t->arch, "x86") && (!l->fields[i][2] || l->fields[i][2] == '.'))
			continue;
		best = l->fields[i];
		best_rank = rank;
	}
	if (best)
		return g_strconcat(base, ".", best, NULL);
	return g_ascii_strcasecmp(t->arch, "x86") ? NULL : g_strdup(base);
}

static bool add_model(const struct ib_inf *inf, const char *manufacturer, const struct ib_inf_line *l,
		      const struct ib_driver_target *t, GPtrArray *models, struct ib_error **err)
{
	const struct ib_inf_section *install = ib_inf_best_section(inf, inf_field(l, 0), t);

	if (l->count < 2 || !*l->fields[0] || !*l->fields[1])
		return true; /* a model without hardware id supports no device */
	if (!install)
		return inf_throw(inf, l->line, err, "there is no section [%s], the model's install section", l->fields[0]);
	struct ib_driver_model *m = g_new0(struct ib_driver_model, 1);
	m->description = l->key ? l->key : "";
	m->manufacturer = manufacturer;
	m->install = install;
	m->ids = l->fields + 1;
	m->line = l->line;
	g_ptr_array_add(models, m);
	return true;
}

static bool add_models(const struct ib_inf *inf, const struct ib_inf_line *maker, const struct ib_driver_target *t,
		       GPtrArray *models, struct ib_error **err)
{
	g_autofree char *name = models_section(maker, t);
	const struct ib_inf_section *s = name ? ib_inf_section(inf, name) : NULL;

	for (guint i = 0; s && i < s->lines->len; i++)
		if (!add_model(inf, maker->key ? maker->key : inf_field(maker, 0), s->lines->pdata[i], t, models, err))
			return false;
	return true;
}

bool ib_inf_models(const struct ib_inf *inf, const struct ib_driver_target *t, GPtrArray **ret, struct ib_error **err)
{
	const struct ib_inf_section *makers = ib_inf_section(inf, "Manufacturer");
	g_autoptr(GPtrArray) models = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; makers && i < makers->lines->len; i++)
		if (!add_models(inf, makers->lines->pdata[i], t, models, err))
			return false;
	*ret = g_steal_pointer(&models);
	return true;
}
