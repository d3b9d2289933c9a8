/* What Plug and Play finds a driver package by: DriverDatabase. */
#include "servicing/drivers_internal.h"

#include <string.h>

/* Scores and flags as Windows writes them for packages that were imported. */
#define SCORE_WHQL 0x0d000005u
#define SCORE_AUTHENTICODE 0x0f000000u
#define STATUS_FLAGS 0x12u
#define CONFIG_SCOPE 7u
/* Ranks of ids in DeviceIds: the hardware id, and the compatible ones behind it. */
#define ID_HARDWARE 0x01u
#define ID_COMPATIBLE 0x02u

/* A place to write to: a key and the hive it is of. */
struct spot {
	struct ib_hive *hive;
	struct ib_key *key;
};

static bool spot(struct adding *a, struct spot *ret, struct ib_error **err, const char *fmt, ...) IB_PRINTF(4, 5);
static bool spot(struct adding *a, struct spot *ret, struct ib_error **err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_autofree char *path = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	return ib_svc_driver_key(a->s, path, true, &ret->hive, &ret->key, err);
}

static bool set_text(const struct spot *p, const char *name, const char *text, struct ib_error **err)
{
	return !text || ib_key_set_text(p->hive, p->key, name, IB_REG_SZ, text, err);
}

/* ---- values ---- */

bool ib_svc_driver_value(struct ib_hive *hive, struct ib_key *base, const struct ib_driver_value *v, struct ib_error **err)
{
	struct ib_key *key = ib_key_find(base, v->key);
	const struct ib_value *have = key ? ib_key_value(key, v->name) : NULL;

	if (v->remove_key)
		return !key || key == base || ib_key_remove(hive, key, err);
	if (v->remove) {
		if (key)
			ib_key_unset(hive, key, v->name);
		return true;
	}
	if ((have && (v->flags & IB_DRIVER_NO_CLOBBER)) || (!have && (v->flags & IB_DRIVER_OVERWRITE_ONLY)))
		return true;
	if (!ib_key_make(hive, base, v->key, &key, err))
		return false;
	if (v->flags & IB_DRIVER_KEY_ONLY)
		return true;
	if (!(v->flags & IB_DRIVER_APPEND) || v->type != IB_REG_MULTI_SZ)
		return ib_key_set(hive, key, v->name, v->type, v->data->data, v->data->len, err);
	for (char **t = v->strings; *t; t++)
		if (!ib_svc_multi_add(hive, key, v->name, *t, err))
			return false;
	return true;
}

static bool put_values(struct adding *a, const GPtrArray *values, const char *path, struct ib_error **err)
{
	for (guint i = 0; values && i < values->len; i++) {
		const struct ib_driver_value *v = values->pdata[i];
		struct spot at;
		if (v->root != IB_DRIVER_HKR || v->remove || v->remove_key)
			continue; /* nothing is there that could go */
		if (!spot(a, &at, err, "%s", path) || !ib_svc_driver_value(at.hive, at.key, v, err))
			return false;
	}
	return true;
}

/* ---- DriverPackages ---- */

/* "{4D36E97B-…}" in the registry's byte order. */
static bool guid_bytes(const char *text, uint8_t ret[16])
{
	static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	g_autoptr(GString) digits = g_string_new(NULL);

	for (const char *p = text ? text : ""; *p; p++)
		if (!strchr("{}-", *p))
			g_string_append_c(digits, *p);
	g_autoptr(GBytes) raw = ib_unhex(digits->str, digits->len);
	if (!raw || g_bytes_get_size(raw) != 16)
		return false;
	for (size_t i = 0; i < 16; i++)
		ret[i] = ((const uint8_t *)g_bytes_get_data(raw, NULL))[order[i]];
	return true;
}

