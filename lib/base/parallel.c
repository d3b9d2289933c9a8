#include "base/base.h"

/* More threads than this only cost memory. */
#define THREADS_MAX 64u

struct work {
	ib_parallel_fn fn;
	void *data;
	unsigned count;
	gint next; /* atomic */
};

static gpointer work(gpointer data)
{
	struct work *w = data;
	unsigned i;

	while ((i = (unsigned)g_atomic_int_add(&w->next, 1)) < w->count)
		w->fn(i, w->data);
	return NULL;
}

void ib_parallel(unsigned count, unsigned threads, ib_parallel_fn fn, void *data)
{
	struct work w = { .fn = fn, .data = data, .count = count };
	unsigned most = MIN(threads ? threads : g_get_num_processors(), THREADS_MAX), started = 0;
	GThread *others[THREADS_MAX];

	while (started + 1 < MIN(most, count) && (others[started] = g_thread_try_new("parallel", work, &w, NULL)))
		started++;
	work(&w);
	while (started > 0)
		g_thread_join(others[--started]);
}
