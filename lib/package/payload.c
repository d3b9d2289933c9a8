/*
 * Payload: what comes out of the container in its order goes through a pipeline that makes files of differentials and
 * checks them, and comes out of it in the same order.
 */
#include "package/internal.h"

#include <string.h>

/* Files up to here go through memory, and are checked by the pipeline; larger ones stream, checked on the way. */
#define STREAM_MIN (4u << 20)
/* Bytes that the jobs of the pipeline hold together: some dozens of usual files. */
#define BUDGET (UINT64_C(96) << 20)
/* Bytes it takes to make a file, in its sizes: the base, its transformed copy, the target, and tables. */
#define MAKE_COST 4

/* What is still to come of a payload. */
struct state {
	bool active;       /* its component is wanted */
	bool make;         /* its file is to be made of records */
	unsigned waiting;  /* records that make it and have not come by */
	struct place parked[IB_PAYLOAD_KINDS]; /* those that came before the last */
};

struct each {
	struct ib_package *p;
	struct maker maker;
	bool partial;
	unsigned kinds, threads;
	ib_payload_fn fn;
	void *data;
	struct ib_progress *progress;
	uint64_t counted;
	struct state *states; /* of p->payloads */
	struct pipeline *pl;
};

/* One thing to be handed out: a record, the file made of it, or both. */
struct job {
	const struct payload *payload;
	const struct vfile *vf;  /* NULL: nothing brings it */
	const struct state *state;
	GBytes *member;          /* bytes of a member, or NULL */
	bool raw, make;
	/* set by run() */
	GBytes *record, *file;
	GString *why;
	bool bad;
	struct ib_error *error;
};

static bool makes(enum ib_payload_kind kind)
{
	return kind == IB_PAYLOAD_NULL || kind == IB_PAYLOAD_FORWARD;
}

/* ---- on the workers ---- */

static bool record_bytes(struct each *e, const struct job *job, enum ib_payload_kind kind, GBytes **ret,
			 struct ib_error **err)
{
	const struct vfile *vf = job->payload->vfile[kind];

	*ret = NULL;
	if (!vf)
		return true;
	if (!vf->cix && vf != job->vf)
		return package_spool_read(e->p->spool, &job->state->parked[kind], ret, err);
	return package_vfile_bytes(&e->maker, vf, vf == job->vf ? job->member : NULL, ret, job->why, err);
}

/* Bytes that making this file will take, by what the record says. */
static uint64_t make_cost(GBytes *record)
{
	struct ib_delta_info info;
	ib_auto_error e = NULL;

	if (!record || !ib_delta_info(record, &info, &e))
		return 0;
	return MIN(info.target_size, IB_DELTA_TARGET_MAX) * MAKE_COST + g_bytes_get_size(record);
}

static bool run_make(struct each *e, struct job *job, struct pipeline *pl, struct slot *slot, struct ib_error **err)
{
	GBytes *records[IB_PAYLOAD_KINDS] = { NULL };
	uint64_t cost = 0;
	bool ok = true;

	for (unsigned k = 0; ok && k < IB_PAYLOAD_KINDS; k++) {
		if (makes(k))
			ok = record_bytes(e, job, k, &records[k], err);
		cost = MAX(cost, make_cost(records[k]));
	}
	if (ok) {
		package_pipeline_reserve(pl, slot, cost);
		ok = package_make_file(&e->maker, job->payload, records, &job->file, job->why, &job->bad, err);
	}
	for (unsigned k = 0; k < IB_PAYLOAD_KINDS; k++)
		if (records[k])
			g_bytes_unref(records[k]);
	return ok;
}

static bool run_file(struct each *e, struct job *job, struct pipeline *pl, struct slot *slot, struct ib_error **err)
{
	const struct vfile *vf = job->vf;

	if (!vf)
		return run_make(e, job, pl, slot, err);
	if (vf->cix)
		package_pipeline_reserve(pl, slot, MIN(package_cix_file(vf->cix, vf->at)->length, IB_DELTA_TARGET_MAX) *
							   MAKE_COST);
	if (!package_vfile_bytes(&e->maker, vf, job->member, &job->file, job->why, err))
		return false;
	if (job->file)
		return package_check_file(job->payload, job->file, err);
	return run_make(e, job, pl, slot, err);
}

static bool run_record(struct each *e, struct job *job, struct pipeline *pl, struct slot *slot, struct ib_error **err)
{
	if (job->raw && !record_bytes(e, job, job->vf->kind, &job->record, err))
		return false;
	return !job->make || run_make(e, job, pl, slot, err);
}

