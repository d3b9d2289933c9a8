#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "package/internal.h"
#include "wim/wim.h"
#include "tests/package_sample.h"

#define COMPONENT "Lab-Component"

/* ---- what comes out ---- */

/* An image: bases in order, and one complete file. */
struct image {
	GBytes *bases[4];
	GBytes *complete;
	gint asked;
	bool asked_hash;
};

static bool offer_base(void *data, const struct ib_base_query *q, unsigned n, GBytes **ret, struct ib_error **err)
{
	struct image *im = data;

	g_atomic_int_inc(&im->asked);
	im->asked_hash = q->has_hash;
	*ret = n < 4 && im->bases[n] ? g_bytes_ref(im->bases[n]) : NULL;
	return true;
}

static bool offer_complete(void *data, const struct ib_manifest *m, const struct ib_file *f, GBytes **ret,
			   struct ib_error **err)
{
	struct image *im = data;

	*ret = im->complete ? g_bytes_ref(im->complete) : NULL;
	return true;
}

struct seen {
	GString *text;  /* "name:kind:size " of each */
	GString *bytes; /* of the last file */
	char *reason;
};

static bool note(const struct ib_payload *p, void *data, struct ib_error **err)
{
	static const char kinds[] = "FfrN";
	struct seen *s = data;
	g_autoptr(GBytes) bytes = NULL;

	if (p->stream && !ib_stream_bytes(p->stream, 1 << 30, p->file->name, &bytes, err))
		return false;
	g_string_append_printf(s->text, "%s:%c:%s ", p->file->name, kinds[p->kind], bytes ? "here" : "missing");
	cr_expect(!bytes || p->size == g_bytes_get_size(bytes));
	cr_expect(!!bytes == !p->reason);
	if (p->reason) {
		g_free(s->reason);
		s->reason = g_strdup(p->reason);
	}
	if (bytes && p->kind == IB_PAYLOAD_FILE) {
		gsize n;
		const char *d = g_bytes_get_data(bytes, &n);
		g_string_append_len(g_string_truncate(s->bytes, 0), d, (gssize)n);
	}
	return true;
}

static void seen_init(struct seen *s)
{
	*s = (struct seen){ .text = g_string_new(NULL), .bytes = g_string_new(NULL) };
}

static void seen_fini(struct seen *s)
{
	g_string_free(s->text, TRUE);
	g_string_free(s->bytes, TRUE);
	g_free(s->reason);
}
#define auto_seen __attribute__((cleanup(seen_fini))) struct seen

static bool is_last(const struct seen *s, GBytes *want)
{
	gsize n;
	const void *d = g_bytes_get_data(want, &n);

	return s->bytes->len == n && memcmp(s->bytes->str, d, n) == 0;
}

struct request {
	struct image *image;
	unsigned threads, kinds;
	bool partial;
};

static bool go(struct ib_package *p, const struct request *r, struct seen *s, struct ib_error **err)
{
	const struct ib_payload_source source = { .base = offer_base, .complete = offer_complete, .data = r->image };
	const struct ib_payload_options o = { .size = sizeof(o), .source = r->image ? &source : NULL,
					      .threads = r->threads, .kinds = r->kinds, .partial = r->partial };

	g_string_truncate(s->text, 0);
	g_clear_pointer(&s->reason, g_free);
	return ib_package_each_payload(p, &o, note, s, NULL, err);
}

/* ---- making packages ---- */

static bool open_in(const char *folder, const char *name, GBytes *bytes, struct ib_package **ret, struct ib_error **err)
{
	g_autofree char *path = ps_write(folder, name, bytes);
	const struct ib_package_options o = { .size = sizeof(o), .spool_dir = "/tmp" };

	return ib_package_open(path, &o, ret, err);
}

static bool open_bytes(GBytes *bytes, struct ib_package **ret, struct ib_error **err)
{
	g_autofree char *folder = ps_folder();
	struct ib_error *e = NULL;
	bool ok = open_in(folder, "x.cab", bytes, ret, err);

	cr_assert(ib_dir_remove(folder, &e));
	return ok;
}

/* A package of one component with one file a.dll whose content is target; more files are added by the caller. */
static struct ps_files one_file(GBytes *target)
{
	struct ps_files f = ps_new();
	g_autoptr(GString) files = g_string_new(NULL);

	ps_file(files, "a.dll", target);
	g_autofree char *manifest = ps_manifest(COMPONENT, files->str), *key = ps_keyform(COMPONENT);
	g_autofree char *name = g_strconcat(key, ".manifest", NULL);
	ps_text(&f, "update.mum", PS_MUM("Lab-Package"));
	ps_text(&f, name, manifest);
	return f;
}

static struct ib_package *open_files(const struct ps_files *f)
{
	g_autoptr(GBytes) cab = ps_cab(f);
	struct ib_package *p = NULL;
	ib_auto_error err = NULL;

	cr_assert(open_bytes(cab, &p, &err), "%s", err ? ib_error_cause(err) : "");
	return p;
}

static const char *cause(const struct ib_error *e)
{
	return e ? ib_error_cause(e) : "no error";
}

/* ---- differentials in folders ---- */

