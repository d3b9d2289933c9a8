/*
 * One measured step of tests/bench/servicing.sh, in a process of its own so that memory counts from zero. Each prints
 * words "name=value"; seconds are of the wall, peak is the most memory of the process in MB.
 *
 *   bench_servicing make DIR PERCENT [plain]   DIR/base.wim and DIR/update.cab; plain: no manifest is compressed
 *   bench_servicing open WIM                   the store, ready to be asked
 *   bench_servicing plan WIM CAB               the store, the package, what installing it would do
 *   bench_servicing parse WIM                  all manifests on one core, unpacked before
 *   bench_servicing install WIM CAB OUT        package and store opened, installed, committed; then the WIM written
 *   bench_servicing floor CAB WIM              its payload read, hashed twice, and compressed by libwim's codec; then the
 *                                              WIM's hives, which installing makes anew: hashed once and compressed
 *   bench_servicing verify WIM
 */
#include "tests/bench/servicing_world.h"

#include <sys/resource.h>
#include <time.h>

#include "archive/archive.h"
#include "codec/codec.h"

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

static struct ib_package *open_package(struct ib_store *s, const char *path, const char *spool)
{
	struct ib_package_options o = { .size = sizeof(o), .spool_dir = spool, .payload = spool != NULL };
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
	struct ib_package *p = open_package(s, a[1], NULL);
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

static void install(char **a)
{
	g_autofree char *dir = g_path_get_dirname(a[2]);
	struct ib_install_summary sum;
	struct ib_wim *wim;
	struct ib_error *err = NULL;
	double start = now();
	struct ib_store *s = open_store(a[0], dir, &wim);
	double opened = now();
	struct ib_package *p = open_package(s, a[1], dir);
	double package = now();

	must(ib_store_install(s, p, &sum, NULL, &err), err);
	double installed = now();
	must(ib_store_commit(s, &err), err);
	double end = now();
	printf("install=%.3f processor=%.2f open=%.3f package=%.3f store=%.3f commit=%.3f files=%u removed=%u payload=%.0f",
	       end - start, processor(), opened - start, package - opened, installed - package, end - installed,
	       sum.files_new + sum.files_changed, sum.files_removed, (double)sum.payload_bytes / 1e6);
	ib_package_free(p);
	ib_store_free(s);
	start = now();
	world_write(wim, a[2]);
	printf(" write=%.3f", now() - start);
	print_peak();
	ib_wim_free(wim);
}

static bool drop(void *data, void *tag, const uint8_t *bytes, size_t stored, size_t plain, struct ib_error **err)
{
	*(uint64_t *)data += stored;
	return true;
}

static void hash_and_put(GBytes *bytes, struct ib_codec_pool *pool, struct ib_digest *const *digests, unsigned count)
{
	struct ib_error *err = NULL;
	uint8_t hash[IB_DIGEST_MAX];
	gsize len;
	const uint8_t *data = g_bytes_get_data(bytes, &len);

	for (unsigned i = 0; i < count; i++) {
		ib_digest_update(digests[i], data, len);
		ib_digest_final(digests[i], hash);
	}
	for (gsize at = 0; at < len; at += 32768)
		must(ib_codec_pool_put(pool, NULL, data + at, MIN(32768, len - at), &err), err);
}

static void floor_hives(const char *path, struct ib_codec_pool *pool, struct ib_digest *const *digest)
{
	static const enum ib_hive_id ids[] = { IB_HIVE_SOFTWARE, IB_HIVE_SYSTEM, IB_HIVE_COMPONENTS };
	GBytes *hives[G_N_ELEMENTS(ids)];
	struct ib_image *image;
	struct ib_error *err = NULL;
	struct ib_wim *wim;

	must(ib_wim_open_file(path, NULL, &wim, &err) && ib_wim_image(wim, 1, &image, &err), err);
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
		must(ib_image_read(image, ib_hive_path(ids[i]), WORLD_LIMIT, &hives[i], &err), err);
	double start = now(), cpu = processor();
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
		hash_and_put(hives[i], pool, digest, 1);
	must(ib_codec_pool_flush(pool, &err), err);
	printf(" hives=%.3f hives_cpu=%.2f", now() - start, processor() - cpu);
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
		g_bytes_unref(hives[i]);
	ib_wim_free(wim);
}

static void floor_of(char **a)
{
	struct ib_digest *const digests[2] = { ib_digest_new(IB_DIGEST_SHA256), ib_digest_new(IB_DIGEST_SHA1) };
	struct ib_archive_member member;
	struct ib_archive *archive;
	struct ib_codec_pool *pool;
	ib_auto_input in = NULL;
	struct ib_error *err = NULL;
	uint64_t stored = 0, payload = 0;
	bool more;
	double start = now();

	must(ib_codec_pool_new(IB_CODEC_LZX, 32768, 20, 0, drop, &stored, &pool, &err) && ib_input_open(a[0], &in, &err) &&
	     ib_archive_open(in, &archive, &err), err);
	for (;;) {
		must(ib_archive_next(archive, &member, &more, &err), err);
		if (!more)
			break;
		if (!strchr(member.name, '\\'))
			continue;
		GBytes *bytes;
		must(ib_archive_bytes(archive, WORLD_LIMIT, &bytes, &err), err);
		hash_and_put(bytes, pool, digests, 2);
		payload += g_bytes_get_size(bytes);
		g_bytes_unref(bytes);
	}
	must(ib_codec_pool_flush(pool, &err), err);
	printf("floor=%.3f payload=%.0f stored=%.0f", now() - start, (double)payload / 1e6, (double)stored / 1e6);
	print_usage();
	floor_hives(a[1], pool, digests + 1);
	putchar('\n');
	ib_codec_pool_free(pool);
	ib_archive_free(archive);
	ib_digest_free(digests[0]);
	ib_digest_free(digests[1]);
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
	for (guint i = 0; i < MIN(r.findings->len, 10); i++) {
		const struct ib_finding *f = r.findings->pdata[i];
		fprintf(stderr, "finding %s %s: %s\n", f->id, f->subject, f->text);
	}
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
	{ "install", 3, install }, { "floor", 2, floor_of }, { "verify", 1, verify },
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
