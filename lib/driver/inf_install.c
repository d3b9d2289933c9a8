/* Install sections: which files, values and services they ask for. */
#include "driver/internal.h"

#include <string.h>

/* INF files that need each other. */
#define INCLUDE_DEPTH 8u
/* Lines read for one package, counted each time a section is named: NVIDIA's display driver comes to 300,000. */
#define WORK_MAX 4000000u
/* Lines of `left`; a package with more is none that this reader understands. */
#define LEFT_MAX 1000u

struct reading {
	const struct ib_driver_request *q;
	struct ib_driver_actions *a;
	GPtrArray *values; /* where AddReg lines go */
	unsigned depth;
};

static bool read_section(struct reading *r, const struct ib_inf *inf, const struct ib_inf_section *s,
			 struct ib_error **err);

/* ---- helpers ---- */

void inf_left(GPtrArray *left, const struct ib_inf *inf, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_autofree char *what = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	char *text = g_strdup_printf("%s:%u: %s", ib_inf_name(inf), line, what);
	if (left->len >= LEFT_MAX || g_ptr_array_find_with_equal_func(left, text, g_str_equal, NULL))
		g_free(text);
	else
		g_ptr_array_add(left, text);
}

bool inf_work(const struct ib_inf *inf, const struct ib_inf_section *s, struct ib_driver_actions *a, struct ib_error **err)
{
	a->lines += s->lines->len + 1;
	return a->lines <= WORK_MAX ? true :
	       ib_throw(err, IB_ERR_INPUT, "the sections of '%s' name each other more than %u lines' worth", ib_inf_name(inf),
			WORK_MAX);
}

bool inf_named_section(const struct ib_inf *inf, const char *name, unsigned line, const struct ib_inf_section **ret,
		       struct ib_error **err)
{
	*ret = ib_inf_section(inf, name);
	return *ret ? true : inf_throw(inf, line, err, "there is no section [%s]", name);
}

static bool legal_name(const char *name)
{
	static const char *const devices[] = { "CON", "PRN", "AUX", "NUL" };

	if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strlen(name) > 255 ||
	    strpbrk(name, "<>:\"/|?*\x01\x02") || g_str_has_suffix(name, ".") || g_str_has_suffix(name, " "))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(devices); i++)
		if (!g_ascii_strcasecmp(name, devices[i]))
			return false;
	return true;
}

char *inf_relative(const char *text)
{
	g_auto(GStrv) names = g_strsplit(text, "\\", -1);
	g_autoptr(GString) out = g_string_new(NULL);

	for (char **n = names; *n; n++) {
		if (!**n || !strcmp(*n, "."))
			continue; /* "\sub\", ".\sub" */
		if (!legal_name(*n))
			return NULL;
		g_string_append_printf(out, "%s%s", out->len ? "\\" : "", *n);
	}
	return g_strdup(out->str);
}

void ib_driver_actions_clear(struct ib_driver_actions *a)
{
	g_clear_pointer(&a->copies, g_ptr_array_unref);
	g_clear_pointer(&a->values, g_ptr_array_unref);
	g_clear_pointer(&a->device_values, g_ptr_array_unref);
	g_clear_pointer(&a->services, g_ptr_array_unref);
	g_clear_pointer(&a->left, g_ptr_array_unref);
}

static void copy_free(void *p)
{
	struct ib_driver_copy *c = p;

	g_free(c->source);
	g_free(c->path);
	g_free(c);
}

/* ---- CopyFiles ---- */

/* The line of [DestinationDirs] for a list of files, or DefaultDestDir. */
static const struct ib_inf_line *destination(const struct ib_inf *inf, const char *list)
{
	const struct ib_inf_section *s = ib_inf_section(inf, "DestinationDirs");
	const struct ib_inf_line *fallback = NULL;

	for (guint i = 0; s && i < s->lines->len; i++) {
		const struct ib_inf_line *l = s->lines->pdata[i];
		if (l->key && list && ib_name_equal(l->key, list))
			return l;
		if (l->key && ib_name_equal(l->key, "DefaultDestDir"))
			fallback = l;
	}
	return fallback;
}

