/* What the servicing stack remembers: SOFTWARE's CBS and SideBySide keys, the COMPONENTS hive. */
#include <string.h>

#include "base/bytes.h"
#include "digest/digest.h"

#include "image.h"
#include "keyform.h"

#define CBS "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\"
#define WINNERS "Microsoft\\Windows\\CurrentVersion\\SideBySide\\Winners\\"
#define FAMILIES "DerivedData\\VersionedIndex\\10.0.%u.1 (WinBuild.160101.0800)\\ComponentFamilies\\%s"
#define FILETIME_EPOCH 11644473600LL

/* States and owner marks of cbs: installed; owned by itself, installed. */
#define INSTALLED 0x70u
#define OWNER_INSTALLED 0x00020070u
/* CF: manifest and files are there. f!: staged. */
#define MANIFEST_AND_FILES 0xCu
#define STAGED 1u

static void record_updates(struct lab_hive *h, const struct lab_signed *s, const char *key)
{
	g_autofree char *updates = g_strconcat(key, "\\Updates", NULL);
	const struct lab_package *p = s->package;

	for (guint i = 0; i < p->updates->len; i++) {
		const struct lab_update *u = p->updates->pdata[i];

		lab_hive_dword(h, updates, u->name, INSTALLED);
		if (u->selectable) {
			g_autofree char *feature = g_strconcat(CBS "Notifications\\OptionalFeatures\\", u->name, NULL);

			lab_hive_dword(h, feature, "Selection", 1);
		}
		if (u->applicable_update) {
			g_autofree char *detect = g_strconcat(CBS "UpdateDetect\\", u->applicable_update, NULL);

			lab_hive_dword(h, detect, s->id, INSTALLED);
		}
	}
}

static void record_package(struct lab_os *os, const struct lab_signed *s)
{
	struct lab_hive *h = os->hives[LAB_HIVE_SOFTWARE];
	uint64_t filetime = (uint64_t)(os->epoch + FILETIME_EPOCH) * 10000000u;
	g_autofree char *key = g_strconcat(CBS "Packages\\", s->id, NULL);
	g_autofree char *owners = g_strconcat(key, "\\Owners", NULL);
	g_autofree char *mum = g_strconcat(s->id, ".mum", NULL);
	struct lab_identity any = s->package->id;

	lab_hive_sz(h, key, "InstallClient", "DISM Package Manager Provider");
	lab_hive_sz(h, key, "InstallName", mum);
	lab_hive_sz(h, key, "InstallLocation", "\\\\?\\C:\\Windows\\CbsTemp\\");
	lab_hive_sz(h, key, "InstallUser", "S-1-5-18");
	lab_hive_dword(h, key, "CurrentState", INSTALLED);
	lab_hive_dword(h, key, "SelfUpdate", 0);
	lab_hive_dword(h, key, "Visibility", 1);
	lab_hive_dword(h, key, "InstallTimeHigh", (uint32_t)(filetime >> 32));
	lab_hive_dword(h, key, "InstallTimeLow", (uint32_t)filetime);
	lab_hive_dword(h, owners, s->id, OWNER_INSTALLED);
	any.version = "0.0.0.0";
	g_autofree char *any_id = lab_package_id(&any);
	g_autofree char *index = g_strconcat(CBS "PackageIndex\\", any_id, NULL);

	lab_hive_dword(h, index, s->id, INSTALLED);
	record_updates(h, s, key);
}

static void record_winner(struct lab_os *os, const struct lab_identity *id)
{
	struct lab_hive *h = os->hives[LAB_HIVE_SOFTWARE];
	g_autofree char *family = lab_key_family(id);
	g_autofree char *key = g_strconcat(WINNERS, family, NULL);
	const char *dot = strchr(strchr(id->version, '.') + 1, '.');
	g_autofree char *line = g_strndup(id->version, (gsize)(dot - id->version));
	g_autofree char *versions = g_strconcat(key, "\\", line, NULL);
	g_autofree char *index = g_strdup_printf(FAMILIES, os->system->build, family);
	g_autofree char *value = g_strconcat("v!", id->version, NULL);

	lab_hive_sz(h, key, "", line);
	lab_hive_sz(h, versions, "", id->version);
	lab_hive_set(h, versions, id->version, LAB_REG_BINARY, "\1", 1);
	lab_hive_set(os->hives[LAB_HIVE_COMPONENTS], index, value, LAB_REG_BINARY, "\1", 1);
}

