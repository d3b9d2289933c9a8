/* servicing: what an image offers to a package's differentials, and where complete files come from. */
#include "tests/servicing_sample.h"

#include "delta/delta.h"

#define COMPONENT "Lab-Component"
#define RTM "10.0.17763.1"
#define OLD "10.0.17763.1790"
#define MID "10.0.17763.2061"
#define NEW "10.0.17763.2183"
#define LCU "Windows\\servicing\\LCU\\Package_for_RollupFix~31bf3856ad364e35~amd64~~17763."

/* Content of a version: some thousand lines, of which one in ten tells the version. */
static GBytes *content(const char *version)
{
	GString *s = g_string_new(NULL);

	for (unsigned i = 0; i < 2000; i++)
		g_string_append_printf(s, "line %u of %s\n", i, i % 10 ? "all" : version);
	return g_string_free_to_bytes(s);
}

static GBytes *delta(GBytes *from, GBytes *to)
{
	struct sample s = { .crc = true };

	s.source = g_bytes_get_data(from, &s.source_size);
	s.target = g_bytes_get_data(to, &s.target_size);
	return sample_make(&s);
}

/* The component in a version, its manifest naming a.txt with that version's content; with payload or without. */
static char *add_version(struct sample_store *st, const char *version, bool payload)
{
	g_autoptr(GBytes) bytes = content(version);
	g_autofree char *body = sample_file_xml("a.txt", bytes);
	char *keyform = sample_component(st, &(struct sample_component){ .name = COMPONENT, .version = version, .body = body,
									.installed = true });
	g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s\\a.txt", keyform);

	if (payload)
		sample_file(st, path, bytes);
	return keyform;
}

/* The reverse differential of a version, kept by the update with this number. */
static void add_reverse(struct sample_store *st, const char *update, const char *version, const char *older)
{
	struct ib_identity id = { .name = COMPONENT, .version = version, .arch = "amd64", .token = "31bf3856ad364e35",
				  .scope = "nonSxS" };
	cr_assert(ib_version_parse(version, &id.number));
	g_autofree char *keyform = ib_keyform(&id, IB_KEYFORM_LONG);
	g_autofree char *path = g_strdup_printf(LCU "%s\\%s\\r\\a.txt", update, keyform);
	g_autoptr(GBytes) now = content(version), then = content(older), reverse = delta(now, then);

	sample_file(st, path, reverse);
}

/* A package, as a folder, that brings the component's new version without a.txt; and a plan to install it. */
struct world {
	struct sample_store st;
	struct ib_store *s;
	struct ib_package *p;
	struct ib_plan_install plan;
	struct ib_plan_component component;
	struct ib_bases *bases;
	struct ib_payload_source source;
	const struct ib_manifest *manifest;
	char *folder;
};

static void put_text(const char *folder, const char *name, GBytes *bytes)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	g_autofree char *dir = g_path_get_dirname(path);

	g_mkdir_with_parents(dir, 0700);
	cr_assert(g_file_set_contents(path, g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes), NULL));
}

/* @param payload  also put a.txt into it. The folder's name: g_free */
static char *make_package(const char *version, bool payload)
{
	char *folder = g_dir_make_tmp("bases-XXXXXX", NULL);
	struct ib_identity id = { .name = COMPONENT, .version = version, .arch = "amd64", .token = "31bf3856ad364e35",
				  .scope = "nonSxS" };
	g_autoptr(GBytes) bytes = content(version);
	g_autofree char *body = sample_file_xml("a.txt", bytes);
	g_autoptr(GBytes) manifest = sample_manifest_xml(COMPONENT, version, body);
	static const char mum_text[] =
		"<assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\" manifestVersion=\"1.0\"><assemblyIdentity name=\"Lab-Package\" "
		"version=\"10.0.17763.1\" processorArchitecture=\"amd64\" language=\"neutral\" publicKeyToken=\"31bf3856ad364e35\"/>"
		"<package identifier=\"KB1\" releaseType=\"Update\"/></assembly>";
	g_autoptr(GBytes) mum = g_bytes_new_static(mum_text, strlen(mum_text));

	cr_assert(ib_version_parse(version, &id.number));
	g_autofree char *keyform = ib_keyform(&id, IB_KEYFORM_LONG);
	g_autofree char *manifest_name = g_strconcat(keyform, ".manifest", NULL);
	g_autofree char *file_name = g_build_filename(keyform, "a.txt", NULL);
	put_text(folder, "update.mum", mum);
	put_text(folder, manifest_name, manifest);
	if (payload)
		put_text(folder, file_name, bytes);
	return folder;
}