/* Appends the copy of one file; a directory nobody here knows makes it one that is left. */
static bool add_copy(struct reading *r, const struct ib_inf *inf, const struct ib_inf_line *where,
		     const struct ib_driver_copy *from, const char *to, struct ib_error **err)
{
	int64_t number = 11; /* where nothing is said: System32 */
	g_autofree char *folder = where ? inf_relative(inf_field(where, 1)) : g_strdup("");
	g_autofree char *name = inf_relative(to);

	if (where && !inf_number(inf_field(where, 0), &number))
		return inf_throw(inf, where->line, err, "'%s' is no directory number", inf_field(where, 0));
	if (!folder)
		return inf_throw(inf, where->line, err, "the folder '%s' leaves its place", inf_field(where, 1));
	if (!name || !*name || strchr(to, '\\'))
		return inf_throw(inf, from->line, err, "'%s' is no file name", to);
	const char *root = number < 0 || number > G_MAXUINT32 ? NULL : ib_inf_directory((unsigned)number);
	if (!root && number != 13) {
		inf_left(r->a->left, inf, from->line, "copy '%s' to directory %" PRId64, to, number);
		return true;
	}
	struct ib_driver_copy *c = g_new0(struct ib_driver_copy, 1);
	*c = (struct ib_driver_copy){ .source = g_strdup(from->source), .flags = from->flags, .line = from->line,
				      .store = number == 13 };
	c->path = c->store ? g_strconcat(folder, *folder ? "\\" : "", name, NULL) :
		  g_strconcat(root, *root ? "\\" : "", folder, *folder ? "\\" : "", name, NULL);
	g_ptr_array_add(r->a->copies, c);
	return true;
}

static bool copy_list(struct reading *r, const struct ib_inf *inf, const char *list, unsigned line, struct ib_error **err)
{
	const struct ib_inf_section *s;

	if (*list == '@') {
		struct ib_driver_copy one = { .source = (char *)list + 1, .line = line };
		return add_copy(r, inf, destination(inf, NULL), &one, list + 1, err);
	}
	if (!inf_named_section(inf, list, line, &s, err) || !inf_work(inf, s, r->a, err))
		return false;
	for (guint i = 0; i < s->lines->len; i++) {
		const struct ib_inf_line *l = s->lines->pdata[i];
		const char *to = inf_field(l, 0), *from = *inf_field(l, 1) ? l->fields[1] : to;
		int64_t flags = 0;
		if (*inf_field(l, 3) && !inf_number(l->fields[3], &flags))
			return inf_throw(inf, l->line, err, "'%s' are no flags", l->fields[3]);
		struct ib_driver_copy one = { .source = (char *)from, .line = l->line, .flags = (uint32_t)flags };
		if (*to && !add_copy(r, inf, destination(inf, list), &one, to, err))
			return false;
	}
	return true;
}

/* ---- directives ---- */

static bool on_copy(struct reading *r, const struct ib_inf *inf, const struct ib_inf_line *l, struct ib_error **err)
{
	for (unsigned i = 0; i < l->count; i++)
		if (*l->fields[i] && !copy_list(r, inf, l->fields[i], l->line, err))
			return false;
	return true;
}

static bool on_registry(struct reading *r, const struct ib_inf *inf, const struct ib_inf_line *l, struct ib_error **err)
{
	bool del = ib_name_equal(l->key, "DelReg");

	for (unsigned i = 0; i < l->count; i++) {
		const struct ib_inf_section *s;
		if (!*l->fields[i])
			continue;
		if (!inf_named_section(inf, l->fields[i], l->line, &s, err) ||
		    !inf_read_registry(inf, s, del, r->values, r->a, err))
			return false;
	}
	return true;
}

static bool on_service(struct reading *r, const struct ib_inf *inf, const struct ib_inf_line *l, struct ib_error **err)
{
	return inf_read_service(inf, l, r->a, err);
}

/* Facts about the package, which ask for nothing. */
static bool on_fact(struct reading *r, const struct ib_inf *inf, const struct ib_inf_line *l, struct ib_error **err)
{
	return true;
}

static const struct {
	const char *key;
	bool (*read)(struct reading *r, const struct ib_inf *inf, const struct ib_inf_line *l, struct ib_error **err);
} directives[] = {
	{ "CopyFiles", on_copy },        { "AddReg", on_registry },      { "DelReg", on_registry },
	{ "AddService", on_service },    { "DriverVer", on_fact },       { "OptionDesc", on_fact },
	{ "FeatureScore", on_fact },     { "Include", on_fact },         { "Needs", on_fact },
	{ "SPLicense", on_fact },        { "Characteristics", on_fact }, { "BusType", on_fact },
	{ "ExcludeFromSelect", on_fact },
};

static bool read_line(struct reading *r, const struct ib_inf *inf, const struct ib_inf_line *l, struct ib_error **err)
{
	if (!l->key)
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(directives); i++)
		if (ib_name_equal(l->key, directives[i].key))
			return directives[i].read(r, inf, l, err);
	inf_left(r->a->left, inf, l->line, "%s", l->key);
	return true;
}

/* ---- Include and Needs ---- */

/* Sections of other INF files that this one needs: the first of the included that has each. */
static bool need(struct reading *r, const struct ib_inf *inf, GPtrArray *included, const struct ib_inf_line *l,
		 struct ib_error **err)
{
	for (unsigned i = 0; i < l->count; i++) {
		const struct ib_inf_section *found = NULL;
		const struct ib_inf *in = NULL;
		for (guint k = 0; !found && k < included->len; k++) {
			in = included->pdata[k];
			found = ib_inf_section(in, l->fields[i]);
		}
		if (!found)
			inf_left(r->a->left, inf, l->line, "Needs '%s', which is not in what was included", l->fields[i]);
		else if (!read_section(r, in, found, err))
			return ib_while(err, "reading [%s], which %s:%u needs", l->fields[i], ib_inf_name(inf), l->line);
	}
	return true;
}

