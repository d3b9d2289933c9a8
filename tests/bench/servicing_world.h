/*
 * A component store of Windows' size, and a cumulative update for it, made in about a minute: packages are generated
 * as cabinets and installed into an image that holds nothing but hives. What a real image has is its model: 28,000
 * components in 16,000 families, 4,000 deployments, 3,500 packages, manifests of 0.5 to 100 KB that are nearly all
 * stored as DCM, a file of which each is linked out of WinSxS.
 *
 * Everything follows from the numbers below and from a component's own number: no clock, no chance.
 */
#ifndef IB_TESTS_BENCH_SERVICING_WORLD_H
#define IB_TESTS_BENCH_SERVICING_WORLD_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "digest/digest.h"
#include "servicing/servicing.h"
#include "tests/cab_sample.h"
#include "tests/delta_sample.h"

#define WORLD_TIME 132771744000000000u
#define WORLD_TOKEN "31bf3856ad364e35"
#define WORLD_STACK "Microsoft-Windows-ServicingStack"
#define WORLD_LIMIT (UINT64_C(1) << 30)

/* At full size; scaled by percent. */
#define WORLD_FAMILIES 16000u
#define WORLD_SECOND 10500u   /* families with a second version */
#define WORLD_PACKAGES 2900u  /* of the first release */
#define WORLD_PATCHES 600u    /* of the update that brought the second versions */
#define WORLD_FILLER 90000u   /* keys of SOFTWARE that no component owns */
#define UPDATE_PACKAGES 500u
#define UPDATE_FAMILIES 4000u /* that get a new version */
#define UPDATE_NEW 500u       /* families that are new */
#define UPDATE_FILES 20000u
#define UPDATE_BYTES UINT64_C(1000000000)

struct world {
	const char *dir;
	unsigned percent;
	bool plain;         /* manifests are not compressed */
	GBytes *dictionary;
	uint8_t *pool;      /* what files are cut from */
};

#define POOL (UINT32_C(16) << 20)

static inline void must(bool ok, struct ib_error *err)
{
	if (ok)
		return;
	g_autofree char *text = ib_error_format(err, "bench_servicing");
	fputs(text, stderr);
	exit(1);
}

static inline unsigned scaled(const struct world *w, unsigned n)
{
	return MAX(n * w->percent / 100, 1);
}

/* A number that follows from two others. */
static inline uint64_t dice(uint64_t a, uint64_t b)
{
	uint64_t x = a * UINT64_C(0x9E3779B97F4A7C15) + b * UINT64_C(0xBF58476D1CE4E5B9) + 1;

	x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
	return x ^ x >> 31;
}

static inline unsigned pick(uint64_t a, uint64_t b, unsigned n)
{
	return (unsigned)(dice(a, b) % n);
}

static inline const char *word(uint64_t a, uint64_t b)
{
	static const char *const words[] = {
		"Audio", "Backup", "Cache", "Device", "Event", "Font", "Graphics", "Host", "Input", "Job", "Kernel",
		"Locale", "Media", "Network", "Object", "Print", "Query", "Remote", "Shell", "Task", "User", "Volume",
		"Web", "Index", "Policy", "Store", "Trace", "Update", "Camera", "Driver", "Search", "Setup",
	};

	return words[pick(a, b, G_N_ELEMENTS(words))];
}

/* ---- content ---- */

/* Half of it words, half noise, in runs of a few hundred bytes: it compresses as programs do. */
static inline void pool_make(struct world *w)
{
	w->pool = g_malloc(POOL);
	for (uint32_t at = 0; at < POOL;) {
		uint64_t r = dice(at, 7);
		uint32_t n = MIN(64 + (uint32_t)(r % 512), POOL - at);
		for (uint32_t i = 0; i < n; i++)
			w->pool[at + i] = r & 1024 ? (uint8_t)dice(at + i, 3) : (uint8_t)word(r, i / 8)[i % 3];
		at += n;
	}
}

/* Content number id: a piece of the pool behind a head of its own. */
static inline void content(const struct world *w, uint64_t id, uint8_t *out, size_t size)
{
	char head[48];
	size_t n = MIN((size_t)snprintf(head, sizeof(head), "MZ content %016" PRIx64 "\n", dice(id, 5)), size);

	memcpy(out, head, n);
	for (uint64_t part = 0; n < size; part++) {
		size_t len = MIN(size - n, (size_t)65536);
		memcpy(out + n, w->pool + dice(id, part) % (POOL - 65536), len);
		n += len;
	}
}

/* ---- cabinets ---- */

struct part {
	char *name;
	GBytes *bytes;  /* NULL: content */
	uint64_t id;
	size_t size;
	bool pack;      /* a manifest that becomes DCM */
};

struct cab {
	const struct world *w;
	GArray *parts; /* struct part */
};

static inline void part_clear(void *p)
{
	struct part *part = p;

	g_free(part->name);
	if (part->bytes)
		g_bytes_unref(part->bytes);
}

