/*
 * One measured step of tests/bench/servicing.sh, in a process of its own so that memory counts from zero. Each prints
 * words "name=value"; seconds are of the wall, peak is the most memory of the process in MB.
 *
 *   bench_servicing make DIR PERCENT [plain]   DIR/base.wim and DIR/update.cab; plain: no manifest is compressed
 *   bench_servicing open WIM                   the store, ready to be asked
 *   bench_servicing plan WIM CAB               the store, the package, what installing it would do
 *   bench_servicing parse WIM                  all manifests on one core, unpacked before
 *   bench_servicing install WIM CAB OUT        store opened; then, timed, package opened, installed, committed; WIM written
 *   bench_servicing whole WIM CAB OUT          the same timed from the start, store and package opened side by side
 *   bench_servicing floor CAB WIM OUT          its payload read, hashed twice, and compressed by libwim's codec; then what
 *                                              else OUT has and WIM has not, read before: hashed once and compressed
 *   bench_servicing verify WIM
 */
#include "tests/bench/servicing_world.h"

#include <sys/resource.h>
#include <time.h>

#include "archive/archive.h"
#include "tests/bench/libwim_floor.h"

static double now(void)
{
	return (double)g_get_monotonic_time() / 1e6;
}

static double processor(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_usage(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	printf(" cpu=%.2f peak=%.0f", processor(), (double)used.ru_maxrss / 1024);
}

static void print_peak(void)
{
	print_usage();
	putchar('\n');
}

/* spool: folder for new content; NULL: nothing is added. */
static struct ib_store *open_store(const char *path, const char *spool, struct ib_wim **ret_wim)
{
	struct ib_store *s;
	struct ib_error *err = NULL;

	must(ib_wim_open_file(path, spool, ret_wim, &err) && ib_store_open(*ret_wim, 1, WORLD_TIME, &s, &err), err);
	return s;
}

static struct ib_package *open_package(struct ib_store *s, const char *path)
{
	struct ib_package_options o = { .size = sizeof(o) };
	struct ib_package *p;
	struct ib_error *err = NULL;

	must(ib_store_dictionary(s, &o.dictionary, &err) && ib_package_open(path, &o, &p, &err), err);
	return p;
}

static void make(char **a)
{
	struct world w = { .dir = a[0], .percent = (unsigned)atoi(a[1]), .plain = a[2] != NULL };

	world_make(&w);
}

static void open_only(char **a)
{
	struct ib_wim *wim;
	double start = now();
	struct ib_store *s = open_store(a[0], NULL, &wim);
	const struct ib_store_info *i = ib_store_info(s);

	printf("open=%.3f components=%u packages=%u", now() - start, i->components, i->packages);
	print_peak();
	ib_store_free(s);
	ib_wim_free(wim);
}

static void plan(char **a)
{
	struct ib_install_summary sum;
	struct ib_wim *wim;
	struct ib_error *err = NULL;
	double start = now();
	struct ib_store *s = open_store(a[0], NULL, &wim);
	double opened = now();
	struct ib_package *p = open_package(s, a[1]);
	double package = now();

	must(ib_store_plan(s, p, &sum, &err), err);
	printf("open=%.3f package=%.3f plan=%.3f components=%u winners=%u files=%u", opened - start, package - opened,
	       now() - package, sum.components, sum.winners_changed, sum.files_new + sum.files_changed);
	print_peak();
	ib_package_free(p);
	ib_store_free(s);
	ib_wim_free(wim);
}

/* What is measured is parsing alone, so everything is read and unpacked before the clock starts. */
static void parse(char **a)
{
	struct ib_wim *wim;
	struct ib_image *image;
	struct ib_error *err = NULL;
	struct ib_store *s = open_store(a[0], NULL, &wim);
	GBytes *dictionary;
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	double bytes = 0, reading = processor();

	must(ib_wim_image(wim, 1, &image, &err) && ib_store_dictionary(s, &dictionary, &err), err);
	for (struct ib_node *n = ib_node_first(ib_image_find(image, "Windows\\WinSxS\\Manifests")); n; n = ib_node_next(n)) {
		GBytes *stored, *text;
		must(ib_wim_read_blob(wim, ib_node_hash(n), WORLD_LIMIT, &stored, &err), err);
		if (ib_dcm_kind(stored) == IB_DCM_NONE)
			text = g_bytes_ref(stored);
		else
			must(ib_dcm_decode(stored, dictionary, &text, &err), err);
		g_bytes_unref(stored);
		g_ptr_array_add(texts, text);
		g_ptr_array_add(names, (gpointer)ib_node_name(n));
		bytes += (double)g_bytes_get_size(text);
	}
	double start = processor();
	for (guint i = 0; i < texts->len; i++) {
		struct ib_manifest *m;
		must(ib_manifest_parse(texts->pdata[i], NULL, names->pdata[i], &m, &err), err);
		ib_manifest_free(m);
	}
	double seconds = processor() - start;
	printf("manifests=%u mb=%.1f unpack=%.2f parse=%.2f rate=%.0f", texts->len, bytes / 1e6, start - reading, seconds,
	       texts->len / seconds);
	print_peak();
	g_clear_pointer(&texts, g_ptr_array_unref);
	ib_store_free(s);
	ib_wim_free(wim);
}

/* Installs what is being opened, and writes OUT. started: when the clock began. */
static void install_opening(struct ib_store *s, struct ib_wim *wim, struct ib_package_opening *opening, const char *out,
			    double started, double cpu)
{
	g_autoptr(GPtrArray) packages = NULL;
	struct ib_install_summary sum;
	struct ib_error *err = NULL;
	GBytes *dictionary;

	must(ib_store_dictionary(s, &dictionary, &err) && ib_package_open_end(opening, dictionary, &packages, &err), err);
	struct ib_package *p = packages->pdata[0];
	double package = now();

	must(ib_store_install(s, p, &sum, NULL, &err), err);
	double installed = now();
	must(ib_store_commit(s, &err) && ib_wim_settle(wim, &err), err); /* until all is compressed */
	double end = now();
	printf("install=%.3f processor=%.2f package=%.3f store=%.3f commit=%.3f files=%u removed=%u payload=%.0f",
	       end - started, processor() - cpu, package - started, installed - package, end - installed,
	       sum.files_new + sum.files_changed, sum.files_removed, (double)sum.payload_bytes / 1e6);
	g_clear_pointer(&packages, g_ptr_array_unref);
	ib_store_free(s);
	started = now();
	world_write(wim, out);
	printf(" write=%.3f", now() - started);
	print_peak();
	ib_wim_free(wim);
}

static void install(char **a)
{
	g_autofree char *dir = g_path_get_dirname(a[2]);
	const struct ib_package_options o = { .size = sizeof(o), .spool_dir = dir, .payload = true };
	struct ib_wim *wim;
	struct ib_store *s = open_store(a[0], dir, &wim);
	double start = now(), cpu = processor();

	install_opening(s, wim, ib_package_open_begin(a[1], &o), a[2], start, cpu);
}

/* The package is unpacked while the store is opened, as `imgbuild service` does it. */
static void whole(char **a)
{
	g_autofree char *dir = g_path_get_dirname(a[2]);
	const struct ib_package_options o = { .size = sizeof(o), .spool_dir = dir, .payload = true };
	double start = now(), cpu = processor();
	struct ib_package_opening *opening = ib_package_open_begin(a[1], &o);
	struct ib_wim *wim;
	struct ib_store *s = open_store(a[0], dir, &wim);

	install_opening(s, wim, opening, a[2], start, cpu);
}

/* hash: gets the last digest's. */
static void hash_and_put(GBytes *bytes, struct floor *floor, struct ib_digest *const *digests, unsigned count,
			 uint8_t *hash)
{
	gsize len;
	const uint8_t *data = g_bytes_get_data(bytes, &len);

	for (unsigned i = 0; i < count; i++) {
		ib_digest_update(digests[i], data, len);
		ib_digest_final(digests[i], hash);
	}
	floor_put(floor, bytes);
}

static void read_member(GBytes **ret, struct ib_archive *archive)
{
	struct ib_error *err = NULL;

	must(ib_archive_bytes(archive, WORLD_LIMIT, ret, &err), err);
}

/* The payload of CAB. seen: gets the SHA-1 of each file. */
static void floor_payload(const char *cab, struct ib_digest *const *digests, GHashTable *seen)
{
	struct ib_archive_member member;
	struct ib_archive *archive;
	struct floor floor;
	ib_auto_input in = NULL;
	struct ib_error *err = NULL;
	uint8_t hash[IB_DIGEST_MAX];
	uint64_t payload = 0;
	bool more;
	double start = now();

	floor_start(&floor, 20);
	must(ib_input_open(cab, &in, &err) && ib_archive_open(in, &archive, &err), err);
	for (;;) {
		must(ib_archive_next(archive, &member, &more, &err), err);
		if (!more)
			break;
		if (!strchr(member.name, '\\'))
			continue;
		GBytes *bytes;
		read_member(&bytes, archive);
		hash_and_put(bytes, &floor, digests, 2, hash);
		g_hash_table_add(seen, ib_hex(hash, IB_WIM_HASH_SIZE));
		payload += g_bytes_get_size(bytes);
		g_bytes_unref(bytes);
	}
	gint64 stored = floor_end(&floor);
	printf("floor=%.3f payload=%.0f stored=%.0f", now() - start, (double)payload / 1e6, (double)stored / 1e6);
	print_usage();
	ib_archive_free(archive);
}
/* Everything below dir that seen does not hold yet: read into found when it is not NULL. */
static void collect(struct ib_wim *wim, struct ib_node *dir, GHashTable *seen, GPtrArray *found)
{
	for (struct ib_node *n = ib_node_first(dir); n; n = ib_node_next(n)) {
		const uint8_t *hash = ib_node_hash(n);
		struct ib_error *err = NULL;
		GBytes *bytes;
		collect(wim, n, seen, found);
		if (!hash || !g_hash_table_add(seen, ib_hex(hash, IB_WIM_HASH_SIZE)) || !found)
			continue;
		must(ib_wim_read_blob(wim, hash, WORLD_LIMIT, &bytes, &err), err);
		g_ptr_array_add(found, bytes);
	}
}

static void collect_image(const char *path, GHashTable *seen, GPtrArray *found)
{
	struct ib_image *image;
	struct ib_error *err = NULL;
	struct ib_wim *wim;

	must(ib_wim_open_file(path, NULL, &wim, &err) && ib_wim_image(wim, 1, &image, &err), err);
	collect(wim, ib_image_root(image), seen, found);
	ib_wim_free(wim);
}

/* What else installing made: manifests, catalogs, hives. */
static void floor_rest(GPtrArray *rest, struct ib_digest *const *digest)
{
	uint8_t hash[IB_DIGEST_MAX];
	struct floor floor;
	uint64_t bytes = 0;
	double start = now(), cpu = processor();

	floor_start(&floor, 20);
	for (guint i = 0; i < rest->len; i++) {
		bytes += g_bytes_get_size(rest->pdata[i]);
		hash_and_put(rest->pdata[i], &floor, digest, 1, hash);
	}
	floor_end(&floor);
	printf(" rest=%.3f rest_cpu=%.2f rest_files=%u rest_mb=%.0f\n", now() - start, processor() - cpu, rest->len,
	       (double)bytes / 1e6);
}

static void floor_of(char **a)
{
	struct ib_digest *const digests[2] = { ib_digest_new(IB_DIGEST_SHA256), ib_digest_new(IB_DIGEST_SHA1) };
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) rest = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);

	floor_payload(a[0], digests, seen);
	collect_image(a[1], seen, NULL);
	collect_image(a[2], seen, rest);
	floor_rest(rest, digests + 1);
	ib_digest_free(digests[0]);
	ib_digest_free(digests[1]);
}

