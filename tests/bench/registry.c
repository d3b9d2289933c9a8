/*
 * How fast hives are loaded, edited and saved, against its goals: a hive of 150,000 keys and 600,000 values. Prints the
 * figures and their ratio to the goal (below 1 is better); asserts nothing.
 */
#include "registry/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEYS 150000u
#define INSERTS 20000u

static void must(bool ok, struct ib_error *err)
{
	if (ok)
		return;
	g_autofree char *text = ib_error_format(err, "bench_registry");
	fputs(text, stderr);
	exit(1);
}

/* A name as long as a component's, in no order. */
static void add_key(struct ib_hive *h, struct ib_key *parent, uint32_t i)
{
	struct ib_error *err = NULL;
	char name[128];
	uint8_t hash[32];
	struct ib_key *k;

	snprintf(name, sizeof(name), "amd64_microsoft-windows-%08x-component_31bf3856ad364e35_10.0.17763.%u_none_%08x",
		 i * 2654435761u, i % 3000, i * 40503u);
	memset(hash, (int)(i & 255), sizeof(hash));
	must(ib_key_make(h, parent, name, &k, &err), err);
	must(ib_key_set(h, k, "S256H", IB_REG_BINARY, hash, sizeof(hash), &err), err);
	must(ib_key_set(h, k, "identity", IB_REG_BINARY, name, strlen(name), &err), err);
	must(ib_key_set_dword(h, k, "CF", i & 7, &err), err);
	must(ib_key_set(h, k, "f!file", IB_REG_DWORD, &i, 4, &err), err);
}

static struct ib_key *parent_of(struct ib_hive *h)
{
	struct ib_error *err = NULL;
	struct ib_key *k;

	must(ib_key_make(h, ib_hive_root(h), "DerivedData\\Components", &k, &err), err);
	return k;
}

static GBytes *generate(void)
{
	struct ib_error *err = NULL;
	struct ib_hive *h = ib_hive_new("ROOT");
	struct ib_key *parent = parent_of(h);
	GBytes *bytes;

	for (uint32_t i = 0; i < KEYS; i++)
		add_key(h, parent, i);
	must(ib_hive_save(h, 1, &bytes, &err), err);
	ib_hive_free(h);
	return bytes;
}

/* Memory of this process now, in MB. */
static double resident(void)
{
	g_autofree char *text = NULL;
	long pages = 0;

	if (g_file_get_contents("/proc/self/statm", &text, NULL, NULL))
		sscanf(text, "%*s %ld", &pages);
	return (double)pages * 4096 / 1e6;
}

/* Processor time: all of this is one thread in memory, and other work on the machine is not measured. */
static gint64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (gint64)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static double seconds(gint64 since)
{
	return (double)(now() - since) / 1e6;
}

static struct ib_hive *load(GBytes *bytes)
{
	struct ib_error *err = NULL;
	struct ib_hive *h;

	must(ib_hive_load(bytes, NULL, &h, &err), err);
	return h;
}

/* The best of a few runs. */
static double load_seconds(GBytes *bytes)
{
	double best = 1e9;

	for (int i = 0; i < 5; i++) {
		gint64 t = now();
		struct ib_hive *h = load(bytes);
		best = MIN(best, seconds(t));
		ib_hive_free(h);
	}
	return best;
}

static void report(const char *what, double is, double goal, const char *unit)
{
	printf("%-36s %8.3f %-4s goal %8.3f  ratio %.2f\n", what, is, unit, goal, is / goal);
}

/* In a process of its own, so that the memory of making the hive is not counted. */
static void measure(const char *path)
{
	struct ib_error *err = NULL;
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GBytes) plain = NULL;
	g_autoptr(GBytes) edited = NULL;

	must(ib_file_read(path, UINT32_MAX, &bytes, &err), err);
	struct ib_hive *h = load(bytes);
	report("memory with the hive's bytes", resident(), 260, "MB");
	report("load 150,000 keys, 600,000 values", load_seconds(bytes), 0.15, "s");
	gint64 t = now();
	must(ib_hive_save(h, 1, &plain, &err), err);
	double rate = (double)g_bytes_get_size(plain) / 1e6 / seconds(t);
	printf("%-36s %8.0f MB/s goal %8d  ratio %.2f\n", "save", rate, 300, 300 / rate);
	ib_hive_free(h);
	g_clear_pointer(&plain, g_bytes_unref);

	t = now();
	h = load(bytes);
	struct ib_key *parent = parent_of(h);
	for (uint32_t i = 0; i < INSERTS; i++)
		add_key(h, parent, KEYS + i);
	must(ib_hive_save(h, 2, &edited, &err), err);
	report("load, insert 20,000 keys, save", seconds(t), 0.5, "s");
	ib_hive_free(h);
}

int main(int argc, char **argv)
{
	struct ib_error *err = NULL;

	if (argc == 3 && strcmp(argv[1], "make") == 0) {
		gint64 t = now();
		g_autoptr(GBytes) bytes = generate();
		printf("made %.1f MB in %.3f s\n", (double)g_bytes_get_size(bytes) / 1e6, seconds(t));
		must(ib_file_write(argv[2], g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &err), err);
	} else if (argc == 2) {
		measure(argv[1]);
	} else {
		fputs("usage: bench_registry make FILE; bench_registry FILE\n", stderr);
		return 2;
	}
	return 0;
}