static inline struct cab cab_begin(const struct world *w)
{
	struct cab c = { .w = w, .parts = g_array_new(FALSE, FALSE, sizeof(struct part)) };

	g_array_set_clear_func(c.parts, part_clear);
	return c;
}

/* name and text are taken. */
static inline void cab_text(struct cab *c, char *name, char *text, bool pack)
{
	struct part p = { .name = name, .size = strlen(text), .pack = pack };

	p.bytes = g_bytes_new_take(text, p.size);
	g_array_append_val(c->parts, p);
}

static inline void part_pack(gpointer data, gpointer user)
{
	const struct world *w = user;
	struct part *p = data;
	struct sample s = { .no_hash = true, .flags = 0x20000 };

	s.source = g_bytes_get_data(w->dictionary, &s.source_size);
	s.target = g_bytes_get_data(p->bytes, &s.target_size);
	g_autoptr(GBytes) record = sample_make(&s);
	GByteArray *out = g_byte_array_new();
	g_byte_array_append(out, (const guint8 *)"DCM\1", 4);
	g_byte_array_append(out, g_bytes_get_data(record, NULL), (guint)g_bytes_get_size(record));
	g_bytes_unref(p->bytes);
	p->bytes = g_byte_array_free_to_bytes(out);
	p->size = g_bytes_get_size(p->bytes);
}

static inline void cab_pack(struct cab *c)
{
	GThreadPool *pool = g_thread_pool_new(part_pack, (gpointer)c->w, (gint)g_get_num_processors(), TRUE, NULL);

	for (guint i = 0; !c->w->plain && i < c->parts->len; i++)
		if (g_array_index(c->parts, struct part, i).pack)
			g_thread_pool_push(pool, &g_array_index(c->parts, struct part, i), NULL);
	g_thread_pool_free(pool, FALSE, TRUE);
}

/* Folders of at most 512 MiB each. */
static inline size_t cab_folder_end(const struct cab *c, size_t first, uint64_t *ret_size)
{
	size_t i = first;

	for (*ret_size = 0; i < c->parts->len; i++) {
		size_t n = g_array_index(c->parts, struct part, i).size;
		if (*ret_size + n > (512u << 20))
			break;
		*ret_size += n;
	}
	return i;
}

static inline void cab_head(const struct cab *c, GByteArray *out, unsigned folders)
{
	uint64_t at = 36 + 8 * folders, size;
	size_t first = 0;

	for (guint i = 0; i < c->parts->len; i++)
		at += 16 + strlen(g_array_index(c->parts, struct part, i).name) + 1;
	g_byte_array_append(out, (const guint8 *)"MSCF\0\0\0\0", 8);
	cab_put32(out, 0); /* the size: filled in at the end */
	cab_put32(out, 0);
	cab_put32(out, 36 + 8 * folders);
	cab_put32(out, 0);
	cab_put16(out, 0x0103);
	cab_put16(out, folders);
	cab_put16(out, c->parts->len);
	cab_put16(out, 0);
	cab_put32(out, 0);
	for (unsigned f = 0; f < folders; f++) {
		first = cab_folder_end(c, first, &size);
		uint64_t blocks = (size + CAB_BLOCK - 1) / CAB_BLOCK;
		cab_put32(out, at);
		cab_put16(out, (unsigned)blocks);
		cab_put16(out, 0); /* not compressed */
		at += size + 8 * blocks;
	}
	ib_put_le32(out->data + 8, (uint32_t)at);
	first = 0;
	for (unsigned f = 0; f < folders; f++) {
		size_t end = cab_folder_end(c, first, &size), in_folder = 0;
		for (; first < end; first++) {
			const struct part *p = &g_array_index(c->parts, struct part, first);
			cab_put_file(out, &(struct cab_file){ .name = p->name, .size = p->size }, in_folder, f);
			in_folder += p->size;
		}
	}
}

/* As in Microsoft's packages: by name, a component's payload before its manifest. */
static inline gint part_compare(gconstpointer a, gconstpointer b)
{
	const char *x = ((const struct part *)a)->name, *y = ((const struct part *)b)->name;

	while (*x && g_ascii_tolower(*x) == g_ascii_tolower(*y)) {
		x++;
		y++;
	}
	return (*x == '\\' ? 1 : g_ascii_tolower(*x)) - (*y == '\\' ? 1 : g_ascii_tolower(*y));
}