Test(payload, forward_differential_against_the_right_base)
{
	g_autoptr(GBytes) base = ps_content(1, 50000), target = ps_content(2, 52000), other = ps_content(3, 50000);
	ps_auto f = one_file(target);
	struct image image = { .bases = { other, base } };
	auto_seen s;
	ib_auto_error err = NULL;

	seen_init(&s);
	ps_below(&f, COMPONENT, "\\f\\a.dll", ps_record(base, target, false));
	ps_below(&f, COMPONENT, "\\r\\a.dll", ps_record(target, base, false));
	struct ib_package *p = open_files(&f);
	const struct ib_payload_entry *entry = g_ptr_array_index(ib_package_payloads(p), 0);
	cr_expect_eq(ib_package_payloads(p)->len, 1);
	cr_expect_eq(entry->kinds, IB_PAYLOAD_BIT(IB_PAYLOAD_FORWARD) | IB_PAYLOAD_BIT(IB_PAYLOAD_REVERSE));
	cr_expect(entry->size[IB_PAYLOAD_FORWARD] > 0 && entry->size[IB_PAYLOAD_FILE] == 0);
	for (unsigned threads = 1; threads < 4; threads++) {
		cr_assert(go(p, &(struct request){ &image, threads, 0, false }, &s, &err), "%s", cause(err));
		cr_expect_str_eq(s.text->str, "a.dll:F:here ");
		cr_expect(is_last(&s, target));
	}
	cr_expect_eq(g_atomic_int_get(&image.asked), 6);
	cr_assert(go(p, &(struct request){ &image, 2, 0xf, false }, &s, &err));
	cr_expect_str_eq(s.text->str, "a.dll:f:here a.dll:F:here a.dll:r:here ");
	cr_assert(go(p, &(struct request){ NULL, 2, 0, false }, &s, &err));
	cr_expect_str_eq(s.text->str, "a.dll:F:missing ");
	cr_expect(strstr(s.reason, "differential f\\ (transforms none)"), "%s", s.reason);
	ib_package_free(p);
}