/* 48 bytes: 00 FF, architecture, class, date, version, zeros. */
static void version_bytes(const struct adding *a, uint8_t ret[48])
{
	static const struct {
		const char *arch;
		uint16_t number;
	} archs[] = { { "x86", 0 }, { "amd64", 9 }, { "arm64", 12 } };

	memset(ret, 0, 48);
	ret[1] = 0xff;
	for (size_t i = 0; i < G_N_ELEMENTS(archs); i++)
		if (!g_ascii_strcasecmp(archs[i].arch, a->target.arch))
			ib_put_le16(ret + 2, archs[i].number);
	guid_bytes(a->d->class_guid, ret + 8);
	ib_put_le64(ret + 24, a->d->date);
	for (size_t i = 0; i < 4; i++)
		ib_put_le16(ret + 32 + 2 * i, a->d->version[3 - i]);
}

/* "CN=Name,O=…" to "Name". */
static char *common_name(const char *subject)
{
	const char *at = strstr(subject, "CN=");

	return at ? g_strndup(at + 3, strcspn(at + 3, ",")) : g_strdup(subject);
}

static bool record_package(struct adding *a, struct ib_error **err)
{
	static const char whql[] = "Microsoft Windows Hardware Compatibility Publisher";
	g_autofree char *signer = common_name(a->d->signer);
	uint8_t version[48], number[8];
	struct spot p;

	version_bytes(a, version);
	if (!spot(a, &p, err, "DriverPackages\\%s", a->d->store_name) || !set_text(&p, "", a->published, err) ||
	    !set_text(&p, "InfName", a->d->inf_name, err) || !set_text(&p, "Catalog", a->d->catalog_name, err) ||
	    !set_text(&p, "Provider", a->d->provider, err) || !set_text(&p, "SignerName", signer, err) ||
	    !ib_key_set_dword(p.hive, p.key, "SignerScore", strcmp(signer, whql) ? SCORE_AUTHENTICODE : SCORE_WHQL, err) ||
	    !ib_key_set_dword(p.hive, p.key, "StatusFlags", STATUS_FLAGS, err) ||
	    !ib_key_set(p.hive, p.key, "Version", IB_REG_BINARY, version, sizeof(version), err))
		return false;
	ib_put_le64(number, a->sum->bytes + g_bytes_get_size(a->d->inf_bytes));
	if (!ib_key_set(p.hive, p.key, "FileSize", IB_REG_QWORD, number, 8, err))
		return false;
	ib_put_le64(number, a->s->time);
	return ib_key_set(p.hive, p.key, "ImportDate", IB_REG_BINARY, number, 8, err);
}

static const char *device_service(const struct configuration *c)
{
	for (guint i = 0; i < c->actions.services->len; i++) {
		const struct ib_driver_service *sv = c->actions.services->pdata[i];
		if (sv->associated)
			return sv->name;
	}
	return NULL;
}

/* A section's HKR lines: of the driver, of the device, of its services. */
static bool record_configuration(struct adding *a, const struct configuration *c, struct ib_error **err)
{
	g_autofree char *path = g_strdup_printf("DriverPackages\\%s\\Configurations\\%s", a->d->store_name, c->section->name);
	g_autofree char *driver = g_strconcat(path, "\\Driver", NULL);
	g_autofree char *device = g_strconcat(path, "\\Device", NULL);
	struct spot p;

	if (!spot(a, &p, err, "%s", path) || !ib_key_set_dword(p.hive, p.key, "ConfigFlags", 0, err) ||
	    !ib_key_set_dword(p.hive, p.key, "ConfigScope", CONFIG_SCOPE, err) ||
	    !set_text(&p, "Service", device_service(c), err) || !put_values(a, c->actions.values, driver, err) ||
	    !put_values(a, c->actions.device_values, device, err))
		return false;
	for (guint i = 0; i < c->actions.services->len; i++) {
		const struct ib_driver_service *sv = c->actions.services->pdata[i];
		g_autofree char *service = g_strdup_printf("%s\\Services\\%s", path, sv->name);
		if (!spot(a, &p, err, "%s", service) || !put_values(a, sv->values, service, err))
			return false;
	}
	return true;
}

/* ---- DeviceIds, Descriptors ---- */