/* Writes the parts and frees them. */
static inline void cab_end(struct cab *c, const char *path)
{
	g_autoptr(GByteArray) head = g_byte_array_new();
	FILE *f = fopen(path, "wb");
	unsigned folders = 0;
	uint64_t size;

	g_assert(f && c->parts->len <= 65535);
	g_array_sort(c->parts, part_compare);
	cab_pack(c);
	for (size_t i = 0; i < c->parts->len; folders++)
		i = cab_folder_end(c, i, &size);
	cab_head(c, head, folders);
	g_assert(fwrite(head->data, 1, head->len, f) == head->len);
	for (size_t i = 0, end; i < c->parts->len;) {
		g_autoptr(GByteArray) folder = g_byte_array_new(), blocks = g_byte_array_new();
		for (end = cab_folder_end(c, i, &size); i < end; i++) {
			const struct part *p = &g_array_index(c->parts, struct part, i);
			guint at = folder->len;
			g_byte_array_set_size(folder, at + (guint)p->size);
			if (p->bytes)
				memcpy(folder->data + at, g_bytes_get_data(p->bytes, NULL), p->size);
			else
				content(c->w, p->id, folder->data + at, p->size);
		}
		cab_put_blocks(blocks, folder);
		g_assert(fwrite(blocks->data, 1, blocks->len, f) == blocks->len);
	}
	g_assert(fclose(f) == 0);
	g_array_unref(c->parts);
}

/* ---- components ---- */

/* One version of a component. */
struct made {
	unsigned family;
	unsigned revision;  /* 10.0.17763.<revision> */
	unsigned files;
	size_t file_size;   /* mean; 0: a few bytes each */
};

static inline struct ib_identity made_identity(const struct made *m, char name[96], char version[32])
{
	unsigned f = m->family;

	snprintf(name, 96, "Microsoft-Windows-%s%s-%s-%05u", word(f, 1), word(f, 2), word(f, 3), f);
	snprintf(version, 32, "10.0.17763.%u", m->revision);
	return (struct ib_identity){ .name = name, .version = version, .arch = f % 5 == 4 ? "wow64" : "amd64",
				     .token = WORLD_TOKEN, .scope = "nonSxS" };
}

static inline void put_identity(GString *x, const struct ib_identity *id)
{
	g_string_append_printf(x, "\n  <assemblyIdentity name=\"%s\" version=\"%s\" processorArchitecture=\"%s\" "
			       "language=\"neutral\" buildType=\"release\" publicKeyToken=\"%s\"%s%s%s />", id->name,
			       id->version, id->arch, id->token, id->scope ? " versionScope=\"" : "",
			       id->scope ? id->scope : "", id->scope ? "\"" : "");
}

static inline void put_head(GString *x)
{
	g_string_append(x, "<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>\n<assembly "
			"xmlns=\"urn:schemas-microsoft-com:asm.v3\" manifestVersion=\"1.0\" "
			"copyright=\"Copyright (c) imgbuild laboratory. Not a Microsoft product.\">");
}

/* Bytes of a manifest: half below 3 KB, a hundredth above 60; 7 KB on average. */
static inline size_t manifest_size(unsigned family)
{
	static const struct {
		unsigned below, from, to; /* per mille, bytes */
	} steps[] = { { 500, 500, 3000 }, { 800, 3000, 8000 }, { 950, 8000, 20000 }, { 990, 20000, 60000 },
		      { 1000, 60000, 100000 } };
	unsigned r = pick(family, 11, 1000), i = 0;

	while (r >= steps[i].below)
		i++;
	return steps[i].from + pick(family, 12, steps[i].to - steps[i].from);
}

/* A file element, and its content as a member. */
static inline void put_file(struct cab *c, GString *x, const struct made *m, const char *keyform, unsigned i)
{
	static const char *const folders[] = { "$(runtime.system32)\\", "$(runtime.drivers)\\", "$(runtime.wbem)\\",
					       "$(runtime.programFiles)\\Common Files\\System\\", "$(runtime.windows)\\INF\\" };
	g_autofree char *name = g_strdup_printf("%s%05u_%u.dll", word(m->family, 20 + i), m->family, i);
	uint64_t id = dice(m->family * UINT64_C(100) + i, m->revision);
	size_t size = m->file_size ? m->file_size / 8 + (size_t)(dice(id, 1) % (m->file_size * 7 / 4)) : 40 + id % 60;
	g_autofree uint8_t *data = g_malloc(size);
	uint8_t hash[IB_SHA256_SIZE];

	content(c->w, id, data, size);
	ib_digest_bytes(IB_DIGEST_SHA256, data, size, hash);
	g_autofree char *base64 = g_base64_encode(hash, sizeof(hash));
	g_string_append_printf(
		x, "\n  <file name=\"%s\" destinationPath=\"%s\" sourceName=\"%s\" importPath=\"$(build.nttree)\\\" "
		   "sourcePath=\".\\\">\n    <securityDescriptor name=\"WRP_FILE_DEFAULT_SDDL\" />\n    <asmv2:hash "
		   "xmlns:asmv2=\"urn:schemas-microsoft-com:asm.v2\" xmlns:dsig=\"http://www.w3.org/2000/09/xmldsig#\">\n      "
		   "<dsig:Transforms>\n        <dsig:Transform Algorithm=\"urn:schemas-microsoft-com:HashTransforms.Identity\" "
		   "/>\n      </dsig:Transforms>\n      <dsig:DigestMethod "
		   "Algorithm=\"http://www.w3.org/2000/09/xmldsig#sha256\" />\n      <dsig:DigestValue>%s</dsig:DigestValue>\n"
		   "    </asmv2:hash>\n  </file>", name, folders[pick(m->family, 30 + i, G_N_ELEMENTS(folders))], name, base64);
	struct part p = { .name = g_strconcat(keyform, "\\", name, NULL), .id = id, .size = size };
	g_array_append_val(c->parts, p);
}