static void remove_package(char *folder)
{
	ib_auto_error err = NULL;

	cr_assert(ib_dir_remove(folder, &err));
	g_free(folder);
}

static void begin(struct world *w, struct ib_stock *stock)
{
	ib_auto_error err = NULL;

	w->s = sample_store_end(&w->st);
	ib_store_set_stock(w->s, stock);
	w->folder = make_package(NEW, false);
	cr_assert(ib_package_open(w->folder, NULL, &w->p, &err), "%s", err ? ib_error_cause(err) : "");
	w->manifest = g_ptr_array_index(ib_package_manifests(w->p), 0);
	w->component.manifest = w->manifest;
	w->plan.by_keyform = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_hash_table_insert(w->plan.by_keyform, ib_name_fold(w->manifest->keyform), &w->component);
	cr_assert(ib_svc_bases_new(w->s, w->p, &w->plan, &w->bases, &err), "%s", err ? ib_error_cause(err) : "");
	w->source = ib_store_bases_source(w->bases);
}

static void end(struct world *w)
{
	ib_store_bases_free(w->bases);
	g_hash_table_unref(w->plan.by_keyform);
	ib_package_free(w->p);
	ib_store_free(w->s);
	ib_wim_free(w->st.wim);
	remove_package(w->folder);
}

/* The n-th base; NULL: none. named: the content the record names by this hash, NULL: it names none. */
static GBytes *ask(struct world *w, unsigned n, enum ib_digest_algorithm algorithm, GBytes *named)
{
	struct ib_base_query q = { .manifest = w->manifest, .file = g_ptr_array_index(w->manifest->files, 0), .size = UINT64_MAX,
				   .has_hash = named != NULL, .algorithm = algorithm };
	ib_auto_error err = NULL;
	GBytes *ret = NULL;
	gsize len;

	if (named) {
		const void *data = g_bytes_get_data(named, &len);
		ib_digest_bytes(algorithm, data, len, q.hash);
	}
	cr_assert(w->source.base(w->source.data, &q, n, &ret, &err), "%s", err ? ib_error_cause(err) : "");
	return ret;
}

static void expect_base(struct world *w, unsigned n, enum ib_digest_algorithm algorithm, GBytes *named, GBytes *want)
{
	g_autoptr(GBytes) got = ask(w, n, algorithm, named);

	cr_assert_eq(got != NULL, want != NULL);
	cr_assert(!want || g_bytes_equal(got, want));
}

Test(servicing_bases, released_version_comes_first)
{
	struct world w = { .st = sample_store_begin() };
	g_autoptr(GBytes) rtm = content(RTM);
	g_autoptr(GBytes) old = content(OLD);

	g_free(add_version(&w.st, RTM, true));
	g_free(add_version(&w.st, OLD, true));
	begin(&w, NULL);
	expect_base(&w, 0, 0, NULL, rtm);
	expect_base(&w, 1, 0, NULL, old);
	expect_base(&w, 2, 0, NULL, NULL);
	expect_base(&w, 0, IB_DIGEST_SHA256, old, old);
	cr_assert(w.source.wanted(w.source.data, w.manifest));
	w.component.stored = true;
	cr_assert_not(w.source.wanted(w.source.data, w.manifest));
	end(&w);
}

Test(servicing_bases, current_file_and_its_reverse_differential)
{
	struct world w = { .st = sample_store_begin() };
	g_autoptr(GBytes) rtm = content(RTM);
	g_autoptr(GBytes) old = content(OLD);
	g_autoptr(GBytes) never = content("never");

	g_free(add_version(&w.st, RTM, false)); /* its payload is gone */
	g_free(add_version(&w.st, OLD, true));
	add_reverse(&w.st, "1790.1.5", OLD, RTM);
	begin(&w, NULL);
	expect_base(&w, 0, 0, NULL, rtm);
	expect_base(&w, 1, 0, NULL, old);
	expect_base(&w, 2, 0, NULL, NULL);
	expect_base(&w, 0, IB_DIGEST_SHA256, rtm, rtm);
	expect_base(&w, 0, IB_DIGEST_MD5, rtm, rtm);
	expect_base(&w, 0, IB_DIGEST_SHA256, never, NULL);
	end(&w);
}

