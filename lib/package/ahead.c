/*
 * Folders of a cabinet decompressed ahead, each on a thread of its own, while the caller still reads one before. Files
 * come out in the same order and the same bytes; what waits is bounded.
 */
#include "package/internal.h"

#include <string.h>

/* Bytes of a folder that may wait to be read: most folders are not larger when unpacked. */
#define AHEAD_MAX (16u << 20)
/* Bytes read at a time. */
#define CHUNK (256u << 10)
/* Pieces, and bytes in them, that the thread gathers before it hands them over: waking the reader costs more than a
 * small file. */
#define BATCH_PIECES 64u
#define BATCH_BYTES (1u << 20)

/* What the thread hands over: the begin of a file, some of its bytes, or the end of all. */
struct piece {
	enum { PIECE_FILE, PIECE_BYTES, PIECE_END } kind;
	guint file;
	uint8_t *data;
	size_t size, at;
};

struct ahead {
	struct unit *u;
	unsigned folder;
	const uint8_t *wanted; /* borrowed */
	struct folder_range range;
	GThread *thread;
	GQueue batch; /* struct piece *: not handed over yet, the thread's own */
	size_t batch_bytes;
	GMutex lock;
	GCond changed;
	GQueue pieces; /* struct piece * */
	size_t waiting; /* bytes in them */
	bool full;      /* the thread waits for room */
	bool stop;
	struct ib_error *error; /* the thread's, set before PIECE_END */
};

static void piece_free(gpointer data)
{
	struct piece *p = data;

	g_free(p->data);
	g_free(p);
}

/* ---- on the thread ---- */

/* @return false when nobody reads any more */
static bool hand_over_batch(struct ahead *a)
{
	struct piece *piece;

	g_mutex_lock(&a->lock);
	a->full = a->waiting >= AHEAD_MAX;
	while (!a->stop && a->full)
		g_cond_wait(&a->changed, &a->lock);
	bool ok = !a->stop;
	while (ok && (piece = g_queue_pop_head(&a->batch)))
		g_queue_push_tail(&a->pieces, piece);
	a->waiting += a->batch_bytes;
	a->batch_bytes = 0;
	g_cond_signal(&a->changed);
	g_mutex_unlock(&a->lock);
	return ok;
}

/* Takes piece. @return false when nobody reads any more */
static bool hand_over(struct ahead *a, struct piece *piece)
{
	g_queue_push_tail(&a->batch, piece);
	a->batch_bytes += piece->size;
	if (piece->kind != PIECE_END && g_queue_get_length(&a->batch) < BATCH_PIECES && a->batch_bytes < BATCH_BYTES)
		return true;
	return hand_over_batch(a);
}

static bool hand_over_file(guint i, struct ib_stream *stream, void *data, struct ib_error **err)
{
	struct ahead *a = data;
	struct piece *piece = g_new0(struct piece, 1);

	piece->kind = PIECE_FILE;
	piece->file = i;
	if (!hand_over(a, piece))
		return ib_throw(err, IB_ERR_INTERRUPTED, "nobody reads any more");
	for (;;) {
		piece = g_new0(struct piece, 1);
		piece->kind = PIECE_BYTES;
		piece->data = g_malloc(CHUNK);
		bool ok = ib_stream_read(stream, piece->data, CHUNK, &piece->size, err);
		if (!ok || piece->size == 0) {
			piece_free(piece);
			return ok;
		}
		piece->data = g_realloc(piece->data, piece->size); /* most files are small */
		if (!hand_over(a, piece))
			return ib_throw(err, IB_ERR_INTERRUPTED, "nobody reads any more");
	}
}

static gpointer decompress(gpointer data)
{
	struct ahead *a = data;
	struct ib_error *e = NULL;
	struct piece *end = g_new0(struct piece, 1);

	if (!package_unit_folder(a->u, a->folder, a->wanted, &a->range, hand_over_file, a, &e)) {
		g_mutex_lock(&a->lock);
		a->error = e;
		g_mutex_unlock(&a->lock);
	}
	end->kind = PIECE_END;
	hand_over(a, end);
	return NULL;
}