Test(payload, no_base_fits)
{
	g_autoptr(GBytes) base = ps_content(1, 50000), target = ps_content(2, 52000), other = ps_content(3, 50000);
	ps_auto f = one_file(target);
	struct image image = { .bases = { other } }, nothing = { 0 };
	auto_seen s;
	ib_auto_error err = NULL;

	seen_init(&s);
	ps_below(&f, COMPONENT, "\\f\\a.dll", ps_record(base, target, false));
	struct ib_package *p = open_files(&f);
	cr_assert_not(go(p, &(struct request){ &image, 2, 0, false }, &s, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_VERIFY);
	cr_expect(strstr(cause(err), "file 'a.dll' of component 'amd64_lab-component") &&
			  strstr(cause(err), "transforms none") && strstr(cause(err), "none of 1 bases"), "%s", cause(err));
	ib_error_clear(&err);
	cr_assert_not(go(p, &(struct request){ &nothing, 2, 0, false }, &s, &err));
	cr_expect(strstr(cause(err), "needs a base, which nobody has"), "%s", cause(err));
	ib_error_clear(&err);
	cr_assert(go(p, &(struct request){ &image, 2, 0, true }, &s, &err));
	cr_expect_str_eq(s.text->str, "a.dll:F:missing ");
	image.complete = target;
	cr_assert(go(p, &(struct request){ &image, 2, 0, false }, &s, &err), "%s", cause(err));
	cr_expect(is_last(&s, target));
	image.complete = other; /* what others offer is believed as little */
	cr_assert_not(go(p, &(struct request){ &image, 2, 0, false }, &s, &err));
	cr_expect(strstr(cause(err), "payload source offers is another file"), "%s", cause(err));
	ib_package_free(p);
}

Test(payload, null_differential_needs_nothing)
{
	g_autoptr(GBytes) base = ps_content(1, 900), target = ps_content(2, 70000);
	ps_auto f = one_file(target);
	auto_seen s;
	ib_auto_error err = NULL;

	seen_init(&s);
	ps_below(&f, COMPONENT, "\\f\\a.dll", ps_record(base, target, true));
	ps_below(&f, COMPONENT, "\\n\\a.dll", ps_record(NULL, target, false));
	struct ib_package *p = open_files(&f);
	cr_assert(go(p, &(struct request){ NULL, 2, 0, false }, &s, &err), "%s", cause(err));
	cr_expect(is_last(&s, target));
	cr_assert(go(p, &(struct request){ NULL, 1, 0xf, false }, &s, &err));
	cr_expect_str_eq(s.text->str, "a.dll:f:here a.dll:N:here a.dll:F:here ");
	ib_package_free(p);
}

Test(payload, a_bad_null_record_leaves_the_forward_one)
{
	g_autoptr(GBytes) base = ps_content(1, 900), target = ps_content(2, 7000), lie = ps_content(4, 7000);
	ps_auto f = one_file(target);
	struct image image = { .bases = { base } };
	auto_seen s;
	ib_auto_error err = NULL;

	seen_init(&s);
	ps_below(&f, COMPONENT, "\\f\\a.dll", ps_record(base, target, true));
	ps_below(&f, COMPONENT, "\\n\\a.dll", ps_record(NULL, lie, false));
	struct ib_package *p = open_files(&f);
	cr_assert(go(p, &(struct request){ &image, 2, 0, false }, &s, &err), "%s", cause(err));
	cr_expect(image.asked_hash); /* PA31 names its base */
	cr_expect(is_last(&s, target));
	ib_package_free(p);
}

Test(payload, damaged_record_is_refused)
{
	g_autoptr(GBytes) base = ps_content(1, 900), target = ps_content(2, 7000);
	g_autoptr(GBytes) good = ps_record(base, target, false);
	gsize n;
	const void *d = g_bytes_get_data(good, &n);
	g_autofree uint8_t *bad = g_memdup2(d, n);
	ps_auto f = one_file(target);
	struct image image = { .bases = { base } };
	auto_seen s;
	ib_auto_error err = NULL;

	seen_init(&s);
	bad[n / 2] ^= 1;
	ps_below(&f, COMPONENT, "\\f\\a.dll", g_bytes_new(bad, n));
	struct ib_package *p = open_files(&f);
	cr_assert_not(go(p, &(struct request){ &image, 2, 0, false }, &s, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_VERIFY);
	cr_expect(strstr(cause(err), "cannot be read"), "%s", cause(err));
	ib_package_free(p);
}

/* A component's own folder f is told from differentials by its manifest. */
Test(payload, own_folder_named_f)
{
	g_autoptr(GBytes) content = ps_content(1, 100);
	ps_auto f = ps_new();
	g_autoptr(GString) files = g_string_new(NULL);
	auto_seen s;
	ib_auto_error err = NULL;

	seen_init(&s);
	ps_file(files, "f\\a.dll", content);
	ps_file(files, "a.dll", content);
	g_autofree char *manifest = ps_manifest(COMPONENT, files->str), *key = ps_keyform(COMPONENT);
	g_autofree char *name = g_strconcat(key, ".manifest", NULL);
	ps_text(&f, "update.mum", PS_MUM("Lab-Package"));
	ps_text(&f, name, manifest);
	ps_below(&f, COMPONENT, "\\f\\a.dll", g_bytes_ref(content));
	struct ib_package *p = open_files(&f);
	cr_assert(go(p, &(struct request){ NULL, 2, 0, false }, &s, &err), "%s", cause(err));
	cr_expect_str_eq(s.text->str, "f\\a.dll:F:here a.dll:F:missing ");
	ib_package_free(p);
}

/* ---- the order of what comes out ---- */

#define MANY 300

Test(payload, order_does_not_depend_on_threads)
{
	g_autoptr(GBytes) base = ps_content(1, 3000);
	g_autoptr(GString) files = g_string_new(NULL);
	ps_auto f = ps_new();
	struct image image = { .bases = { base } };
	auto_seen s;
	ib_auto_error err = NULL;

	seen_init(&s);
	ps_text(&f, "update.mum", PS_MUM("Lab-Package"));
	for (unsigned i = 0; i < MANY; i++) {
		g_autofree char *name = g_strdup_printf("%03u.dll", i * 7 % MANY);
		g_autofree char *rest = g_strdup_printf("%s%s", i % 3 ? "\\f\\" : "\\", name);
		g_autoptr(GBytes) content = ps_content(i + 2, i % 50 == 0 ? 5 << 20 : 1000 + i);
		ps_file(files, name, content);
		ps_below(&f, COMPONENT, rest, i % 3 ? ps_record(base, content, false) : g_bytes_ref(content));
	}
	g_autofree char *manifest = ps_manifest(COMPONENT, files->str), *key = ps_keyform(COMPONENT);
	g_autofree char *name = g_strconcat(key, ".manifest", NULL);
	ps_text(&f, name, manifest);
	g_autofree char *first = NULL;
	for (int folders = 0; folders < 2; folders++) {
		g_autoptr(GBytes) cab = folders ? ps_cab_folders(&f) : ps_cab(&f);
		struct ib_package *p = NULL;
		cr_assert(open_bytes(cab, &p, &err), "%s", cause(err));
		for (unsigned threads = 1; threads < 6; threads++) {
			cr_assert(go(p, &(struct request){ &image, threads, 0xf, false }, &s, &err), "%s", cause(err));
			if (!first)
				first = g_strdup(s.text->str);
			cr_expect_str_eq(s.text->str, first);
		}
		ib_package_free(p);
	}
}

/* A folder that is damaged behind the first one: what came before has come, whatever the threads; then it is refused. */
Test(payload, damaged_folder)
{
	g_autoptr(GBytes) a = ps_content(1, 3 << 20), b = ps_content(2, 3 << 20);
	g_autoptr(GString) files = g_string_new(NULL);
	ps_auto f = ps_new();
	auto_seen s;

	seen_init(&s);
	ps_file(files, "a.dll", a);
	ps_file(files, "b.dll", b);
	g_autofree char *manifest = ps_manifest(COMPONENT, files->str), *key = ps_keyform(COMPONENT);
	g_autofree char *name = g_strconcat(key, ".manifest", NULL);
	ps_text(&f, "update.mum", PS_MUM("Lab-Package"));
	ps_text(&f, name, manifest);
	ps_below(&f, COMPONENT, "\\a.dll", g_bytes_ref(a));
	ps_below(&f, COMPONENT, "\\b.dll", g_bytes_ref(b));
	g_autoptr(GBytes) cab = ps_cab_folders(&f);
	gsize n;
	const uint8_t *data = g_bytes_get_data(cab, &n);
	g_autofree uint8_t *bad = g_memdup2(data, n);
	/* The last folder's second block says it is longer than it can be. */
	ib_put_le16(bad + n - g_bytes_get_size(b) - 8 * 96 + 32768 + 8 + 4, 0xffff);
	g_autoptr(GBytes) damaged = g_bytes_new(bad, n);
	for (unsigned threads = 1; threads < 4; threads++) {
		struct ib_package *p = NULL;
		ib_auto_error err = NULL;
		cr_assert(open_bytes(damaged, &p, &err), "%s", cause(err));
		cr_expect_not(go(p, &(struct request){ NULL, threads, 0, false }, &s, &err));
		cr_expect_eq(ib_error_code(err), IB_ERR_INPUT, "%s", cause(err));
		cr_expect(g_str_has_prefix("a.dll:F:here ", s.text->str), "%s", s.text->str);
		ib_package_free(p);
	}
}

/* ---- payload that is unpacked on the way to the metadata ---- */

#define KEPT_FILES 40

static struct ps_files kept_sample(GBytes *wrong)
{
	struct ps_files f = ps_new();
	g_autoptr(GString) files = g_string_new(NULL);

	ps_text(&f, "update.mum", PS_MUM("Lab-Package"));
	for (unsigned i = 0; i < KEPT_FILES; i++) {
		g_autofree char *name = g_strdup_printf("%02u.dll", i), *rest = g_strconcat("\\", name, NULL);
		g_autoptr(GBytes) content = ps_content(i + 1, i == 7 ? 5 << 20 : i == 8 ? 0 : 70000 + i);
		ps_file(files, name, content);
		ps_below(&f, COMPONENT, rest, g_bytes_ref(wrong && i == 20 ? wrong : content));
	}
	g_autofree char *manifest = ps_manifest(COMPONENT, files->str), *key = ps_keyform(COMPONENT);
	g_autofree char *name = g_strconcat(key, ".manifest", NULL);
	ps_text(&f, name, manifest);
	return f;
}

static struct ib_package *open_keeping(GBytes *cab, bool payload)
{
	g_autofree char *folder = ps_folder(), *path = ps_write(folder, "x.cab", cab);
	const struct ib_package_options o = { .size = sizeof(o), .spool_dir = "/tmp", .payload = payload };
	struct ib_package *p = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_package_open(path, &o, &p, &err), "%s", cause(err));
	cr_assert(ib_dir_remove(folder, &err));
	return p;
}

/* Whatever the cabinet's form, the same comes out, as often as it is asked for. */
Test(payload, kept_is_what_would_be_unpacked_again)
{
	ps_auto f = kept_sample(NULL);
	g_autoptr(GBytes) one = ps_cab(&f), many = ps_cab_folders(&f);
	g_autoptr(GBytes) zipped = cab_zip(one), zipped_many = cab_zip(many);
	GBytes *const cabs[] = { one, zipped, zipped_many };
	g_autofree char *first = NULL;
	auto_seen s;

	seen_init(&s);
	for (size_t i = 0; i < G_N_ELEMENTS(cabs) * 2; i++) {
		struct ib_package *p = open_keeping(cabs[i / 2], i % 2);
		bool kept = p->unit->kept > 0;
		/* Only what is packed, and only folders that hold metadata. */
		cr_expect_eq(kept, i == 3, "%zu", i);
		for (unsigned threads = 1; threads < 4; threads++) {
			ib_auto_error err = NULL;
			cr_assert(go(p, &(struct request){ NULL, threads, 0, false }, &s, &err), "%s", cause(err));
			if (!first)
				first = g_strdup(s.text->str);
			cr_expect_str_eq(s.text->str, first);
		}
		ib_package_free(p);
	}
}

/* What is kept is no more trusted than what is not. */
Test(payload, kept_files_are_checked)
{
	g_autoptr(GBytes) wrong = ps_content(99, 70020);
	ps_auto f = kept_sample(wrong);
	g_autoptr(GBytes) cab = ps_cab(&f), zipped = cab_zip(cab);
	struct ib_package *p = open_keeping(zipped, true);
	ib_auto_error err = NULL;
	auto_seen s;

	seen_init(&s);
	cr_expect_not(go(p, &(struct request){ NULL, 2, 0, false }, &s, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_VERIFY, "%s", cause(err));
	ib_package_free(p);
}

/* ---- numbered members ---- */

#define SOURCE(type, name) "<Source type=\"" type "\" name=\"" name "\" />"
#define BASIS(file) "<Basis file=\"" file "\" />"

struct numbered {
	GBytes *update, *manifest, *a, *b, *copy;
};

/* update.mum out of nothing, a manifest based on it, a file raw, one based on it, one a copy of that. */
static struct ps_files numbered_package(struct numbered *n, const char *more)
{
	struct ps_files f = ps_new();
	g_autoptr(GString) files = g_string_new(NULL), index = g_string_new(NULL);
	g_autofree char *key = ps_keyform(COMPONENT);

	n->a = ps_content(1, 4000);
	n->b = ps_content(2, 5000);
	ps_file(files, "a.dll", n->a);
	ps_file(files, "b.dll", n->b);
	ps_file(files, "sub\\copy.dll", n->b);
	g_autofree char *manifest = ps_manifest(COMPONENT, files->str), *name = g_strconcat(key, ".manifest", NULL);
	g_autofree char *a = g_strconcat(key, "\\a.dll", NULL), *b = g_strconcat(key, "\\b.dll", NULL);
	g_autofree char *c = g_strconcat(key, "\\sub\\copy.dll", NULL);
	n->update = g_bytes_new(PS_MUM("Lab-Package"), sizeof(PS_MUM("Lab-Package")) - 1);
	n->manifest = g_bytes_new(manifest, strlen(manifest));
	/* Bases come after what is based on them. */
	ps_cix_file(index, 5, c, n->b, "SHA1", BASIS("4"));
	ps_cix_file(index, 4, b, n->b, "SHA1", SOURCE("PA30", "3") BASIS("3"));
	ps_cix_file(index, 2, name, n->manifest, "SHA256", SOURCE("PA30", "1") BASIS("1"));
	ps_cix_file(index, 1, "update.mum", n->update, "SHA1", SOURCE("PA30", "0"));
	ps_cix_file(index, 3, a, n->a, "SHA1", SOURCE("RAW", "2"));
	if (more)
		g_string_append(index, more);
	g_autofree char *cix = ps_cix("CAB", index->str);
	ps_text(&f, "_manifest_.cix.xml", cix);
	ps_bytes(&f, "3", ps_record(n->a, n->b, false));
	ps_bytes(&f, "2", g_bytes_ref(n->a));
	ps_bytes(&f, "1", ps_record(n->update, n->manifest, false));
	ps_bytes(&f, "0", ps_record(NULL, n->update, false));
	return f;
}

static void numbered_clear(struct numbered *n)
{
	GBytes *const all[] = { n->update, n->manifest, n->a, n->b };

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		g_bytes_unref(all[i]);
}

Test(payload, numbered_members)
{
	struct numbered n;
	ps_auto f = numbered_package(&n, NULL);
	auto_seen s;
	ib_auto_error err = NULL;

	seen_init(&s);
	struct ib_package *p = open_files(&f);
	cr_expect_str_eq(ib_package_root(p)->package_id, "Lab-Package~31bf3856ad364e35~amd64~~10.0.17763.2");
	cr_expect_eq(ib_package_manifests(p)->len, 1);
	for (unsigned threads = 1; threads < 4; threads++) {
		cr_assert(go(p, &(struct request){ NULL, threads, 0, false }, &s, &err), "%s", cause(err));
		cr_expect_str_eq(s.text->str, "sub\\copy.dll:F:here b.dll:F:here a.dll:F:here ");
		cr_expect(is_last(&s, n.a));
	}
	ib_package_free(p);
	numbered_clear(&n);
}

/* The same in an .msu, next to the servicing stack in a cabinet of its own. */
Test(payload, two_packages_of_one_update)
{
	struct numbered n;
	ps_auto lcu = numbered_package(&n, NULL);
	ps_auto ssu = ps_new();
	ps_auto outer = ps_new();
	g_autofree char *stack = ps_manifest("Microsoft-Windows-ServicingStack", "");
	g_autofree char *key = ps_keyform("Microsoft-Windows-ServicingStack"), *name = g_strconcat(key, ".manifest", NULL);
	g_autofree char *folder = ps_folder();
	struct ib_package *p = NULL;
	GPtrArray *all = NULL;
	auto_seen s;
	ib_auto_error err = NULL;

	seen_init(&s);
	ps_text(&ssu, "update.mum", PS_MUM("Lab-Stack"));
	ps_text(&ssu, name, stack);
	ps_bytes(&outer, "lcu.cab", ps_cab(&lcu));
	ps_bytes(&outer, "ssu.cab", ps_cab(&ssu));
	g_autoptr(GBytes) msu = ps_cab(&outer);
	g_autofree char *path = ps_write(folder, "x.msu", msu);
	cr_expect_not(ib_package_open(path, NULL, &p, &err));
	cr_expect(strstr(cause(err), "more than one package: 'lcu.cab' and 'ssu.cab'"), "%s", cause(err));
	ib_error_clear(&err);
	cr_assert(ib_package_open_all(path, NULL, &all, &err), "%s", cause(err));
	cr_assert_eq(all->len, 2);
	cr_expect_str_eq(ib_package_cabinet(all->pdata[0]), "ssu.cab");
	cr_expect_str_eq(ib_package_cabinet(all->pdata[1]), "lcu.cab");
	cr_expect_eq(ib_package_container(all->pdata[1]), IB_PACKAGE_MSU_CAB);
	cr_assert(go(all->pdata[1], &(struct request){ NULL, 2, 0, false }, &s, &err), "%s", cause(err));
	cr_expect_str_eq(s.text->str, "sub\\copy.dll:F:here b.dll:F:here a.dll:F:here ");
	g_ptr_array_unref(all);
	numbered_clear(&n);
	cr_assert(ib_dir_remove(folder, &err));
}

Test(payload, bad_indexes)
{
#define FILE_(id, name, rest) "<File id='" id "' name='" name "' length='1'>" rest "</File>"
#define DELTA(rest) "<Delta>" rest "</Delta>"
	static const struct {
		const char *more, *cause;
		enum ib_code code;
	} cases[] = {
		{ FILE_("9", "x", ""), "no delta", IB_ERR_INPUT },
		{ FILE_("9", "x", DELTA("")), "neither source nor basis", IB_ERR_INPUT },
		{ FILE_("9", "x", DELTA(BASIS("77"))), "based on file '77', which is not there", IB_ERR_INPUT },
		{ FILE_("9", "x", DELTA(BASIS("9"))), "based on itself", IB_ERR_INPUT },
		{ FILE_("9", "x", DELTA(BASIS("10"))) FILE_("10", "y", DELTA(BASIS("9"))), "based on itself", IB_ERR_INPUT },
		{ FILE_("1", "x", DELTA(SOURCE("RAW", "2"))), "the id '1'", IB_ERR_INPUT },
		{ FILE_("9", "UPDATE.mum", DELTA(SOURCE("RAW", "2"))), "names 'UPDATE.mum' twice", IB_ERR_INPUT },
		{ FILE_("9", "a\\..\\..\\x", DELTA(SOURCE("RAW", "2"))), "leads out of the package", IB_ERR_INPUT },
		{ FILE_("9", "c:x", DELTA(SOURCE("RAW", "2"))), "leads out of the package", IB_ERR_INPUT },
		{ "<File id='9' name='x' length='-1'/>", "no number", IB_ERR_INPUT },
		{ FILE_("9", "x.mum", DELTA(SOURCE("RAW", "2"))), "has 4000 bytes, the index", IB_ERR_VERIFY },
		{ FILE_("9", "x.mum", DELTA(SOURCE("PA19", "2"))), "stored as 'PA19'", IB_ERR_INPUT },
		{ FILE_("9", "x.mum", DELTA(SOURCE("RAW", "88"))), "takes bytes from '88'", IB_ERR_INPUT },
		{ FILE_("9", "x.mum", DELTA("<Source type='RAW'/>")), "attribute 'offset'", IB_ERR_INPUT },
		{ FILE_("9", "x.mum", DELTA(SOURCE("PA30", "2"))), "", IB_ERR_INPUT },
		{ FILE_("9", "x.mum", "<Hash alg='SHA1' value='00'/>" DELTA(SOURCE("RAW", "2"))), "no SHA1", IB_ERR_INPUT },
		{ "<File id='9' name='x.mum' length='99999999999'><Delta><Source type='RAW' name='2'/></Delta></File>",
		  "at most", IB_ERR_INPUT },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct numbered n;
		ps_auto f = numbered_package(&n, cases[i].more);
		g_autoptr(GBytes) cab = ps_cab(&f);
		struct ib_package *p = NULL;
		ib_auto_error err = NULL;
		cr_assert_not(open_bytes(cab, &p, &err), "case %zu", i);
		cr_expect_eq(ib_error_code(err), cases[i].code, "case %zu: %s", i, cause(err));
		cr_expect(strstr(cause(err), cases[i].cause), "case %zu: %s", i, cause(err));
		numbered_clear(&n);
	}
}

Test(payload, index_with_a_wrong_hash)
{
	struct numbered n;
	ps_auto f = numbered_package(&n, NULL);
	struct cab_file *raw = NULL;
	auto_seen s;
	ib_auto_error err = NULL;

	seen_init(&s);
	for (guint i = 0; i < f.files->len; i++)
		if (strcmp(g_array_index(f.files, struct cab_file, i).name, "2") == 0)
			raw = &g_array_index(f.files, struct cab_file, i);
	((uint8_t *)raw->data)[100] ^= 1;
	struct ib_package *p = open_files(&f); /* its metadata are right */
	cr_assert_not(go(p, &(struct request){ NULL, 2, 0, false }, &s, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_VERIFY);
	cr_expect(strstr(cause(err), "a.dll' does not have the sha1"), "%s", cause(err));
	ib_package_free(p);
	numbered_clear(&n);
}

/* ---- .psf ---- */

struct express {
	GBytes *base, *target, *plain, *fresh, *old;
	GByteArray *psf;
	struct ps_files cab;
	GString *index; /* files of the index */
};

#define KEY "amd64_lab-component_31bf3856ad364e35_10.0.17763.2_none_"

static void index_add(struct express *x, const char *rest, const char *type, GBytes *content, GBytes *stored)
{
	g_autofree char *key = ps_keyform(COMPONENT), *name = g_strconcat(key, rest, NULL);
	g_autofree char *source = ps_psf_add(x->psf, type, stored);

	ps_cix_file(x->index, x->index->len, name, content, "SHA256", source);
}

/* A forward differential, a file as it is, a differential that is itself made of a delta against nothing, a file
 * carried over from an older component. */
static void express_new(struct express *x)
{
	g_autoptr(GString) files = g_string_new(NULL);
	g_autofree char *key = ps_keyform(COMPONENT), *name = g_strconcat(key, ".manifest", NULL);

	*x = (struct express){ .base = ps_content(1, 40000), .target = ps_content(2, 41000), .plain = ps_content(3, 300),
			       .fresh = ps_content(4, 5000), .old = ps_content(5, 600), .psf = ps_psf_new(),
			       .cab = ps_new(), .index = g_string_new(NULL) };
	g_autoptr(GBytes) forward = ps_record(x->base, x->target, false), null = ps_record(NULL, x->fresh, false);
	ps_file(files, "a.dll", x->target);
	ps_file(files, "plain.txt", x->plain);
	ps_file(files, "new.dll", x->fresh);
	ps_file(files, "old.dll", x->old);
	g_autofree char *manifest = ps_manifest(COMPONENT, files->str);
	g_autoptr(GBytes) wrapped = ps_record(NULL, null, false);
	index_add(x, "\\f\\a.dll", "RAW", forward, forward);
	index_add(x, "\\plain.txt", "RAW", x->plain, x->plain);
	index_add(x, "\\n\\new.dll", "PA30", null, wrapped);
	ps_text(&x->cab, "update.mum", PS_MUM("Lab-Package"));
	ps_text(&x->cab, name, manifest);
}

/* historycix.cab in the .psf: which base a.dll has, where old.dll comes from. */
static void express_history(struct express *x)
{
	g_autoptr(GString) files = g_string_new(NULL), delta = g_string_new(NULL);
	g_autofree char *key = ps_keyform(COMPONENT), *a = g_strconcat(key, "\\a.dll", NULL);
	g_autofree char *old = g_strconcat(key, "\\old.dll", NULL);
	ps_auto cab = ps_new();

	g_string_append_printf(delta, "<Source type=\"PA30\" name=\"%s\\f\\a.dll\" /><Basis length=\"%zu\">", key,
			       g_bytes_get_size(x->base));
	ps_hash(delta, "SHA256", x->base);
	g_string_append(delta, "</Basis>");
	ps_cix_file(files, 1, a, x->target, "SHA256", delta->str);
	ps_cix_file(files, 2, old, x->old, "SHA256", "<Source type=\"RAW\" name=\"amd64_older\\old.dll\" />");
	g_autofree char *xml = ps_cix("PSFX", files->str);
	ps_text(&cab, "history.cix.xml", xml);
	g_autoptr(GBytes) bytes = ps_cab(&cab);
	g_autofree char *source = ps_psf_add(x->psf, "RAW", bytes);
	ps_cix_file(x->index, 9999, "historycix.cab", bytes, "SHA256", source);
}

static void express_clear(struct express *x)
{
	GBytes *const all[] = { x->base, x->target, x->plain, x->fresh, x->old };

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		g_bytes_unref(all[i]);
	g_byte_array_unref(x->psf);
	g_string_free(x->index, TRUE);
	ps_clear(&x->cab);
}

static GBytes *express_cab(struct express *x)
{
	g_autofree char *cix = ps_cix("PSF", x->index->str);

	ps_text(&x->cab, "express.psf.cix.xml", cix);
	return ps_cab(&x->cab);
}

static GBytes *express_psf(const struct express *x)
{
	return g_bytes_new(x->psf->data, x->psf->len);
}

static void expect_express(struct ib_package *p, const struct express *x)
{
	struct image image = { .bases = { x->old, x->base } };
	auto_seen s;
	ib_auto_error err = NULL;

	seen_init(&s);
	for (unsigned threads = 1; threads < 4; threads++) {
		cr_assert(go(p, &(struct request){ &image, threads, 0, false }, &s, &err), "%s", cause(err));
		cr_expect_str_eq(s.text->str, "a.dll:F:here plain.txt:F:here new.dll:F:here old.dll:F:missing ");
		cr_expect(is_last(&s, x->fresh));
	}
	cr_assert(go(p, &(struct request){ NULL, 2, 0, false }, &s, &err), "%s", cause(err));
	cr_expect_str_eq(s.text->str, "a.dll:F:missing plain.txt:F:here new.dll:F:here old.dll:F:missing ");
	image.complete = x->old;
	cr_assert(go(p, &(struct request){ &image, 2, 0, false }, &s, &err), "%s", cause(err));
	cr_expect(is_last(&s, x->old));
}

Test(payload, psf_beside_its_cabinet)
{
	g_autofree char *folder = ps_folder();
	struct express x;
	struct ib_package *p = NULL;
	ib_auto_error err = NULL;

	express_new(&x);
	g_autoptr(GBytes) cab = express_cab(&x), psf = express_psf(&x);
	g_autofree char *path = ps_write(folder, "kb.psf", psf);
	cr_expect_not(ib_package_open(path, NULL, &p, &err));
	cr_expect(strstr(cause(err), "its cabinet is not beside it"), "%s", cause(err));
	ib_error_clear(&err);
	cr_assert(open_in(folder, "kb.cab", cab, &p, &err), "%s", cause(err));
	expect_express(p, &x);
	ib_package_free(p);
	cr_assert(ib_package_open(path, NULL, &p, &err), "%s", cause(err));
	expect_express(p, &x);
	ib_package_free(p);
	cr_assert(ib_dir_remove(folder, &err));
	express_clear(&x);
}

Test(payload, psf_in_an_update_file_with_history)
{
	ps_auto outer = ps_new();
	struct express x;
	struct ib_package *p = NULL;
	auto_seen s;
	ib_auto_error err = NULL;

	seen_init(&s);
	express_new(&x);
	express_history(&x);
	ps_bytes(&outer, "kb.cab", express_cab(&x));
	ps_bytes(&outer, "other.psf", g_bytes_new("no psf", 6));
	ps_bytes(&outer, "KB.PSF", express_psf(&x));
	g_autoptr(GBytes) msu = ps_cab(&outer);
	cr_assert(open_bytes(msu, &p, &err), "%s", cause(err));
	expect_express(p, &x);
	cr_assert(go(p, &(struct request){ NULL, 2, 0, false }, &s, &err), "%s", cause(err));
	cr_expect(strstr(s.reason, "unchanged from 'amd64_older\\old.dll'"), "%s", s.reason);
	struct image nothing = { 0 };
	cr_assert_not(go(p, &(struct request){ &nothing, 2, 0, false }, &s, &err));
	cr_expect(strstr(cause(err), "of 40000 bytes, which nobody has") && nothing.asked_hash, "%s", cause(err));
	ib_package_free(p);
	express_clear(&x);
}

Test(payload, psf_in_a_folder)
{
	g_autofree char *folder = ps_folder();
	struct express x;
	struct ib_package *p = NULL;
	ib_auto_error err = NULL;

	express_new(&x);
	g_autoptr(GBytes) cab = express_cab(&x), psf = express_psf(&x);
	for (guint i = 0; i < x.cab.files->len; i++) {
		const struct cab_file *f = &g_array_index(x.cab.files, struct cab_file, i);
		g_autoptr(GBytes) bytes = g_bytes_new(f->data, f->size);
		g_autofree char *path = ps_write(folder, f->name, bytes);
	}
	g_autofree char *path = ps_write(folder, "any name.psf", psf);
	cr_assert(ib_package_open(folder, NULL, &p, &err), "%s", cause(err));
	cr_expect_eq(ib_package_container(p), IB_PACKAGE_FOLDER);
	expect_express(p, &x);
	ib_package_free(p);
	cr_assert(ib_dir_remove(folder, &err));
	express_clear(&x);
}

static bool stop_at_once(const struct ib_progress_event *event, void *data)
{
	(void)event;
	(*(unsigned *)data)++;
	return false;
}

Test(payload, opening_heeds_the_wish_to_stop)
{
	g_autofree char *folder = ps_folder();
	struct express x;
	unsigned asked = 0;
	struct ib_progress *progress = ib_progress_new(stop_at_once, &asked);
	struct ib_package_options o = { .size = sizeof(o), .payload = true, .progress = progress };
	struct ib_package *p = NULL;
	GPtrArray *all = NULL;
	ib_auto_error err = NULL;
	ib_auto_error later = NULL;

	express_new(&x);
	g_autoptr(GBytes) cab = express_cab(&x), psf = express_psf(&x);
	g_autofree char *path = ps_write(folder, "kb.cab", cab), *beside = ps_write(folder, "kb.psf", psf);
	cr_assert_not(ib_package_open(path, &o, &p, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_INTERRUPTED, "%s", cause(err));
	cr_assert_not(ib_package_open_end(ib_package_open_begin(path, &o), NULL, &all, &later));
	cr_expect_eq(ib_error_code(later), IB_ERR_INTERRUPTED, "%s", cause(later));
	cr_expect(asked > 0);
	ib_progress_free(progress);
	ib_auto_error last = NULL;
	cr_assert(ib_dir_remove(folder, &last));
	express_clear(&x);
}

Test(payload, update_file_that_is_a_wim)
{
	g_autofree char *folder = ps_folder(), *path = g_build_filename(folder, "x.msu", NULL);
	ib_auto_error err = NULL;

	for (int packed = 0; packed < 2; packed++) {
		struct express x;
		struct ib_package *p = NULL;
		express_new(&x);
		g_autoptr(GBytes) cab = express_cab(&x), psf = express_psf(&x);
		GBytes *const contents[] = { cab, psf };
		static const char *const names[] = { "kb.cab", "kb.psf" };
		struct ib_wim *wim = ib_wim_new(packed ? IB_WIM_LZX : IB_WIM_NONE, 0, NULL);
		struct ib_image *image;
		cr_assert(ib_wim_image(wim, ib_wim_add_image(wim, "x"), &image, &err));
		for (int i = 0; i < 2; i++) {
			uint8_t hash[IB_WIM_HASH_SIZE];
			struct ib_node_meta meta = { 0 };
			gsize n;
			const void *d = g_bytes_get_data(contents[i], &n);
			cr_assert(ib_wim_add_bytes(wim, d, n, hash, &err) &&
				  ib_image_put(image, names[i], hash, &meta, NULL, &err), "%s", cause(err));
		}
		FILE *file = fopen(path, "w+");
		struct ib_output out = { .fd = fileno(file), .name = path };
		struct ib_wim_write_options o = { .size = sizeof(o) };
		uint64_t size;
		cr_assert(ib_wim_write(wim, &out, &o, &size, &err), "%s", cause(err));
		fclose(file);
		ib_wim_free(wim);
		cr_assert(ib_package_open(path, NULL, &p, &err), "%s", cause(err));
		cr_expect_eq(ib_package_container(p), IB_PACKAGE_MSU_WIM);
		expect_express(p, &x);
		ib_package_free(p);
		express_clear(&x);
	}
	cr_assert(ib_dir_remove(folder, &err));
}

Test(payload, bad_psf)
{
	static const struct {
		const char *file, *cause;
	} cases[] = {
		{ "<File name='x.mum' length='5'><Delta><Source type='RAW' offset='100000000' length='5'/></Delta></File>",
		  "leaves" },
		{ "<File name='x.mum' length='5'><Delta><Source type='RAW' offset='9223372036854775807' length='5'/></Delta>"
		  "</File>", "leaves" },
		{ "<File name='x.mum' length='5'><Delta><Source type='RAW' offset='0' length='6'/></Delta></File>",
		  "has 6 bytes, the index" },
		{ "<File name='x.mum' length='5'><Delta><Source type='RAW' name='y'/></Delta></File>", "not in the .psf" },
		{ "<File name='x.mum' length='5'><Delta><Source type='RAW' offset='0' length='5'><Hash alg='MD5' "
		  "value='00000000000000000000000000000000'/></Source></Delta></File>", "bytes in the package do not have" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *folder = ps_folder();
		struct express x;
		struct ib_package *p = NULL;
		struct ib_error *e = NULL;
		ib_auto_error err = NULL;
		express_new(&x);
		g_string_append(x.index, cases[i].file);
		g_autoptr(GBytes) cab = express_cab(&x), psf = express_psf(&x);
		g_autofree char *path = ps_write(folder, "kb.psf", psf);
		cr_assert_not(open_in(folder, "kb.cab", cab, &p, &err), "case %zu", i);
		cr_expect(strstr(cause(err), cases[i].cause), "case %zu: %s", i, cause(err));
		cr_assert(ib_dir_remove(folder, &e));
		express_clear(&x);
	}
}

/* ---- compressed manifests ---- */

Test(payload, manifest_compressed_against_the_dictionary)
{
	static const char text[] = "<?xml version=\"1.0\"?><assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\">";
	g_autoptr(GBytes) dictionary = g_bytes_new_static(text, sizeof(text) - 1), content = ps_content(1, 100);
	ps_auto f = ps_new();
	g_autoptr(GString) files = g_string_new(NULL);
	g_autofree char *key = ps_keyform(COMPONENT), *name = g_strconcat(key, ".manifest", NULL);
	const struct ib_package_options o = { .size = sizeof(o), .dictionary = dictionary };
	g_autofree char *folder = ps_folder();
	struct ib_package *p = NULL;
	auto_seen s;
	ib_auto_error err = NULL;

	seen_init(&s);
	ps_file(files, "a.dll", content);
	g_autofree char *plain = ps_manifest(COMPONENT, files->str);
	struct sample sample = { .source = (const uint8_t *)text, .source_size = sizeof(text) - 1,
				 .target = (const uint8_t *)plain, .target_size = strlen(plain), .no_hash = true };
	g_autoptr(GBytes) record = sample_make(&sample);
	gsize n;
	const char *d = g_bytes_get_data(record, &n);
	g_autoptr(GString) dcm = g_string_new_len("DCM\1", 4);
	g_string_append_len(dcm, d, (gssize)n);
	ps_text(&f, "update.mum", PS_MUM("Lab-Package"));
	ps_add(&f, name, dcm->str, dcm->len);
	ps_below(&f, COMPONENT, "\\a.dll", g_bytes_ref(content));
	g_autoptr(GBytes) cab = ps_cab(&f);
	g_autofree char *path = ps_write(folder, "x.cab", cab);
	cr_assert(ib_package_open(path, NULL, &p, &err), "%s", cause(err));
	cr_expect(ib_package_unread(p)->len == 1 && ib_package_manifests(p)->len == 0);
	ib_package_free(p);
	/* Begun before the dictionary is known, ended with it and without; given up; and what cannot be opened. */
	for (unsigned i = 0; i < 2; i++) {
		g_autoptr(GPtrArray) all = NULL;
		cr_assert(ib_package_open_end(ib_package_open_begin(path, NULL), i ? dictionary : NULL, &all, &err), "%s",
			  cause(err));
		cr_assert_eq(all->len, 1);
		cr_expect_eq(ib_package_manifests(all->pdata[0])->len, i);
		cr_expect_eq(ib_package_unread(all->pdata[0])->len, 1 - i);
	}
	ib_package_open_cancel(ib_package_open_begin(path, &o));
	ib_package_open_cancel(NULL);
	g_autofree char *bad = ps_write(folder, "bad.cab", content);
	GPtrArray *none = NULL;
	cr_assert_not(ib_package_open_end(ib_package_open_begin(bad, NULL), dictionary, &none, &err));
	cr_expect_eq(ib_error_code(err), IB_ERR_INPUT);
	cr_expect_null(none);
	ib_error_clear(&err);
	cr_assert(ib_package_open(path, &o, &p, &err), "%s", cause(err));
	cr_assert(ib_package_unread(p)->len == 0 && ib_package_manifests(p)->len == 1);
	const struct ib_manifest *m = g_ptr_array_index(ib_package_manifests(p), 0);
	uint8_t hash[32];
	ps_sum(G_CHECKSUM_SHA256, plain, strlen(plain), hash);
	cr_expect_arr_eq(m->sha256, hash, 32);
	cr_expect_eq(g_bytes_get_size(m->stored), dcm->len);
	cr_assert(go(p, &(struct request){ NULL, 2, 0, false }, &s, &err), "%s", cause(err));
	cr_expect_str_eq(s.text->str, "a.dll:F:here ");
	ib_package_free(p);
	cr_assert(ib_dir_remove(folder, &err));
}