Test(servicing_bases, a_chain_of_reverse_differentials)
{
	struct world w = { .st = sample_store_begin() };
	g_autoptr(GBytes) rtm = content(RTM);
	g_autoptr(GBytes) old = content(OLD);

	g_free(add_version(&w.st, OLD, false));
	g_free(add_version(&w.st, MID, true));
	add_reverse(&w.st, "2061.1.7", MID, OLD);
	add_reverse(&w.st, "1790.1.5", OLD, RTM);
	begin(&w, NULL);
	expect_base(&w, 0, 0, NULL, old);
	expect_base(&w, 0, IB_DIGEST_SHA256, rtm, rtm);
	end(&w);
}

Test(servicing_bases, a_damaged_reverse_differential_is_passed_over)
{
	struct world w = { .st = sample_store_begin() };
	g_autofree char *keyform = NULL;
	g_autoptr(GBytes) old = content(OLD);
	g_autoptr(GBytes) junk = g_bytes_new_static("junk", 4);

	keyform = add_version(&w.st, OLD, true);
	g_autofree char *path = g_strdup_printf(LCU "1790.1.5\\%s\\r\\a.txt", keyform);
	sample_file(&w.st, path, junk);
	begin(&w, NULL);
	expect_base(&w, 0, 0, NULL, old);
	expect_base(&w, 2, 0, NULL, NULL);
	end(&w);
}

Test(servicing_bases, named_content_is_found_wherever_it_lies)
{
	struct world w = { .st = sample_store_begin() };
	g_autoptr(GBytes) other = content("other");
	g_autoptr(GBytes) stray = content("stray");
	g_autofree char *body = sample_file_xml("b.txt", other);
	g_autofree char *keyform = sample_component(&w.st, &(struct sample_component){ .name = "Other", .version = RTM,
										     .body = body });
	g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s\\b.txt", keyform);

	sample_file(&w.st, path, other);
	sample_file(&w.st, "Windows\\stray.txt", stray);
	begin(&w, NULL);
	expect_base(&w, 0, IB_DIGEST_SHA256, other, other);
	expect_base(&w, 0, IB_DIGEST_SHA1, stray, stray);   /* the image knows all content by it */
	expect_base(&w, 0, IB_DIGEST_SHA256, stray, NULL);  /* in no manifest */
	expect_base(&w, 0, 0, NULL, NULL);
	end(&w);
}

/* ---- complete files ---- */

static GBytes *complete(struct world *w)
{
	ib_auto_error err = NULL;
	GBytes *ret = NULL;

	cr_assert(w->source.complete(w->source.data, w->manifest, g_ptr_array_index(w->manifest->files, 0), &ret, &err), "%s",
		  err ? ib_error_cause(err) : "");
	return ret;
}

static void expect_complete(struct world *w, bool there, unsigned elsewhere, unsigned sources)
{
	struct ib_install_summary sum = { 0 };
	g_autoptr(GBytes) want = content(NEW);
	g_autoptr(GBytes) got = complete(w);

	cr_assert_eq(got != NULL, there);
	cr_assert(!there || g_bytes_equal(got, want));
	ib_svc_bases_count(w->bases, &sum);
	cr_assert_eq(sum.payload_elsewhere, elsewhere);
	cr_assert_eq(sum.payload_sources, sources);
}

Test(servicing_bases, the_image_has_the_same_content_elsewhere)
{
	struct world w = { .st = sample_store_begin() };
	g_autoptr(GBytes) bytes = content(NEW);
	g_autofree char *body = sample_file_xml("copy.txt", bytes);
	g_autofree char *keyform = sample_component(&w.st, &(struct sample_component){ .name = "Other", .version = RTM,
										     .body = body });
	g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s\\copy.txt", keyform);

	sample_file(&w.st, path, bytes);
	begin(&w, NULL);
	expect_complete(&w, true, 1, 0);
	end(&w);
}

