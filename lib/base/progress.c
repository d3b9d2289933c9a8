#include "base/base.h"

/* At most ten events a second (microseconds). */
#define EVENT_INTERVAL_US 100000

struct ib_progress {
	struct ib_progress *root;
	struct ib_progress *parent;
	char *name;
	uint64_t weight;
	uint64_t done;
	bool complete;
	GPtrArray *children;
	/* root only */
	GMutex lock;
	ib_progress_fn fn;
	void *data;
	int64_t last_event_us;
	bool stopped;
	double shown; /* never goes back */
};

static void node_free(void *p)
{
	struct ib_progress *n = p;

	g_ptr_array_unref(n->children);
	g_free(n->name);
	g_free(n);
}

static struct ib_progress *node_new(struct ib_progress *parent, const char *name, uint64_t weight)
{
	struct ib_progress *n = g_new0(struct ib_progress, 1);

	n->parent = parent;
	n->root = parent ? parent->root : n;
	n->name = g_strdup(name);
	n->weight = weight;
	n->children = g_ptr_array_new_with_free_func(node_free);
	return n;
}

/* The share of a node that is done: its children's, weighted, or its own bytes. */
static double node_fraction(const struct ib_progress *n)
{
	double done = 0, total = 0;

	if (n->complete)
		return 1;
	if (n->children->len == 0)
		return n->weight ? MIN(1.0, (double)n->done / (double)n->weight) : 0;
	for (guint i = 0; i < n->children->len; i++) {
		const struct ib_progress *c = g_ptr_array_index(n->children, i);
		done += node_fraction(c) * (double)c->weight;
		total += (double)c->weight;
	}
	return total > 0 ? done / total : 0;
}

/* Called with the lock held. */
static void send_event(struct ib_progress *n, bool last)
{
	struct ib_progress *root = n->root;
	int64_t now = g_get_monotonic_time();

	if (!root->fn || (!last && now - root->last_event_us < EVENT_INTERVAL_US))
		return;
	root->last_event_us = now;
	root->shown = last ? 1 : MAX(root->shown, MIN(node_fraction(root), 0.999));
	struct ib_progress_event ev = {
		.step = n->name ? n->name : "",
		.fraction = root->shown,
		.done_bytes = n->done,
		.total_bytes = n->weight,
		.finished = last,
	};
	if (!root->fn(&ev, root->data))
		root->stopped = true;
}

struct ib_progress *ib_progress_new(ib_progress_fn fn, void *data)
{
	struct ib_progress *root = node_new(NULL, NULL, 0);

	g_mutex_init(&root->lock);
	root->fn = fn;
	root->data = data;
	return root;
}

struct ib_progress *ib_progress_step(struct ib_progress *parent, const char *name, uint64_t weight_bytes)
{
	if (!parent)
		return NULL;
	struct ib_progress *n = node_new(parent, name, weight_bytes);
	g_mutex_lock(&n->root->lock);
	g_ptr_array_add(parent->children, n);
	g_mutex_unlock(&n->root->lock);
	return n;
}

bool ib_progress_add(struct ib_progress *step, uint64_t bytes, struct ib_error **err)
{
	if (!step)
		return true;
	struct ib_progress *root = step->root;
	g_mutex_lock(&root->lock);
	step->done += bytes;
	send_event(step, false);
	bool stopped = root->stopped;
	g_mutex_unlock(&root->lock);
	return stopped ? ib_throw(err, IB_ERR_INTERRUPTED, "interrupted") : true;
}

void ib_progress_done(struct ib_progress *step)
{
	if (!step)
		return;
	g_mutex_lock(&step->root->lock);
	step->complete = true;
	if (step->weight > step->done)
		step->done = step->weight;
	send_event(step, step == step->root);
	g_mutex_unlock(&step->root->lock);
}

void ib_progress_free(struct ib_progress *root)
{
	if (!root)
		return;
	g_mutex_clear(&root->lock);
	node_free(root);
}