static inline void put_key(GString *x, unsigned f, unsigned i)
{
	/* A few keys are owned by many: their values must stay when one of them goes. */
	if (i == 0 && f % 64 == 0)
		g_string_append_printf(x, "\n    <registryKey keyName=\"HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Shared\\Group%u\">",
				       f / 64 % 16);
	else if (pick(f, 50 + i, 3) == 0)
		g_string_append_printf(x, "\n    <registryKey keyName=\"HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\%s\\"
				       "%05u\\%u\">", word(f, i), f, i);
	else
		g_string_append_printf(x, "\n    <registryKey keyName=\"HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes\\CLSID\\{%08X-%04X-4B5E-"
				       "9C7D-%012" PRIX64 "}\\InprocServer32\">", f * 2654435761u, i & 0xffff,
				       dice(f, 60 + i) >> 16);
	for (unsigned k = 0; k <= pick(f, 70 + i, 4); k++) {
		if (k % 2)
			g_string_append_printf(x, "\n      <registryValue name=\"%s%u\" valueType=\"REG_DWORD\" value=\"0x%08X\" />",
					       word(f, i + k), k, pick(f, 80 + i, 100000));
		else
			g_string_append_printf(x, "\n      <registryValue name=\"%s\" valueType=\"REG_SZ\" "
					       "value=\"$(runtime.system32)\\%s%05u.dll\" />", k ? "ThreadingModel" : "",
					       word(f, i), f);
	}
	g_string_append(x, "\n      <securityDescriptor name=\"WRP_REGKEY_DEFAULT_SDDL\" />\n    </registryKey>");
}

static inline void put_service(GString *x, unsigned f)
{
	g_string_append_printf(
		x, "\n  <memberships>\n    <categoryMembership>\n      <id name=\"Microsoft.Windows.Categories.Services\" "
		   "version=\"10.0.17763.1\" publicKeyToken=\"" WORLD_TOKEN "\" typeName=\"Service\" />\n      <categoryInstance "
		   "subcategory=\"svc%05u\">\n        <serviceData name=\"svc%05u\" displayName=\"%s Service %u\" "
		   "description=\"Keeps the %s in order\" errorControl=\"normal\" start=\"demand\" type=\"win32ShareProcess\" "
		   "imagePath=\"%%SystemRoot%%\\system32\\svchost.exe -k LocalService\" objectName=\"LocalSystem\" "
		   "dependOnService=\"RpcSs\">\n          <failureActions resetPeriod=\"86400\">\n            <actions>\n"
		   "              <action delay=\"60000\" type=\"restartService\" />\n            </actions>\n"
		   "          </failureActions>\n        </serviceData>\n      </categoryInstance>\n    </categoryMembership>\n"
		   "  </memberships>", f, f, word(f, 4), f, word(f, 5));
}

static inline void put_task(GString *x, unsigned f)
{
	g_string_append_printf(
		x, "\n  <taskScheduler>\n    <Task xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\" version=\"1.2\">"
		   "\n      <RegistrationInfo>\n        <Author>imgbuild laboratory</Author>\n        <URI>\\Laboratory\\Task%05u"
		   "</URI>\n      </RegistrationInfo>\n      <Actions Context=\"LocalSystem\">\n        <Exec>\n          "
		   "<Command>%%windir%%\\system32\\svchost.exe</Command>\n        </Exec>\n      </Actions>\n    </Task>\n"
		   "  </taskScheduler>", f);
}

static inline void put_events(GString *x, unsigned f)
{
	g_string_append_printf(
		x, "\n  <instrumentation xmlns:win=\"http://manifests.microsoft.com/win/2004/08/windows/events\">\n    <events "
		   "xmlns=\"http://schemas.microsoft.com/win/2004/08/events\">\n      <provider name=\"Laboratory-%s-%05u\" "
		   "guid=\"{%08X-1111-4222-8333-444455556666}\" symbol=\"P\" resourceFileName=\"$(runtime.system32)\\e.dll\" "
		   "messageFileName=\"$(runtime.system32)\\e.dll\" />\n    </events>\n  </instrumentation>", word(f, 6), f,
		f * 2654435761u);
}

