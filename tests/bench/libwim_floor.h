/*
 * The floor of compressing: libwim's codec as it is, on all processors, with nothing kept. Whoever compresses the same
 * bytes can at best be as fast, or leave some of them out.
 */
#ifndef IB_BENCH_LIBWIM_FLOOR_H
#define IB_BENCH_LIBWIM_FLOOR_H

#include <glib.h>
#include <stdlib.h>
#include <wimlib.h>

#define FLOOR_BLOCK 32768u
/* Bytes of one job, and jobs that may wait. */
#define FLOOR_JOB (32u * FLOOR_BLOCK)
#define FLOOR_WAITING 8u

struct floor {
	GThreadPool *pool;
	unsigned level;
	gint64 stored;     /* under the lock */
	GMutex lock;
};

static inline void floor_free_compressor(gpointer c)
{
	wimlib_free_compressor(c);
}

static inline void floor_compress(gpointer job, gpointer data)
{
	static GPrivate own = G_PRIVATE_INIT(floor_free_compressor);
	struct floor *f = data;
	struct wimlib_compressor *c = g_private_get(&own);
	uint8_t out[FLOOR_BLOCK];
	gsize len;
	const uint8_t *in = g_bytes_get_data(job, &len);
	gint64 stored = 0;

	if (!c) {
		if (wimlib_create_compressor(WIMLIB_COMPRESSION_TYPE_LZX, FLOOR_BLOCK, f->level, &c) != 0)
			abort();
		g_private_set(&own, c);
	}
	for (gsize at = 0; at < len; at += FLOOR_BLOCK) {
		gsize n = MIN(FLOOR_BLOCK, len - at);
		size_t got = n > 1 ? wimlib_compress(in + at, n, out, n - 1, c) : 0;
		stored += (gint64)(got ? got : n);
	}
	g_bytes_unref(job);
	g_mutex_lock(&f->lock);
	f->stored += stored;
	g_mutex_unlock(&f->lock);
}

static inline void floor_start(struct floor *f, unsigned level)
{
	*f = (struct floor){ .level = level };
	wimlib_global_init(0);
	g_mutex_init(&f->lock);
	f->pool = g_thread_pool_new(floor_compress, f, (gint)g_get_num_processors(), TRUE, NULL);
}

/* Takes no reference of its own for longer than needed; waits while enough is under way. */
static inline void floor_put(struct floor *f, GBytes *bytes)
{
	gsize len = g_bytes_get_size(bytes);

	for (gsize at = 0; at < len; at += FLOOR_JOB) {
		while (g_thread_pool_unprocessed(f->pool) >= FLOOR_WAITING)
			g_usleep(200);
		g_thread_pool_push(f->pool, g_bytes_new_from_bytes(bytes, at, MIN(FLOOR_JOB, len - at)), NULL);
	}
}

/* @return bytes that were left */
static inline gint64 floor_end(struct floor *f)
{
	g_thread_pool_free(f->pool, FALSE, TRUE);
	g_mutex_clear(&f->lock);
	return f->stored;
}

#endif