/* A hardware id may become a path of keys; nothing else. */
static bool legal_id(const char *id)
{
	return *id && strlen(id) < 200 && !strstr(id, "\\\\") && id[0] != '\\' && !g_str_has_suffix(id, "\\");
}

static bool record_device(struct adding *a, const struct ib_driver_model *m, struct ib_error **err)
{
	for (char *const *id = m->ids; *id; id++) {
		const uint8_t rank[4] = { id == m->ids ? ID_HARDWARE : ID_COMPATIBLE, 0xff, 0, 0 };
		struct spot p;
		if (!**id)
			continue;
		if (!legal_id(*id))
			return ib_throw(err, IB_ERR_INPUT, "'%s' (line %u) is no device id", *id, m->line);
		if (!spot(a, &p, err, "DeviceIds\\%s", *id) ||
		    !ib_key_set(p.hive, p.key, a->published, IB_REG_BINARY, rank, sizeof(rank), err) ||
		    !spot(a, &p, err, "DriverPackages\\%s\\Descriptors\\%s", a->d->store_name, *id) ||
		    !set_text(&p, "Configuration", m->install->name, err) ||
		    !set_text(&p, "Manufacturer", m->manufacturer, err) || !set_text(&p, "Description", m->description, err))
			return false;
	}
	return true;
}

static bool record_class(struct adding *a, struct ib_error **err)
{
	uint8_t ignored[16];
	struct spot p;

	if (!guid_bytes(a->d->class_guid, ignored))
		return true;
	g_autofree char *lower = g_ascii_strdown(a->d->class_guid, -1);
	return spot(a, &p, err, "DeviceIds\\%s", lower) && ib_key_set(p.hive, p.key, a->published, IB_REG_NONE, NULL, 0, err);
}

/* ---- DriverInfFiles ---- */

/* A bit for each number in use, the highest bit of the first byte for oem0. */
static bool mark_number(struct adding *a, unsigned number, struct ib_error **err)
{
	g_autoptr(GByteArray) map = g_byte_array_new();
	struct spot p;
	size_t len = 0;

	if (!spot(a, &p, err, "%s", ""))
		return false;
	const struct ib_value *v = ib_key_value(p.key, "OemInfMap");
	const uint8_t *data = v ? ib_value_data(v, &len) : NULL;
	if (data)
		g_byte_array_append(map, data, (guint)len);
	while (map->len <= number / 8)
		g_byte_array_append(map, (const uint8_t[1]){ 0 }, 1);
	map->data[number / 8] |= (uint8_t)(0x80 >> number % 8);
	return ib_key_set(p.hive, p.key, "OemInfMap", IB_REG_BINARY, map->data, map->len, err);
}

static bool record_inf(struct adding *a, unsigned number, struct ib_error **err)
{
	char *store[] = { a->d->store_name, NULL };
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	struct spot p;

	for (guint i = 0; i < a->configurations->len; i++)
		g_ptr_array_add(names, (char *)((const struct configuration *)a->configurations->pdata[i])->section->name);
	g_ptr_array_add(names, NULL);
	return spot(a, &p, err, "DriverInfFiles\\%s", a->published) && ib_key_set_strings(p.hive, p.key, "", store, err) &&
	       set_text(&p, "Active", a->d->store_name, err) &&
	       ib_key_set_strings(p.hive, p.key, "Configurations", (char **)names->pdata, err) && mark_number(a, number, err);
}

bool ib_svc_driver_record(struct adding *a, unsigned number, struct ib_error **err)
{
	if (!record_inf(a, number, err) || !record_package(a, err) || !record_class(a, err))
		return ib_while(err, "writing DriverDatabase");
	for (guint i = 0; i < a->configurations->len; i++)
		if (!record_configuration(a, a->configurations->pdata[i], err))
			return ib_while(err, "writing DriverDatabase");
	for (guint i = 0; i < a->d->models->len; i++)
		if (!record_device(a, a->d->models->pdata[i], err))
			return ib_while(err, "writing DriverDatabase");
	return true;
}