/* Each kind once, with the first finding of it. The world's catalogs are none: that kind is expected. */
static void print_findings(const GPtrArray *findings)
{
	g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < findings->len; i++) {
		const struct ib_finding *f = findings->pdata[i];
		guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, f->id));
		if (n == 0)
			fprintf(stderr, "finding %s %s: %s\n", f->id, f->subject, f->text);
		g_hash_table_insert(counts, (gpointer)f->id, GUINT_TO_POINTER(n + 1));
	}
	GHashTableIter it;
	gpointer id, n;
	g_hash_table_iter_init(&it, counts);
	while (g_hash_table_iter_next(&it, &id, &n))
		fprintf(stderr, "%u findings %s\n", GPOINTER_TO_UINT(n), (const char *)id);
}

static void verify(char **a)
{
	struct ib_verify_result r;
	struct ib_wim *wim;
	struct ib_error *err = NULL;
	double start = now();
	struct ib_store *s = open_store(a[0], NULL, &wim);
	double opened = now();

	must(ib_store_verify(s, NULL, false, &r, NULL, &err), err);
	printf("open=%.3f verify=%.3f components=%u projections=%u findings=%u", opened - start, now() - opened, r.components,
	       r.projections, r.findings->len);
	print_peak();
	print_findings(r.findings);
	ib_verify_result_clear(&r);
	ib_store_free(s);
	ib_wim_free(wim);
}

static const struct {
	const char *name;
	int args;
	void (*run)(char **a);
} steps[] = {
	{ "make", 2, make }, { "open", 1, open_only }, { "plan", 2, plan }, { "parse", 1, parse },
	{ "install", 3, install }, { "whole", 3, whole }, { "floor", 3, floor_of }, { "verify", 1, verify },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++)
		if (argc >= steps[i].args + 2 && !strcmp(argv[1], steps[i].name)) {
			steps[i].run(argv + 2);
			return 0;
		}
	fputs("see the head of tests/bench/servicing.c\n", stderr);
	return 2;
}
