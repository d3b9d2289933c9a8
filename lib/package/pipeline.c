/*
 * Jobs run on several threads and come out in the order they went in. Bounded by what they cost in bytes: a worker
 * whose job would exceed the budget waits, unless its job is the next to come out, which always goes on. The thread
 * that puts and delivers is one of them: where it would wait, it runs a job itself, which may exceed the budget by
 * what that one costs, as nobody else could make room by delivering.
 */
#include "package/internal.h"

/* Most jobs between put and delivery: enough that no thread is idle, few enough to forget about. */
#define SLOTS_MAX 256

struct slot {
	void *job;
	uint64_t cost;
	bool done;
	bool own; /* run by the thread that delivers: must not wait for room */
};

struct pipeline {
	struct pipeline_ops ops;
	void *data;
	uint64_t budget, used;
	GPtrArray *threads;
	GMutex lock;
	GCond work;   /* something to do, or stop */
	GCond room;   /* budget was given back, or the head changed */
	GCond done;   /* a job is done */
	unsigned idle, full; /* workers that wait for work, and for room: waking costs, so only those who sleep are woken */
	bool waits;   /* the thread that delivers waits for `done` */
	GQueue todo;  /* struct slot *, borrowed from order */
	GQueue order; /* struct slot *, as they were put */
	bool stop;
};

static gpointer worker(gpointer data)
{
	struct pipeline *pl = data;

	g_mutex_lock(&pl->lock);
	for (;;) {
		pl->idle++;
		while (!pl->stop && g_queue_is_empty(&pl->todo))
			g_cond_wait(&pl->work, &pl->lock);
		pl->idle--;
		if (pl->stop)
			break;
		struct slot *s = g_queue_pop_head(&pl->todo);
		g_mutex_unlock(&pl->lock);
		pl->ops.run(s->job, pl, s, pl->data);
		g_mutex_lock(&pl->lock);
		s->done = true;
		if (pl->waits)
			g_cond_signal(&pl->done);
	}
	g_mutex_unlock(&pl->lock);
	return NULL;
}

struct pipeline *package_pipeline_new(unsigned threads, uint64_t budget, const struct pipeline_ops *ops, void *data)
{
	struct pipeline *pl = g_new0(struct pipeline, 1);

	pl->ops = *ops;
	pl->data = data;
	pl->budget = budget;
	pl->threads = g_ptr_array_new();
	g_mutex_init(&pl->lock);
	g_cond_init(&pl->work);
	g_cond_init(&pl->room);
	g_cond_init(&pl->done);
	for (unsigned i = 1; i < threads; i++)
		g_ptr_array_add(pl->threads, g_thread_new("payload", worker, pl));
	return pl;
}

void package_pipeline_reserve(struct pipeline *pl, struct slot *slot, uint64_t bytes)
{
	g_mutex_lock(&pl->lock);
	pl->full++;
	while (!pl->stop && !slot->own && g_queue_peek_head(&pl->order) != slot && pl->used + bytes > pl->budget)
		g_cond_wait(&pl->room, &pl->lock);
	pl->full--;
	pl->used += bytes;
	slot->cost += bytes;
	g_mutex_unlock(&pl->lock);
}

void package_pipeline_settle(struct pipeline *pl, struct slot *slot, uint64_t bytes)
{
	g_mutex_lock(&pl->lock);
	pl->used = pl->used - slot->cost + bytes;
	slot->cost = bytes;
	if (pl->full)
		g_cond_broadcast(&pl->room);
	g_mutex_unlock(&pl->lock);
}

/* The head's slot, once it is done; lock held. */
static struct slot *take_head(struct pipeline *pl)
{
	struct slot *s = g_queue_pop_head(&pl->order);

	pl->used -= s->cost;
	if (pl->full)
		g_cond_broadcast(&pl->room);
	return s;
}

static bool deliver(struct pipeline *pl, struct slot *s, struct ib_error **err)
{
	void *job = s->job;

	g_free(s);
	bool ok = pl->ops.deliver(job, pl->data, err);
	pl->ops.free(job);
	return ok;
}

/* Run the next job nobody has begun, lock held; over the budget only the head. @return false when there is none */
static bool run_one(struct pipeline *pl)
{
	struct slot *s = g_queue_peek_head(&pl->todo);

	if (!s || (pl->used > pl->budget && s != g_queue_peek_head(&pl->order)))
		return false;
	g_queue_pop_head(&pl->todo);
	s->own = true;
	g_mutex_unlock(&pl->lock);
	pl->ops.run(s->job, pl, s, pl->data);
	g_mutex_lock(&pl->lock);
	s->done = true;
	return true;
}

/* Hand out finished heads; wait for as many as leave at most `most` behind and the budget kept. */
static bool drain(struct pipeline *pl, guint most, struct ib_error **err)
{
	for (;;) {
		g_mutex_lock(&pl->lock);
		struct slot *head = g_queue_peek_head(&pl->order);
		while (head && !head->done && (g_queue_get_length(&pl->order) > most || pl->used > pl->budget))
			if (!run_one(pl)) {
				pl->waits = true;
				g_cond_wait(&pl->done, &pl->lock);
				pl->waits = false;
			}
		if (!head || !head->done) {
			g_mutex_unlock(&pl->lock);
			return true;
		}
		take_head(pl);
		g_mutex_unlock(&pl->lock);
		if (!deliver(pl, head, err))
			return false;
	}
}

bool package_pipeline_put(struct pipeline *pl, void *job, uint64_t cost, struct ib_error **err)
{
	struct slot *s = g_new0(struct slot, 1);

	s->job = job;
	s->cost = cost;
	g_mutex_lock(&pl->lock);
	g_queue_push_tail(&pl->order, s);
	pl->used += cost;
	if (pl->threads->len > 0)
		g_queue_push_tail(&pl->todo, s);
	if (pl->idle)
		g_cond_signal(&pl->work);
	g_mutex_unlock(&pl->lock);
	if (pl->threads->len == 0) {
		pl->ops.run(job, pl, s, pl->data);
		s->done = true;
	}
	return drain(pl, SLOTS_MAX, err);
}

bool package_pipeline_flush(struct pipeline *pl, struct ib_error **err)
{
	return drain(pl, 0, err);
}

void package_pipeline_free(struct pipeline *pl)
{
	struct slot *s;

	if (!pl)
		return;
	g_mutex_lock(&pl->lock);
	pl->stop = true;
	g_cond_broadcast(&pl->work);
	g_cond_broadcast(&pl->room);
	g_mutex_unlock(&pl->lock);
	for (guint i = 0; i < pl->threads->len; i++)
		g_thread_join(pl->threads->pdata[i]);
	g_ptr_array_unref(pl->threads);
	g_queue_clear(&pl->todo);
	while ((s = g_queue_pop_head(&pl->order))) {
		pl->ops.free(s->job);
		g_free(s);
	}
	g_mutex_clear(&pl->lock);
	g_cond_clear(&pl->work);
	g_cond_clear(&pl->room);
	g_cond_clear(&pl->done);
	g_free(pl);
}
