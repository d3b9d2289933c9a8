/* AddService: the service's own section, its registry values, its event source. */
#include "driver/internal.h"

#include <string.h>

/* Flag of AddService: the device's function driver. */
#define ASSOCIATED 0x2

void inf_service_free(void *p)
{
	struct ib_driver_service *s = p;

	if (!s)
		return;
	g_free(s->name);
	g_free(s->display);
	g_free(s->description);
	g_free(s->binary);
	g_free(s->group);
	g_free(s->account);
	g_free(s->security);
	g_strfreev(s->dependencies);
	g_ptr_array_unref(s->values);
	g_ptr_array_unref(s->events);
	g_free(s);
}

static struct ib_driver_service *service_new(const char *name, unsigned line)
{
	struct ib_driver_service *s = g_new0(struct ib_driver_service, 1);

	s->name = g_strdup(name);
	s->line = line;
	s->values = g_ptr_array_new_with_free_func(inf_value_free);
	s->events = g_ptr_array_new_with_free_func(inf_value_free);
	return s;
}

/* ---- what stands in a service's section ---- */

static const struct {
	const char *key;
	size_t offset;
} texts[] = {
	{ "DisplayName", offsetof(struct ib_driver_service, display) },
	{ "Description", offsetof(struct ib_driver_service, description) },
	{ "ServiceBinary", offsetof(struct ib_driver_service, binary) },
	{ "LoadOrderGroup", offsetof(struct ib_driver_service, group) },
	{ "StartName", offsetof(struct ib_driver_service, account) },
	{ "Security", offsetof(struct ib_driver_service, security) },
};

static const struct {
	const char *key;
	size_t offset;
	uint32_t max;
} numbers[] = {
	{ "ServiceType", offsetof(struct ib_driver_service, type), 0x1ff },
	{ "StartType", offsetof(struct ib_driver_service, start), 4 },
	{ "ErrorControl", offsetof(struct ib_driver_service, error_control), 3 },
};

static bool set_text(struct ib_driver_service *s, const struct ib_inf_line *l)
{
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		if (!ib_name_equal(l->key, texts[i].key))
			continue;
		char **field = (char **)(void *)((char *)s + texts[i].offset);
		g_free(*field);
		*field = g_strdup(inf_field(l, 0));
		return true;
	}
	return false;
}

/* @param ret_seen  bit of the number */
static bool set_number(const struct ib_inf *inf, struct ib_driver_service *s, const struct ib_inf_line *l,
		       bool *ret_taken, unsigned *seen, struct ib_error **err)
{
	*ret_taken = true;
	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
		int64_t n;
		if (!ib_name_equal(l->key, numbers[i].key))
			continue;
		if (!inf_number(inf_field(l, 0), &n) || n < 0 || n > numbers[i].max)
			return inf_throw(inf, l->line, err, "'%s' is no %s", inf_field(l, 0), numbers[i].key);
		*(uint32_t *)(void *)((char *)s + numbers[i].offset) = (uint32_t)n;
		*seen |= 1u << i;
		return true;
	}
	*ret_taken = false;
	return true;
}

static bool set_registry(const struct ib_inf *inf, const struct ib_inf_line *l, bool remove, GPtrArray *values,
			 struct ib_driver_actions *a, struct ib_error **err)
{
	for (unsigned i = 0; i < l->count; i++) {
		const struct ib_inf_section *section;
		if (!*l->fields[i])
			continue;
		if (!inf_named_section(inf, l->fields[i], l->line, &section, err) ||
		    !inf_read_registry(inf, section, remove, values, a, err))
			return false;
	}
	return true;
}

static bool set_line(const struct ib_inf *inf, struct ib_driver_service *s, const struct ib_inf_line *l, unsigned *seen,
		     struct ib_driver_actions *a, struct ib_error **err)
{
	bool taken;

	if (!l->key || set_text(s, l))
		return true;
	if (!set_number(inf, s, l, &taken, seen, err) || taken)
		return *err == NULL;
	if (ib_name_equal(l->key, "AddReg") || ib_name_equal(l->key, "DelReg"))
		return set_registry(inf, l, ib_name_equal(l->key, "DelReg"), s->values, a, err);
	if (ib_name_equal(l->key, "Dependencies")) {
		g_strfreev(s->dependencies);
		s->dependencies = g_strdupv(l->fields);
		return true;
	}
	inf_left(a->left, inf, l->line, "%s of the service '%s'", l->key, s->name);
	return true;
}

static bool read_events(const struct ib_inf *inf, const struct ib_inf_line *add, struct ib_driver_service *s,
			struct ib_driver_actions *a, struct ib_error **err)
{
	const struct ib_inf_section *section;

	if (!*inf_field(add, 3))
		return true;
	if (*inf_field(add, 4) || *inf_field(add, 5)) {
		inf_left(a->left, inf, add->line, "event source of the service '%s' in a log of its own", s->name);
		return true;
	}
	if (!inf_named_section(inf, add->fields[3], add->line, &section, err))
		return false;
	for (guint i = 0; i < section->lines->len; i++) {
		const struct ib_inf_line *l = section->lines->pdata[i];
		bool del = l->key && ib_name_equal(l->key, "DelReg");
		if (l->key && (del || ib_name_equal(l->key, "AddReg")) && !set_registry(inf, l, del, s->events, a, err))
			return false;
	}
	return true;
}

static bool read_body(const struct ib_inf *inf, const struct ib_inf_line *add, struct ib_driver_service *s,
		      struct ib_driver_actions *a, struct ib_error **err)
{
	const struct ib_inf_section *body;
	unsigned seen = 0;

	if (!inf_named_section(inf, inf_field(add, 2), add->line, &body, err))
		return false;
	for (guint i = 0; i < body->lines->len; i++)
		if (!set_line(inf, s, body->lines->pdata[i], &seen, a, err))
			return false;
	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
		if (!(seen & 1u << i))
			return inf_throw(inf, add->line, err, "the section [%s] of the service '%s' has no %s", body->name, s->name,
					 numbers[i].key);
	if (!s->binary || !*s->binary)
		return inf_throw(inf, add->line, err, "the section [%s] of the service '%s' has no ServiceBinary", body->name,
				 s->name);
	return true;
}

bool inf_read_service(const struct ib_inf *inf, const struct ib_inf_line *line, struct ib_driver_actions *a,
		      struct ib_error **err)
{
	const char *name = inf_field(line, 0);

	if (!*name && line->count <= 1)
		return inf_throw(inf, line->line, err, "AddService names no service");
	if (!*name) /* "AddService = ,2": the device has no service; nothing to install */
		return true;
	if (strpbrk(name, "\\/\x01") || strlen(name) > 256)
		return inf_throw(inf, line->line, err, "'%s' is no name for a service", name);
	struct ib_driver_service *s = service_new(name, line->line);
	int64_t flags = 0;
	if (*inf_field(line, 1) && !inf_number(line->fields[1], &flags)) {
		inf_service_free(s);
		return inf_throw(inf, line->line, err, "'%s' are no flags", line->fields[1]);
	}
	s->associated = flags & ASSOCIATED;
	if (!read_body(inf, line, s, a, err) || !read_events(inf, line, s, a, err)) {
		inf_service_free(s);
		return false;
	}
	g_ptr_array_add(a->services, s);
	return true;
}