Test(servicing_bases, a_newer_image_has_it)
{
	for (unsigned i = 0; i < 2; i++) {
		struct world w = { .st = sample_store_begin() };
		struct sample_store newer = sample_store_begin();
		struct ib_stock *stock = ib_stock_new(NULL);
		g_autofree char *keyform = add_version(&newer, i ? "10.0.17763.9999" : NEW, false);
		g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s\\a.txt", keyform);
		g_autoptr(GBytes) bytes = content(NEW);
		g_autofree char *body = sample_file_xml("same.txt", bytes);
		g_autofree char *elsewhere = sample_component(&newer, &(struct sample_component){ .name = "Moved",
					.version = RTM, .body = body });
		g_autofree char *moved = g_strdup_printf(DIR_WINSXS "\\%s\\same.txt", elsewhere);
		sample_file(&newer, i ? moved : path, bytes); /* at its place, or found by its hash */
		ib_store_free(sample_store_end(&newer));
		ib_stock_add_wim(stock, newer.wim, 0);
		begin(&w, stock);
		expect_complete(&w, true, 1, 1);
		end(&w);
		ib_stock_free(stock);
	}
}

Test(servicing_bases, a_wrong_file_at_the_right_place_is_not_taken)
{
	struct world w = { .st = sample_store_begin() };
	struct sample_store newer = sample_store_begin();
	struct ib_stock *stock = ib_stock_new(NULL);
	g_autofree char *keyform = add_version(&newer, NEW, false);
	g_autofree char *path = g_strdup_printf(DIR_WINSXS "\\%s\\a.txt", keyform);
	g_autoptr(GBytes) bytes = content("patched");

	sample_file(&newer, path, bytes);
	ib_store_free(sample_store_end(&newer));
	ib_stock_add_wim(stock, newer.wim, 1);
	begin(&w, stock);
	expect_complete(&w, false, 0, 0);
	end(&w);
	ib_stock_free(stock);
}

Test(servicing_bases, a_package_with_complete_files_has_it)
{
	struct world w = { .st = sample_store_begin() };
	struct ib_stock *stock = ib_stock_new(NULL);
	char *folder = make_package(NEW, true);
	struct ib_package *full = NULL;
	ib_auto_error err = NULL;

	cr_assert(ib_package_open(folder, NULL, &full, &err), "%s", err ? ib_error_cause(err) : "");
	ib_stock_add_package(stock, full);
	begin(&w, stock);
	expect_complete(&w, true, 1, 1);
	expect_complete(&w, true, 2, 2);
	end(&w);
	ib_stock_free(stock);
	remove_package(folder);
}

/* ---- threads ---- */

static gpointer ask_often(gpointer data)
{
	struct world *w = data;
	g_autoptr(GBytes) rtm = content(RTM);
	guint good = 0;

	for (unsigned i = 0; i < 20; i++) {
		g_autoptr(GBytes) base = ask(w, 0, IB_DIGEST_SHA256, rtm);
		g_autoptr(GBytes) whole = complete(w);
		good += base && g_bytes_equal(base, rtm) && whole != NULL;
	}
	return GUINT_TO_POINTER(good);
}

Test(servicing_bases, several_threads_ask_while_content_is_added)
{
	struct world w = { .st = sample_store_begin() };
	struct ib_stock *stock = ib_stock_new(NULL);
	char *folder = make_package(NEW, true);
	struct ib_package *full = NULL;
	ib_auto_error err = NULL;
	GThread *threads[4];

	g_free(add_version(&w.st, RTM, false));
	g_free(add_version(&w.st, OLD, true));
	add_reverse(&w.st, "1790.1.5", OLD, RTM);
	cr_assert(ib_package_open(folder, NULL, &full, &err));
	ib_stock_add_package(stock, full);
	begin(&w, stock);
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("ask", ask_often, &w);
	for (unsigned i = 0; i < 300; i++) {
		g_autofree char *text = g_strdup_printf("new %u", i);
		g_autofree char *path = g_strdup_printf("Windows\\new%u.txt", i);
		g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
		sample_file(&w.st, path, bytes);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		cr_assert_eq(GPOINTER_TO_UINT(g_thread_join(threads[i])), 20);
	end(&w);
	ib_stock_free(stock);
	remove_package(folder);
}