static void run(void *data, struct pipeline *pl, struct slot *slot, void *each)
{
	struct job *job = data;
	bool record = job->vf && job->vf->kind != IB_PAYLOAD_FILE;
	bool ok = record ? run_record(each, job, pl, slot, &job->error) : run_file(each, job, pl, slot, &job->error);

	if (!ok)
		ib_while(&job->error, "making file '%s' of component '%s'", job->payload->pub.file->name,
			 job->payload->pub.manifest->keyform);
	g_clear_pointer(&job->member, g_bytes_unref);
	package_pipeline_settle(pl, slot, (job->file ? g_bytes_get_size(job->file) : 0) +
						  (job->record ? g_bytes_get_size(job->record) : 0));
}

/* ---- handing out ---- */

static bool hand_out(struct each *e, const struct payload *pl, enum ib_payload_kind kind, GBytes *bytes,
		     const char *reason, struct ib_error **err)
{
	struct ib_payload out = { .manifest = pl->pub.manifest, .file = pl->pub.file, .kind = kind, .reason = reason };

	if (bytes) {
		out.stream = ib_stream_from_bytes(bytes);
		out.size = g_bytes_get_size(bytes);
	}
	bool ok = e->fn(&out, e->data, err);
	ib_stream_free(out.stream);
	return ok;
}

static bool throw_unmade(const struct job *job, struct ib_error **err)
{
	const struct ib_manifest *m = job->payload->pub.manifest;

	ib_throw(err, job->bad ? IB_ERR_VERIFY : IB_ERR_INPUT, "file '%s' of component '%s' cannot be had: %s",
		 job->payload->pub.file->name, m->keyform, job->why->str);
	return ib_hint(err, "what it is based on comes with an earlier update (a checkpoint, or the release itself): install "
			    "that first, or name an image that has the file as a payload source");
}

static bool deliver_file(struct each *e, struct job *job, struct ib_error **err)
{
	if (!job->file && e->maker.source && !e->partial && job->vf)
		return throw_unmade(job, err);
	return hand_out(e, job->payload, IB_PAYLOAD_FILE, job->file, job->file ? NULL : job->why->str, err);
}

static bool count(struct each *e, uint64_t bytes, struct ib_error **err)
{
	uint64_t n = MIN(bytes, e->p->payload_bytes - e->counted);

	e->counted += n;
	return ib_progress_add(e->progress, n, err);
}

static bool deliver(void *data, void *each, struct ib_error **err)
{
	struct job *job = data;
	struct each *e = each;

	if (job->error) {
		*err = g_steal_pointer(&job->error);
		return false;
	}
	if (job->record && !hand_out(e, job->payload, job->vf->kind, job->record, NULL, err))
		return false;
	if (job->make && !deliver_file(e, job, err))
		return false;
	return !job->vf || count(e, job->vf->size, err);
}

static void free_job(void *data)
{
	struct job *job = data;
	GBytes *const bytes[] = { job->member, job->record, job->file };

	for (size_t i = 0; i < G_N_ELEMENTS(bytes); i++)
		if (bytes[i])
			g_bytes_unref(bytes[i]);
	g_string_free(job->why, TRUE);
	ib_error_clear(&job->error);
	g_free(job);
}

/* Takes member. */
static bool put(struct each *e, const struct payload *pl, const struct vfile *vf, GBytes *member, bool raw, bool make,
		struct ib_error **err)
{
	struct job *job = g_new0(struct job, 1);

	*job = (struct job){ .payload = pl, .vf = vf, .state = &e->states[pl->index], .member = member, .raw = raw,
			     .make = make, .why = g_string_new(NULL) };
	return package_pipeline_put(e->pl, job, member ? g_bytes_get_size(member) : 0, err);
}

/* ---- files that stream ---- */

struct check {
	struct ib_stream base;
	struct ib_stream *inner; /* borrowed */
	const struct payload *payload;
	const struct hash *also; /* the index's, or NULL */
	struct ib_digest *digest;
	bool checked;
};

static bool check_end(struct check *c, struct ib_error **err)
{
	const struct ib_file *f = c->payload->pub.file;
	const uint8_t *want = f->has_sha256 ? f->sha256 : f->sha1;
	size_t size = f->has_sha256 ? IB_SHA256_SIZE : IB_SHA1_SIZE;
	uint8_t got[IB_DIGEST_MAX];

	if (c->checked)
		return true;
	ib_digest_final(c->digest, got);
	c->checked = memcmp(got, want, size) == 0;
	if (c->checked)
		return true;
	g_autofree char *got_text = ib_hex(got, size), *want_text = ib_hex(want, size);
	return ib_throw(err, IB_ERR_VERIFY, "file '%s' of component '%s' has %s %s, its manifest says %s", f->name,
			c->payload->pub.manifest->keyform, f->has_sha256 ? "SHA-256" : "SHA-1", got_text, want_text);
}