static inline void put_trust(GString *x)
{
	g_string_append(
		x, "\n  <trustInfo>\n    <security>\n      <accessControl>\n        <securityDescriptorDefinitions>\n          "
		   "<securityDescriptorDefinition name=\"WRP_FILE_DEFAULT_SDDL\" "
		   "sddl=\"O:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464G:S-1-5-80-956008885-3418522649-"
		   "1831038044-1853292631-2271478464D:P(A;;FA;;;S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464)"
		   "(A;;GRGX;;;BA)(A;;GRGX;;;SY)(A;;GRGX;;;BU)(A;;GRGX;;;S-1-15-2-1)S:(AU;FASA;0x000D0116;;;WD)\" "
		   "operationHint=\"replace\" />\n          <securityDescriptorDefinition name=\"WRP_REGKEY_DEFAULT_SDDL\" "
		   "sddl=\"O:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464G:S-1-5-80-956008885-3418522649-"
		   "1831038044-1853292631-2271478464D:P(A;CI;GA;;;S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464)"
		   "(A;CI;GR;;;SY)(A;CI;GR;;;BA)(A;CI;GR;;;BU)(A;CI;GR;;;S-1-15-2-1)\" operationHint=\"replace\" />\n"
		   "        </securityDescriptorDefinitions>\n      </accessControl>\n    </security>\n  </trustInfo>");
}

/* What a manifest has beside its keys, with one file. */
#define KEYS_FROM 1500u

/* A manifest's text with the files it names as members of c. */
static inline char *component_text(struct cab *c, const struct made *m, const struct ib_identity *id, const char *keyform)
{
	GString *x = g_string_new(NULL);
	unsigned f = m->family, chance = pick(f, 13, 1000), n = 0;
	size_t keys = manifest_size(f);

	put_head(x);
	put_identity(x, id);
	for (unsigned i = 0; i < m->files; i++)
		put_file(c, x, m, keyform, i);
	/* The same keys with however many files; but each new version forgets the first one of some components. */
	if (keys > KEYS_FROM) {
		g_autoptr(GString) all = g_string_new(NULL);
		size_t first = 0;
		for (; all->len < keys - KEYS_FROM; n++) {
			put_key(all, f, n);
			first = first ? first : all->len;
		}
		g_string_append(x, "\n  <registryKeys>");
		g_string_append(x, all->str + (m->revision > 1 && f % 8 == 0 ? first : 0));
		g_string_append(x, "\n  </registryKeys>");
	}
	if (chance < 30)
		put_service(x, f);
	if (chance >= 30 && chance < 40)
		put_task(x, f);
	if (chance >= 40 && chance < 60)
		put_events(x, f);
	put_trust(x);
	g_string_append(x, "\n</assembly>\n");
	return g_string_free(x, FALSE);
}

static inline void put_dependency(GString *x, const struct ib_identity *id)
{
	g_string_append(x, "\n  <dependency discoverable=\"no\">\n    <dependentAssembly dependencyType=\"install\">");
	put_identity(x, id);
	g_string_append(x, "\n    </dependentAssembly>\n  </dependency>");
}

/* Adds a component to a cabinet and names it in its deployment. */
static inline void add_component(struct cab *c, const struct made *m, GString *deployment)
{
	char name[96], version[32];
	struct ib_identity id = made_identity(m, name, version);
	g_autofree char *keyform = ib_keyform(&id, IB_KEYFORM_LONG);

	put_dependency(deployment, &id);
	char *text = component_text(c, m, &id, keyform);
	cab_text(c, g_strconcat(keyform, ".manifest", NULL), text, true);
}

/* ---- packages ---- */

static inline void add_mum(struct cab *c, const struct ib_identity *id, const char *body, bool root)
{
	GString *x = g_string_new(NULL);
	g_autofree char *package = ib_package_id(id);

	put_head(x);
	put_identity(x, id);
	g_string_append_printf(x, "\n  <package identifier=\"%s\" releaseType=\"%s\">%s\n  </package>\n</assembly>\n", id->name,
			       root ? "Update" : "Feature Pack", body);
	cab_text(c, g_strconcat(root ? "update" : package, ".mum", NULL), g_string_free(x, FALSE), false);
	/* No signature: what is measured begins behind the check of trust. Windows' own have 10 KB. */
	GString *cat = g_string_new(package);
	g_string_append_len(cat, (const char *)c->w->pool + dice(cat->len, strlen(body)) % (POOL / 2), 6000);
	for (gsize i = 0; i < cat->len; i++)
		cat->str[i] |= 1;
	cab_text(c, g_strconcat(root ? "update" : package, ".cat", NULL), g_string_free(cat, FALSE), false);
}

/* A run of packages below one root: each has one deployment, components are dealt out to them in turn. */
struct release {
	const char *name;
	const char *version;
	unsigned packages;
	GPtrArray *deployments; /* GString: dependencies */
};

static inline void release_begin(const struct world *w, struct release *r)
{
	r->deployments = g_ptr_array_new();
	for (unsigned i = 0; i < scaled(w, r->packages); i++)
		g_ptr_array_add(r->deployments, g_string_new(NULL));
}

static inline GString *release_deployment(struct release *r, unsigned i)
{
	return r->deployments->pdata[i % r->deployments->len];
}

