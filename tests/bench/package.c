/*
 * How fast a package of differentials becomes files: 20,000 forward records in a .psf, on one thread and on two, against
 * the goal of 1.8 times; and a cabinet of complete files, folder by folder. Prints the peak of memory. Asserts nothing.
 */
#include "package/package.h"
#include "tests/package_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define RECORDS 20000u
/* Different ones among them; all bytes of the package are there as often as they are used. */
#define DISTINCT 200u
#define SIZE 40000u

static GBytes *bases[DISTINCT], *targets[DISTINCT], *records[DISTINCT];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const struct ib_error *e)
{
	g_autofree char *text = ib_error_format(e, "bench_package");

	fputs(text, stderr);
	exit(1);
}

static bool base_of(void *data, const struct ib_base_query *q, unsigned n, GBytes **ret, struct ib_error **err)
{
	*ret = n == 0 ? g_bytes_ref(bases[atoi(q->file->name) % DISTINCT]) : NULL;
	return true;
}

static bool drain(const struct ib_payload *p, void *data, struct ib_error **err)
{
	uint64_t *bytes = data;
	uint8_t buf[65536];
	size_t n;

	if (!p->stream)
		return ib_throw(err, IB_ERR_FAILED, "%s: %s", p->file->name, p->reason);
	do {
		if (!ib_stream_read(p->stream, buf, sizeof(buf), &n, err))
			return false;
		*bytes += n;
	} while (n > 0);
	return true;
}

static double run(struct ib_package *p, unsigned threads, uint64_t *ret_bytes)
{
	const struct ib_payload_source source = { .base = base_of };
	const struct ib_payload_options o = { .size = sizeof(o), .source = &source, .threads = threads };
	ib_auto_error err = NULL;
	double start = now();

	*ret_bytes = 0;
	if (!ib_package_each_payload(p, &o, drain, ret_bytes, NULL, &err))
		fail(err);
	return now() - start;
}

static void make(const char *folder)
{
	g_autoptr(GByteArray) psf = ps_psf_new();
	g_autoptr(GString) files = g_string_new(NULL), index = g_string_new(NULL);
	g_autofree char *key = ps_keyform("Lab-Component"), *name = g_strconcat(key, ".manifest", NULL);
	ps_auto cab = ps_new();

	for (unsigned i = 0; i < DISTINCT; i++) {
		bases[i] = ps_content(i + 1, SIZE);
		targets[i] = ps_content(i + 1001, SIZE);
		records[i] = ps_record(bases[i], targets[i], false);
	}
	for (unsigned i = 0; i < RECORDS; i++) {
		g_autofree char *file = g_strdup_printf("%u.dll", i), *path = g_strdup_printf("%s\\f\\%s", key, file);
		g_autofree char *source = ps_psf_add(psf, "RAW", records[i % DISTINCT]);
		ps_file(files, file, targets[i % DISTINCT]);
		ps_cix_file(index, i, path, records[i % DISTINCT], "SHA256", source);
	}
	g_autofree char *manifest = ps_manifest("Lab-Component", files->str), *cix = ps_cix("PSF", index->str);
	ps_text(&cab, "update.mum", PS_MUM("Lab-Package"));
	ps_text(&cab, name, manifest);
	ps_text(&cab, "express.psf.cix.xml", cix);
	g_autoptr(GBytes) bytes = ps_cab(&cab), blob = g_bytes_new(psf->data, psf->len);
	g_autofree char *a = ps_write(folder, "kb.cab", bytes), *b = ps_write(folder, "kb.psf", blob);
}

static double best_of(struct ib_package *p, unsigned threads, uint64_t *ret_bytes)
{
	double best = 1e9;

	for (unsigned i = 0; i < 2; i++)
		best = MIN(best, run(p, threads, ret_bytes));
	return best;
}

int main(void)
{
	g_autofree char *folder = ps_folder(), *path = g_build_filename(folder, "kb.cab", NULL);
	struct ib_package *p = NULL;
	struct rusage before, after;
	ib_auto_error err = NULL;
	uint64_t bytes;

	make(folder);
	getrusage(RUSAGE_SELF, &before);
	double start = now();
	if (!ib_package_open(path, NULL, &p, &err))
		fail(err);
	printf("open a package of %u records    %6.2f s\n", RECORDS, now() - start);
	double one = best_of(p, 1, &bytes), two = best_of(p, 2, &bytes);
	getrusage(RUSAGE_SELF, &after);
	printf("apply on 1 thread  %6.2f s %8.1f MB/s\napply on 2 threads %6.2f s %8.1f MB/s\n", one, (double)bytes / one / 1e6,
	       two, (double)bytes / two / 1e6);
	printf("2 threads / 1 thread %.2f  goal 1.80\n", one / two);
	printf("peak of memory %ld MB, %ld MB of it made before opening\n", after.ru_maxrss / 1024, before.ru_maxrss / 1024);
	ib_package_free(p);
	if (!ib_dir_remove(folder, &err))
		fail(err);
	return 0;
}