/* One DerivedData\Components key; link: the short key of the deployment that owns it. */
static void record_component(struct lab_os *os, const struct lab_signed *s, const struct lab_identity *id,
			     const char *link)
{
	struct lab_hive *h = os->hives[LAB_HIVE_COMPONENTS];
	g_autofree char *keyform = lab_key_long(id);
	const struct lab_component *c = g_hash_table_lookup(s->components, keyform);
	g_autofree char *key = g_strconcat("DerivedData\\Components\\", keyform, NULL);
	g_autofree char *identity = lab_identity_text(&c->id);
	g_autofree char *owner = g_strconcat("c!", link, NULL);
	uint8_t hash[IB_SHA256_SIZE];
	size_t len;
	const void *data = g_bytes_get_data(g_hash_table_lookup(s->manifests, keyform), &len);

	ib_digest_bytes(IB_DIGEST_SHA256, data, len, hash);
	lab_hive_set(h, key, "identity", LAB_REG_BINARY, identity, strlen(identity));
	lab_hive_set(h, key, "S256H", LAB_REG_BINARY, hash, sizeof(hash));
	lab_hive_set(h, key, owner, LAB_REG_BINARY, "", 0);
	if (c->files->len)
		lab_hive_dword(h, key, "CF", MANIFEST_AND_FILES);
	for (guint i = 0; i < c->files->len; i++) {
		g_autofree char *value = lab_value_file(((const struct lab_file *)c->files->pdata[i])->name);

		lab_hive_dword(h, key, value, STAGED);
	}
	record_winner(os, &c->id);
}

/* p!, s! and i!: planned, staged, installed by this update of this package. */
static void record_reference(struct lab_hive *h, const char *key, const char *package_id, const char *update)
{
	g_autofree char *reference = g_strdup_printf("%s.%s", package_id, update);
	g_autofree char *name = lab_value_reference(reference);
	g_autoptr(GByteArray) data = g_byte_array_new();
	uint8_t head[8];

	ib_put_le32(head, (uint32_t)strlen(reference));
	ib_put_le32(head + 4, 1);
	g_byte_array_append(data, head, sizeof(head));
	g_byte_array_append(data, (const guint8 *)reference, (guint)strlen(reference));
	g_byte_array_append(data, (const guint8 *)"8", 1);
	for (const char *kind = "psi"; *kind; kind++) {
		g_autofree char *value = g_strdup_printf("%c!%s", *kind, name);

		lab_hive_set(h, key, value, LAB_REG_BINARY, data->data, data->len);
	}
}

static void record_deployment(struct lab_os *os, const struct lab_signed *s, const struct lab_update *u)
{
	struct lab_hive *h = os->hives[LAB_HIVE_COMPONENTS];
	const struct lab_component *d = u->deployment;
	g_autofree char *link = lab_key_short(&d->id);
	g_autofree char *key = g_strconcat("CanonicalData\\Deployments\\", link, NULL);
	g_autofree char *catalog = g_strconcat("CanonicalData\\Catalogs\\", s->thumbprint, NULL);
	g_autofree char *owner = g_strconcat("c!", link, NULL);
	g_autofree char *identity = lab_identity_text(&d->id);

	lab_hive_set(h, catalog, owner, LAB_REG_BINARY, "", 0);
	lab_hive_set(h, key, "appid", LAB_REG_BINARY, identity, strlen(identity));
	lab_hive_sz(h, key, "CatalogThumbprint", s->thumbprint);
	record_reference(h, key, s->id, u->name);
	record_component(os, s, &d->id, link);
}

/* Where the servicing stack of this version lies: the first thing any servicing tool looks up. */
static void record_stack(struct lab_os *os, const struct lab_package *p)
{
	for (guint i = 0; i < p->components->len; i++) {
		const struct lab_identity *id = &((const struct lab_component *)p->components->pdata[i])->id;
		g_autofree char *keyform = lab_key_long(id);
		g_autofree char *path = g_strconcat("%SystemRoot%\\winsxs\\", keyform, "\\", NULL);

		if (g_str_equal(id->name, "Microsoft-Windows-ServicingStack"))
			lab_hive_manifest(os->hives[LAB_HIVE_SOFTWARE], CBS "Version", id->version, LAB_REG_EXPAND_SZ, path);
	}
}

void lab_cbs_record(struct lab_os *os, const struct lab_signed *s)
{
	const struct lab_package *p = s->package;

	record_package(os, s);
	record_stack(os, p);
	for (guint i = 0; i < p->updates->len; i++) {
		const struct lab_update *u = p->updates->pdata[i];

		if (!u->deployment)
			continue;
		g_autofree char *link = lab_key_short(&u->deployment->id);

		record_deployment(os, s, u);
		for (guint j = 0; j < u->deployment->dependencies->len; j++) {
			const struct lab_dependency *d = u->deployment->dependencies->pdata[j];

			record_component(os, s, &d->identity, link);
		}
	}
}