static inline void add_package(struct cab *c, const struct release *r, unsigned i, GString *root)
{
	g_autofree char *name = g_strdup_printf("Microsoft-Windows-%s-%s-Package-%04u", word(i, 1), r->name, i);
	g_autofree char *deployed = g_strdup_printf("%s-Deployment", name);
	GString *x = g_string_new(NULL), *dependencies = r->deployments->pdata[i];
	struct ib_identity id = { .name = deployed, .version = r->version, .arch = "amd64", .token = WORLD_TOKEN,
				  .scope = "NonSxS" };
	g_autofree char *keyform = ib_keyform(&id, IB_KEYFORM_LONG);

	put_head(x);
	put_identity(x, &id);
	g_string_append_printf(x, "\n  <deployment xmlns=\"urn:schemas-microsoft-com:asm.v3\" />%s\n</assembly>\n",
			       dependencies->str);
	g_string_free(dependencies, TRUE);
	cab_text(c, g_strconcat(keyform, ".manifest", NULL), g_string_free(x, FALSE), true);
	g_autoptr(GString) body = g_string_new("\n    <update name=\"Feature\">\n      <component>");
	put_identity(body, &id);
	g_string_append(body, "\n      </component>\n    </update>");
	struct ib_identity package = { .name = name, .version = r->version, .arch = "amd64", .token = WORLD_TOKEN };
	add_mum(c, &package, body->str, false);
	g_string_append_printf(root, "\n    <update name=\"Part%u\">\n      <package integrate=\"hidden\">", i);
	put_identity(root, &package);
	g_string_append(root, "\n      </package>\n    </update>");
}

static inline void release_end(struct cab *c, struct release *r)
{
	g_autofree char *name = g_strdup_printf("Package_for_%s", r->name);
	struct ib_identity id = { .name = name, .version = r->version, .arch = "amd64", .token = WORLD_TOKEN };
	g_autoptr(GString) root = g_string_new(NULL);

	for (guint i = 0; i < r->deployments->len; i++)
		add_package(c, r, i, root);
	add_mum(c, &id, root->str, true);
	g_ptr_array_unref(r->deployments);
}

/* ---- the servicing stack ---- */

/* A program whose resource 614/1 is the dictionary. */
static inline GBytes *wcp_make(GBytes *dictionary)
{
	enum { RAW = 0x200, DATA = 0x100 };
	gsize len;
	const void *data = g_bytes_get_data(dictionary, &len);
	uint32_t size = ((uint32_t)len + DATA + 0x1ff) & ~0x1ffu;
	const struct {
		uint32_t at, value;
	} in[] = {
		{ 60, 0x40 }, { 0x40, 0x4550 }, { 0x44, 0x00018664 }, { 0x54, 0xf0 }, { 0x58, 0x20b }, { 0x58 + 60, RAW },
		{ 0x58 + 108, 16 }, { 0x58 + 112 + 16, 0x1000 }, { 0x58 + 112 + 20, size }, { 0x148 + 8, size },
		{ 0x148 + 12, 0x1000 }, { 0x148 + 16, size }, { 0x148 + 20, RAW }, /* a section, then resources: */
		{ RAW + 0x0c, 0x00020000 }, { RAW + 0x10, 24 }, { RAW + 0x14, 0x80000080 }, { RAW + 0x18, 614 },
		{ RAW + 0x1c, 0x80000040 }, { RAW + 0x4c, 0x00010000 }, { RAW + 0x50, 1 }, { RAW + 0x54, 0x80000060 },
		{ RAW + 0x6c, 0x00010000 }, { RAW + 0x70, 1033 }, { RAW + 0x74, 0x80 }, { RAW + 0x80, 0x1000 + DATA },
		{ RAW + 0x84, (uint32_t)len },
	};
	uint8_t *p = g_malloc0(RAW + size);

	memcpy(p, "MZ", 2);
	for (unsigned i = 0; i < G_N_ELEMENTS(in); i++)
		ib_put_le32(p + in[i].at, in[i].value);
	memcpy(p + RAW + DATA, data, len);
	return g_bytes_new_take(p, RAW + size);
}

static inline void add_stack(struct cab *c, GString *deployment)
{
	static const char *const names[] = { "wcp.dll", "svchost.exe" };
	struct ib_identity id = { .name = WORLD_STACK, .version = "10.0.17763.1", .arch = "amd64", .token = WORLD_TOKEN,
				  .scope = "nonSxS" };
	g_autofree char *keyform = ib_keyform(&id, IB_KEYFORM_LONG);
	GString *x = g_string_new(NULL);

	put_head(x);
	put_identity(x, &id);
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		struct part p = { .name = g_strconcat(keyform, "\\", names[i], NULL), .bytes = wcp_make(c->w->dictionary) };
		uint8_t hash[IB_SHA256_SIZE];
		const void *data = g_bytes_get_data(p.bytes, &p.size);
		ib_digest_bytes(IB_DIGEST_SHA256, data, p.size, hash);
		g_autofree char *hex = ib_hex(hash, sizeof(hash));
		g_string_append_printf(x, "\n  <file name=\"%s\" hash=\"%s\" hashalg=\"SHA256\"%s />", names[i], hex,
				       i ? " destinationPath=\"$(runtime.system32)\\\"" : "");
		g_array_append_val(c->parts, p);
	}
	g_string_append(x, "\n</assembly>\n");
	put_dependency(deployment, &id);
	cab_text(c, g_strconcat(keyform, ".manifest", NULL), g_string_free(x, FALSE), false); /* it holds the dictionary */
}