static bool check_read(struct ib_stream *s, void *buf, size_t cap, size_t *ret_n, struct ib_error **err)
{
	struct check *c = (struct check *)s;
	size_t n;

	if (!ib_stream_read(c->inner, buf, cap, &n, err))
		return false;
	if (n > 0)
		ib_digest_update(c->digest, buf, n);
	else if (cap > 0 && !check_end(c, err))
		return false;
	*ret_n = n;
	return true;
}

static bool stream_file(struct each *e, const struct vfile *vf, uint64_t size, struct ib_stream *stream,
			struct ib_error **err)
{
	const struct ib_file *f = vf->payload->pub.file;

	if (!f->has_sha256 && !f->has_sha1)
		return ib_throw(err, IB_ERR_VERIFY, "the manifest of component '%s' gives no hash for file '%s'",
				vf->payload->pub.manifest->keyform, f->name);
	if (!package_pipeline_flush(e->pl, err))
		return false;
	struct check c = {
		.base = { .read = check_read },
		.inner = stream,
		.payload = vf->payload,
		.digest = ib_digest_new(f->has_sha256 ? IB_DIGEST_SHA256 : IB_DIGEST_SHA1),
	};
	struct ib_payload out = { .manifest = vf->payload->pub.manifest, .file = f, .kind = IB_PAYLOAD_FILE, .size = size,
				  .stream = &c.base };
	bool ok = e->fn(&out, e->data, err);
	ib_digest_free(c.digest);
	return ok && count(e, vf->size, err);
}

/* ---- in the container's order ---- */

/* A record came by. Takes member (NULL: an indexed one). */
static bool take_record(struct each *e, const struct vfile *vf, GBytes *member, struct ib_error **err)
{
	struct state *st = &e->states[vf->payload->index];
	bool raw = e->kinds & IB_PAYLOAD_BIT(vf->kind), ok = true;
	bool last = st->make && makes(vf->kind) && --st->waiting == 0;

	if (st->make && makes(vf->kind) && !last && member)
		ok = package_spool_add(e->p->spool, member, &st->parked[vf->kind], err);
	if (ok && (raw || last))
		return put(e, vf->payload, vf, member, raw, last, err);
	if (member)
		g_bytes_unref(member);
	return ok;
}

/* Whether a virtual file has to be read: by what was asked for and what makes it. */
static bool is_needed(const struct each *e, const struct vfile *vf)
{
	if (!vf->payload)
		return false;
	const struct state *st = &e->states[vf->payload->index];
	return st->active && (e->kinds & IB_PAYLOAD_BIT(vf->kind) || (st->make && makes(vf->kind)));
}

/* Members are the first virtual files, in the unit's order. */
static bool take_member(guint i, struct ib_stream *stream, void *data, struct ib_error **err)
{
	struct each *e = data;
	const struct vfile *vf = e->p->vfiles->pdata[i];
	GBytes *bytes;

	if (vf->kind == IB_PAYLOAD_FILE && vf->size > STREAM_MIN)
		return stream_file(e, vf, vf->size, stream, err);
	if (vf->size > STREAM_MIN ? !ib_stream_bytes(stream, IB_DELTA_TARGET_MAX, vf->name, &bytes, err)
				  : !ib_stream_exact(stream, vf->size, vf->name, &bytes, err))
		return false;
	return vf->kind == IB_PAYLOAD_FILE ? put(e, vf->payload, vf, bytes, false, true, err) :
					     take_record(e, vf, bytes, err);
}

/* A large range of a .psf that is the file itself. */
static bool stream_range(struct each *e, const struct vfile *vf, const struct cix_delta *d, struct ib_error **err)
{
	struct ib_extent extent = { .offset = d->offset, .length = d->length };
	ib_auto_input part = NULL;

	if (!package_cix_range(vf->cix, d, err) || !ib_input_part(vf->cix->psf, &extent, 1, vf->name, &part, err))
		return ib_while(err, "making file '%s' of component '%s'", vf->payload->pub.file->name,
				vf->payload->pub.manifest->keyform);
	struct ib_stream *stream = ib_stream_from_input(part);
	bool ok = stream_file(e, vf, d->length, stream, err);
	ib_stream_free(stream);
	return ok;
}

static bool take_indexed(struct each *e, const struct vfile *vf, struct ib_error **err)
{
	const struct cix_delta *d = package_cix_delta(vf->cix, vf->at);

	if (vf->kind != IB_PAYLOAD_FILE)
		return take_record(e, vf, NULL, err);
	if (vf->cix->psf && d->source == SOURCE_RAW && d->length > STREAM_MIN)
		return stream_range(e, vf, d, err);
	return put(e, vf->payload, vf, NULL, false, true, err);
}

