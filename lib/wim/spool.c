/*
 * wim: where new content waits, compressed, until the WIM is written.
 *
 * The caller's thread reads and hashes; the pool's threads compress; finished
 * blocks come back in order and are appended, so the blocks of one blob lie
 * together. The chunk table is made when the blob is written out. Where that
 * happens at once (`done`, `ready`), most blobs never leave memory.
 */
#include "wim/internal.h"

#include <string.h>
#include <sys/mman.h>
#include <errno.h>
#include <unistd.h>

/* Content up to this size, or to that of a chunk, is hashed whole before anything is compressed: known content costs nothing. */
#define SPOOL_AHEAD (4u << 20)

/* One blob on its way; the tag of its blocks. */
struct job {
	struct blob *blob;
	bool closed;  /* all blocks were put; the next empty block is the last */
	bool dropped; /* the content turned out to be known */
	bool mixed;   /* at least one block is compressed */
};

struct spool {
	int fd;
	char *name;                 /* for messages: where the room is needed */
	struct out_buffer out;
	struct spool_params params;
	struct ib_codec_pool *pool; /* NULL: no compression */
	struct job *open;           /* of the content being read */
	GQueue jobs;                /* all not yet finished */
	uint64_t released;          /* nobody reads what lies before */
	uint8_t *ahead;
	size_t ahead_size;          /* a multiple of the chunk size */
};

static void job_free(struct job *job)
{
	ib_wim_blob_free(job->blob);
	g_free(job);
}

/* Forget the last `stored` bytes: the next blob takes their place. */
static void rewind_spool(struct spool *s, uint64_t stored)
{
	s->out.fill -= (size_t)MIN(s->out.fill, stored);
	s->out.at -= stored;
	s->released = MIN(s->released, s->out.at);
}

/* Make room in memory without writing, if what is there is stored elsewhere already. */
static void drop_released(struct spool *s)
{
	uint64_t start = s->out.at - s->out.fill;

	if (s->released > start)
		ib_wim_out_drop(&s->out, (size_t)(s->released - start));
}

/* The last block of a blob is in the spool. */
static bool finish(struct spool *s, struct job *job, struct ib_error **err)
{
	struct blob *b = g_steal_pointer(&job->blob);
	bool dropped = job->dropped;
	uint64_t stored = b->stored;

	b->complete = true;
	if (!job->mixed)
		g_clear_pointer(&b->sizes, g_array_unref);
	g_queue_remove(&s->jobs, job);
	g_free(job);
	if (!dropped && !s->params.done) /* without a pool the caller still has the job, and does not know of the blob yet */
		return !s->pool || !s->params.ready || s->params.ready(s->params.data, err);
	if (dropped)
		ib_wim_blob_free(b);
	else if (!s->params.done(s->params.data, b, err))
		return false;
	rewind_spool(s, stored);
	return true;
}

static bool append(void *data, void *tag, const uint8_t *bytes, size_t stored, size_t plain, struct ib_error **err)
{
	struct spool *s = data;
	struct job *job = tag;
	uint32_t size = (uint32_t)stored;

	if (plain == 0)
		return finish(s, job, err);
	if (job->blob->stored == 0)
		job->blob->at = s->out.at;
	job->blob->stored += stored;
	job->mixed |= stored < plain;
	g_array_append_val(job->blob->sizes, size);
	if (stored >= ib_wim_out_room(&s->out))
		drop_released(s);
	return ib_wim_out_put(&s->out, bytes, stored, err);
}

static bool spool_fd(const char *dir, int *ret, struct ib_error **err)
{
	if (dir)
		return ib_file_temp(dir, ret, err);
	*ret = memfd_create("wim-spool", MFD_CLOEXEC);
	return *ret >= 0 ? true : ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot create a spool in memory");
}