/* ---- the releases ---- */

static inline unsigned base_files(unsigned family)
{
	static const uint8_t counts[] = { 0, 0, 0, 1, 1, 1, 1, 2, 2, 6 };

	return counts[pick(family, 14, G_N_ELEMENTS(counts))];
}

/* The first release, or the update that brought the second versions. */
static inline void make_base_cab(struct world *w, bool second, const char *path)
{
	struct release r = { .name = second ? "SecondRelease" : "FirstRelease",
			     .version = second ? "10.0.17763.1790" : "10.0.17763.1",
			     .packages = second ? WORLD_PATCHES : WORLD_PACKAGES };
	struct cab c = cab_begin(w);
	unsigned families = scaled(w, second ? WORLD_SECOND : WORLD_FAMILIES);

	release_begin(w, &r);
	for (unsigned f = 0; f < families; f++) {
		struct made m = { .family = f, .revision = second ? 1790 : 1, .files = base_files(f) };
		add_component(&c, &m, release_deployment(&r, f));
	}
	if (!second)
		add_stack(&c, release_deployment(&r, 0));
	release_end(&c, &r);
	cab_end(&c, path);
}

/* The update that is measured: new versions of a quarter of all families, and new families. */
static inline void make_update_cab(struct world *w, const char *path)
{
	struct release r = { .name = "RollupFix", .version = "10.0.17763.2183", .packages = UPDATE_PACKAGES };
	struct cab c = cab_begin(w);
	unsigned old = scaled(w, UPDATE_FAMILIES), count = old + scaled(w, UPDATE_NEW);
	unsigned all = scaled(w, WORLD_FAMILIES), files = scaled(w, UPDATE_FILES);

	release_begin(w, &r);
	for (unsigned i = 0; i < count; i++) {
		struct made m = { .family = i < old ? i * (all / old) : all + i - old, .revision = 2183,
				  .file_size = UPDATE_BYTES / UPDATE_FILES };
		m.files = i + 1 < count ? MIN(files, 1 + pick(i, 15, 2 * UPDATE_FILES / (UPDATE_FAMILIES + UPDATE_NEW) - 1))
					: MIN(files, 60000);
		files -= m.files;
		add_component(&c, &m, release_deployment(&r, i));
	}
	release_end(&c, &r);
	cab_end(&c, path);
}

/* ---- the image ---- */

static inline struct ib_key *world_key(struct ib_hive *h, const char *path)
{
	struct ib_error *err = NULL;
	struct ib_key *k;

	must(ib_key_make(h, ib_hive_root(h), path, &k, &err), err);
	return k;
}

static inline void world_text(struct ib_hive *h, const char *path, const char *name, const char *text)
{
	struct ib_error *err = NULL;

	must(ib_key_set_text(h, world_key(h, path), name, IB_REG_SZ, text, &err), err);
}

static inline void world_filler(const struct world *w, struct ib_hive *h)
{
	struct ib_error *err = NULL;

	for (unsigned i = 0; i < scaled(w, WORLD_FILLER); i++) {
		g_autofree char *path = g_strdup_printf("Classes\\Interface\\{%08X-0000-4000-8000-%012" PRIX64 "}\\ProxyStubClsid32",
							i * 2654435761u, dice(i, 90) >> 16);
		struct ib_key *k = world_key(h, path);
		must(ib_key_set_text(h, k, "", IB_REG_SZ, "{00020424-0000-0000-C000-000000000046}", &err) &&
		     ib_key_set_dword(h, k, "Version", i, &err), err);
	}
}

static inline void world_file(struct ib_wim *wim, struct ib_image *image, const char *path, GBytes *bytes)
{
	struct ib_node_meta meta = { .attributes = IB_ATTR_DIRECTORY };
	g_autofree char *folder = g_strndup(path, (gsize)(strrchr(path, '\\') - path));
	uint8_t hash[IB_WIM_HASH_SIZE];
	struct ib_error *err = NULL;
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	must(ib_image_mkdir(image, folder, &meta, NULL, &err), err);
	meta.attributes = IB_ATTR_ARCHIVE;
	must(ib_wim_add_bytes(wim, data, len, hash, &err) && ib_image_put(image, path, hash, &meta, NULL, &err), err);
}

