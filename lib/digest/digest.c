#include "digest/digest.h"

#include <string.h>

#include <openssl/evp.h>

/* What one read brings, bytes; each digest thread works on a block while the next is read. */
#define BLOCK_SIZE (1u << 20)

static const struct {
	const char *name;
	const char *evp_name;
	size_t size;
} algorithms_table[] = {
	[IB_DIGEST_SHA1] = { "sha1", "SHA1", 20 },
	[IB_DIGEST_SHA256] = { "sha256", "SHA256", 32 },
	[IB_DIGEST_SM3] = { "sm3", "SM3", 32 },
	[IB_DIGEST_MD5] = { "md5", "MD5", 16 },
};

struct ib_digest {
	EVP_MD_CTX *ctx;
	const EVP_MD *md;
};

size_t ib_digest_size(enum ib_digest_algorithm algorithm)
{
	return algorithms_table[algorithm].size;
}

const char *ib_digest_name(enum ib_digest_algorithm algorithm)
{
	return algorithms_table[algorithm].name;
}

bool ib_digest_by_name(const char *name, enum ib_digest_algorithm *ret)
{
	for (size_t i = 0; i < G_N_ELEMENTS(algorithms_table); i++) {
		if (g_ascii_strcasecmp(name, algorithms_table[i].name) == 0) {
			*ret = (enum ib_digest_algorithm)i;
			return true;
		}
	}
	return false;
}

struct ib_digest *ib_digest_new(enum ib_digest_algorithm algorithm)
{
	struct ib_digest *d = g_new0(struct ib_digest, 1);

	d->md = EVP_get_digestbyname(algorithms_table[algorithm].evp_name);
	d->ctx = EVP_MD_CTX_new();
	if (!d->md || !d->ctx || EVP_DigestInit_ex(d->ctx, d->md, NULL) != 1)
		g_error("OpenSSL has no %s", algorithms_table[algorithm].name);
	return d;
}

void ib_digest_update(struct ib_digest *d, const void *data, size_t len)
{
	EVP_DigestUpdate(d->ctx, data, len);
}

void ib_digest_final(struct ib_digest *d, uint8_t *ret)
{
	EVP_DigestFinal_ex(d->ctx, ret, NULL);
	EVP_DigestInit_ex(d->ctx, d->md, NULL);
}

void ib_digest_free(struct ib_digest *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->ctx);
	g_free(d);
}

void ib_digest_bytes(enum ib_digest_algorithm algorithm, const void *data, size_t len, uint8_t *ret)
{
	struct ib_digest *d = ib_digest_new(algorithm);

	ib_digest_update(d, data, len);
	ib_digest_final(d, ret);
	ib_digest_free(d);
}

/* ---- several digests of one read ---- */

/* A worker hashes the blocks it is sent; a NULL-sized block ends it. */
struct worker {
	struct ib_digest *digest;
	GAsyncQueue *todo;
	GAsyncQueue *done;
	GThread *thread;
};

struct block {
	uint8_t *data;
	size_t len; /* 0: stop */
};

static void *work(void *p)
{
	struct worker *w = p;

	for (;;) {
		struct block *b = g_async_queue_pop(w->todo);
		if (b->len == 0)
			return NULL;
		ib_digest_update(w->digest, b->data, b->len);
		g_async_queue_push(w->done, b);
	}
}

static bool read_all(struct ib_input *in, struct worker *workers, size_t count, GAsyncQueue *done,
		     struct ib_progress *progress, struct ib_error **err)
{
	struct block blocks[2];
	uint64_t size = ib_input_size(in);
	size_t in_flight = 0;
	bool ok = true;

	for (size_t i = 0; i < 2; i++)
		blocks[i] = (struct block){ .data = g_malloc(BLOCK_SIZE) };
	for (uint64_t at = 0, turn = 0; ok && at < size; turn++) {
		struct block *b = &blocks[turn % 2];
		size_t len = (size_t)MIN(size - at, BLOCK_SIZE);
		ok = ib_input_read(in, at, b->data, len, err);
		b->len = len;
		/* The other block must be done before it is filled in the next turn. */
		for (; in_flight > 0; in_flight--)
			g_async_queue_pop(done);
		for (size_t i = 0; ok && i < count; i++, in_flight++)
			g_async_queue_push(workers[i].todo, b);
		at += len;
		ok = ok && ib_progress_add(progress, len, err);
	}
	for (; in_flight > 0; in_flight--)
		g_async_queue_pop(done);
	for (size_t i = 0; i < 2; i++)
		g_free(blocks[i].data);
	return ok;
}

bool ib_digest_input(struct ib_input *in, const enum ib_digest_algorithm *algorithms, size_t count,
		     uint8_t (*ret)[IB_DIGEST_MAX], struct ib_progress *progress, struct ib_error **err)
{
	struct worker workers[4];
	GAsyncQueue *done = g_async_queue_new();
	struct block stop = { .len = 0 };

	g_return_val_if_fail(count >= 1 && count <= G_N_ELEMENTS(workers), false);
	for (size_t i = 0; i < count; i++) {
		workers[i] = (struct worker){ ib_digest_new(algorithms[i]), g_async_queue_new(), done, NULL };
		workers[i].thread = g_thread_new("digest", work, &workers[i]);
	}
	bool ok = read_all(in, workers, count, done, progress, err);
	for (size_t i = 0; i < count; i++) {
		g_async_queue_push(workers[i].todo, &stop);
		g_thread_join(workers[i].thread);
		if (ok)
			ib_digest_final(workers[i].digest, ret[i]);
		ib_digest_free(workers[i].digest);
		g_async_queue_unref(workers[i].todo);
	}
	g_async_queue_unref(done);
	return ok;
}

/* ---- small sums ---- */

uint32_t ib_crc32(uint32_t crc, const void *data, size_t len)
{
	static uint32_t table[256];
	static gsize once;
	const uint8_t *p = data;

	if (g_once_init_enter(&once)) {
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = i;
			for (int k = 0; k < 8; k++)
				c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
			table[i] = c;
		}
		g_once_init_leave(&once, 1);
	}
	crc = ~crc;
	for (size_t i = 0; i < len; i++)
		crc = table[(crc ^ p[i]) & 0xFF] ^ crc >> 8;
	return ~crc;
}

void ib_uuid5(const uint8_t space[16], const char *name, uint8_t ret[16])
{
	struct ib_digest *d = ib_digest_new(IB_DIGEST_SHA1);
	uint8_t sum[IB_SHA1_SIZE];

	ib_digest_update(d, space, 16);
	ib_digest_update(d, name, strlen(name));
	ib_digest_final(d, sum);
	ib_digest_free(d);
	memcpy(ret, sum, 16);
	ret[6] = (uint8_t)((ret[6] & 0x0F) | 0x50);
	ret[8] = (uint8_t)((ret[8] & 0x3F) | 0x80);
}

char *ib_uuid_text(const uint8_t uuid[16])
{
	g_autofree char *hex = ib_hex(uuid, 16);

	return g_strdup_printf("%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}
