/* Any bytes as an INF: read or refused, and what was read can be chosen from and carried out on paper. */
#include <string.h>

#include "driver/driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ib_driver_target target = { .arch = "amd64", .major = 10, .build = 17763, .language = 0x0804 };

/* Every INF includes the fuzzed one: circles are part of the input. */
static bool again(const char *name, struct ib_inf **ret, void *data, struct ib_error **err)
{
	return ib_inf_parse(data, name, 0, ret, err);
}

static bool read_all(const struct ib_inf *inf, GBytes *bytes, struct ib_driver_actions *a, struct ib_error **err)
{
	const struct ib_driver_request q = { .target = &target, .include = again, .data = bytes };
	const struct ib_inf_section *alone = ib_inf_best_section(inf, "DefaultInstall", &target);
	g_autoptr(GPtrArray) models = NULL;

	if (!ib_inf_models(inf, &target, &models, err))
		return false;
	for (guint i = 0; i < models->len; i++) {
		const struct ib_driver_model *m = models->pdata[i];
		if (!ib_driver_read_install(inf, m->install, &q, a, err))
			return false;
	}
	return !alone || ib_driver_read_install(inf, alone, &q, a, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GBytes) bytes = g_bytes_new(data, size);
	struct ib_driver_actions a = { 0 };
	ib_auto_inf inf = NULL;
	ib_auto_error err = NULL;

	if (ib_inf_parse(bytes, "fuzz.inf", 0x0804, &inf, &err) && read_all(inf, bytes, &a, &err)) {
		for (guint i = 0; a.copies && i < a.copies->len; i++) {
			const struct ib_driver_copy *c = a.copies->pdata[i];
			g_assert(!strstr(c->path, "..\\") && !strchr(c->path, ':'));
		}
	}
	g_assert(!err || ib_error_code(err) == IB_ERR_INPUT);
	ib_driver_actions_clear(&a);
	return 0;
}
