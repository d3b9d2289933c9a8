/*
 * How fast records are applied, on one core, against the goals: 150 MB/s of output for raw ones, 60 MB/s for 64-bit
 * programs; and against copying and hashing the same output. Asserts nothing.
 *
 * The files are made here: text and code in blocks, a tenth of which differ. With arguments SOURCE RECORD a genuine
 * record is measured instead.
 */
#include "delta/delta.h"
#include "tests/delta_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SIZE (UINT32_C(24) << 20)
#define HEADERS 0x400u
#define ROUNDS 3u

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds to copy and hash so many bytes: nothing that ends with a checked file can be faster. */
static double floor_of(GBytes *target)
{
	gsize n;
	const void *data = g_bytes_get_data(target, &n);
	g_autofree uint8_t *copy = g_malloc(n);
	uint8_t hash[IB_DIGEST_MAX];
	double best = 1e9;

	for (unsigned i = 0; i < ROUNDS; i++) {
		double start = now();
		memcpy(copy, data, n);
		ib_digest_bytes(IB_DIGEST_SHA256, copy, n, hash);
		best = MIN(best, now() - start);
	}
	return best;
}

static void measure(const char *what, GBytes *source, GBytes *record, double goal)
{
	double best = 1e9, plain = 0, bytes = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct ib_error *err = NULL;
		g_autoptr(GBytes) target = NULL;
		double start = now();
		if (!ib_delta_apply(source, record, NULL, &target, &err)) {
			g_autofree char *text = ib_error_format(err, "bench_delta");
			fputs(text, stderr);
			exit(1);
		}
		best = MIN(best, now() - start);
		bytes = (double)g_bytes_get_size(target);
		if (i == 0)
			plain = floor_of(target);
	}
	printf("%-22s %8.1f MB/s  goal %5.0f  ratio to goal %.2f  time / copy and hash %.2f\n", what,
	       bytes / best / 1e6, goal, goal * 1e6 * best / bytes, best / plain);
}

static void words(uint8_t *p, size_t n)
{
	uint32_t seed = 1;

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = i % 64 < 40 ? (uint8_t) "<file name=\"something.dll\" hash=\"\"/> and so on"[seed >> 26 & 31]
				   : (uint8_t)(seed >> 24);
	}
}

/* Every tenth block of 4 KiB has a word changed in each 64 bytes; blocks move a little. */
static void change(uint8_t *p, size_t n)
{
	for (size_t at = 0; at + 4096 <= n; at += 40960)
		for (size_t k = 0; k < 4096; k += 64)
			p[at + k] ^= 0x55;
	memmove(p + n / 2 + 16, p + n / 2, n / 4);
}

static void raw(bool composite)
{
	g_autofree uint8_t *source = g_malloc(SIZE), *target = g_malloc(SIZE);

	words(source, SIZE);
	memcpy(target, source, SIZE);
	change(target, SIZE);
	struct sample s = { .source = source,
			    .source_size = SIZE,
			    .target = target,
			    .target_size = SIZE,
			    .composite = composite };
	g_autoptr(GBytes) record = sample_make(&s), from = g_bytes_new(source, SIZE);
	measure(composite ? "raw, two blocks" : "raw, flat codes", from, record, 150);
}

/* ---- a 64-bit program: code full of calls and RIP-relative addresses, a function each 64 bytes ---- */

#define CODE (SIZE / 2)

static void section(uint8_t *p, const char *name, uint32_t va, uint32_t raw_at, uint32_t size)
{
	memcpy(p, name, strlen(name));
	ib_put_le32(p + 8, size);
	ib_put_le32(p + 12, va);
	ib_put_le32(p + 16, size);
	ib_put_le32(p + 20, raw_at);
	ib_put_le32(p + 36, 0x60000020);
}

