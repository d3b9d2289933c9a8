/*
 * wim: unchanged content is copied as it lies, in the order of the source, neighbours in one go, by a thread of its own:
 * copying needs little of the processor, and what compresses meanwhile does not wait for it.
 */
#include "wim/internal.h"

#include <string.h>

/* A kernel copies pages several times faster when they are pages of both files. Runs of this size are worth a gap. */
#define RAW_ALIGNED_MIN (256u << 10)
#define RAW_PAGE 4096u
/* Between two looks at whether the other thread gave up. */
#define RAW_PIECE (16u << 20)

struct run {
	struct ib_input *in; /* borrowed */
	uint64_t at, to, len;
	uint32_t gap;        /* zeros in front of it */
};

struct raw_copy {
	struct ib_output out;
	struct ib_progress *progress;
	GArray *runs;   /* struct run */
	GThread *thread; /* NULL: none could be started */
	gint stop, failed;
	struct ib_error *error;
};

/* From blobs[i] on: neighbours in the source. @return how many */
static guint find_run(GPtrArray *blobs, guint i, struct run *ret)
{
	const struct blob *first = g_ptr_array_index(blobs, i);
	guint n = 0;

	*ret = (struct run){ .in = first->in, .at = first->at };
	for (; i + n < blobs->len; n++) {
		const struct blob *b = g_ptr_array_index(blobs, i + n);
		if (b->at != first->at + ret->len || b->part != first->part)
			break;
		ret->len += b->stored;
	}
	return n;
}

/* Where each run goes; sets the blobs' `out`. Only lengths and places in the source decide. @return the end */
static uint64_t lay_out(struct raw_copy *c, GPtrArray *blobs, uint64_t at)
{
	struct run run;

	for (guint i = 0, n; i < blobs->len; i += n) {
		n = find_run(blobs, i, &run);
		if (run.len >= RAW_ALIGNED_MIN)
			run.gap = (uint32_t)((run.at - at) % RAW_PAGE);
		at = run.to = at + run.gap;
		for (guint k = i; k < i + n; k++) {
			struct blob *b = g_ptr_array_index(blobs, k);
			b->out = (struct reshdr){ .offset = run.to + (b->at - run.at), .stored = b->stored, .size = b->size,
						  .flags = b->flags & RES_COMPRESSED };
		}
		at += run.len;
		g_array_append_val(c->runs, run);
	}
	return at;
}

static bool copy_run(struct raw_copy *c, const struct run *run, struct ib_error **err)
{
	static const uint8_t zero[RAW_PAGE];

	if (run->gap && !ib_output_write(&c->out, run->to - run->gap, zero, run->gap, err))
		return false;
	for (uint64_t done = 0, n; done < run->len && !g_atomic_int_get(&c->stop); done += n) {
		n = MIN(run->len - done, RAW_PIECE);
		if (!ib_output_copy(&c->out, run->to + done, run->in, run->at + done, n, c->progress, err))
			return false;
	}
	return true;
}

static gpointer copy_all(gpointer data)
{
	struct raw_copy *c = data;

	for (guint i = 0; i < c->runs->len && !g_atomic_int_get(&c->failed); i++)
		if (!copy_run(c, &g_array_index(c->runs, struct run, i), &c->error))
			g_atomic_int_set(&c->failed, 1);
	return NULL;
}

struct raw_copy *ib_wim_raw_start(GPtrArray *blobs, const struct ib_output *out, uint64_t at,
				  struct ib_progress *progress, uint64_t *ret_end)
{
	struct raw_copy *c = g_new0(struct raw_copy, 1);

	c->out = *out;
	c->progress = progress;
	c->runs = g_array_new(FALSE, FALSE, sizeof(struct run));
	*ret_end = lay_out(c, blobs, at);
	if (c->runs->len > 0)
		c->thread = g_thread_try_new("copy", copy_all, c, NULL);
	return c;
}

static void copy_free(struct raw_copy *c)
{
	ib_error_clear(&c->error);
	g_array_unref(c->runs);
	g_free(c);
}

bool ib_wim_raw_finish(struct raw_copy *c, struct ib_error **err)
{
	if (!c)
		return true;
	if (c->thread)
		g_thread_join(c->thread);
	else
		copy_all(c);
	bool ok = !c->error;
	if (!ok)
		*err = g_steal_pointer(&c->error);
	copy_free(c);
	return ok ? true : ib_while(err, "copying unchanged content");
}

bool ib_wim_raw_check(struct raw_copy **c, struct ib_error **err)
{
	return !*c || !g_atomic_int_get(&(*c)->failed) || ib_wim_raw_finish(g_steal_pointer(c), err);
}

void ib_wim_raw_stop(struct raw_copy *c)
{
	if (!c)
		return;
	g_atomic_int_set(&c->stop, 1);
	if (c->thread)
		g_thread_join(c->thread);
	copy_free(c);
}

uint64_t ib_wim_raw_overhead(uint64_t stored)
{
	return stored / RAW_ALIGNED_MIN * (RAW_PAGE - 1);
}
