/* wim: reading all content and checking its SHA-1, on all processors. */
#include "wim/internal.h"

struct verifier {
	struct ib_wim *wim;
	struct ib_progress *progress;
	GPtrArray *blobs;
	GMutex lock;
	guint next;          /* blob to check next */
	guint failed;        /* index of the first bad blob; blobs->len: none */
	struct ib_error *error; /* of that blob */
};

static bool check_blob(struct verifier *v, const struct blob *b, struct ib_error **err)
{
	g_autofree uint8_t *buf = g_malloc(1u << 18);
	struct ib_stream *s;
	size_t n = 1;
	bool ok = true;

	if (!ib_wim_blob_stream(v->wim, b, &s, err))
		return false;
	while (ok && n > 0)
		ok = ib_stream_read(s, buf, 1u << 18, &n, err) && ib_progress_add(v->progress, n, err);
	ib_stream_free(s);
	return ok;
}

/* The next blob that can still matter: nothing behind the first bad one does. */
static bool take(struct verifier *v, guint *ret)
{
	g_mutex_lock(&v->lock);
	*ret = v->next;
	bool any = v->next < v->failed;
	v->next += any;
	g_mutex_unlock(&v->lock);
	return any;
}

static gpointer work(gpointer data)
{
	struct verifier *v = data;
	guint i;

	while (take(v, &i)) {
		struct ib_error *err = NULL;
		if (check_blob(v, g_ptr_array_index(v->blobs, i), &err))
			continue;
		g_mutex_lock(&v->lock);
		if (i < v->failed) {
			v->failed = i;
			ib_error_clear(&v->error);
			v->error = g_steal_pointer(&err);
		}
		g_mutex_unlock(&v->lock);
		ib_error_clear(&err);
	}
	return NULL;
}

static void run(struct verifier *v)
{
	GThread *threads[63];
	unsigned n = MIN(g_get_num_processors() - 1, G_N_ELEMENTS(threads)), started = 0;

	for (; started < n; started++)
		if (!(threads[started] = g_thread_try_new("verify", work, v, NULL)))
			break;
	work(v); /* this thread, too: with none to help it checks all */
	while (started > 0)
		g_thread_join(threads[--started]);
}

static struct ib_node *find_user(struct ib_node *node, const uint8_t *hash)
{
	const struct inode *inode = node->inode;

	if (ib_wim_hash_equal(inode->hash, hash))
		return node;
	for (unsigned i = 0; i < inode->extra_count; i++)
		if (ib_wim_hash_equal(inode->extra[i].hash, hash))
			return node;
	for (struct ib_node *n = ib_node_first(node), *found; n; n = n->next)
		if ((found = find_user(n, hash)))
			return found;
	return NULL;
}

/* Say which file suffers; without success when no image can be read. */
static void name_user(struct ib_wim *wim, const struct blob *b, struct ib_error **err)
{
	for (guint i = 1; i <= wim->images->len; i++) {
		struct ib_image *image;
		ib_auto_error ignored = NULL;
		if (!ib_wim_image(wim, i, &image, &ignored))
			continue;
		struct ib_node *node = find_user(image->root, b->hash);
		if (!node)
			continue;
		g_autofree char *path = ib_node_path(node);
		ib_while(err, "verifying '%s' of image %u", path, i);
		return;
	}
	ib_while(err, "verifying content");
}

static bool collect(struct verifier *v, GHashTable *only, struct ib_error **err)
{
	struct ib_wim *wim = v->wim;
	guint found = 0;

	for (guint i = 0; i < wim->order->len; i++) {
		struct blob *b = g_ptr_array_index(wim->order, i);
		if (only) {
			g_autoptr(GBytes) key = g_bytes_new_static(b->hash, sizeof b->hash);
			if (!g_hash_table_contains(only, key))
				continue;
			found++;
		}
		g_ptr_array_add(v->blobs, b);
	}
	if (only && found < g_hash_table_size(only))
		return ib_throw(err, IB_ERR_VERIFY, "only %u of the %u contents to verify are in the WIM", found,
				g_hash_table_size(only));
	for (guint i = 0; !only && i < wim->images->len; i++) {
		struct ib_image *image = g_ptr_array_index(wim->images, i);
		if (image->metadata)
			g_ptr_array_add(v->blobs, image->metadata);
	}
	g_ptr_array_sort(v->blobs, ib_wim_blob_by_place);
	v->failed = v->blobs->len;
	return true;
}

bool ib_wim_verify_blobs(struct ib_wim *wim, GHashTable *only, struct ib_progress *progress, struct ib_error **err)
{
	struct verifier v = { .wim = wim, .progress = progress };

	if (!ib_wim_flush_spool(wim, err))
		return false;
	v.blobs = g_ptr_array_new();
	g_mutex_init(&v.lock);
	bool ok = collect(&v, only, err);
	if (ok)
		run(&v);
	if (ok && v.error) {
		*err = v.error;
		name_user(wim, g_ptr_array_index(v.blobs, v.failed), err);
		ok = false;
	}
	g_mutex_clear(&v.lock);
	g_ptr_array_unref(v.blobs);
	return ok;
}
