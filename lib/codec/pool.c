#include "codec/codec.h"

#include <string.h>

/*
 * Room for blocks in flight: enough to keep all threads busy while the caller fetches more, or does something else
 * that costs little of the processor: whoever writes an image copies what is unchanged meanwhile.
 */
#define POOL_BYTES (8u << 20)
#define POOL_SLOTS_MAX 2048u
/* More threads than this only cost memory. */
#define POOL_THREADS_MAX 64u

struct slot {
	uint8_t *data; /* plain unless it is the owner's, then compressed; made on first use */
	const uint8_t *in; /* plain */
	GBytes *owner; /* of `in`; NULL: it is in `data` */
	size_t len, stored; /* stored 0: plain */
	void *tag;
	bool done;
};

/*
 * A ring. Slots [head, next) are being compressed or done, [next, tail) wait.
 * head and tail move on the caller's thread only.
 */
struct ib_codec_pool {
	GMutex lock;
	GCond work, done;
	struct slot *slots;
	size_t count, block;
	bool judge; /* blocks that look compressed stay plain */
	uint64_t head, next, tail;
	unsigned idle;    /* workers that wait; waking nobody costs a system call, too */
	uint64_t awaited; /* the block the caller waits for; UINT64_MAX: none */
	bool stop;
	bool failed; /* caller's thread only */
	ib_codec_sink sink;
	void *data;
	struct worker {
		struct ib_codec_pool *pool;
		struct ib_compressor *compressor;
		uint8_t *out; /* of the block at hand */
		GThread *thread;
	} *workers;
	unsigned threads;
};

static struct slot *take(struct ib_codec_pool *p)
{
	while (p->next == p->tail && !p->stop) {
		p->idle++;
		g_cond_wait(&p->work, &p->lock);
		p->idle--;
	}
	return p->stop ? NULL : &p->slots[p->next++ % p->count];
}

static gpointer work(gpointer data)
{
	struct worker *w = data;
	struct ib_codec_pool *p = w->pool;
	struct slot *s;

	g_mutex_lock(&p->lock);
	while ((s = take(p))) {
		g_mutex_unlock(&p->lock);
		if (!p->judge || !ib_compress_futile(s->in, s->len))
			s->stored = ib_compress(w->compressor, s->in, s->len, w->out, p->block);
		if (s->stored > 0) {
			uint8_t *plain = s->data;
			s->data = w->out;
			w->out = plain;
		}
		g_mutex_lock(&p->lock);
		s->done = true;
		if (p->awaited != UINT64_MAX && s == &p->slots[p->awaited % p->count])
			g_cond_signal(&p->done);
	}
	g_mutex_unlock(&p->lock);
	return NULL;
}

static bool start(struct ib_codec_pool *p, enum ib_codec codec, unsigned level, struct ib_error **err)
{
	for (unsigned i = 0; i < p->threads; i++) {
		struct worker *w = &p->workers[i];
		w->pool = p;
		if (!ib_compressor_new(codec, p->block, level, &w->compressor, err))
			return false;
		w->out = g_try_malloc(p->block);
		if (!w->out)
			return ib_throw_memory(err);
	}
	for (unsigned i = 0; i < p->threads; i++) {
		p->workers[i].thread = g_thread_try_new("compress", work, &p->workers[i], NULL);
		if (!p->workers[i].thread)
			return ib_throw(err, IB_ERR_SYSTEM, "cannot start thread %u of %u", i + 1, p->threads);
	}
	return true;
}

bool ib_codec_pool_new(enum ib_codec codec, size_t block, unsigned level, unsigned threads, ib_codec_sink sink,
		       void *data, struct ib_codec_pool **ret, struct ib_error **err)
{
	struct ib_codec_pool *p = g_new0(struct ib_codec_pool, 1);

	g_mutex_init(&p->lock);
	g_cond_init(&p->work);
	g_cond_init(&p->done);
	p->awaited = UINT64_MAX;
	p->threads = CLAMP(threads ? threads : g_get_num_processors(), 1, POOL_THREADS_MAX);
	p->count = CLAMP(POOL_BYTES / MAX(block, 1), 2 * p->threads, POOL_SLOTS_MAX);
	p->block = block;
	p->judge = codec != IB_CODEC_LZMS; /* which reaches further and filters deltas */
	p->slots = g_new0(struct slot, p->count);
	p->workers = g_new0(struct worker, p->threads);
	p->sink = sink;
	p->data = data;
	if (!start(p, codec, level, err)) {
		ib_codec_pool_free(p);
		return false;
	}
	*ret = p;
	return true;
}