bool ib_wim_spool_new(const struct spool_params *params, struct spool **ret, struct ib_error **err)
{
	enum ib_codec codec;
	ib_auto_fd fd = -1;

	if (!spool_fd(params->dir, &fd, err))
		return false;
	struct spool *s = g_new0(struct spool, 1);
	s->params = *params;
	s->fd = fd;
	fd = -1;
	g_queue_init(&s->jobs);
	s->name = params->dir ? g_strdup_printf("%s/(new content, unnamed)", params->dir) : g_strdup("new content in memory");
	ib_wim_out_init(&s->out, &(struct ib_output){ .fd = s->fd, .name = s->name });
	s->ahead_size = MAX(SPOOL_AHEAD, params->chunk);
	s->ahead = g_malloc(s->ahead_size);
	if (ib_wim_codec_of(params->compression, &codec) &&
	    !ib_codec_pool_new(codec, params->chunk, params->level, params->threads, append, s, &s->pool, err)) {
		ib_wim_spool_free(s);
		return false;
	}
	*ret = s;
	return true;
}

void ib_wim_spool_free(struct spool *s)
{
	if (!s)
		return;
	ib_codec_pool_free(s->pool);
	/* Kept blobs belong to the WIM, unless their last block never came out. */
	for (GList *l = s->jobs.head; l; l = l->next) {
		struct job *job = l->data;
		if (!s->params.done && !job->dropped && job->closed)
			job->blob = NULL;
		job_free(job);
	}
	g_queue_clear(&s->jobs);
	ib_wim_out_fini(&s->out);
	ib_fd_close(&s->fd);
	g_free(s->ahead);
	g_free(s->name);
	g_free(s);
}

/* owner: of data; NULL: it is copied. */
static bool put(struct spool *s, struct job *job, const uint8_t *data, size_t len, GBytes *owner, struct ib_error **err)
{
	do {
		size_t n = MIN(len, s->params.chunk);
		bool ok = s->pool ? ib_codec_pool_put(s->pool, job, data, n, owner, err) : append(s, job, data, n, n, err);
		if (!ok)
			return false;
		data += n;
		len -= n;
	} while (len > 0);
	return true;
}

/* Fill the read-ahead buffer. */
static bool fill(struct spool *s, struct ib_stream *stream, struct ib_digest *digest, size_t *ret_n,
		 struct ib_error **err)
{
	size_t n = 0, got;

	do {
		if (!ib_stream_read(stream, s->ahead + n, s->ahead_size - n, &got, err))
			return false;
		n += got;
	} while (got > 0 && n < s->ahead_size);
	ib_digest_update(digest, s->ahead, n);
	*ret_n = n;
	return true;
}

static struct job *job_new(struct spool *s)
{
	struct job *job = g_new0(struct job, 1);

	job->blob = g_new0(struct blob, 1);
	job->blob->where = BLOB_SPOOL;
	job->blob->spool = s;
	job->blob->sizes = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	g_queue_push_tail(&s->jobs, job);
	return job;
}

/* Whether content that was read to its end is new. */
static bool is_new(const struct job *job, GHashTable *known)
{
	return job->blob->size > 0 && !(known && g_hash_table_contains(known, job->blob->hash));
}

/* Content that lies in memory. owner: as in put(). */
static bool take_whole(struct spool *s, const uint8_t *data, size_t len, GBytes *owner, struct job *job, GHashTable *known,
		       bool *ret_keep, struct ib_error **err)
{
	ib_digest_bytes(IB_DIGEST_SHA1, data, len, job->blob->hash);
	job->blob->size = len;
	*ret_keep = is_new(job, known);
	return !*ret_keep || put(s, job, data, len, owner, err);
}

/* Read content to its end; blocks go out as soon as there is more than the read-ahead holds. */
static bool take_stream(struct spool *s, struct ib_stream *stream, struct job *job, GHashTable *known, bool *ret_keep,
			struct ib_error **err)
{
	struct ib_digest *digest = ib_digest_new(IB_DIGEST_SHA1);
	size_t n = 0, held = 0;
	bool ok;