static inline void world_hive(struct ib_wim *wim, struct ib_image *image, enum ib_hive_id id, struct ib_hive *h)
{
	g_autoptr(GBytes) bytes = NULL;
	struct ib_error *err = NULL;

	must(ib_hive_save(h, WORLD_TIME, &bytes, &err), err);
	world_file(wim, image, ib_hive_path(id), bytes);
	ib_hive_free(h);
}

/* An image with what ib_store_open() asks for, and no component. */
static inline struct ib_wim *world_image(const struct world *w)
{
	const struct ib_node_meta meta = { .attributes = IB_ATTR_DIRECTORY };
	struct ib_hive *software = ib_hive_new("SOFTWARE"), *system = ib_hive_new("SYSTEM");
	struct ib_hive *components = ib_hive_new("COMPONENTS");
	struct ib_wim *wim = ib_wim_new(IB_WIM_LZX, 0, w->dir);
	struct ib_image *image;
	struct ib_error *err = NULL;

	ib_wim_add_image(wim, "bench");
	must(ib_wim_image(wim, 1, &image, &err) && ib_image_mkdir(image, "Windows\\WinSxS\\Manifests", &meta, NULL, &err), err);
	world_text(software, "Microsoft\\Windows NT\\CurrentVersion", "CurrentBuild", "17763");
	world_text(software, "Microsoft\\Windows NT\\CurrentVersion", "EditionID", "ServerStandard");
	world_text(software, "Microsoft\\Windows NT\\CurrentVersion", "ProductName", "Laboratory");
	world_key(software, "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\Packages");
	world_key(software, "Microsoft\\Windows\\CurrentVersion\\SideBySide\\Winners");
	world_filler(w, software);
	world_key(components, "DerivedData\\Components");
	world_key(components, "CanonicalData\\Deployments");
	world_key(components, "CanonicalData\\Catalogs");
	must(ib_key_set_dword(system, world_key(system, "Select"), "Default", 1, &err), err);
	world_text(system, "ControlSet001\\Control\\Session Manager\\Environment", "PROCESSOR_ARCHITECTURE", "AMD64");
	world_hive(wim, image, IB_HIVE_SOFTWARE, software);
	world_hive(wim, image, IB_HIVE_SYSTEM, system);
	world_hive(wim, image, IB_HIVE_COMPONENTS, components);
	return wim;
}

static inline void world_write(struct ib_wim *wim, const char *path)
{
	ib_auto_fd fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct ib_output out = { .fd = fd, .name = path };
	struct ib_wim_write_options o = { .size = sizeof(o), .time = WORLD_TIME };
	struct ib_error *err = NULL;
	uint64_t size;

	must(fd >= 0 && ib_wim_write(wim, &out, &o, &size, &err) && ftruncate(fd, (off_t)size) == 0, err);
}

static inline void world_install(struct ib_store *s, const struct world *w, const char *path)
{
	struct ib_package_options o = { .size = sizeof(o), .dictionary = w->dictionary };
	struct ib_package *p;
	struct ib_error *err = NULL;

	must(ib_package_open(path, &o, &p, &err) && ib_store_install(s, p, NULL, NULL, &err), err);
	ib_package_free(p);
	unlink(path);
}

/* The dictionary is a manifest with one of each element, as Windows' own. */
static inline void dictionary_make(struct world *w)
{
	struct cab c = cab_begin(w);
	struct made m = { .family = 99999, .revision = 1, .files = 2 };
	char name[96], version[32];
	struct ib_identity id = made_identity(&m, name, version);
	g_autofree char *text = component_text(&c, &m, &id, "dictionary");
	GString *x = g_string_new(text);

	put_dependency(x, &id);
	for (unsigned i = 0; x->len < 11000; i++)
		put_key(x, 99999, i);
	put_service(x, 99999);
	put_task(x, 99999);
	put_events(x, 99999);
	w->dictionary = g_string_free_to_bytes(x);
	g_array_unref(c.parts);
}

/* DIR/base.wim and DIR/update.cab. */
static inline void world_make(struct world *w)
{
	g_autofree char *cab = g_build_filename(w->dir, "part.cab", NULL), *wim_path = g_build_filename(w->dir, "base.wim", NULL);
	g_autofree char *update = g_build_filename(w->dir, "update.cab", NULL);
	struct ib_store *s;
	struct ib_error *err = NULL;

	pool_make(w);
	dictionary_make(w);
	struct ib_wim *wim = world_image(w);
	must(ib_store_open(wim, 1, WORLD_TIME, &s, &err), err);
	for (unsigned second = 0; second < 2; second++) {
		make_base_cab(w, second, cab);
		world_install(s, w, cab);
	}
	must(ib_store_commit(s, &err), err);
	ib_store_free(s);
	world_write(wim, wim_path);
	ib_wim_free(wim);
	make_update_cab(w, update);
	g_bytes_unref(w->dictionary);
	g_free(w->pool);
}

#endif