static void function(uint8_t *p, uint32_t rva)
{
	static const uint8_t body[64] = { 0x48, 0x83, 0xec, 0x28, 0x48, 0x8b, 0x05, 0,	  0,	0,
					  0,	0xe8, 0,    0,	  0,	0,    0x85, 0xc0, 0x0f, 0x84,
					  0,	0,    0,    0,	  0x48, 0x89, 0x4c, 0x24, 0x30, 0x41,
					  0xb8, 1,    0,    0,	  0,	0x48, 0x8d, 0x0d, 0,	0,
					  0,	0,    0xff, 0xd0, 0x48, 0x83, 0xc4, 0x28, 0xc3 };
	static const uint8_t fields[] = { 7, 12, 20, 38 };

	memcpy(p, body, sizeof(body));
	for (unsigned i = 0; i < 4; i++)
		ib_put_le32(p + fields[i], (0x1000 + (rva * 2654435761u + i * 40503u) % CODE) - (rva + fields[i] + 4));
}

static void make_program(uint8_t *p)
{
	uint32_t pdata = HEADERS + CODE, count = CODE / 64;

	memset(p, 0, SIZE);
	memcpy(p, "MZ", 2);
	ib_put_le32(p + 60, 0x40);
	memcpy(p + 0x40, "PE", 2);
	ib_put_le32(p + 0x44, 0x28664);
	ib_put_le32(p + 0x54, 0xf0);
	ib_put_le32(p + 0x58, 0x20b);
	ib_put_le32(p + 0x58 + 56, SIZE + 0x10000);
	ib_put_le32(p + 0x58 + 60, HEADERS);
	ib_put_le32(p + 0x58 + 108, 16);
	ib_put_le32(p + 0x58 + 112 + 24, CODE + 0x2000);
	ib_put_le32(p + 0x58 + 112 + 28, count * 12);
	section(p + 0x148, ".text", 0x1000, HEADERS, CODE);
	section(p + 0x170, ".pdata", CODE + 0x2000, pdata, SIZE - pdata);
	for (uint32_t i = 0; i < count; i++) {
		function(p + HEADERS + i * 64, 0x1000 + i * 64);
		ib_put_le32(p + pdata + i * 12, 0x1000 + i * 64);
		ib_put_le32(p + pdata + i * 12 + 4, 0x1000 + i * 64 + 49);
	}
}

/* Code shifts at a thousand places; the target is whatever copies of the transformed source make. */
static void program(void)
{
	g_autofree uint8_t *source = g_malloc(SIZE);
	static int64_t moves[1001][2];
	struct sample_bits pre = sample_begin(), patch = sample_begin();
	struct sample_codes c = { 0 };
	uint8_t lengths[872];

	make_program(source);
	for (unsigned i = 1; i <= 1000; i++) {
		moves[i][0] = 0x1000 + (int64_t)i * (CODE / 1001);
		moves[i][1] = moves[i][0] + 16 * i;
	}
	sample_put(&pre, 0, 64);
	sample_put(&pre, 0, 64);
	sample_put(&pre, 0, 2);
	sample_rift(&pre, (const int64_t(*)[2])moves, 1001);
	sample_put(&pre, 0, 1);
	sample_put(&patch, 2, 2);
	sample_codes_make(&c, lengths, false);
	/* as a patch has it: short copies and a few literals */
	for (uint32_t at = 0; at < SIZE; at += 128) {
		sample_match(&patch, &c, SIZE, 126);
		sample_symbol(&patch, &c.main, 0x90);
		sample_symbol(&patch, &c.main, at >> 7 & 255);
	}
	g_autoptr(GByteArray) pre_bytes = sample_end(&pre);
	g_autoptr(GByteArray) patch_bytes = sample_end(&patch);
	struct sample s = { .target = source,
			    .target_size = SIZE,
			    .preprocess = pre_bytes->data,
			    .preprocess_size = pre_bytes->len,
			    .patch = patch_bytes->data,
			    .patch_size = patch_bytes->len,
			    .type = 8,
			    .flags = 0xe63e,
			    .no_hash = true };
	g_autoptr(GBytes) record = sample_make(&s), from = g_bytes_new(source, SIZE);
	measure("program, amd64", from, record, 60);
}

static GBytes *load(const char *path)
{
	struct ib_error *err = NULL;
	GBytes *bytes = NULL;

	if (!ib_file_read(path, UINT32_MAX, &bytes, &err))
		exit(1);
	return bytes;
}

int main(int argc, char **argv)
{
	if (argc == 3) {
		g_autoptr(GBytes) source = load(argv[1]), record = load(argv[2]);
		measure("the given record", source, record, 60);
		return 0;
	}
	raw(false);
	raw(true);
	program();
	return 0;
}