	while ((ok = fill(s, stream, digest, &n, err))) {
		job->blob->size += n;
		if (n < s->ahead_size)
			break;
		ok = put(s, job, s->ahead, n, NULL, err);
		if (!ok)
			break;
		held += n;
	}
	ib_digest_final(digest, job->blob->hash);
	ib_digest_free(digest);
	if (!ok)
		return false;
	*ret_keep = is_new(job, known);
	return n == 0 || (!*ret_keep && held == 0) || put(s, job, s->ahead, n, NULL, err);
}

/* All blocks of a job are on their way. */
static bool close_job(struct spool *s, struct job *job, bool keep, struct blob **ret_blob, struct ib_error **err)
{
	struct blob *blob = job->blob;

	job->dropped = !keep;
	job->closed = true;
	if (!put(s, job, s->ahead, 0, NULL, err)) {
		if (!s->params.done)
			job->closed = false; /* the mark did not go out: the job is still here and keeps its blob */
		return false;
	}
	*ret_blob = keep ? blob : NULL;
	return true;
}

bool ib_wim_spool_add(struct spool *s, struct ib_stream *stream, GHashTable *known, uint8_t *ret_hash,
		      uint64_t *ret_size, struct blob **ret_blob, struct ib_error **err)
{
	g_autoptr(GBytes) whole = ib_stream_rest(stream);
	struct job *job = job_new(s);
	size_t len = 0;
	const uint8_t *data = whole ? g_bytes_get_data(whole, &len) : NULL;
	bool keep;

	job->dropped = true; /* until its content is complete */
	if (!(whole ? take_whole(s, data, len, whole, job, known, &keep, err) : take_stream(s, stream, job, known, &keep, err)))
		return false; /* blocks may be on their way: the job goes with the spool */
	memcpy(ret_hash, job->blob->size > 0 ? job->blob->hash : ib_wim_zero_hash, IB_WIM_HASH_SIZE);
	if (ret_size)
		*ret_size = job->blob->size;
	return close_job(s, job, keep, ret_blob, err);
}

bool ib_wim_spool_add_bytes(struct spool *s, const void *data, size_t len, GHashTable *known, uint8_t *ret_hash,
			    struct blob **ret_blob, struct ib_error **err)
{
	struct job *job = job_new(s);
	bool keep;

	job->dropped = true;
	if (!take_whole(s, data, len, NULL, job, known, &keep, err))
		return false;
	memcpy(ret_hash, len > 0 ? job->blob->hash : ib_wim_zero_hash, IB_WIM_HASH_SIZE);
	return close_job(s, job, keep, ret_blob, err);
}

bool ib_wim_spool_flush(struct spool *s, struct ib_error **err)
{
	return !s->pool || ib_codec_pool_flush(s->pool, err);
}

bool ib_wim_spool_store(struct spool *s, struct ib_error **err)
{
	drop_released(s);
	return ib_wim_out_flush(&s->out, err);
}

bool ib_wim_spool_read(const struct spool *s, uint64_t at, void *buf, size_t len, struct ib_error **err)
{
	return ib_output_read(&s->out.out, at, buf, len, err);
}

const uint8_t *ib_wim_spool_peek(const struct spool *s, uint64_t at, uint64_t len)
{
	uint64_t start = s->out.at - s->out.fill;

	return at < start || at + len > s->out.at ? NULL : s->out.buf + s->out.lead + (at - start);
}

void ib_wim_spool_release(struct spool *s, const struct blob *b)
{
	uint64_t kept = MAX(s->released, s->out.at - s->out.fill);

	if (b->at <= kept && b->at + b->stored > kept) /* nobody else's bytes lie between */
		s->released = b->at + b->stored;
}

enum ib_wim_compression ib_wim_spool_compression(const struct spool *s)
{
	return s->params.compression;
}

uint32_t ib_wim_spool_chunk(const struct spool *s)
{
	return s->params.chunk;
}