static bool each_member(struct each *e, struct ib_error **err)
{
	struct ib_package *p = e->p;
	g_autofree uint8_t *wanted = g_malloc0(p->unit->files->len + 1);

	for (guint i = 0; i < p->unit->files->len; i++)
		wanted[i] = is_needed(e, p->vfiles->pdata[i]);
	return package_unit_each(p->unit, wanted, e->threads, take_member, e, err);
}

/* Numbered members that anything needed is made of, all at once: deltas refer to each other in any order. */
static bool fetch_numbered(struct each *e, struct ib_error **err)
{
	struct cix *c = e->p->cix;

	if (!c)
		return true;
	g_autofree uint8_t *files = g_malloc0(c->files->len + 1);
	for (guint i = 0; i < e->p->vfiles->len; i++) {
		const struct vfile *vf = e->p->vfiles->pdata[i];
		if (vf->cix == c)
			files[vf->at] = is_needed(e, vf);
	}
	return package_cix_fetch(c, files, e->threads, err);
}

static bool each_indexed(struct each *e, struct ib_error **err)
{
	if (!fetch_numbered(e, err))
		return false;
	for (guint i = e->p->unit->files->len; i < e->p->vfiles->len; i++) {
		const struct vfile *vf = e->p->vfiles->pdata[i];
		if (is_needed(e, vf) && !take_indexed(e, vf, err))
			return false;
	}
	return true;
}

/* Files that manifests name and nothing here brings, in the order of the manifests. */
static bool each_missing(struct each *e, struct ib_error **err)
{
	for (guint i = 0; i < e->p->payloads->len; i++) {
		const struct payload *pl = e->p->payloads->pdata[i];
		bool brought = pl->vfile[IB_PAYLOAD_FILE] || pl->vfile[IB_PAYLOAD_FORWARD] || pl->vfile[IB_PAYLOAD_NULL];
		if (e->states[i].active && e->kinds & IB_PAYLOAD_BIT(IB_PAYLOAD_FILE) && !brought &&
		    !put(e, pl, NULL, NULL, false, true, err))
			return false;
	}
	return true;
}

/* ---- each ---- */

static void prepare(struct each *e)
{
	const struct ib_payload_source *s = e->maker.source;
	g_autoptr(GHashTable) wanted = g_hash_table_new(NULL, NULL);

	e->states = g_new0(struct state, e->p->payloads->len + 1);
	for (guint i = 0; i < e->p->payloads->len; i++) {
		const struct payload *pl = e->p->payloads->pdata[i];
		struct state *st = &e->states[i];
		gpointer known;
		if (!g_hash_table_lookup_extended(wanted, pl->pub.manifest, NULL, &known)) {
			known = GINT_TO_POINTER(!s || !s->wanted || s->wanted(s->data, pl->pub.manifest));
			g_hash_table_insert(wanted, (gpointer)pl->pub.manifest, known);
		}
		st->active = GPOINTER_TO_INT(known);
		st->waiting = !!pl->vfile[IB_PAYLOAD_NULL] + !!pl->vfile[IB_PAYLOAD_FORWARD];
		st->make = e->kinds & IB_PAYLOAD_BIT(IB_PAYLOAD_FILE) && !pl->vfile[IB_PAYLOAD_FILE] && st->waiting > 0;
	}
}

bool ib_package_each_payload(struct ib_package *p, const struct ib_payload_options *options, ib_payload_fn fn,
			     void *data, struct ib_progress *progress, struct ib_error **err)
{
	static const struct pipeline_ops ops = { .run = run, .deliver = deliver, .free = free_job };
	struct each e = {
		.p = p,
		.maker = { .p = p, .source = options ? options->source : NULL },
		.partial = options && options->partial,
		.threads = options && options->threads ? options->threads : p->threads,
		.kinds = options && options->kinds ? options->kinds : IB_PAYLOAD_BIT(IB_PAYLOAD_FILE),
		.fn = fn,
		.data = data,
		.progress = progress,
	};

	prepare(&e);
	e.pl = package_pipeline_new(e.threads, BUDGET, &ops, &e);
	bool ok = each_member(&e, err) && each_indexed(&e, err) && each_missing(&e, err) &&
		  package_pipeline_flush(e.pl, err) && count(&e, UINT64_MAX, err);
	package_pipeline_free(e.pl);
	g_free(e.states);
	return ok || ib_while(err, "reading the files of package '%s'", p->container->path);
}