/* Sleep until a block is done. */
static void await(struct ib_codec_pool *p, uint64_t number)
{
	struct slot *s = &p->slots[number % p->count];

	g_mutex_lock(&p->lock);
	p->awaited = number;
	while (!s->done)
		g_cond_wait(&p->done, &p->lock);
	p->awaited = UINT64_MAX;
	g_mutex_unlock(&p->lock);
}

/* Hand the oldest block to the sink. wait false: only when it is done. @return whether there was one */
static bool drain_one(struct ib_codec_pool *p, bool wait, bool *ret_ok, struct ib_error **err)
{
	struct slot *s = &p->slots[p->head % p->count];

	*ret_ok = true;
	if (p->head == p->tail)
		return false;
	if (wait)
		await(p, p->head);
	g_mutex_lock(&p->lock);
	bool done = s->done;
	g_mutex_unlock(&p->lock);
	if (!done)
		return false;
	p->head++;
	bool plain = s->stored == 0;
	*ret_ok = p->sink(p->data, s->tag, plain ? s->in : s->data, plain ? s->len : s->stored, s->len, err);
	g_clear_pointer(&s->owner, g_bytes_unref);
	p->failed = !*ret_ok;
	return true;
}

static bool check(struct ib_codec_pool *p, struct ib_error **err)
{
	return p->failed ? ib_throw(err, IB_ERR_SYSTEM, "an earlier block could not be stored") : true;
}

bool ib_codec_pool_put(struct ib_codec_pool *p, void *tag, const void *in, size_t len, GBytes *owner,
		       struct ib_error **err)
{
	bool ok;

	if (!check(p, err))
		return false;
	if (len > p->block)
		return ib_throw(err, IB_ERR_FAILED, "a block of %zu bytes, at most %zu were announced", len, p->block);
	/* Being woken for each block would cost as much as hashing it: some more are waited for, there is enough to do. */
	if (p->tail - p->head == p->count)
		await(p, p->head + p->count / 8);
	while (drain_one(p, p->tail - p->head == p->count, &ok, err))
		if (!ok)
			return false;
	struct slot *s = &p->slots[p->tail % p->count];
	if (!s->data && len > 0)
		s->data = g_try_malloc(p->block);
	if (!s->data && len > 0)
		return ib_throw_memory(err);
	if (len > 0 && !owner)
		memcpy(s->data, in, len);
	s->owner = owner ? g_bytes_ref(owner) : NULL;
	s->in = owner ? in : s->data;
	s->len = len;
	s->tag = tag;
	s->stored = 0;
	s->done = false;
	g_mutex_lock(&p->lock);
	p->tail++;
	if (p->idle > 0)
		g_cond_signal(&p->work);
	g_mutex_unlock(&p->lock);
	return true;
}

bool ib_codec_pool_flush(struct ib_codec_pool *p, struct ib_error **err)
{
	bool ok;

	if (!check(p, err))
		return false;
	while (drain_one(p, true, &ok, err))
		if (!ok)
			return false;
	return true;
}

void ib_codec_pool_free(struct ib_codec_pool *p)
{
	if (!p)
		return;
	g_mutex_lock(&p->lock);
	p->stop = true;
	g_cond_broadcast(&p->work);
	g_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->threads; i++) {
		if (p->workers[i].thread)
			g_thread_join(p->workers[i].thread);
		ib_compressor_free(p->workers[i].compressor);
		g_free(p->workers[i].out);
	}
	for (size_t i = 0; i < p->count; i++) {
		g_clear_pointer(&p->slots[i].owner, g_bytes_unref);
		g_free(p->slots[i].data);
	}
	g_mutex_clear(&p->lock);
	g_cond_clear(&p->work);
	g_cond_clear(&p->done);
	g_free(p->slots);
	g_free(p->workers);
	g_free(p);
}