static struct ahead *ahead_new(struct unit *u, unsigned folder, const uint8_t *wanted, const struct folder_range *range)
{
	struct ahead *a = g_new0(struct ahead, 1);

	a->u = u;
	a->folder = folder;
	a->wanted = wanted;
	a->range = *range;
	g_mutex_init(&a->lock);
	g_cond_init(&a->changed);
	a->thread = g_thread_new("unpack", decompress, a);
	return a;
}

static void ahead_free(gpointer data)
{
	struct ahead *a = data;

	g_mutex_lock(&a->lock);
	a->stop = true;
	g_cond_signal(&a->changed);
	g_mutex_unlock(&a->lock);
	g_thread_join(a->thread);
	g_queue_clear_full(&a->batch, piece_free);
	g_queue_clear_full(&a->pieces, piece_free);
	ib_error_clear(&a->error);
	g_mutex_clear(&a->lock);
	g_cond_clear(&a->changed);
	g_free(a);
}

/* ---- for the caller ---- */

/* The next piece, left in the queue; waits for it. */
static struct piece *peek(struct ahead *a)
{
	struct piece *piece;

	g_mutex_lock(&a->lock);
	while (!(piece = g_queue_peek_head(&a->pieces)))
		g_cond_wait(&a->changed, &a->lock);
	g_mutex_unlock(&a->lock);
	return piece;
}

static void drop(struct ahead *a)
{
	g_mutex_lock(&a->lock);
	struct piece *piece = g_queue_pop_head(&a->pieces);
	a->waiting -= piece->size;
	if (a->full && a->waiting <= AHEAD_MAX / 2) {
		a->full = false;
		g_cond_signal(&a->changed);
	}
	g_mutex_unlock(&a->lock);
	piece_free(piece);
}

struct ahead_stream {
	struct ib_stream base;
	struct ahead *a;
};

static bool ahead_read(struct ib_stream *s, void *buf, size_t cap, size_t *ret_n, struct ib_error **err)
{
	struct ahead *a = ((struct ahead_stream *)s)->a;
	struct piece *piece = peek(a);

	*ret_n = 0;
	/* An error ends the file that it cuts short, not the one before it. */
	if (piece->kind == PIECE_END && a->error) {
		*err = g_steal_pointer(&a->error);
		return false;
	}
	if (piece->kind != PIECE_BYTES || cap == 0)
		return true;
	*ret_n = MIN(cap, piece->size - piece->at);
	memcpy(buf, piece->data + piece->at, *ret_n);
	piece->at += *ret_n;
	if (piece->at == piece->size)
		drop(a);
	return true;
}

/* All files of a folder that is being decompressed. */
static bool read_folder(struct ahead *a, unit_fn fn, void *data, struct ib_error **err)
{
	for (;;) {
		struct piece *piece = peek(a);
		if (piece->kind == PIECE_END && a->error) {
			*err = g_steal_pointer(&a->error);
			return false;
		}
		if (piece->kind == PIECE_END)
			return true;
		guint file = piece->file;
		bool begin = piece->kind == PIECE_FILE;
		drop(a); /* bytes that come here are of a file that was not read to its end */
		struct ahead_stream stream = { .base = { .read = ahead_read }, .a = a };
		if (begin && !fn(file, &stream.base, data, err))
			return false;
	}
}

bool package_unit_ahead(struct unit *u, const uint8_t *wanted, const GArray *ranges, unsigned threads, unit_fn fn,
			void *data, struct ib_error **err)
{
	g_autoptr(GPtrArray) running = g_ptr_array_new_with_free_func(ahead_free);
	guint next = 0;

	for (;;) {
		for (; running->len < threads && next < ranges->len; next++) {
			const struct folder_range *r = &g_array_index(ranges, struct folder_range, next);
			if (r->any)
				g_ptr_array_add(running, ahead_new(u, next, wanted, r));
		}
		if (running->len == 0)
			return true;
		if (!read_folder(running->pdata[0], fn, data, err))
			return false;
		g_ptr_array_remove_index(running, 0);
	}
}