static bool include(struct reading *r, const struct ib_inf *inf, const struct ib_inf_line *l, GPtrArray *included,
		    struct ib_error **err)
{
	for (unsigned i = 0; i < l->count; i++) {
		struct ib_inf *other = NULL;
		if (!legal_name(l->fields[i]) || strchr(l->fields[i], '\\'))
			return inf_throw(inf, l->line, err, "'%s' is no name of an INF", l->fields[i]);
		if (r->q->include && !r->q->include(l->fields[i], &other, r->q->data, err))
			return ib_while(err, "including '%s' into %s:%u", l->fields[i], ib_inf_name(inf), l->line);
		if (other)
			g_ptr_array_add(included, other);
		else
			inf_left(r->a->left, inf, l->line, "Include '%s', which %s", l->fields[i],
				 r->q->include ? "the image does not have" : "was not looked into");
	}
	return true;
}

static bool read_needs(struct reading *r, const struct ib_inf *inf, const struct ib_inf_section *s, struct ib_error **err)
{
	g_autoptr(GPtrArray) included = g_ptr_array_new_with_free_func((GDestroyNotify)ib_inf_free);

	for (guint i = 0; i < s->lines->len; i++) {
		const struct ib_inf_line *l = s->lines->pdata[i];
		if (l->key && ib_name_equal(l->key, "Include") && !include(r, inf, l, included, err))
			return false;
	}
	for (guint i = 0; i < s->lines->len; i++) {
		const struct ib_inf_line *l = s->lines->pdata[i];
		if (l->key && ib_name_equal(l->key, "Needs") && !need(r, inf, included, l, err))
			return false;
	}
	return true;
}

static bool read_section(struct reading *r, const struct ib_inf *inf, const struct ib_inf_section *s,
			 struct ib_error **err)
{
	if (r->depth >= INCLUDE_DEPTH)
		return ib_throw(err, IB_ERR_INPUT, "'%s' includes itself, or INF files more than %u deep", ib_inf_name(inf),
				INCLUDE_DEPTH);
	r->depth++;
	bool ok = inf_work(inf, s, r->a, err) && read_needs(r, inf, s, err);
	for (guint i = 0; ok && i < s->lines->len; i++)
		ok = read_line(r, inf, s->lines->pdata[i], err);
	r->depth--;
	return ok;
}

/* ---- an install section and what belongs to it ---- */

/* Extensions of an install section's name that ask for things only a running system can do. */
static const char *const extensions[] = { "CoInstallers", "Interfaces", "Wdf",     "Software",          "Components",
					  "Events",       "FactDef",    "Filters", "LogConfigOverride", "WMI" };

static void name_extensions(struct reading *r, const struct ib_inf *inf, const struct ib_inf_section *install)
{
	for (size_t i = 0; i < G_N_ELEMENTS(extensions); i++) {
		g_autofree char *name = g_strconcat(install->name, ".", extensions[i], NULL);
		const struct ib_inf_section *s = ib_inf_section(inf, name);
		if (s && s->lines->len)
			inf_left(r->a->left, inf, ((const struct ib_inf_line *)s->lines->pdata[0])->line, "section [%s]", s->name);
	}
}

static bool read_named(struct reading *r, const struct ib_inf *inf, const struct ib_inf_section *install,
		       const char *extension, struct ib_error **err)
{
	g_autofree char *name = g_strconcat(install->name, extension, NULL);
	const struct ib_inf_section *s = ib_inf_section(inf, name);

	return !s || read_section(r, inf, s, err);
}

bool ib_driver_read_install(const struct ib_inf *inf, const struct ib_inf_section *install,
			    const struct ib_driver_request *request, struct ib_driver_actions *ret, struct ib_error **err)
{
	struct reading r = { .q = request, .a = ret };

	if (!ret->copies) {
		ret->copies = g_ptr_array_new_with_free_func(copy_free);
		ret->values = g_ptr_array_new_with_free_func(inf_value_free);
		ret->device_values = g_ptr_array_new_with_free_func(inf_value_free);
		ret->services = g_ptr_array_new_with_free_func(inf_service_free);
		ret->left = g_ptr_array_new_with_free_func(g_free);
	}
	r.values = ret->values;
	bool ok = read_section(&r, inf, install, err) && read_named(&r, inf, install, ".Services", err);
	r.values = ret->device_values;
	if (!ok || !read_named(&r, inf, install, ".HW", err))
		return ib_while(err, "reading [%s] of '%s'", install->name, ib_inf_name(inf));
	name_extensions(&r, inf, install);
	return true;
}
