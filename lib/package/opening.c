/* A package that opens on a thread of its own: it is unpacked while its caller gets the dictionary out of an image. */
#include "package/internal.h"

struct ib_package_opening {
	GThread *thread;
	char *path, *spool_dir;
	struct ib_package_options options;
	GMutex lock;
	GCond known;
	bool has_dictionary, stop; /* under the lock */
	GBytes *dictionary;
	GPtrArray *packages; /* what came of it, */
	struct ib_error *error; /* or why nothing did */
};

static gpointer work(gpointer data)
{
	struct ib_package_opening *o = data;

	if (!package_open_path(o->path, &o->options, o, &o->packages, &o->error))
		o->packages = NULL;
	return NULL;
}

struct ib_package_opening *ib_package_open_begin(const char *path, const struct ib_package_options *options)
{
	struct ib_package_opening *o = g_new0(struct ib_package_opening, 1);

	o->path = g_strdup(path);
	o->spool_dir = g_strdup(options ? options->spool_dir : NULL);
	o->options = (struct ib_package_options){ .size = sizeof(o->options), .spool_dir = o->spool_dir,
						  .threads = options ? options->threads : 0,
						  .payload = options && options->payload,
						  .progress = options ? options->progress : NULL };
	g_mutex_init(&o->lock);
	g_cond_init(&o->known);
	o->thread = g_thread_try_new("package", work, o, NULL);
	return o;
}

static void give(struct ib_package_opening *o, GBytes *dictionary, bool stop)
{
	g_mutex_lock(&o->lock);
	o->dictionary = dictionary ? g_bytes_ref(dictionary) : NULL;
	o->has_dictionary = true;
	o->stop = stop;
	g_cond_signal(&o->known);
	g_mutex_unlock(&o->lock);
	if (o->thread)
		g_thread_join(o->thread);
	else if (!stop)
		work(o); /* there was no thread to be had */
}

static void opening_free(struct ib_package_opening *o)
{
	if (o->packages)
		g_ptr_array_unref(o->packages);
	if (o->dictionary)
		g_bytes_unref(o->dictionary);
	ib_error_clear(&o->error);
	g_mutex_clear(&o->lock);
	g_cond_clear(&o->known);
	g_free(o->path);
	g_free(o->spool_dir);
	g_free(o);
}

bool ib_package_open_end(struct ib_package_opening *o, GBytes *dictionary, GPtrArray **ret, struct ib_error **err)
{
	give(o, dictionary, false);
	bool ok = o->packages != NULL;
	if (ok)
		*ret = g_steal_pointer(&o->packages);
	else
		*err = g_steal_pointer(&o->error);
	opening_free(o);
	return ok;
}

void ib_package_open_cancel(struct ib_package_opening *o)
{
	if (!o)
		return;
	give(o, NULL, true);
	opening_free(o);
}

bool package_opening_goes_on(struct ib_package_opening *o, struct ib_error **err)
{
	if (!o)
		return true;
	g_mutex_lock(&o->lock);
	bool stop = o->stop;
	g_mutex_unlock(&o->lock);
	return !stop || ib_throw(err, IB_ERR_INTERRUPTED, "nobody waits for the package any more");
}

GBytes *package_opening_dictionary(struct ib_package_opening *o)
{
	g_mutex_lock(&o->lock);
	while (!o->has_dictionary)
		g_cond_wait(&o->known, &o->lock);
	GBytes *dictionary = o->dictionary ? g_bytes_ref(o->dictionary) : NULL;
	g_mutex_unlock(&o->lock);
	return dictionary;
}
