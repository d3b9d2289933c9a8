/* Driver packages that an image holds: listing them, and whether what belongs to each is there. */
#include "servicing/drivers_internal.h"

#include <string.h>

static void driver_free(void *p)
{
	struct ib_installed_driver *d = p;

	g_free(d->published);
	g_free(d->store_name);
	g_free(d->inf_name);
	g_free(d->catalog_name);
	g_free(d->provider);
	g_free(d->version);
	g_free(d);
}

static char *text_of(struct ib_key *key, const char *name)
{
	const struct ib_value *v = key ? ib_key_value(key, name) : NULL;

	return v ? ib_value_text(v) : NULL;
}

/* The version out of DriverPackages' Version value. */
static char *version_of(struct ib_key *key)
{
	const struct ib_value *v = key ? ib_key_value(key, "Version") : NULL;
	size_t len = 0;
	const uint8_t *p = v ? ib_value_data(v, &len) : NULL;

	return len < 40 ? NULL : g_strdup_printf("%u.%u.%u.%u", ib_le16(p + 38), ib_le16(p + 36), ib_le16(p + 34), ib_le16(p + 32));
}

static bool is_oem(const char *name)
{
	return g_ascii_strncasecmp(name, "oem", 3) == 0 && g_ascii_isdigit(name[3]);
}

bool ib_store_drivers(struct ib_store *s, GPtrArray **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(driver_free);
	struct ib_key *infs, *packages;

	if (!ib_svc_driver_key(s, "DriverInfFiles", false, NULL, &infs, err) ||
	    !ib_svc_driver_key(s, "DriverPackages", false, NULL, &packages, err))
		return false;
	for (size_t i = 0; infs && i < ib_key_count(infs); i++) {
		struct ib_key *inf = ib_key_child(infs, i);
		if (!is_oem(ib_key_name(inf)))
			continue;
		struct ib_installed_driver *d = g_new0(struct ib_installed_driver, 1);
		d->published = g_strdup(ib_key_name(inf));
		d->store_name = text_of(inf, "Active");
		struct ib_key *package = d->store_name && packages ? ib_key_find(packages, d->store_name) : NULL;
		d->inf_name = text_of(package, "InfName");
		d->catalog_name = text_of(package, "Catalog");
		d->provider = text_of(package, "Provider");
		d->version = version_of(package);
		d->complete = package != NULL;
		g_ptr_array_add(list, d);
	}
	*ret = g_steal_pointer(&list);
	return true;
}

/* ---- verifying ---- */

struct look {
	struct ib_store *s;
	const struct ib_anchors *anchors;
	ib_svc_found_fn found;
	void *data;
};

static void IB_PRINTF(4, 5) tell(const struct look *l, const char *id, const char *subject, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_autofree char *text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	l->found(l->data, id, subject, text);
}

static bool exists(const struct look *l, const char *path)
{
	return ib_image_find(l->s->image, path) != NULL;
}

/* The folder's name is made from the INF's bytes: both INF files must be those. */
static bool check_inf(const struct look *l, const struct ib_installed_driver *d, const char *path, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	ib_auto_error why = NULL;

	if (!exists(l, path)) {
		tell(l, "driver-inf-missing", d->published, "'%s' is not in the image", path);
		return true;
	}
	if (!ib_image_read(l->s->image, path, IB_INF_MAX, &bytes, &why)) {
		if (ib_error_code(why) == IB_ERR_SYSTEM) {
			*err = g_steal_pointer(&why);
			return false;
		}
		tell(l, "driver-inf-unreadable", d->published, "%s", ib_error_cause(why));
		return true;
	}
	g_autofree char *name = ib_driver_store_name(d->inf_name, l->s->arch, bytes);
	if (!ib_name_equal(name, d->store_name))
		tell(l, "driver-inf-changed", d->published, "'%s' is not the INF that '%s' was named after", path, d->store_name);
	return true;
}

static bool check_catalog(const struct look *l, const struct ib_installed_driver *d, const char *path,
			  struct ib_error **err)
{
	ib_auto_catalog_verdict verdict = { 0 };
	g_autoptr(GBytes) bytes = NULL;
	ib_auto_error why = NULL;
	ib_auto_catalog c = NULL;

	if (!exists(l, path)) {
		tell(l, "driver-catalog-missing", d->published, "'%s' is not in the image", path);
		return true;
	}
	if (!l->anchors)
		return true;
	if (ib_image_read(l->s->image, path, IB_CATALOG_MAX, &bytes, &why) &&
	    ib_catalog_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), path, &c, &why) &&
	    ib_catalog_verify(c, l->anchors, &verdict, &why))
		return true;
	if (ib_error_code(why) == IB_ERR_SYSTEM) {
		*err = g_steal_pointer(&why);
		return false;
	}
	tell(l, "driver-catalog-untrusted", d->published, "%s", ib_error_cause(why));
	return true;
}

static bool check_driver(const struct look *l, const struct ib_installed_driver *d, struct ib_error **err)
{
	if (!d->store_name || !d->complete || !d->inf_name) {
		tell(l, "driver-record", d->published, "DriverDatabase has no whole record of its package");
		return true;
	}
	g_autofree char *stored = g_strdup_printf(DIR_DRIVERSTORE "\\%s\\%s", d->store_name, d->inf_name);
	g_autofree char *published = g_strconcat("Windows\\INF\\", d->published, NULL);
	g_autofree char *catalog = g_strdup_printf(DIR_CATROOT "\\%.*s.cat", (int)strlen(d->published) - 4, d->published);
	return check_inf(l, d, stored, err) && check_inf(l, d, published, err) && check_catalog(l, d, catalog, err);
}

bool ib_svc_verify_drivers(struct ib_store *s, const struct ib_anchors *anchors, ib_svc_found_fn found, void *data,
			   unsigned *ret_count, struct ib_error **err)
{
	const struct look l = { .s = s, .anchors = anchors, .found = found, .data = data };
	g_autoptr(GPtrArray) list = NULL;

	if (!ib_store_drivers(s, &list, err))
		return false;
	for (guint i = 0; i < list->len; i++)
		if (!check_driver(&l, list->pdata[i], err))
			return false;
	*ret_count = list->len;
	return true;
}
